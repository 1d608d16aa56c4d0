"""Ranking: agents by the interquartile mean of their seeds' scores, task by task."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from lrmp.baselines.study.statistics import interquartile_mean
from lrmp.envs.records.record import TrainedOn
from lrmp.envs.scoring.reward import SCORE_FORMULA
from lrmp.envs.task.task import TASKS, load_task
from lrmp.leaderboard.entry import Entry
from lrmp.leaderboard.gap import gap_text, optimum_gap
from lrmp.printable import printable
from lrmp.text_table import Column, fold, format_table

DESIGN_SCORE = f"score of a design = {SCORE_FORMULA}"
AGENT_SCORE = (
    "score of an agent = interquartile mean over its seeds; a seed without a score counts as 0, "
    "the plain design"
)
ESTIMATES = "Estimates: the accuracy of these tasks was not measured on their networks"

_TITLES: dict[TrainedOn, str] = {
    "this-task": "search per instance (trained on this task)",
    "other-tasks": "generalising (trained on other tasks)",
}


@dataclass(frozen=True)
class RankedAgent:
    """An agent's place on one task. Its best design is the one with the highest score.

    Attributes:
        task: Task id.
        task_fingerprint: Of the definition that was solved; every definition is ranked apart.
        is_current: Whether that is how this installation defines the task.
        trained_on: Searches per instance and generalising agents are ranked apart.
        rank: From 1.
        agent: Name.
        score: Interquartile mean over seeds; one without a score counts as the plain design, 0.
        seeds: How many.
        best_score: Score of the best design; None if no seed has one.
        best_gap: By how much the best design is worse than the task's certified optimum, 0.01
            being 1 %; None without either.
        best_gain: Its baseline / design, of what the task minimises.
        best_accuracy_drop: Its drop in percentage points, as searches see it.
        best_test_accuracy_drop: Its drop on images no search has seen, or None without such.
        evaluated_designs: Designs scored, the most of any seed. Self-reported.
        accuracy: ``"network"``, ``"table"`` or ``"table (estimate)"``.
        accuracy_is_estimate: Whether it was not measured on the network itself.
        accuracy_holds: Whether drops were found to be the network's on designs that optimisers
            pick; None for another definition of the task than today's.
        code: Address of the code of the best design, or None.
        best_sha256: Content hash of the best design's record.
    """

    task: str
    task_fingerprint: str
    is_current: bool
    trained_on: TrainedOn
    rank: int
    agent: str
    score: float
    seeds: int
    best_score: float | None
    best_gap: float | None
    best_gain: float
    best_accuracy_drop: float
    best_test_accuracy_drop: float | None
    evaluated_designs: int
    accuracy: str
    accuracy_is_estimate: bool
    accuracy_holds: bool | None
    code: str | None
    best_sha256: str


def rank(entries: Sequence[Entry]) -> list[RankedAgent]:
    """Rank agents by score, for every definition of a task and every kind of training apart.

    Tasks whose accuracy is an estimate come after all that are measured.

    Of equal scores the one that was complete first, by the agent's last entry, ranks higher.

    Args:
        entries: What ``Store.entries`` returned.

    Returns:
        Agents by task, measured ones before estimates, today's definition before others,
        ``this-task`` before ``other-tasks``, then rank.
    """
    groups: dict[tuple[_Board, str], list[Entry]] = {}
    for entry in sorted(entries, key=lambda e: e.number):
        record = entry.replay.record
        estimate = entry.replay.accuracy_is_estimate
        board = _Board(record.task, record.task_fingerprint, record.trained_on, estimate)
        groups.setdefault((board, record.agent), []).append(entry)
    boards: dict[_Board, list[tuple[float, int, list[Entry]]]] = {}
    for (board, _), seeds in groups.items():
        score = interquartile_mean([e.replay.claim.score or 0.0 for e in seeds])
        boards.setdefault(board, []).append((-score, seeds[-1].number, seeds))
    return [
        _ranked(board, place, -negative_score, seeds)
        for board, agents in sorted(boards.items(), key=lambda b: b[0].order)
        for place, (negative_score, _, seeds) in enumerate(sorted(agents, key=lambda a: a[:2]), 1)
    ]


def format_ranking(ranked: Sequence[RankedAgent], width: int | None = None) -> str:
    """Write a ranking as text.

    Args:
        ranked: What ``rank`` returned.
        width: Characters of a line; None for as many as it takes.

    Returns:
        The formulas, then one table per task and kind of training, those of estimates under a
        heading of their own; no newline at the end.
    """
    note = (
        "gap: of the best design, in what the task minimises, to the certified optimum; accuracy "
        "drops in percentage points; the number of designs is self-reported"
    )
    blocks = [fold(f"{DESIGN_SCORE}\n{AGENT_SCORE}\n{note}", width, indent=2)]
    if not ranked:
        blocks.append("No entries yet: `lrmp demo` makes some; `lrmp submit RUN` adds a run.")
    for is_estimate, section in groupby(ranked, key=lambda agent: agent.accuracy_is_estimate):
        if is_estimate:
            blocks.append(ESTIMATES)
        for title, agents in groupby(section, key=_title):
            blocks.append(f"{fold(title, width)}\n{_format_agents([*agents], width)}")
    return printable("\n\n".join(blocks))


def to_json(ranked: Sequence[RankedAgent]) -> dict[str, Any]:
    """Return a ranking as plain JSON values.

    Args:
        ranked: What ``rank`` returned.

    Returns:
        The formulas and lists of agents, in order: on measured tasks, and on estimates.
    """
    return {
        "design_score": DESIGN_SCORE,
        "agent_score": AGENT_SCORE,
        "agents": [asdict(agent) for agent in ranked if not agent.accuracy_is_estimate],
        "agents_on_estimates": [asdict(agent) for agent in ranked if agent.accuracy_is_estimate],
    }


@dataclass(frozen=True)
class _Board:
    """What agents of one ranking have in common."""

    task: str
    fingerprint: str
    trained_on: TrainedOn
    is_estimate: bool

    @property
    def is_current(self) -> bool:
        return self.task in TASKS and load_task(self.task).fingerprint == self.fingerprint

    @property
    def accuracy_holds(self) -> bool | None:
        return load_task(self.task).accuracy_holds if self.is_current else None

    @property
    def order(self) -> tuple[bool, str, bool, str, bool]:
        trained = self.trained_on != "this-task"
        return self.is_estimate, self.task, not self.is_current, self.fingerprint, trained


def _title(agent: RankedAgent) -> str:
    title = f"{agent.task}: {_TITLES[agent.trained_on]}"
    if agent.is_current:
        if agent.accuracy_holds:
            return title
        misses = "; ".join(load_task(agent.task).accuracy_misses)
        return f"{title}, by a table not found to hold on optimised designs: {misses}"
    return (
        f"{title}, under another definition of the task than this lrmp's: fingerprint "
        f"{agent.task_fingerprint[:16]}..., not comparable"
    )


def _ranked(board: _Board, place: int, score: float, seeds: Sequence[Entry]) -> RankedAgent:
    best = max(seeds, key=_score)  # the earliest of equals
    replay, record = best.replay, best.replay.record
    return RankedAgent(
        task=board.task,
        task_fingerprint=board.fingerprint,
        is_current=board.is_current,
        trained_on=board.trained_on,
        rank=place,
        agent=record.agent,
        score=score,
        seeds=len(seeds),
        best_score=replay.claim.score,
        best_gap=optimum_gap(board.task, board.fingerprint, replay.claim.score),
        best_gain=replay.claim.gain,
        best_accuracy_drop=replay.claim.accuracy_drop,
        best_test_accuracy_drop=replay.test_accuracy_drop,
        evaluated_designs=max(e.replay.record.evaluated_designs for e in seeds),
        accuracy=replay.accuracy_label,
        accuracy_is_estimate=board.is_estimate,
        accuracy_holds=board.accuracy_holds,
        code=record.code,
        best_sha256=best.sha256,
    )


def _score(entry: Entry) -> float:
    score = entry.replay.claim.score
    return -math.inf if score is None else score


def _format_agents(agents: Sequence[RankedAgent], width: int | None) -> str:
    best = ["-" if a.best_score is None else f"{a.best_score:.4f}" for a in agents]
    tests = [a.best_test_accuracy_drop for a in agents]
    return format_table(
        [
            Column("rank", [str(a.rank) for a in agents]),
            Column("agent", [a.agent for a in agents], text=True, fit="shorten"),
            Column("score", [f"{a.score:.4f}" for a in agents]),
            Column("seeds", [str(a.seeds) for a in agents]),
            Column("best score", best, leaves=3),
            Column("gap", [gap_text(a.best_gap) for a in agents]),
            Column("gain", [f"{a.best_gain:.3f}x" for a in agents]),
            Column("drop", [f"{a.best_accuracy_drop:.2f}" for a in agents]),
            Column("test drop", ["-" if t is None else f"{t:.2f}" for t in tests]),
            Column("designs", [str(a.evaluated_designs) for a in agents], leaves=4),
            Column("accuracy", [a.accuracy for a in agents], text=True, leaves=2),
            Column("code", ["yes" if a.code else "-" for a in agents], text=True, leaves=1),
        ],
        width,
    )
