"""What pages show beside rankings: summaries of tasks, agents and rounds, from the standings."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from lrmp.leaderboard.board.core import Board
from lrmp.leaderboard.board.tracks import budgets_of, is_bounded
from lrmp.leaderboard.log.tables import DesignStanding, LogHead, LogItem, RunStanding

MOST_RUNS = 1000  # of a round or an agent on one page
REMEMBERED = 64  # answers, each of a state of the log


@dataclass(frozen=True)
class TaskSummary:
    """What a board knows of a task.

    Attributes:
        designs: How many are ranked.
        best_score: The highest score; None if no design is within the allowed drop.
        newest: When the last one was logged.
    """

    designs: int
    best_score: float | None
    newest: str


@dataclass(frozen=True)
class AgentDesign:
    """The best design of an agent on a task.

    Attributes:
        task: Id.
        fingerprint: Of the task's definition.
        score: ln(gain), or None beyond the allowed drop.
        gain: Baseline / design.
        number: In the log.
        submission: Id of the submission.
    """

    task: str
    fingerprint: str
    score: float | None
    gain: float
    number: int
    submission: str


@dataclass(frozen=True)
class RunStand:
    """How a run stands.

    Attributes:
        run: Id.
        round: Name of the round.
        agent: ``team/agent@version``.
        instance: Which of the agent's instances, from 0.
        opened: Number in the log.
        finished: Number in the log, or None.
        evaluations: Designs scored, once it is finished.
        optimum: Of the instance, once it is finished: the best design that is known,
        bound: and what no design exceeds.
        scores: Score / certified optimum by evaluations; empty until it is finished.
    """

    run: str
    round: str
    agent: str
    instance: int
    opened: int
    finished: int | None
    evaluations: int
    optimum: float | None
    bound: float | None
    scores: dict[str, float]

    @property
    def is_bounded(self) -> bool:
        """Whether it is finished on an instance whose optimum is not proven."""
        return is_bounded(self.optimum, self.bound)

    def score(self, evaluations: int) -> float:
        """Say what the run counts at a budget: 0 until it is finished.

        Args:
            evaluations: Of the track's budgets.

        Returns:
            Score / certified optimum.
        """
        return self.scores.get(str(evaluations), 0.0) if self.finished else 0.0


def tasks(board: Board) -> dict[tuple[str, str], TaskSummary]:
    """Summarise the tasks that have designs.

    Args:
        board: The board.

    Returns:
        By id and fingerprint; shared, not to be changed.
    """
    return _tasks(board, last_number(board))


def last_number(board: Board) -> int:
    """Say which item of the log is the last. Standings change with the log alone.

    Args:
        board: The board.

    Returns:
        Its number.
    """
    with board.database.read() as session:
        return session.scalar(sa.select(LogHead.number)) or 0


@lru_cache(REMEMBERED)
def _tasks(board: Board, last: int) -> dict[tuple[str, str], TaskSummary]:
    table = DesignStanding
    query = (
        sa.select(
            table.task,
            table.fingerprint,
            sa.func.count(),
            sa.func.max(table.score),
            sa.func.max(table.at),
        )
        .where(table.withdrawn_by.is_(None))
        .group_by(table.task, table.fingerprint)
    )
    with board.database.read() as session:
        return {(row[0], row[1]): TaskSummary(*row[2:]) for row in session.execute(query)}


def designs_of(board: Board, agent: str) -> list[AgentDesign]:
    """List the best design of an agent on every task.

    Args:
        board: The board.
        agent: ``team/agent@version``.

    Returns:
        By task; shared, not to be changed.
    """
    return _designs_of(board, agent, last_number(board))


@lru_cache(REMEMBERED)
def _designs_of(board: Board, agent: str, last: int) -> list[AgentDesign]:
    table = DesignStanding
    query = (
        sa.select(
            table.task,
            table.fingerprint,
            table.score,
            table.gain,
            table.number,
            table.submission,
        )
        .where(table.agent == agent, table.withdrawn_by.is_(None))
        .order_by(table.task, table.fingerprint, table.score.desc().nulls_last(), table.number)
    )
    best: dict[tuple[str, str], AgentDesign] = {}
    with board.database.read() as session:
        for row in session.execute(query):
            best.setdefault((row[0], row[1]), AgentDesign(*row))
    return list(best.values())


def runs_of(
    board: Board, *, round_name: str | None = None, agents: Collection[str] | None = None
) -> list[RunStand]:
    """List runs that count, withdrawn ones left out.

    Args:
        board: The board.
        round_name: Only of this round.
        agents: Only of these agents.

    Returns:
        By round, agent and instance; at most ``MOST_RUNS``.
    """
    columns = [getattr(RunStanding, name) for name in RunStand.__dataclass_fields__]
    query = (
        sa.select(*columns)
        .where(RunStanding.withdrawn_by.is_(None))
        .order_by(RunStanding.round, RunStanding.agent, RunStanding.instance)
        .limit(MOST_RUNS)
    )
    if round_name is not None:
        query = query.where(RunStanding.round == round_name)
    if agents is not None:
        query = query.where(RunStanding.agent.in_(agents))
    with board.database.read() as session:
        return [RunStand(*row) for row in session.execute(query)]


def withdrawn_by(board: Board, number: int) -> int | None:
    """Say what withdrew an item.

    Args:
        board: The board.
        number: Of the item in the log.

    Returns:
        Number of the item that says so, or None.
    """
    runs = RunStanding
    query = sa.union_all(
        sa.select(DesignStanding.withdrawn_by).where(DesignStanding.number == number),
        sa.select(runs.withdrawn_by).where((runs.opened == number) | (runs.finished == number)),
    )
    with board.database.read() as session:
        return session.scalar(query)


def contents(board: Board, numbers: Collection[int]) -> dict[int, dict[str, Any]]:
    """Read bodies of items of the log.

    Args:
        board: The board.
        numbers: Of the items.

    Returns:
        Parsed bodies by number.
    """
    query = sa.select(LogItem.number, LogItem.body).where(LogItem.number.in_(numbers))
    with board.database.read() as session:
        return {number: json.loads(body) for number, body in session.execute(query)}


def finished_scores(runs: Collection[RunStand], track: str) -> dict[int, list[float]]:
    """Collect the scores of runs at every budget of a track.

    Args:
        runs: Of one agent and round.
        track: ``"search"`` or ``"zero-shot"``.

    Returns:
        By budget the score of every run, 0 where it is not finished.
    """
    return {budget: [run.score(budget) for run in runs] for budget in budgets_of(track)}
