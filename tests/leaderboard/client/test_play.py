"""Algorithms and functions play rounds; cuts change nothing."""

import itertools
import socket
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from lrmp.errors import BoardError, RunError
from lrmp.leaderboard.client import connection as connection_module
from lrmp.leaderboard.client.connection import Connection
from lrmp.leaderboard.client.metered_run import BudgetSpentError, MeteredRun
from lrmp.leaderboard.client.play import play_algorithm, play_function
from lrmp.leaderboard.client.rounds import open_round_of

NUMBERS = itertools.count()


@pytest.fixture
def connection(live_board):
    with live_board.connection() as made:
        yield made


@pytest.fixture
def agent(connection):
    name = f"ants/play@{next(NUMBERS)}"
    connection.post("/agents", {"agent": name, "code": None})
    return name


def settings_of(run, places, count=1):
    layers = len(run.task.network)
    return np.tile(np.array(places), (count, layers, 1))


def test_an_algorithm_searches_instances_and_is_counted(connection, agent):
    pytest.importorskip("tyro")
    found = open_round_of(connection, "search")
    told = []
    played = play_algorithm(
        connection, found, agent, "random", runs=2, evaluations=60, progress=told.append
    )
    assert [each.number for each in played] == [0, 1]
    assert played == told
    runs = [connection.get(f"/runs/{each.run}") for each in played]
    assert [run["evaluations"] for run in runs] == [60, 60]
    again = play_algorithm(connection, found, agent, "random", runs=2, evaluations=60)
    assert [each.run for each in again] == [each.run for each in played]
    assert [connection.get(f"/runs/{each.run}")["evaluations"] for each in again] == [60, 60]


def test_a_search_that_was_cut_is_begun_again_and_counted_once(connection, agent, monkeypatch):
    pytest.importorskip("tyro")
    found, evaluate, asked = open_round_of(connection, "search"), MeteredRun.evaluate, []

    def cut(run, settings):
        if len(asked) == 1:
            raise KeyboardInterrupt
        asked.append(len(settings))
        return evaluate(run, settings)

    search = {"runs": 1, "evaluations": 120}
    with monkeypatch.context() as patch:
        patch.setattr(MeteredRun, "evaluate", cut)
        with pytest.raises(KeyboardInterrupt):
            play_algorithm(connection, found, agent, "random", **search)
    run = connection.get("/runs", agent=agent)[0]
    assert (run["state"], run["evaluations"]) == ("open", asked[0])
    (played,) = play_algorithm(connection, found, agent, "random", **search)
    assert played.run == run["id"]
    assert connection.get(f"/runs/{run['id']}")["evaluations"] == 120


PLAYER = """
def play(env):
    while True:
        env.reset()
        ended = False
        while not ended:
            _, _, ended, _, _ = env.step(env.action_space.sample())
"""


def test_a_function_plays_a_round(connection, agent, tmp_path, monkeypatch):
    (tmp_path / "my_player.py").write_text(PLAYER)
    monkeypatch.syspath_prepend(tmp_path)
    found = open_round_of(connection, "zero-shot")
    played = play_function(connection, found, agent, "my_player:play", runs=2)
    assert [each.evaluations for each in played] == [1, 1]
    assert [run["evaluations"] for run in connection.get("/runs", agent=agent)] == [1, 1]


def test_lost_answers_are_asked_again(live_board, connection, agent, monkeypatch):
    """A proxy passes all requests to the board, and drops every second answer."""
    monkeypatch.setattr(connection_module, "time", SimpleNamespace(sleep=lambda seconds: None))
    proxy = Dropping(live_board.url)
    with Connection(proxy.url, live_board.member) as cut:
        run = MeteredRun.open(cut, "search-1", agent, "lost")
        answers = run.evaluate(settings_of(run, [5, 5], 3))
    proxy.close()
    assert proxy.dropped > 2
    assert [answer.number for answer in answers] == [1, 2, 3]
    assert connection.get(f"/runs/{run.id}")["evaluations"] == 3
    assert len(connection.get("/runs", agent=agent)) == 1


def test_batches_are_cut_where_the_count_ends(connection, agent):
    run = MeteredRun.open(connection, "search-1", agent, "batches")
    first = run.evaluate(settings_of(run, [6, 6], 5))
    again = MeteredRun.open(connection, "search-1", agent, "batches")
    assert (again.counted, again.asked) == (5, 0)
    settings = np.concatenate([settings_of(run, [6, 6], 5), settings_of(run, [5, 6], 4)])
    answers = again.evaluate(settings)
    assert answers[:5] == first
    assert [answer.number for answer in answers] == [*range(1, 10)]


def test_the_last_evaluations_are_used_before_a_run_is_over(connection, agent):
    run = MeteredRun.open(connection, "search-1", agent, "budget")
    run.budget = 3  # the server's is 1,000
    with pytest.raises(BudgetSpentError, match="Expected at most 3 evaluations of a run"):
        run.evaluate(settings_of(run, [6, 6], 5))
    assert connection.get(f"/runs/{run.id}")["evaluations"] == 3


def test_the_task_asks_every_design_once(connection, agent):
    run = MeteredRun.open(connection, "search-1", agent, "asked")
    task = run.task
    copies = np.ones((4, len(task.network)), dtype=np.int64)
    drops = task.accuracy.divergences(settings_of(run, [6, 6], 4), copies)
    assert run.asked == 1
    assert len(set(drops.tolist())) == 1


def test_wrong_rounds_and_algorithms_are_refused(connection, agent):
    pytest.importorskip("tyro")
    search, zero = (open_round_of(connection, track) for track in ("search", "zero-shot"))
    with pytest.raises(BoardError, match="Expected a round of the track search for random"):
        play_algorithm(connection, zero, agent, "random")
    with pytest.raises(RunError, match="Did you mean 'random'"):
        play_algorithm(connection, search, agent, "randon")
    with pytest.raises(BoardError, match="Expected 1 to 10 runs in search-1, got 11"):
        play_algorithm(connection, search, agent, "random", runs=11)
    with pytest.raises(BoardError, match="Expected a round of the board, got 'nope'"):
        open_round_of(connection, "search", "nope")
    with pytest.raises(BoardError, match="got zero-1 of the track zero-shot"):
        open_round_of(connection, "search", "zero-1")


class Dropping:
    """Passes requests on, and drops every second answer."""

    def __init__(self, target):
        host, _, port = target.removeprefix("http://").partition(":")
        self._target = host, int(port)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.dropped, self._count = 0, 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self._count += 1
            with client, socket.create_connection(self._target) as server:
                server.sendall(self._request(client))
                answer = server.recv(2**20)
                if self._count % 2:
                    self.dropped += 1
                else:
                    head, _, body = answer.partition(b"\r\n\r\n")
                    length = next(
                        int(line.split(b":")[1])
                        for line in head.splitlines()
                        if line.lower().startswith(b"content-length")
                    )
                    while len(body) < length:
                        body += server.recv(2**20)
                    client.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)

    def _request(self, client):
        data = b""
        while b"\r\n\r\n" not in data:
            data += client.recv(2**16)
        head, _, body = data.partition(b"\r\n\r\n")
        for line in head.splitlines():
            if line.lower().startswith(b"content-length"):
                while len(body) < int(line.split(b":")[1]):
                    body += client.recv(2**16)
        return head + b"\r\n\r\n" + body

    def close(self):
        self._socket.close()
