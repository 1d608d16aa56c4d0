"""The multi-objective environment over many episodes at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.envs.forms.action import Discrete
from lrmp.envs.forms.layerwise_vector import LayerwiseVectorEnv
from lrmp.envs.forms.layerwise_view import LayerwiseObservation
from lrmp.envs.forms.multi_objective import reward_space
from lrmp.envs.forms.vector import Advance
from lrmp.envs.scoring.features import Feature
from lrmp.envs.scoring.objectives import objective_vectors
from lrmp.envs.task.custom_task import TaskLike
from lrmp.hardware.frozen_arrays import IntArray


class MultiObjectiveVectorEnv(LayerwiseVectorEnv):
    """Play many episodes of `MultiObjectiveEnv` side by side; rewards have shape (num_envs, 3).

    Args:
        num_envs: Episodes side by side.
        task: A task, or the id of a registered one.
        discrete: How actions say which values are chosen; see `ActionCode`.
        observation: ``"layer"``, ``"prefix"`` or ``"graph"``.
        features: What is observed, in order; None for all.
        accuracy: ``"table"``; None for the task's own kind.
        autoreset_mode: As of `TaskVectorEnv`, like the following.
        max_episode_steps: The step that truncates an episode.
        render_mode: ``"ansi"``, ``"rgb_array"`` or None.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        task: TaskLike | None,
        discrete: Discrete = False,
        observation: LayerwiseObservation = "layer",
        features: Sequence[Feature] | None = None,
        accuracy: AccuracyKind | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(
            num_envs,
            task=task,
            discrete=discrete,
            observation=observation,
            features=features,
            accuracy=accuracy,
            autoreset_mode=autoreset_mode,
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )
        self.reward_space = reward_space(self.task)
        self._no_rewards = np.zeros((num_envs, *self.reward_space.shape), np.float32)

    def _advance(self, rows: IntArray, actions: NDArray[Any]) -> Advance:
        _, terminated, infos = super()._advance(rows, actions)
        rewards = np.zeros((len(rows), *self.reward_space.shape), np.float32)
        if terminated.any():
            ended, values = infos[-1]
            rewards[terminated] = objective_vectors(
                self.task, self._settings[ended], values["replication"]
            )
        return rewards, terminated, infos
