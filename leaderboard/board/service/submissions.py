"""Designs track: records are handed in, replayed by a worker, and logged."""

import json
import secrets
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lrmp.envs.records.record import Record
from lrmp.errors import RecordError
from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.database.models import Agent, Job, Submission
from lrmp.leaderboard.board.database.races import again_after_race
from lrmp.leaderboard.board.errors import ConflictError, MalformedError, NotFoundError
from lrmp.leaderboard.board.service import checks, jobs
from lrmp.leaderboard.board.service.allowance import refuse_more
from lrmp.leaderboard.board.service.principal import Principal, owned_agent
from lrmp.leaderboard.entry import canonical_json, content_hash, handed_in
from lrmp.leaderboard.log.clock import now
from lrmp.leaderboard.log.item import canonical
from lrmp.leaderboard.log.tables import LogItem
from lrmp.leaderboard.submission import as_submitted, check_definition, parse_record

MAX_KEY = 80


@dataclass(frozen=True)
class SubmissionRow:
    """A submission.

    Attributes:
        id: Names it.
        agent: ``team/agent@version``.
        task: Id of the task.
        sha256: Content hash of the record.
        record: Canonical JSON.
        state: ``"waiting"``, ``"accepted"``, ``"refused"``, or ``"failed"`` where the board could
            not replay it.
        reason: Why it was refused, or None.
        log_number: Its place in the log, once it has one.
        job: The job that replays it.
        created_at: When it was handed in.
    """

    id: str
    agent: str
    task: str
    sha256: str
    record: str
    state: str
    reason: str | None
    log_number: int | None
    job: int
    created_at: str


@again_after_race
def submit(
    board: Board, principal: Principal, agent: str, line: str, key: str | None = None
) -> SubmissionRow:
    """Hand in a record. What needs no replay is checked at once.

    Args:
        board: The board.
        principal: Of the agent's team.
        agent: ``team/agent@version``, whatever name is in the record.
        line: The record, a line of JSON.
        key: Idempotency key: the same key gives the same submission again.

    Returns:
        The submission. The same record of the same agent is the same submission.

    Raises:
        MalformedError: If the record violates the schema, or does not fit its task as this lrmp
            has it.
        NotFoundError: If there is no such agent.
        NotAllowedError: If the agent is another team's, or the token may not submit.
        ConflictError: If the key was used with another record.
        TooManyError: If as many submissions of the team wait as may.
    """
    principal.require("submit")
    try:
        record = as_submitted(parse_record(line))
        check_definition(record)
        sha256, text = content_hash(record), canonical_json(record)
    except RecordError as error:
        raise MalformedError(f"The record is refused: {error}") from error
    with board.database.write() as session:
        owner = owned_agent(session, principal, agent)
        if key is not None:
            used = _one(session, Submission.agent_id == owner.id, Submission.key == key)
            if used is not None:
                if used.sha256 != sha256:
                    raise ConflictError(
                        f"Expected the record that was first sent with the key {key!r}, got "
                        "another one. Take a new key."
                    )
                return used
        known = _one(session, Submission.agent_id == owner.id, Submission.sha256 == sha256)
        if known is not None:
            return known
        waiting = (Agent.team_id == owner.team_id, Submission.state == "waiting")
        most = board.settings.waiting_per_team
        joined = Submission.agent_id == Agent.id
        refuse_more(session, most, "waiting submissions of a team", joined, *waiting)
        submission = Submission(
            id=secrets.token_hex(12),
            agent_id=owner.id,
            key=key,
            record=text,
            sha256=sha256,
            task=record.task,
            state="waiting",
            created_at=now(),
        )
        session.add(submission)
        session.flush()
        jobs.queue(session, "replay", submission.id)
        found = _one(session, Submission.id == submission.id)
        assert found is not None
        return found


