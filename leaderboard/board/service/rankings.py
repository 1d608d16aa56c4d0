"""Rankings, read from the standings that follow from the log."""

from collections import Counter
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lrmp.errors import unknown_name
from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.database.models import Round
from lrmp.leaderboard.board.errors import MalformedError, NotFoundError
from lrmp.leaderboard.board.ranking import RankedAgent, rank_agents
from lrmp.leaderboard.board.tracks import budgets_of, is_bounded
from lrmp.leaderboard.design_ranking import DesignRanking, reference_of
from lrmp.leaderboard.gap import design_gap
from lrmp.leaderboard.log import rank
from lrmp.leaderboard.log.tables import DesignStanding, LogItem, RunStanding
from lrmp.leaderboard.ranked_tasks import ranked_ids, ranked_task


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
    if fingerprint is None:
        today = ranked_task(task_id)
        if today is None:
            raise NotFoundError(unknown_name("task", task_id[:120], ranked_ids()))
        fingerprint = today.fingerprint
    with board.database.read() as session:
        at = position(session, as_of)
        return rank.rank_designs(session, task_id, fingerprint, at, limit, offset)


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
            sa.select(table.agent, table.finished, table.scores, table.optimum, table.bound)
            .where(
                table.round == round_name,
                table.opened <= at,
                table.withdrawn_by.is_(None) | (table.withdrawn_by > at),
            )
            .order_by(table.agent, table.instance)
        )
        rows = list(session.execute(query))
    scores: dict[str, list[float]] = {}
    finished: Counter[str] = Counter()
    bounded: Counter[str] = Counter()
    for agent, number, at_budgets, optimum, bound in rows:
        is_finished = number is not None and number <= at
        scores.setdefault(agent, []).append(at_budgets[str(budget)] if is_finished else 0.0)
        finished[agent] += is_finished
        bounded[agent] += is_finished and is_bounded(optimum, bound)
    ranked = rank_agents(scores, finished, bounded)
    return RoundRanking(round_name, found.track, budget, at, ranked)


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
