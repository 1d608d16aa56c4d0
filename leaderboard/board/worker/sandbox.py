"""A process with limits of memory and processor time, in which jobs are done."""

import multiprocessing
import os
import resource
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Literal

from lrmp.leaderboard.board.settings import WALL_FACTOR
from lrmp.leaderboard.board.worker.work import check_network, prove_optimum, replay_record

Work = Literal["replay", "settle", "check"]
FUNCTIONS = {"replay": replay_record, "settle": prove_optimum, "check": check_network}
MB = 2**20
START_S = 60  # to import what it needs
NICENESS = 10
LOOK_S = 1.0  # at whether the worker is still there

_DONE, _FAILED = b"+", b"-"


class SandboxError(Exception):
    """The work failed, or the process died of its limits."""


class Sandbox:
    """Does work in another process, one piece at a time; texts alone go in and out.

    Args:
        memory_mb: Address space of the process.
        cpu_s: Processor time of one piece.
        patient: Whether it leaves the processor to processes that are not.
    """

    def __init__(self, memory_mb: int, cpu_s: int, *, patient: bool = False) -> None:
        self._memory, self._cpu_s = memory_mb * MB, cpu_s
        self._niceness = NICENESS if patient else 0
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._turn = threading.Lock()

    def call(
        self,
        work: Work,
        text: str,
        meanwhile: Callable[[], object] = lambda: None,
        every_s: float = START_S,
    ) -> str:
        """Do a piece of work.

        Args:
            work: Which function.
            text: Its argument.
            meanwhile: Called again and again while it is done.
            every_s: How often.

        Returns:
            What it returned.

        Raises:
            SandboxError: If it raised, or the process died or took too long; there is a new one
                next time.
        """
        with self._turn:
            answer = self._answer(work.encode() + b" " + text.encode(), meanwhile, every_s)
        if not answer.startswith(_DONE):
            raise SandboxError(answer[1:].decode())
        return answer[1:].decode()

    def close(self) -> None:
        """End the process."""
        process, pipe, self._process, self._pipe = self._process, self._pipe, None, None
        if process is not None and pipe is not None:
            pipe.close()
            process.kill()
            process.join()

    def _answer(self, request: bytes, meanwhile: Callable[[], object], every_s: float) -> bytes:
        pipe = self._pipe or self._start()
        answer = b""
        try:
            pipe.send_bytes(request)
            end = time.monotonic() + START_S + WALL_FACTOR * self._cpu_s
            while (left := end - time.monotonic()) > 0:
                if pipe.poll(min(left, every_s)):
                    answer = pipe.recv_bytes()
                    break
                meanwhile()
        except (EOFError, OSError):
            pass
        except BaseException:  # of `meanwhile`: an answer that comes later is nobody's
            self.close()
            raise
        if not answer:
            self.close()
            raise SandboxError(
                f"the process died, or took more than {self._cpu_s} s of processor time or "
                f"{self._memory // MB} MB of memory"
            )
        return answer

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve,
            args=(theirs, os.getpid(), self._memory, self._cpu_s, self._niceness),
            daemon=True,
        )
        self._process.start()
        # Only the process has its end now: when either dies, the other sees the end of the pipe.
        theirs.close()
        self._pipe = ours
        return ours


def _end_with(parent: int) -> None:
    # A worker that is killed leaves its job to others: nobody wants this answer.
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os._exit(1)


def _serve(pipe: Connection, parent: int, memory: int, cpu_s: int, niceness: int) -> None:
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    os.nice(niceness)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    while True:
        try:
            work, _, text = pipe.recv_bytes().decode().partition(" ")
        except (EOFError, OSError, KeyboardInterrupt):  # the worker has ended
            return
        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = int(used.ru_utime + used.ru_stime) + cpu_s + 1
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        try:
            answer = _DONE + FUNCTIONS[work](text).encode()
        except Exception as error:  # whatever it is: the worker writes it down
            answer = _FAILED + f"{type(error).__name__}: {error}"[:500].encode()
        pipe.send_bytes(answer)
