"""The loops of a worker: lease a job, do it in a sandbox, write what it found.

A loop for every kind of job: a replay waits for none but replays, and those who hand something in
for nobody's proof. Proofs and networks leave the processor to replays, too.
"""

import json
import logging
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import FrameType
from typing import Any

from sqlalchemy.orm import Session

from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.database.models import Run, Submission
from lrmp.leaderboard.board.service import checks, jobs, runs, submissions
from lrmp.leaderboard.board.service.rounds import secret_of
from lrmp.leaderboard.board.settings import BoardSettings
from lrmp.leaderboard.board.structured_log import log_as_json
from lrmp.leaderboard.board.worker.sandbox import Sandbox, SandboxError, Work

PAUSE_S = 0.2  # between looks at an empty queue
CHORES_S = 60.0
RENEWALS = 4  # of a lease, while it lasts

logger = logging.getLogger("lrmp.board.worker")


class Worker:
    """Does jobs.

    Args:
        board: The board.
        sandbox: Where jobs are done; None for one with the board's limits.
        networks: Where networks are run; None for one with the board's limits.
    """

    def __init__(
        self, board: Board, sandbox: Sandbox | None = None, networks: Sandbox | None = None
    ) -> None:
        self._board = board
        settings = board.settings
        limits = settings.job_memory_mb, settings.job_cpu_s
        check_limits = settings.check_memory_mb, settings.check_cpu_s
        self._sandboxes: dict[Work, Sandbox] = {
            "replay": sandbox or Sandbox(*limits),
            "settle": sandbox or Sandbox(*limits, patient=True),
            "check": networks or Sandbox(*check_limits, patient=True),
        }
        self._jobs = {"replay": self._replay, "settle": self._settle, "check": self._check}

    def run(self, stop: threading.Event, parent: int | None = None) -> None:
        """Do jobs of every kind side by side until told to stop.

        Args:
            stop: When set, the jobs at hand are finished, and no others begun.
            parent: The process that started this one; the worker ends when it is gone.
        """

        def loop(kinds: Sequence[str]) -> None:
            try:
                while not stop.is_set() and parent in (None, os.getppid()):
                    if not self.do_one(kinds):
                        stop.wait(PAUSE_S)
            finally:  # a worker that has lost a loop ends, and is started again
                stop.set()

        with ThreadPoolExecutor(len(jobs.KINDS)) as pool:
            loops = [pool.submit(loop, [kind]) for kind in jobs.KINDS]
            try:
                while not stop.is_set():
                    runs.finish_overdue(self._board)
                    self._board.mirror.catch_up(self._board.database)
                    stop.wait(CHORES_S)
            finally:
                stop.set()
        self.close()
        for each in loops:
            each.result()

    def do_one(self, kinds: Sequence[str] = jobs.KINDS) -> bool:
        """Do the job that has waited longest, of the first kind of which any waits.

        Args:
            kinds: Of these.

        Returns:
            Whether there was one.
        """
        leased = jobs.lease(self._board, kinds)
        if leased is None:
            return False
        try:
            done = self._jobs[leased.kind](leased)
        except SandboxError as error:
            reason = str(error)
            done = jobs.fail(self._board, leased, reason, partial(_give_up, leased, reason))
        logger.info(
            "job",
            extra={
                "job": leased.job_id,
                "kind": leased.kind,
                "subject": leased.subject,
                "attempt": leased.attempts,
                "held": done,
            },
        )
        return True

    def close(self) -> None:
        """End the inner processes."""
        for sandbox in self._sandboxes.values():
            sandbox.close()

    def _call(self, work: Work, leased: jobs.Lease, text: str) -> Any:
        found = self._sandboxes[work].call(
            work,
            text,
            meanwhile=lambda: jobs.renew(self._board, leased),
            every_s=self._board.settings.lease_s / RENEWALS,
        )
        return json.loads(found)

    def _replay(self, leased: jobs.Lease) -> bool:
        with self._board.database.read() as session:
            record = session.get_one(Submission, leased.subject).record
        found = self._call("replay", leased, record)
        if "refused" in found:
            return jobs.finish(
                self._board,
                leased,
                lambda session: submissions.refuse(
                    self._board, session, leased.subject, found["refused"]
                ),
            )
        return jobs.finish(
            self._board,
            leased,
            lambda session: submissions.accept(
                self._board, session, leased.subject, found["accepted"]
            ),
        )

    def _settle(self, leased: jobs.Lease) -> bool:
        with self._board.database.read() as session:
            run = session.get_one(Run, leased.subject)
            found, agent = secret_of(session, run)
            arguments = [found.secret, found.name, agent.name, run.instance, found.objective]
        optimum = self._call("settle", leased, json.dumps(arguments))
        return jobs.finish(
            self._board,
            leased,
            lambda session: runs.settle(self._board, session, leased.subject, optimum),
        )

    def _check(self, leased: jobs.Lease) -> bool:
        if checks.is_checked(self._board, leased.subject):
            return jobs.finish(self._board, leased, lambda session: None)
        with self._board.database.read() as session:
            record = session.get_one(Submission, leased.subject).record
        found = self._call("check", leased, record)
        if "not run" in found:
            return jobs.finish(self._board, leased, lambda session: None, found["not run"])
        return jobs.finish(
            self._board,
            leased,
            lambda session: checks.record(self._board, session, leased.subject, found["checked"]),
        )


def _give_up(leased: jobs.Lease, reason: str, session: Session) -> None:
    # A run stays as it is, and with it its round, until an administrator lets its job be tried on.
    if leased.kind == "replay":
        submissions.fail(session, leased.subject, reason)


def work(settings: BoardSettings, parent: int | None = None) -> None:
    """Be a worker, until SIGTERM or SIGINT.

    Args:
        settings: Of the board.
        parent: As for `Worker.run`.
    """
    log_as_json()
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    board = Board(settings)
    try:
        Worker(board).run(stop, parent)
    finally:
        board.close()
