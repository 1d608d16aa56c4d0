"""A worker does jobs of every kind side by side: a proof keeps no replay waiting."""

import json
import threading
import time

import pytest

from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.database.models import Job
from lrmp.leaderboard.board.service import jobs
from lrmp.leaderboard.board.worker.worker import Worker


class Held:
    """Stands before a sandbox: what is to be done there waits until the test says so."""

    def __init__(self, sandbox):
        self.sandbox, self.go, self.asked = sandbox, threading.Event(), threading.Event()

    def call(self, work, text, meanwhile, every_s):
        self.asked.set()
        while not self.go.wait(every_s):
            meanwhile()
        return self.sandbox.call(work, text, meanwhile, every_s)

    def close(self):
        self.go.set()


@pytest.fixture
def finished_run(member, admin_client, constant):
    """A run whose optimum is to be proven."""
    admin_client.post("/rounds", {"name": "r1", "track": "search", "days": 1})
    run = member.post("/runs", {"round": "r1", "agent": "ants/walker@1"}).json()["id"]
    instance = member.get(f"/runs/{run}/instance").json()
    document = {"first": 1, "designs": [constant(instance)]}
    assert member.post(f"/runs/{run}/evaluations", document).status_code == 200
    assert member.post(f"/runs/{run}/finish").status_code == 202
    return run


def until(holds):
    """Wait, on a busy machine for long."""
    for _ in range(3000):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("nothing happened")


def test_a_proof_keeps_no_replay_waiting(
    settings, board, member, digits, sandbox, finished_run, monkeypatch
):
    brief = Board(type(settings)(**vars(settings) | {"lease_s": 1}))
    worker, held, stop = Worker(brief, sandbox), Held(sandbox), threading.Event()
    monkeypatch.setitem(worker._sandboxes, "settle", held)
    working = threading.Thread(target=worker.run, args=(stop,))
    working.start()
    try:
        until(held.asked.is_set)  # the proof has begun
        found = member.post("/submissions", {"agent": "ants/walker@1", "record": digits()}).json()
        until(lambda: member.get(f"/submissions/{found['id']}").json()["state"] == "accepted")
        assert member.get(f"/runs/{finished_run}").json()["state"] == "finishing"
        time.sleep(2)  # longer than the lease
        assert jobs.lease(board, ["settle"]) is None  # it is renewed as long as it is at work
        held.go.set()
        until(lambda: member.get(f"/runs/{finished_run}").json()["state"] == "finished")
    finally:
        held.go.set()
        stop.set()
        working.join()
        brief.close()


def test_a_worker_that_loses_a_loop_ends(board, sandbox, monkeypatch):
    worker = Worker(board, sandbox)

    def fall(kinds):
        raise RuntimeError("the database is gone")

    monkeypatch.setattr(worker, "do_one", fall)
    with pytest.raises(RuntimeError, match="the database is gone"):
        worker.run(threading.Event())


def test_jobs_are_taken_by_kind_and_in_order(board, member, digits, finished_run):
    member.post("/submissions", {"agent": "ants/walker@1", "record": digits()})
    with board.database.write() as session:
        jobs.queue(session, "check", "0" * 24)
        assert session.query(Job).count() == 3
    assert jobs.lease(board, ["check"]).kind == "check"
    assert [jobs.lease(board).kind for _ in range(2)] == ["replay", "settle"]
    assert jobs.lease(board) is None


def test_a_lease_is_renewed_by_who_has_it(settings, board, finished_run):
    impatient = Board(type(settings)(**vars(settings) | {"lease_s": 0}))
    first = jobs.lease(impatient)
    assert jobs.renew(board, first)  # for longer
    assert jobs.lease(impatient) is None
    assert jobs.renew(impatient, first)
    second = jobs.lease(impatient)
    assert not jobs.renew(board, first)
    assert jobs.renew(board, second)
    impatient.close()


def test_a_bound_that_is_not_met_is_shown_and_measures(
    board, member, client, finished_run, sandbox, monkeypatch
):
    """As if the proof had been cut off: what is known is less than what may be."""

    class CutOff:
        def call(self, work, text, *_, **__):
            return json.dumps({"value": 2.0, "bound": 2.5})

    worker = Worker(board, sandbox)
    monkeypatch.setitem(worker._sandboxes, "settle", CutOff())
    while worker.do_one():
        pass
    row = client.get("/rankings/rounds/r1").json()["agents"][0]
    assert (row["finished"], row["bounded"]) == (1, 1)
    item = client.get("/log/head").json()["number"]
    body = json.loads(client.get(f"/log/{item}").json()["body"])
    best = max(score for _, score in body["evaluations"])
    assert body["scores"]["100"] == best / 2.5
    assert row["score"] == best / 2.5
