"""Rounds of metered search and of designs without feedback."""

import secrets
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lrmp.envs.records.record import library_versions
from lrmp.errors import unknown_name
from lrmp.hardware.cost.cost_report import NETWORK_OBJECTIVES
from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.database.models import Agent, Round, Run
from lrmp.leaderboard.board.database.races import again_after_race
from lrmp.leaderboard.board.errors import ConflictError, MalformedError, NotFoundError
from lrmp.leaderboard.board.instances import SECRET_BYTES, commitment
from lrmp.leaderboard.board.names import check_name
from lrmp.leaderboard.board.service.principal import Principal
from lrmp.leaderboard.board.tracks import LEAST_INSTANCES, TRACKS, budgets_of
from lrmp.leaderboard.log.clock import now

MOST_INSTANCES = 100
MOST_DAYS = 400.0


@dataclass(frozen=True)
class RoundRow:
    """A round.

    Attributes:
        name: Names it.
        track: ``"search"`` or ``"zero-shot"``.
        objective: What its instances minimise.
        instances: How many runs an agent may open.
        evaluations: How many designs a run may have; 1 without feedback.
        commitment: SHA-256 of the secret.
        secret: Hexadecimal; None until the round is closed.
        opened_at: When it opened.
        closes_at: When it is planned to close; no run is opened after.
        closed_at: When it closed, or None.
    """

    name: str
    track: str
    objective: str
    instances: int
    evaluations: int
    commitment: str
    secret: str | None
    opened_at: str
    closes_at: str
    closed_at: str | None


@again_after_race
def open_round(
    board: Board,
    principal: Principal,
    name: str,
    track: str,
    *,
    days: float,
    objective: str = "latency",
    instances: int = LEAST_INSTANCES,
) -> RoundRow:
    """Draw a secret and publish its hash.

    Args:
        board: The board.
        principal: An administrator.
        name: Of the round.
        track: ``"search"`` or ``"zero-shot"``.
        days: Until it closes.
        objective: What its instances minimise.
        instances: How many runs an agent may open.

    Returns:
        The round.

    Raises:
        NotAllowedError: If the asking token may not.
        MalformedError: If an argument is none of those above.
        ConflictError: If there is a round of that name.
    """
    principal.require("admin")
    check_name("round", name)
    if track not in TRACKS:
        raise MalformedError(unknown_name("track", track, TRACKS))
    if objective not in NETWORK_OBJECTIVES:
        raise MalformedError(unknown_name("objective", objective, NETWORK_OBJECTIVES))
    if not LEAST_INSTANCES <= instances <= MOST_INSTANCES or not 0 < days <= MOST_DAYS:
        raise MalformedError(
            f"Expected {LEAST_INSTANCES} to {MOST_INSTANCES} instances and 0 to {MOST_DAYS:g} "
            f"days, got {instances} and {days:g}."
        )
    secret = secrets.token_hex(SECRET_BYTES)
    with board.database.write() as session:
        if session.get(Round, name) is not None:
            raise ConflictError(f"Expected a name of a new round, got {name}.")
        added = Round(
            name=name,
            track=track,
            objective=objective,
            instances=instances,
            evaluations=budgets_of(track)[-1],
            secret=secret,
            commitment=commitment(secret),
            opened_at=now(),
            closes_at=now(days * 86400),
        )
        session.add(added)
        board.log(
            session,
            "round-opened",
            {
                "round": name,
                "track": track,
                "objective": objective,
                "instances": instances,
                "evaluations": added.evaluations,
                "commitment": added.commitment,
                "closes_at": added.closes_at,
                "versions": library_versions(),
            },
        )
    board.mirror.catch_up(board.database)
    return _row(added)


def close_round(board: Board, principal: Principal, name: str) -> RoundRow:
    """Finish all runs as they are, and tell the secret once the last one is logged.

    Args:
        board: The board.
        principal: An administrator.
        name: Of the round.

    Returns:
        The round; its ``closed_at`` is None while workers still settle runs: close it again.

    Raises:
        NotAllowedError: If the asking token may not.
        NotFoundError: If there is no such round.
    """
    from lrmp.leaderboard.board.service.runs import finish_run

    principal.require("admin")
    with board.database.write() as session:
        found = _get(session, name, lock=True)
        if found.closed_at is None:
            found.closes_at = min(found.closes_at, now())
            open_runs = sa.select(Run).where(Run.round == name, Run.state == "open")
            for run in session.scalars(open_runs.with_for_update()):
                finish_run(session, run)
            left = session.scalar(
                sa.select(sa.func.count()).where(Run.round == name, Run.state != "finished")
            )
            if not left:
                found.closed_at = now()
                board.log(session, "round-closed", {"round": name, "secret": found.secret})
    board.mirror.catch_up(board.database)
    return _row(found)


def find(board: Board, name: str) -> RoundRow:
    """Look a round up.

    Args:
        board: The board.
        name: Of the round.

    Returns:
        The round.

    Raises:
        NotFoundError: If there is none.
    """
    with board.database.read() as session:
        return _row(_get(session, name))


def list_rounds(board: Board, track: str | None = None) -> list[RoundRow]:
    """List rounds.

    Args:
        board: The board.
        track: Only of this track.

    Returns:
        Newest first.
    """
    query = sa.select(Round).order_by(Round.opened_at.desc(), Round.name)
    if track is not None:
        query = query.where(Round.track == track)
    with board.database.read() as session:
        return [_row(found) for found in session.scalars(query)]


def secret_of(session: Session, run: Run) -> tuple[Round, Agent]:
    """Read what a run's instance is drawn from.

    Args:
        session: Any.
        run: The run.

    Returns:
        Its round, whose secret nobody else is told, and its agent.
    """
    return session.get_one(Round, run.round), session.get_one(Agent, run.agent_id)


def _get(session: Session, name: str, *, lock: bool = False) -> Round:
    found = session.get(Round, name, with_for_update=lock)
    if found is None:
        raise NotFoundError(f"Expected a round of the board, got {name[:40]!r}.")
    return found


def _row(found: Round) -> RoundRow:
    return RoundRow(
        name=found.name,
        track=found.track,
        objective=found.objective,
        instances=found.instances,
        evaluations=found.evaluations,
        commitment=found.commitment,
        secret=found.secret if found.closed_at else None,
        opened_at=found.opened_at,
        closes_at=found.closes_at,
        closed_at=found.closed_at,
    )
