"""How many requests a board answers. Figures are printed; nothing here depends on the time.

``BOARD_LOAD=1 pytest -s tests/leaderboard/board/test_load.py`` is the long version: 32 clients
for 20 s each, and rankings of 100,000 entries.
"""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, replace
from urllib.request import urlopen

import pytest
import sqlalchemy as sa

from lrmp.errors import BoardError
from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.service import (
    accounts,
    agents,
    overview,
    rankings,
    rounds,
    submissions,
    tokens,
)
from lrmp.leaderboard.chain import link
from lrmp.leaderboard.client.connection import Connection
from lrmp.leaderboard.log.item import Item, canonical, chained
from lrmp.leaderboard.log.standings import count_accepted, design_standing
from lrmp.leaderboard.log.tables import DesignStanding, LogHead, LogItem

pytestmark = pytest.mark.long


LONG = os.environ.get("BOARD_LOAD") == "1"
CLIENTS, SECONDS, ENTRIES = (32, 20.0, 100_000) if LONG else (4, 1.0, 2_000)
BATCH = 20


@pytest.fixture
def served(settings, free_port):
    """A board under `lrmp board serve` without workers, and the token of its administrator."""
    settings = replace(settings, waiting_per_team=0)  # nobody replays
    board = Board(settings)
    secret = accounts.add_admin(board, "root")
    root = tokens.authenticate(board, secret)
    accounts.found_team(board, root, "ants")
    for number in range(CLIENTS):
        agents.register(board, root, f"ants/walker{number}@1", None)
    rounds.open_round(board, root, "r1", "search", days=1, instances=100)
    words = [sys.executable, "-m", "lrmp", "board", "serve", "--port", str(free_port)]
    with (settings.folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [*words, "--workers", "0"], env=os.environ | settings.to_environment(), stderr=log
        )
        address = f"http://127.0.0.1:{free_port}"
        with Connection(address, secret) as connection:
            for _ in range(20):  # each look tries for a while, too
                with suppress(BoardError):
                    connection.get("/account")
                    break
                assert server.poll() is None, (settings.folder / "server.log").read_text()
        yield board, address, secret
        server.terminate()
        server.wait()
    board.close()


def measure(address, secret, prepare):
    """Let all clients ask for some seconds; return the times of all answers."""
    times, errors = [], []
    stop = threading.Event()
    ready = threading.Barrier(CLIENTS + 1)

    def ask(number):
        try:
            with Connection(address, secret) as connection:
                step = prepare(connection, number)
                ready.wait()
                while not stop.is_set():
                    start = time.perf_counter()
                    step()
                    times.append(time.perf_counter() - start)
        except Exception as error:
            errors.append(error)
            ready.abort()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    ready.wait()
    start = time.perf_counter()
    time.sleep(SECONDS)
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    return times, time.perf_counter() - start


def report(what, kind, times, seconds, each=1):
    p95 = statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
    print(
        f"\n{kind}: {what}: {len(times) * each / seconds:.0f}/s, p95 {1000 * p95:.0f} ms, "
        f"{CLIENTS} clients, {seconds:.0f} s"
    )


def test_submissions(served, database_kind, digits):
    board, address, secret = served
    template = digits()

    def prepare(connection, number):
        seeds = iter(range(10**6 * number, 10**6 * (number + 1)))
        agent = f"ants/walker{number}@1"
        return lambda: connection.post(
            "/submissions", {"agent": agent, "record": template | {"seed": next(seeds)}}
        )

    times, seconds = measure(address, secret, prepare)
    report("submissions", database_kind, times, seconds)
    with board.database.read() as session:
        stored = session.scalar(sa.text("SELECT count(*) FROM submissions"))
        jobs = session.scalar(sa.text("SELECT count(*) FROM jobs"))
    assert stored == jobs == len(times)


