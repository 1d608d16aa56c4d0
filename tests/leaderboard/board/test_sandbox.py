"""Jobs that take too much end; the worker goes on."""

import json
import multiprocessing
import os
import time

import pytest

from lrmp.leaderboard.board.worker import sandbox as sandbox_module
from lrmp.leaderboard.board.worker.sandbox import Sandbox, SandboxError


def test_work_is_done_and_errors_are_told(sandbox, digits):
    found = json.loads(sandbox.call("replay", json.dumps(digits())))
    assert found["accepted"]["claim"]["score"] == digits()["claim"]["score"]
    forged = digits()
    forged["claim"]["tiles"] += 1
    assert "expected tiles" in json.loads(sandbox.call("replay", json.dumps(forged)))["refused"]
    with pytest.raises(SandboxError, match="JSONDecodeError"):
        sandbox.call("settle", "nonsense")
    assert "accepted" in sandbox.call("replay", json.dumps(digits()))


def spin(_):
    while True:
        pass


def hoard(_):
    return str(len(bytearray(2**33)))


@pytest.mark.parametrize(("work", "message"), [(spin, "processor time"), (hoard, "MemoryError")])
def test_limits_end_a_job(monkeypatch, work, message):
    """The process is forked here, so that it has the test's function."""
    monkeypatch.setitem(sandbox_module.FUNCTIONS, "replay", work)
    fork = multiprocessing.get_context("fork")
    monkeypatch.setattr(sandbox_module.multiprocessing, "get_context", lambda _: fork)
    made = Sandbox(memory_mb=4096, cpu_s=1)
    with pytest.raises(SandboxError, match=message):
        made.call("replay", "")
    made.close()


def test_a_killed_process_is_replaced(digits):
    made = Sandbox(memory_mb=4096, cpu_s=60)
    made.call("replay", json.dumps(digits()))
    first = made._process.pid
    os.kill(first, 9)
    time.sleep(0.05)
    with pytest.raises(SandboxError, match="the process died"):
        made.call("replay", json.dumps(digits()))
    assert "accepted" in made.call("replay", json.dumps(digits()))
    assert made._process.pid != first
    made.close()
