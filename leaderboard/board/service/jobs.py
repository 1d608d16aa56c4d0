"""Jobs: queued with what they are for, leased by workers, done exactly once."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.database.models import Job, Submission
from lrmp.leaderboard.board.errors import ConflictError, NotFoundError
from lrmp.leaderboard.board.service.principal import Principal
from lrmp.leaderboard.log.clock import now

#: What jobs are for, in the order in which one who does all takes them: seconds, minutes, an hour.
KINDS = ("replay", "settle", "check")


@dataclass(frozen=True)
class JobRow:
    """A job.

    Attributes:
        id: Names it.
        kind: ``"replay"``, ``"settle"`` or ``"check"``.
        subject: Id of the submission or run.
        state: ``"waiting"``, ``"done"`` or ``"failed"``; waiting ones may be at work.
        attempts: How often it was leased.
        error: Why it failed or found nothing, or None.
        created_at: When it was queued.
        done_at: When it ended, or None.
    """

    id: int
    kind: str
    subject: str
    state: str
    attempts: int
    error: str | None
    created_at: str
    done_at: str | None


@dataclass(frozen=True)
class Lease:
    """A job that a worker has for itself, for a while.

    Attributes:
        job_id: Of the job.
        kind: Of the job.
        subject: Of the job.
        attempts: How often it was leased, this time included.
        lease: Names the lease.
    """

    job_id: int
    kind: str
    subject: str
    attempts: int
    lease: str


def queue(session: Session, kind: str, subject: str) -> Job:
    """Queue a job within the transaction that needs it.

    Args:
        session: That writes.
        kind: ``"replay"``, ``"settle"`` or ``"check"``.
        subject: Id of the submission or run.

    Returns:
        The job.
    """
    moment = now()
    job = Job(
        kind=kind, subject=subject, state="waiting", free_at=moment, attempts=0, created_at=moment
    )
    session.add(job)
    session.flush()
    return job


def lease(board: Board, kinds: Sequence[str] = KINDS) -> Lease | None:
    """Take the job that has waited longest, of the first kind of which any waits.

    Args:
        board: The board.
        kinds: Of these.

    Returns:
        The lease, or None if nothing waits.
    """
    place = sa.case({kind: place for place, kind in enumerate(kinds)}, value=Job.kind)
    query = (
        sa.select(Job)
        .where(Job.state == "waiting", Job.free_at <= now(), Job.kind.in_(kinds))
        .order_by(place, Job.id)
        .limit(1)
    )
    with board.database.read() as session:  # most looks find nothing: they take no lock
        if session.scalar(query) is None:
            return None
    with board.database.write() as session:
        job = session.scalar(query.with_for_update(skip_locked=True))
        if job is None:
            return None
        lease = secrets.token_hex(8)
        job.lease, job.attempts = lease, job.attempts + 1
        job.free_at = now(board.settings.lease_s)
        return Lease(job.id, job.kind, job.subject, job.attempts, lease)


def renew(board: Board, leased: Lease) -> bool:
    """Go on having a job: work may take longer than a lease lasts.

    Args:
        board: The board.
        leased: What `lease` returned.

    Returns:
        Whether the lease was still good; if not, somebody else has the job.
    """
    with board.database.write() as session:
        job = _held(session, leased)
        if job is None:
            return False
        job.free_at = now(board.settings.lease_s)
        return True


def finish(
    board: Board, leased: Lease, record: Callable[[Session], None], note: str | None = None
) -> bool:
    """End a job and write what it found, both or neither.

    Args:
        board: The board.
        leased: What `lease` returned.
        record: Writes the finding.
        note: Why nothing was found.

    Returns:
        Whether the lease was still good; if not, somebody else has the job, and nothing is written.
    """
    return _end(board, leased, "done", note, record)


def fail(board: Board, leased: Lease, error: str, record: Callable[[Session], None]) -> bool:
    """End a job that cannot be done, or let it be tried again.

    Args:
        board: The board.
        leased: What `lease` returned.
        error: Why.
        record: Writes that it failed for good.

    Returns:
        Whether the lease was still good.
    """
    if leased.attempts >= board.settings.job_attempts:
        return _end(board, leased, "failed", error, record)
    return release(board, leased, error)


def release(board: Board, leased: Lease, error: str | None = None) -> bool:
    """Give a job back, to be tried again.

    Args:
        board: The board.
        leased: What `lease` returned.
        error: What went wrong.

    Returns:
        Whether the lease was still good.
    """
    with board.database.write() as session:
        job = _held(session, leased)
        if job is None:
            return False
        job.lease, job.free_at, job.error = None, now(), error
        return True


def retry(board: Board, principal: Principal, job_id: int) -> JobRow:
    """Queue a failed job again.

    Args:
        board: The board.
        principal: An administrator.
        job_id: Of the job.

    Returns:
        The job.

    Raises:
        NotAllowedError: If the asking token may not.
        NotFoundError: If there is no such job.
        ConflictError: If it has not failed, or found what it was for.
    """
    principal.require("admin")
    find(board, job_id)
    with board.database.write() as session:
        job = session.get_one(Job, job_id, with_for_update=True)
        if job.state == "waiting" or job.error is None:
            raise ConflictError(f"Expected a job that failed, got one that is {job.state}.")
        job.state, job.free_at, job.attempts, job.done_at = "waiting", now(), 0, None
        if job.kind == "replay":
            session.get_one(Submission, job.subject).state = "waiting"
    return find(board, job_id)


def find(board: Board, job_id: int) -> JobRow:
    """Look a job up.

    Args:
        board: The board.
        job_id: Of the job.

    Returns:
        The job.

    Raises:
        NotFoundError: If there is none.
    """
    with board.database.read() as session:
        job = session.get(Job, job_id) if 0 < job_id < 2**31 else None
    if job is None:
        raise NotFoundError(f"Expected a job of the board, got {job_id}.")
    return JobRow(
        job.id,
        job.kind,
        job.subject,
        job.state,
        job.attempts,
        job.error,
        job.created_at,
        job.done_at,
    )


def count(board: Board) -> dict[str, int]:
    """Count jobs.

    Args:
        board: The board.

    Returns:
        How many by state.
    """
    query = sa.select(Job.state, sa.func.count()).group_by(Job.state)
    with board.database.read() as session:
        found: dict[str, int] = dict(session.execute(query).all())
    return {state: found.get(state, 0) for state in ("waiting", "done", "failed")}


def _end(
    board: Board,
    leased: Lease,
    state: str,
    error: str | None,
    record: Callable[[Session], None],
) -> bool:
    with board.database.write() as session:
        job = _held(session, leased)
        if job is None:
            return False
        record(session)
        job.state, job.error, job.lease, job.done_at = state, error, None, now()
    board.mirror.catch_up(board.database)
    return True


def _held(session: Session, leased: Lease) -> Job | None:
    job = session.get(Job, leased.job_id, with_for_update=True)
    return job if job is not None and job.lease == leased.lease else None
