"""What a run has tried so far: scores of all designs, the best one, and the time."""

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.envs.records.record import Record
from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.task.task import Task
from lrmp.hardware.frozen_arrays import IntArray

Episode = tuple[float, float, float]  # reward, gain, drop


class DesignTally:
    """Counts the designs of a run, over interruptions; its clock starts when it is made.

    The best design is the one with the highest score; until one is within the allowed drop, the one
    with the highest reward. Of equal ones the first counts.

    Args:
        task: What is played.
        seconds_before: What the interrupted runs took together.

    Attributes:
        episodes: Reward, gain and accuracy drop of every design, in order.
    """

    def __init__(self, task: Task, seconds_before: float = 0.0) -> None:
        self._task = task
        self.episodes: list[Episode] = []
        self._best_rank = (-math.inf, -math.inf)
        self._best: list[list[int]] | None = None
        self._started, self._seconds_before = time.perf_counter(), seconds_before

    def __len__(self) -> int:
        return len(self.episodes)

    @property
    def best_score(self) -> float:
        """The highest score; at least 0, that of the plain design, which needs no search."""
        return max(0.0, self._best_rank[0])

    @property
    def seconds(self) -> float:
        """Wall time of the run, interruptions left out."""
        return self._seconds_before + time.perf_counter() - self._started

    def add(
        self,
        rewards: ArrayLike,
        gains: ArrayLike,
        drops: ArrayLike,
        settings: IntArray,
    ) -> bool:
        """Add B designs, or one without the first axis.

        Args:
            rewards: Shape (B,).
            gains: Shape (B,).
            drops: In points, shape (B,).
            settings: Shape (B, L, K).

        Returns:
            Whether one of them is better than all before.
        """
        columns = (np.atleast_1d(column).tolist() for column in (rewards, gains, drops))
        added = list(zip(*columns, strict=True))
        self.episodes += added
        winner = max(range(len(added)), key=lambda row: self._rank(added[row]))
        if not self._rank(added[winner]) > self._best_rank:
            return False
        self._best_rank = self._rank(added[winner])
        best = settings[winner] if settings.ndim > 2 else settings
        self._best = best.tolist()
        return True

    def add_ended(self, rewards: ArrayLike, final_info: dict[str, Any]) -> bool:
        """Add the B episodes that a vector environment has just ended.

        Args:
            rewards: Of their last steps, shape (B,).
            final_info: Its infos' ``"final_info"``.

        Returns:
            As ``add``.
        """
        values = {name: final_info[f"design_{name}"] for name in self._task.space.names}
        settings = self._task.space.from_numbers(values)
        return self.add(rewards, final_info["gain"], final_info["accuracy_drop"], settings)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold, as JSON values."""
        return {
            "episodes": self.episodes,
            "best": self._best,
            "seconds": self.seconds,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint.

        Args:
            state: What ``state`` returned, and perhaps more.
        """
        self.episodes = [(r, s, d) for r, s, d in state["episodes"]]
        self._best_rank = max(map(self._rank, self.episodes))
        self._best, self._seconds_before = state["best"], state["seconds"]

    def finish(
        self,
        run: RunDirectory,
        *,
        agent: str,
        seed: int,
        env_steps: int,
        evaluated_designs: int | None = None,
    ) -> None:
        """Write the run's results.

        Args:
            run: Where to; its policy is there.
            agent: Name under which the run is ranked.
            seed: Of the run.
            env_steps: Steps in environments.
            evaluated_designs: Designs that the oracle scored; None for those that were added.
        """
        assert self._best is not None, "a run tries at least one design"
        record = Record.of(
            evaluate_settings(self._task, np.array(self._best)),
            agent=agent,
            seed=seed,
            evaluated_designs=len(self) if evaluated_designs is None else evaluated_designs,
            env_steps=env_steps,
            wall_time_s=self.seconds,
        )
        run.finish(record, self.episodes)

    def _rank(self, episode: Episode) -> tuple[float, float]:
        return episode_score(episode, self._task.allowed_drop), episode[0]


def episode_score(episode: Episode, allowed_drop: float) -> float:
    """Score a design of a run.

    Args:
        episode: Its reward, gain and accuracy drop.
        allowed_drop: Of the task, in percentage points.

    Returns:
        The ranked score; minus infinity beyond the allowed drop.
    """
    _, gain, drop = episode
    return math.log(gain) if drop <= allowed_drop else -math.inf


def best_so_far(episodes: Sequence[Episode], allowed_drop: float) -> NDArray[np.float64]:
    """Follow the best score of a run.

    Args:
        episodes: Reward, gain and accuracy drop of every design, in order.
        allowed_drop: Of the task, in percentage points.

    Returns:
        The best score after every design, shape (N,); at least 0, that of the plain design, which
        needs no search.
    """
    scores = [episode_score(episode, allowed_drop) for episode in episodes]
    best: NDArray[np.float64] = np.maximum.accumulate([0.0, *scores])[1:]
    return best
