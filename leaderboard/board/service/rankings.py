"""Rankings, read from the standings that follow from the log."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lrmp.envs.task.optimum import Optimum, stored_optimum
from lrmp.envs.task.task import TASKS, load_task
from lrmp.errors import unknown_name
from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.database.models import DesignStanding, LogItem, Round, RunStanding
from lrmp.leaderboard.board.errors import MalformedError, NotFoundError
from lrmp.leaderboard.board.log.standings import SHOWN, design_hash
from lrmp.leaderboard.board.ranking import RankedAgent, design_gap, rank_agents
from lrmp.leaderboard.board.tracks import budgets_of

#: What `known_as` says of a design that is the reference row's.
REFERENCE = 0


@dataclass(frozen=True)
class RankedDesign:
    """A design's place on a task. Nobody is ranked: designs are.

    Attributes:
        place: From 1, by score; of equal scores the first in the log comes first.
        number: In the log.
        submission: Id of the submission.
        agent: Who handed it in.
        score: ln(gain), or None beyond the allowed drop.
        gap: By how much it is worse than the certified optimum; 0.01 is 1 %. None without either.
        known_as: Number of the first item with the same settings, or 0 for the certified
            optimum's: then it is nothing new. None if it was new.
        gain: Baseline / design.
        accuracy_drop: Percentage points, as searches see it.
        test_accuracy_drop: On images that no search has seen, or None.
        accuracy: ``"network"``, ``"table"`` or ``"table (estimate)"``.
        latency_cycles: Of one inference.
        bottleneck_cycles: Between two images of a full pipeline.
        tiles: Held by all copies.
        at: When it was logged.
    """

    place: int
    number: int
    submission: str
    agent: str
    score: float | None
    gap: float | None
    known_as: int | None
    gain: float
    accuracy_drop: float
    test_accuracy_drop: float | None
    accuracy: str
    latency_cycles: int
    bottleneck_cycles: int
    tiles: int
    at: str


@dataclass(frozen=True)
class Reference:
    """The certified optimum of a task, as the ranking's reference row.

    Attributes:
        value: Score of the best design that is known.
        bound: No design has a higher score, proven.
        constant: Score of the best setting for all layers alike.
        method: How it was found and proven.
    """

    value: float
    bound: float
    constant: float
    method: str


@dataclass(frozen=True)
class DesignRanking:
    """The designs of a task.

    Attributes:
        task: Id.
        fingerprint: Of its definition; others are ranked apart.
        is_current: Whether that is how this lrmp defines it.
        as_of: Number of the last item of the log that counts.
        reference: The certified optimum, if it is known.
        total: How many designs there are.
        designs: Those that were asked for, in order.
    """

    task: str
    fingerprint: str
    is_current: bool
    as_of: int
    reference: Reference | None
    total: int
    designs: list[RankedDesign]


@dataclass(frozen=True)
class RoundRanking:
    """The agents of a round.

    Attributes:
        round: Name.
        track: ``"search"`` or ``"zero-shot"``.
        evaluations: At which budget they are compared.
        as_of: Number of the last item of the log that counts.
        agents: In order.
    """

    round: str
    track: str
    evaluations: int
    as_of: int
    agents: list[RankedAgent]


@cache
def reference_of(task_id: str, fingerprint: str) -> tuple[Reference, str] | None:
    """Look up the certified optimum of a task.

    Args:
        task_id: Of the task.
        fingerprint: Of its definition.

    Returns:
        The reference row and the hash of its design; None if it is not known.
    """
    if task_id not in TASKS or load_task(task_id).fingerprint != fingerprint:
        return None
    found: Optimum | None = stored_optimum(load_task(task_id))
    if found is None:
        return None
    row = Reference(found.value, found.bound, found.constant_value, found.method)
    return row, design_hash(found.design.to_json())


def position(session: Session, as_of: str | int | None) -> int:
    """Say which item of the log was the last at some point.

    Args:
        session: Any.
        as_of: A number, a time (UTC, ISO 8601), or None for now.

    Returns:
        The number; 0 before the first.

    Raises:
        MalformedError: If it is neither.
    """
    last = session.scalar(sa.select(sa.func.max(LogItem.number))) or 0
    if as_of is None:
        return last
    text = str(as_of)
    if text.isascii() and text.isdecimal():
        return min(int(text[:12]), last)
    if not text[:4].isdecimal() or not set(text) <= set("0123456789-:.TZ") or len(text) > 27:
        raise MalformedError(
            f"Expected as_of to be a number in the log or a UTC time such as 2026-11-30T08:00, "
            f"got {text[:40]!r}."
        )
    # A day or a minute means all of it: 'Z' sorts behind all digits.
    end = text if text.endswith("Z") else f"{text}~"
    return session.scalar(sa.select(sa.func.max(LogItem.number)).where(LogItem.at <= end)) or 0


def designs(
    board: Board,
    task_id: str,
    *,
    fingerprint: str | None = None,
    as_of: str | int | None = None,
    limit: int = 100,
    offset: int = 0,
) -> DesignRanking:
    """Rank the designs of a task.

    Args:
        board: The board.
        task_id: Of the task.
        fingerprint: Of the definition; None for today's.
        as_of: Rank as it was then: a number in the log, or a time.
        limit: How many designs at most.
        offset: How many to leave out.

    Returns:
        The ranking.

    Raises:
        NotFoundError: If there is no such task.
        MalformedError: If ``as_of`` is neither.
    """
    current = load_task(task_id).fingerprint if task_id in TASKS else None
    fingerprint = fingerprint or current
    if fingerprint is None:
        raise NotFoundError(unknown_name("task", task_id[:120], TASKS))
    reference = reference_of(task_id, fingerprint)
    table = DesignStanding
    with board.database.read() as session:
        at = position(session, as_of)
        live = [
            table.fingerprint == fingerprint,  # of the task, too
            table.number <= at,
            table.withdrawn_by.is_(None) | (table.withdrawn_by > at),
        ]
        total = session.scalar(sa.select(sa.func.count()).where(*live)) or 0
        # The sum keeps SQLite from reading all rows by their numbers, to sort them afterwards.
        query = (
            sa.select(table)
            .where(*live[:1], table.number + 0 <= at, *live[2:])
            .order_by(table.merit.desc(), table.number)
            .limit(limit)
            .offset(offset)
        )
        rows = list(session.scalars(query))
        firsts = _firsts(session, live, {row.design for row in rows})
    optimum = reference[0].value if reference else None
    ranked = []
    for place, row in enumerate(rows, start=offset + 1):
        known: int | None = firsts[row.design]
        if reference and row.design == reference[1]:
            known = REFERENCE
        elif known == row.number:
            known = None
        ranked.append(
            RankedDesign(
                place=place,
                gap=design_gap(optimum, row.score),
                known_as=known,
                **{name: getattr(row, name) for name in SHOWN},
            )
        )
    return DesignRanking(
        task_id,
        fingerprint,
        fingerprint == current,
        at,
        reference[0] if reference else None,
        total,
        ranked,
    )


def agents_of_round(
    board: Board,
    round_name: str,
    *,
    evaluations: int | None = None,
    as_of: str | int | None = None,
) -> RoundRanking:
    """Rank the agents of a round.

    Args:
        board: The board.
        round_name: Of the round.
        evaluations: At which budget, of the track's; None for the whole.
        as_of: Rank as it was then: a number in the log, or a time.

    Returns:
        The ranking.

    Raises:
        NotFoundError: If there is no such round.
        MalformedError: If the budget or ``as_of`` is none.
    """
    table = RunStanding
    with board.database.read() as session:
        found = session.get(Round, round_name)
        if found is None:
            raise NotFoundError(f"Expected a round of the board, got {round_name[:40]!r}.")
        budgets = budgets_of(found.track)
        budget = budgets[-1] if evaluations is None else evaluations
        if budget not in budgets:
            raise MalformedError(
                f"Expected evaluations to be one of {', '.join(map(str, budgets))}, got {budget}."
            )
        at = position(session, as_of)
        query = (
            sa.select(table.agent, table.finished, table.scores)
            .where(
                table.round == round_name,
                table.opened <= at,
                table.withdrawn_by.is_(None) | (table.withdrawn_by > at),
            )
            .order_by(table.agent, table.instance)
        )
        rows = list(session.execute(query))
    scores: dict[str, list[float]] = {}
    finished: dict[str, int] = {}
    for agent, number, at_budgets in rows:
        is_finished = number is not None and number <= at
        scores.setdefault(agent, []).append(at_budgets[str(budget)] if is_finished else 0.0)
        finished[agent] = finished.get(agent, 0) + is_finished
    return RoundRanking(round_name, found.track, budget, at, rank_agents(scores, finished))


def standing_of(board: Board, submission_id: str) -> tuple[str, float | None, float | None]:
    """Say how a submission stands.

    Args:
        board: The board.
        submission_id: Of the submission.

    Returns:
        Id of its task, score, and gap to the certified optimum.

    Raises:
        NotFoundError: If there is none that is ranked.
    """
    query = sa.select(DesignStanding).where(
        DesignStanding.submission == submission_id, DesignStanding.withdrawn_by.is_(None)
    )
    with board.database.read() as session:
        row = session.scalar(query)
    if row is None:
        raise NotFoundError(f"Expected a submission that is ranked, got {submission_id[:40]!r}.")
    reference = reference_of(row.task, row.fingerprint)
    return row.task, row.score, design_gap(reference[0].value if reference else None, row.score)


def ranked_tasks(board: Board) -> dict[tuple[str, str], int]:
    """Count designs by task and definition.

    Args:
        board: The board.

    Returns:
        How many are not withdrawn, by id and fingerprint.
    """
    table = DesignStanding
    query = (
        sa.select(table.task, table.fingerprint, sa.func.count())
        .where(table.withdrawn_by.is_(None))
        .group_by(table.task, table.fingerprint)
    )
    with board.database.read() as session:
        return {(task, fingerprint): n for task, fingerprint, n in session.execute(query)}


def _firsts(session: Session, live: list[Any], hashes: set[str]) -> dict[str, int]:
    """Find the first item in the log with each design."""
    table = DesignStanding
    query = (
        sa.select(table.design, sa.func.min(table.number))
        .where(*live, table.design.in_(hashes))
        .group_by(table.design)
    )
    return dict(session.execute(query).all())
