"""Jobs that take too much end; the worker goes on."""

import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from lrmp.leaderboard.board.worker import sandbox as sandbox_module
from lrmp.leaderboard.board.worker.sandbox import Sandbox, SandboxError

pytestmark = pytest.mark.long


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


def forked(monkeypatch):
    """Let processes be forked here, so that they have the test's functions."""
    fork = multiprocessing.get_context("fork")
    monkeypatch.setattr(sandbox_module.multiprocessing, "get_context", lambda _: fork)


@pytest.mark.parametrize(("work", "message"), [(spin, "processor time"), (hoard, "MemoryError")])
def test_limits_end_a_job(monkeypatch, work, message):
    monkeypatch.setitem(sandbox_module.FUNCTIONS, "replay", work)
    forked(monkeypatch)
    made = Sandbox(memory_mb=4096, cpu_s=1)
    with pytest.raises(SandboxError, match=message):
        made.call("replay", "")
    made.close()


@pytest.mark.long
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


def test_something_is_done_meanwhile_and_its_error_ends_the_work(monkeypatch):
    monkeypatch.setitem(sandbox_module.FUNCTIONS, "replay", spin)
    forked(monkeypatch)
    made, calls = Sandbox(memory_mb=4096, cpu_s=600), []

    def meanwhile():
        calls.append(made._process.pid)
        if len(calls) == 3:
            raise RuntimeError("the database is gone")

    with pytest.raises(RuntimeError, match="the database is gone"):
        made.call("replay", "", meanwhile, every_s=0.01)
    assert made._process is None
    assert not running(calls[0])


def test_a_patient_process_lets_others_go_first(monkeypatch):
    monkeypatch.setitem(sandbox_module.FUNCTIONS, "replay", lambda _: str(os.nice(0)))
    forked(monkeypatch)
    for patient in (True, False):
        made = Sandbox(memory_mb=4096, cpu_s=60, patient=patient)
        assert int(made.call("replay", "")) == os.nice(0) + 10 * patient
        made.close()


def work_and_tell(pipe):
    made = Sandbox(memory_mb=4096, cpu_s=600)
    made.call("replay", "", lambda: pipe.send(made._process.pid), every_s=0.01)


def test_work_of_a_worker_that_was_killed_ends(monkeypatch):
    """It would go on for as long as it takes, beside the worker that does it again."""
    monkeypatch.setitem(sandbox_module.FUNCTIONS, "replay", spin)
    forked(monkeypatch)
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    worker = fork.Process(target=work_and_tell, args=(theirs,))
    worker.start()
    spinning = ours.recv()
    assert running(spinning)
    worker.kill()
    worker.join()
    for _ in range(600):
        if not running(spinning):
            break
        time.sleep(0.1)
    assert not running(spinning)


def running(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
