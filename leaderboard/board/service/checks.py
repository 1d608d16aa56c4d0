"""Network checks: accepted designs are run on the test images, where the server has them."""

from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.database.models import Agent, Job, Submission
from lrmp.leaderboard.board.errors import TooManyError
from lrmp.leaderboard.board.service import jobs
from lrmp.leaderboard.board.service.allowance import refuse_more
from lrmp.leaderboard.log.tables import DesignStanding, NetworkCheck

CHECK_SHARE = 10  # a network runs for minutes, a replay for seconds

State = Literal["checked", "waiting", "not run", "not needed"]


@dataclass(frozen=True)
class CheckRow:
    """What running a design on its network gave.

    Attributes:
        state: ``"checked"``, ``"waiting"``, ``"not run"`` where the server could not, or
            ``"not needed"`` where there is nothing to check.
        number: Of the check in the log, or None.
        drop: Percentage points on test images, or None.
        low: Lower end of its 95 % interval.
        high: Upper end.
        images: How many.
        reason: Why there is none, or None.
    """

    state: State
    number: int | None = None
    drop: float | None = None
    low: float | None = None
    high: float | None = None
    images: int | None = None
    reason: str | None = None


def queue(board: Board, session: Session, submission_id: str) -> None:
    """Queue the check of a design that was accepted now, if it needs one.

    Args:
        board: The board.
        session: That writes.
        submission_id: Of the submission.
    """
    if not board.settings.network_checks:
        return
    session.flush()
    design = _standing(session, submission_id)
    if design is None or not _needs_check(design) or _newest(session, design) is not None:
        return
    team = (
        sa.select(Agent.team_id)
        .join(Submission, Submission.agent_id == Agent.id)
        .where(Submission.id == submission_id)
        .scalar_subquery()
    )
    most = board.settings.waiting_per_team // CHECK_SHARE
    try:
        refuse_more(
            session,
            most,
            "designs of a team that wait for their network",
            Job.kind == "check",
            Job.state == "waiting",
            Job.subject == Submission.id,
            Submission.agent_id == Agent.id,
            Agent.team_id == team,
        )
    except TooManyError as error:  # it stands without; an administrator may let it be tried
        job = jobs.queue(session, "check", submission_id)
        job.state, job.error, job.done_at = "done", str(error), job.created_at
    else:
        jobs.queue(session, "check", submission_id)


def is_checked(board: Board, submission_id: str) -> bool:
    """Say whether an equal design was checked meanwhile.

    Args:
        board: The board.
        submission_id: Of the submission.

    Returns:
        Whether there is a check of the same settings.
    """
    return find(board, submission_id).state == "checked"


def record(board: Board, session: Session, submission_id: str, found: dict[str, Any]) -> None:
    """Log a check.

    Args:
        board: The board.
        session: That writes.
        submission_id: Of the submission.
        found: As `lrmp.leaderboard.network_drop.network_drop` returns it.
    """
    number = session.get_one(Submission, submission_id).log_number
    board.log(session, "checked", {"number": number, "submission": submission_id} | found)


def find(board: Board, submission_id: str) -> CheckRow:
    """Say what is known of a design on its network.

    Args:
        board: The board.
        submission_id: Of a submission.

    Returns:
        The check, of this or an equal design.
    """
    with board.database.read() as session:
        design = _standing(session, submission_id)
        if design is None:
            return CheckRow("not needed", reason="accepted designs alone are run on the network")
        if not _needs_check(design):
            return CheckRow("not needed", reason=_not_needed(design))
        check = _newest(session, design)
        job = session.scalar(
            sa.select(Job).where(Job.kind == "check", Job.subject == submission_id)
        )
    if check is not None:
        return CheckRow("checked", check.number, check.drop, check.low, check.high, check.images)
    if job is None:
        return CheckRow("not run", reason="this board does not run networks")
    if job.state == "waiting":
        return CheckRow("waiting")
    return CheckRow("not run", reason=job.error)


def _standing(session: Session, submission_id: str) -> DesignStanding | None:
    return session.scalar(
        sa.select(DesignStanding).where(DesignStanding.submission == submission_id)
    )


def _newest(session: Session, design: DesignStanding) -> NetworkCheck | None:
    table = NetworkCheck
    return session.scalar(
        sa.select(table)
        .where(table.fingerprint == design.fingerprint, table.design == design.design)
        .order_by(table.number.desc())
        .limit(1)
    )


def _needs_check(design: DesignStanding) -> bool:
    return design.score is not None and not design.accuracy.startswith("network")


def _not_needed(design: DesignStanding) -> str:
    if design.score is None:
        return "the design is beyond the allowed drop"
    return "drops on this task are the network's own"