def test_evaluations(served, database_kind):
    board, address, secret = served

    def prepare(connection, number):
        state = {"left": 0}

        def step():
            if not state["left"]:
                document = {"round": "r1", "agent": f"ants/walker{number}@1"}
                state["run"] = connection.post("/runs", document)["id"]
                instance = connection.get(f"/runs/{state['run']}/instance")
                layers = len(instance["workload"][0]["layers"])
                design = {"weight_bits": [7] * layers, "activation_bits": [6] * layers}
                state.update(left=1000 // BATCH, first=1, designs=[design] * BATCH)
            batch = {"first": state["first"], "designs": state["designs"]}
            connection.post(f"/runs/{state['run']}/evaluations", batch)
            state["first"] += BATCH
            state["left"] -= 1

        step()
        return step

    times, seconds = measure(address, secret, prepare)
    report(f"evaluations in batches of {BATCH}", database_kind, times, seconds, BATCH)
    with board.database.read() as session:
        counted = session.scalar(sa.text("SELECT sum(evaluations) FROM runs"))
        stored = session.scalar(sa.text("SELECT count(*) FROM evaluations"))
    assert counted == stored == BATCH * (len(times) + CLIENTS)


def append_many(board, record, count):
    """Put accepted designs into the log, chained and signed as the board does, all at once."""
    with board.database.write() as session:
        head = session.scalars(sa.select(LogHead)).one()
        items, standings = [], []
        number, chain = head.number, head.chain
        for index in range(count):
            number += 1
            scored = record["claim"] | {"score": record["claim"]["score"] * (index % 997) / 997}
            body = {
                "submission": f"s{index}",
                "agent": f"ants/walker{index % CLIENTS}@1",
                "record": record | {"seed": index},
                "sha256": f"{index:064x}",
                "claim": scored,
                "test_accuracy_drop": None,
                "accuracy": "network",
            }
            row = chained(number, "design", "2026-01-01T00:00:00.000000Z", canonical(body), chain)
            chain = link(row)
            signature = board.signer.sign(number, chain)
            item = Item(**row, chain=chain, key=board.signer.public, signature=signature)
            items.append(asdict(item))
            standings.append(
                design_standing(number, item.at, body)
                | {
                    "design": f"{index % (count // 2):064x}",
                    "ordinal": index + 1,
                    "withdrawn_by": None,
                }
            )
        for table, rows in ((LogItem, items), (DesignStanding, standings)):
            session.execute(sa.insert(table), rows)
        head.number, head.chain = number, chain
    with board.database.engine.connect() as connection:  # as PostgreSQL does by itself, later
        connection.exec_driver_sql("ANALYZE")
        connection.commit()


def timed(look):
    """Milliseconds of the median of five looks."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        look()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def test_a_ranking_of_many_entries(served, database_kind, digits):
    board, address, secret = served
    append_many(board, digits(), ENTRIES)
    path = "/rankings/designs/LRMP-Digits-v0"
    with Connection(address, secret) as connection:
        start = time.perf_counter()
        found = connection.get(path)
        first = time.perf_counter() - start
    assert (found["total"], len(found["designs"])) == (ENTRIES, 100)
    scores = [row["score"] for row in found["designs"]]
    assert scores == sorted(scores, reverse=True)
    fingerprint = found["fingerprint"]
    query = timed(lambda: rankings.designs(board, "LRMP-Digits-v0"))
    with board.database.read() as session:
        total = timed(lambda: count_accepted(session, fingerprint, ENTRIES + 10**6))
    page = timed(lambda: urlopen(f"{address}/tasks/LRMP-Digits-v0").read())
    print(
        f"\n{database_kind}: ranking of {ENTRIES} entries: {query:.1f} ms, first "
        f"{1000 * first:.0f} ms; its total {total:.2f} ms; its page {page:.0f} ms; summaries of "
        f"all tasks {timed(lambda: overview._tasks.__wrapped__(board, 0)):.1f} ms"
    )
    times, seconds = measure(address, secret, lambda connection, _: lambda: connection.get(path))
    report(f"looks at a ranking of {ENTRIES} entries", database_kind, times, seconds)
    principal = tokens.authenticate(board, secret)
    start = time.perf_counter()
    submissions.submit(board, principal, "ants/walker0@1", json.dumps(digits(seed=10**8)))
    print(f"{database_kind}: a submission then: {1000 * (time.perf_counter() - start):.0f} ms")
