"""Ranking on the board: pure functions of standings, for the board and whoever checks it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from lrmp.baselines.study.statistics import bootstrap_interval, interquartile_mean
from lrmp.leaderboard.board.tracks import LEAST_INSTANCES


@dataclass(frozen=True)
class RankedAgent:
    """An agent's place in a round.

    Attributes:
        rank: 1 and the number of agents whose whole interval is above this one's; None below the
            least number of instances.
        agent: ``team/agent@version``.
        score: Interquartile mean, over all runs that it opened, of score / certified optimum.
        low: Lower end of the 95 % interval; None for a single run.
        high: Upper end.
        runs: How many it opened.
        finished: How many of them are finished; the others count as 0.
        bounded: How many of those are on instances whose optimum is not proven: their scores are
            divided by the bound, and may be better than they look.
    """

    rank: int | None
    agent: str
    score: float
    low: float | None
    high: float | None
    runs: int
    finished: int
    bounded: int


def rank_agents(
    scores: Mapping[str, Sequence[float]],
    finished: Mapping[str, int],
    bounded: Mapping[str, int],
) -> list[RankedAgent]:
    """Rank agents; those whose intervals overlap share a rank.

    Args:
        scores: By agent, of every run that it opened: 0 where it is not finished.
        finished: By agent, how many are.
        bounded: By agent, how many of those are on instances whose optimum is not proven.

    Returns:
        Ranked ones first, by rank, score and name.
    """
    rows = []
    for agent, values in scores.items():
        low, high = _interval(tuple(values)) if len(values) > 1 else (None, None)
        rows.append((agent, interquartile_mean(list(values)), low, high, len(values)))
    ranked = [row for row in rows if row[4] >= LEAST_INSTANCES]
    found = []
    for agent, score, low, high, runs in rows:
        rank = None
        if runs >= LEAST_INSTANCES:
            assert high is not None
            rank = 1 + sum(other[2] is not None and other[2] > high for other in ranked)
        found.append(
            RankedAgent(rank, agent, score, low, high, runs, finished[agent], bounded[agent])
        )
    return sorted(found, key=lambda a: (a.rank or math.inf, -a.score, a.agent))


@lru_cache(4096)
def _interval(scores: tuple[float, ...]) -> tuple[float, float]:
    return bootstrap_interval(scores)