def find(board: Board, submission_id: str) -> SubmissionRow:
    """Look a submission up.

    Args:
        board: The board.
        submission_id: Of the submission.

    Returns:
        The submission.

    Raises:
        NotFoundError: If there is none.
    """
    with board.database.read() as session:
        found = _one(session, Submission.id == submission_id)
    if found is None:
        raise NotFoundError(f"Expected a submission of the board, got {submission_id[:40]!r}.")
    return found


def list_submissions(
    board: Board, *, agent: str | None = None, state: str | None = None, limit: int = 100
) -> list[SubmissionRow]:
    """List submissions.

    Args:
        board: The board.
        agent: Only of this agent.
        state: Only in this state.
        limit: How many at most.

    Returns:
        Newest first.
    """
    conditions = []
    if agent is not None:
        conditions.append(Agent.name == agent)
    if state is not None:
        conditions.append(Submission.state == state)
    query = _query(*conditions).order_by(Submission.created_at.desc(), Submission.id).limit(limit)
    with board.database.read() as session:
        return _rows(session, query)


def accept(board: Board, session: Session, submission_id: str, found: dict[str, Any]) -> None:
    """Log a submission whose replay agrees.

    Args:
        board: The board.
        session: That writes.
        submission_id: Of the submission.
        found: What the replay recomputed, as ``replayed`` gives it.
    """
    submission = session.get_one(Submission, submission_id)
    item = board.log(session, "design", _logged(session, submission) | found)
    submission.state, submission.log_number = "accepted", item.number
    checks.queue(board, session, submission_id)


def refuse(board: Board, session: Session, submission_id: str, reason: str) -> None:
    """Log a submission whose replay disagrees.

    Args:
        board: The board.
        session: That writes.
        submission_id: Of the submission.
        reason: What differs.
    """
    submission = session.get_one(Submission, submission_id)
    item = board.log(session, "refused", _logged(session, submission) | {"reason": reason})
    submission.state, submission.log_number = "refused", item.number
    submission.reason = reason


def fail(session: Session, submission_id: str, reason: str) -> None:
    """Note that the board could not replay a submission: nobody's fault but its own.

    Args:
        session: That writes.
        submission_id: Of the submission.
        reason: What went wrong.
    """
    submission = session.get_one(Submission, submission_id)
    submission.state, submission.reason = "failed", reason


def _logged(session: Session, submission: Submission) -> dict[str, Any]:
    agent = session.get_one(Agent, submission.agent_id)
    record = Record.from_json(json.loads(submission.record))
    return handed_in(submission.id, agent.name, record, submission.created_at)


def _query(*conditions: sa.ColumnElement[bool]) -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(Submission, Agent.name, Job.id, LogItem.kind, LogItem.body)
        .join(Agent, Agent.id == Submission.agent_id)
        .join(Job, (Job.kind == "replay") & (Job.subject == Submission.id))
        .join(LogItem, LogItem.number == Submission.log_number, isouter=True)
        .where(*conditions)
    )


def _rows(session: Session, query: sa.Select[*tuple[Any, ...]]) -> list[SubmissionRow]:
    """Read submissions: what the log has of them is shown as the log has it."""
    found = []
    for submission, agent, job, kind, body in session.execute(query):
        logged = {
            "agent": agent,
            "record": json.loads(submission.record),
            "sha256": submission.sha256,
            "reason": submission.reason,
            **(json.loads(body) if body else {}),
        }
        found.append(
            SubmissionRow(
                id=submission.id,
                agent=logged["agent"],
                task=logged["record"]["task"],
                sha256=logged["sha256"],
                record=canonical(logged["record"]),
                state=_state(kind, submission),
                reason=logged["reason"],
                log_number=submission.log_number,
                job=job,
                created_at=submission.created_at,
            )
        )
    return found


_STATES = {"design": "accepted", "refused": "refused"}


def _state(kind: str | None, submission: Submission) -> str:
    """Say what became of a submission, as the log has it, else as its row has it."""
    return submission.state if kind is None else _STATES.get(kind, submission.state)


def _one(session: Session, *conditions: sa.ColumnElement[bool]) -> SubmissionRow | None:
    rows = _rows(session, _query(*conditions))
    return rows[0] if rows else None
