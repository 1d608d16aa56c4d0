"""What a run has tried so far: scores of all designs, the best one, and the time."""

import time
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.envs.records.record import Record
from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design_space import DesignSpace


class DesignTally:
    """Counts the designs of a run, over interruptions; its clock starts when it is made.

    Args:
        space: The knobs of the task.
        seconds_before: What the interrupted runs took together.

    Attributes:
        episodes: Reward, gain and accuracy drop of every design, in order.
        best_reward: The highest reward; of equal ones the first counts.
    """

    def __init__(self, space: DesignSpace, seconds_before: float = 0.0) -> None:
        self._space = space
        self.episodes: list[tuple[float, float, float]] = []
        self.best_reward = -np.inf
        self._best: list[list[int]] | None = None
        self._started, self._seconds_before = time.perf_counter(), seconds_before

    def __len__(self) -> int:
        return len(self.episodes)

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
        winner = max(range(len(added)), key=lambda row: added[row][0])
        if not added[winner][0] > self.best_reward:
            return False
        self.best_reward = added[winner][0]
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
        values = {name: final_info[f"design_{name}"] for name in self._space.names}
        settings = self._space.from_numbers(values)
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
        self.best_reward = max(r for r, _, _ in self.episodes)
        self._best, self._seconds_before = state["best"], state["seconds"]

    def finish(
        self,
        run: RunDirectory,
        task: TaskLike,
        *,
        agent: str,
        seed: int,
        env_steps: int,
        evaluated_designs: int | None = None,
    ) -> None:
        """Write the run's results.

        Args:
            run: Where to; its policy is there.
            task: What was played.
            agent: Name under which the run is ranked.
            seed: Of the run.
            env_steps: Steps in environments.
            evaluated_designs: Designs that the oracle scored; None for those that were added.
        """
        task = find_task(task)
        assert self._best is not None, "a run tries at least one design"
        record = Record.of(
            evaluate_settings(task, np.array(self._best)),
            agent=agent,
            seed=seed,
            evaluated_designs=len(self) if evaluated_designs is None else evaluated_designs,
            env_steps=env_steps,
            wall_time_s=self.seconds,
        )
        run.finish(record, self.episodes)
