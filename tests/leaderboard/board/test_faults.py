"""Kill -9 of the server and of workers at random points: nothing is lost, nothing is double.

``BOARD_KILLS=100 pytest tests/leaderboard/board/test_faults.py`` is the long version.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.service import accounts, agents, rounds, tokens
from lrmp.leaderboard.board.verification import verify_file
from lrmp.leaderboard.board.verification.links import check_links
from lrmp.leaderboard.board.verification.verify import read_mirror
from lrmp.leaderboard.client import connection as client_connection
from lrmp.leaderboard.client.connection import Connection
from lrmp.leaderboard.log.append import read_items
from lrmp.leaderboard.log.tables import LogItem

pytestmark = pytest.mark.long


KILLS = int(os.environ.get("BOARD_KILLS", "1"))
CLIENTS = 2
PATIENCE = 600  # looks, two a second, without anything logged
AGENTS = [f"ants/walker@{number}" for number in range(max(CLIENTS, KILLS))]


class Server:
    """`lrmp board serve` with two workers, which can be killed and started again."""

    def __init__(self, settings, port):
        settings = replace(settings, lease_s=20, waiting_per_team=0)
        self.environment = os.environ | settings.to_environment()
        self.port = port
        self.log = (settings.folder / "server.log").open("ab")
        self.process = None

    def start(self):
        words = [sys.executable, "-m", "lrmp", "board", "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*words, "--workers", "2"], env=self.environment, stderr=self.log
        )

    def workers(self):
        """Processes that the server started, as Linux lists them."""
        pid = self.process.pid
        lists = Path(f"/proc/{pid}/task").glob("*/children")
        return [int(child) for each in lists for child in each.read_text().split()]

    def kill(self, rng):
        """Kill the server, a worker, or all of them at once."""
        victims = self.workers()
        which = rng.choice(("all", "server", "worker"))
        if which == "server":
            victims = []
        elif which == "worker":
            victims = rng.sample(victims, min(1, len(victims)))
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        if which != "worker":
            self.process.kill()
            self.process.wait()
            self.start()

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)
        self.log.close()


class Load(threading.Thread):
    """A participant: hands in records and plays runs, and notes what the board has answered."""

    def __init__(self, number, address, secret, digits, stop):
        super().__init__()
        self.number, self.digits, self.halt = number, digits, stop
        self.connection = Connection(address, secret)
        self.submitted, self.answered, self.finished = {}, {}, set()
        self.error = None

    def run(self):
        try:
            with self.connection:
                turn = 0
                while not self.halt.is_set():
                    self.submit(turn)
                    self.play(turn)
                    turn += 1
        except Exception as error:  # shown by the test
            self.error = error

    def submit(self, turn):
        key = f"{self.number}-{turn}"
        record = self.digits(seed=1000 * self.number + turn)
        document = {"agent": AGENTS[self.number], "record": record}
        self.submitted[key] = self.connection.post("/submissions", document, key=key)["id"]

    def play(self, turn):
        agent = AGENTS[(self.number + CLIENTS * (turn // 10)) % len(AGENTS)]
        key = f"{self.number}-{turn}"
        try:
            document = {"round": "r1", "agent": agent}
            run = self.connection.post("/runs", document, key=key)["id"]
        except client_connection.BoardError as error:
            if error.status != 409:  # this agent has opened all its runs
                raise
            return
        instance = self.connection.get(f"/runs/{run}/instance")
        layers = len(instance["workload"][0]["layers"])
        first = 1
        for bits in (8, 7, 6, 5):
            design = {"weight_bits": [bits] * layers, "activation_bits": [bits] * layers}
            batch = {"first": first, "designs": [design] * 5}
            self.connection.post(f"/runs/{run}/evaluations", batch)
            first += 5
            self.answered[run] = first - 1
        self.connection.post(f"/runs/{run}/finish")
        self.finished.add(run)


@pytest.fixture
def patient(monkeypatch):
    """Servers are slow to start on a busy machine."""
    monkeypatch.setattr(client_connection, "ATTEMPTS", 600)
    monkeypatch.setattr(client_connection, "LONGEST_PAUSE_S", 0.5)


def await_work(board):
    """Wait until workers log again: on a busy machine they would be killed before they begin."""
    before = logged_work(board)
    for _ in range(600):
        if logged_work(board) > before:
            return
        time.sleep(0.1)
    print("a minute without work")


def logged_work(board):
    query = sa.select(sa.func.count()).where(LogItem.kind.in_(("design", "run-finished")))
    with board.database.read() as session:
        return session.scalar(query)


def test_nothing_is_lost_or_double(settings, free_port, digits, patient):
    board = Board(settings)
    secret = accounts.add_admin(board, "root")
    root = tokens.authenticate(board, secret)
    accounts.found_team(board, root, "ants")
    for agent in AGENTS:
        agents.register(board, root, agent, None)
    rounds.open_round(board, root, "r1", "search", days=1)

    rng, stop = random.Random(1), threading.Event()
    server = Server(settings, free_port)
    server.start()
    address = f"http://127.0.0.1:{free_port}"
    loads = [Load(number, address, secret, digits, stop) for number in range(CLIENTS)]
    try:
        with Connection(address, secret) as connection:
            connection.get("/account")  # it is up
            for load in loads:
                load.start()
            for _ in range(KILLS):
                await_work(board)
                time.sleep(rng.uniform(0.1, 2.0))
                server.kill(rng)
                connection.get("/account")
            stop.set()
            for load in loads:
                load.join()
            assert [load.error for load in loads] == [None] * CLIENTS
            before, patience = -1, PATIENCE
            while patience:  # as long as work is logged
                closed = rounds.close_round(board, root, "r1").secret is not None
                if closed and not connection.get("/submissions", state="waiting", limit=1):
                    break
                logged = logged_work(board)
                patience = patience - 1 if logged == before else PATIENCE
                before = logged
                time.sleep(0.5)
            assert patience, "five minutes without work, and some is left"
    finally:
        stop.set()
        server.stop()

    with board.database.read() as session:
        items = read_items(session)
    board.close()
    assert check_links(items) == []
    assert read_mirror(settings.mirror_path) == items
    verdict = verify_file(settings.mirror_path, with_replays=False)
    assert verdict.wrong == []
    by_kind = {
        kind: [i.content for i in items if i.kind == kind] for kind in {i.kind for i in items}
    }

    submitted = [found for load in loads for found in load.submitted.values()]
    assert Counter(body["submission"] for body in by_kind["design"]) == Counter(submitted)
    assert "refused" not in by_kind
    finished = Counter(body["run"] for body in by_kind["run-finished"])
    assert finished == Counter(body["run"] for body in by_kind["run-opened"])
    counted = {body["run"]: len(body["evaluations"]) for body in by_kind["run-finished"]}
    answered = {run: count for load in loads for run, count in load.answered.items()}
    # A run that was opened twice, or an answer that was not kept, would show here.
    assert counted == answered
    print(
        f"{KILLS} kills: {len(submitted)} submissions, {len(answered)} runs, "
        f"{verdict.rescored} evaluations, {len(items)} items"
    )
