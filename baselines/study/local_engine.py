"""Runs in processes on this machine.

Processes are spawned, not forked, because torch and OR-Tools have threads; each makes one run after
the other with one thread. ``concurrent.futures`` would give up all runs when one process dies; here
only the run that it was making is lost, and another process takes its place.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path

from tqdm import tqdm

from lrmp.baselines.study.engine import Ending, attempt
from lrmp.baselines.study.planned_run import PlannedRun
from lrmp.errors import StudyError

#: Read by OpenMP and by the BLAS libraries when they are loaded.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def run_locally(
    runs: Sequence[PlannedRun], runs_dir: Path, workers: int = 1
) -> Generator[Ending, None, None]:
    """Make runs in processes of this machine.

    Args:
        runs: What to do, in this order.
        runs_dir: Folder of all run directories.
        workers: Processes.

    Yields:
        An ending per run, as they come.

    Raises:
        StudyError: If there is to be no process.
    """
    if workers < 1:
        raise StudyError(f"Expected --workers of at least 1, got {workers}.")
    waiting = deque(runs)
    busy: dict[Connection, tuple[_Worker, PlannedRun]] = {}
    idle: list[_Worker] = []
    try:
        while waiting or busy:
            while waiting and len(busy) < workers:
                worker = idle.pop() if idle else _Worker(runs_dir)
                run = waiting.popleft()
                busy[worker.connection] = worker, run
                worker.give(run)
            for connection in wait(list(busy)):
                assert isinstance(connection, Connection)
                worker, run = busy.pop(connection)
                ending = worker.ending(run)
                if worker.alive:
                    idle.append(worker)
                yield ending
    finally:
        for worker, _ in busy.values():
            worker.stop()
        for worker in idle:
            worker.release()


class _Worker:
    """A process that makes one run after the other."""

    def __init__(self, runs_dir: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, runs_dir), daemon=True)
        before = {name: os.environ.get(name) for name in ONE_THREAD}
        os.environ.update(ONE_THREAD)
        try:
            self._process.start()
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
        theirs.close()  # so that the pipe ends with the process
        self.alive = True

    def give(self, run: PlannedRun) -> None:
        with suppress(OSError):  # if it has died, its ending will say so
            self.connection.send(run)

    def ending(self, run: PlannedRun) -> Ending:
        try:
            ending: Ending = self.connection.recv()
        except (EOFError, OSError):
            self.stop()
            code = self._process.exitcode or 0
            how = (
                f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
            )
            return Ending(run.key, None, f"its process {how}")
        return ending

    def release(self) -> None:
        self.connection.close()
        self._process.join()

    def stop(self) -> None:
        self.alive = False
        self._process.terminate()
        self._process.join()
        self.connection.close()


def _work(connection: Connection, runs_dir: Path) -> None:
    """Make the runs that come through the pipe, until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the study, which stops this one
    threading.Thread(target=_end_with_parent, daemon=True).start()
    tqdm.set_lock(threading.RLock())  # else one that processes share, which a kill would leak
    while True:
        try:
            run = connection.recv()
        except EOFError:
            return
        connection.send(attempt(run, runs_dir))


def _end_with_parent() -> None:
    """End at once when the study is killed: the next one goes on with the run."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
