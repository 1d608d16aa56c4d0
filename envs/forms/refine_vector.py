"""The refinement environment over many episodes at once."""

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.envs.forms.changes import Changes
from lrmp.envs.forms.design_observation import design_feature_names
from lrmp.envs.forms.refine import check_horizon, observe_refinements
from lrmp.envs.forms.vector import Advance, Flags, TaskVectorEnv
from lrmp.envs.scoring.observation import Observation
from lrmp.hardware.frozen_arrays import IntArray


class RefineVectorEnv(TaskVectorEnv):
    """`RefineEnv` in NumPy over episodes; its docstring says what is decided and seen.

    Args:
        num_envs: Episodes side by side.
        horizon: Steps of an episode; None for as many as ``check_horizon`` says.
        **settings: As `TaskVectorEnv` takes them.
    """

    def __init__(self, num_envs: int = 1, *, horizon: int | None = None, **settings: Any) -> None:
        super().__init__(num_envs, **settings)
        self.changes = Changes(self.task.space, len(self.dynamics))
        self.horizon = check_horizon(horizon, self.dynamics, self.changes)
        self.feature_names = (*design_feature_names(self.dynamics), "steps_left")
        self._set_spaces(
            spaces.Box(0.0, 1.0, (len(self.feature_names),), np.float32),
            spaces.Discrete(self.changes.count),
        )
        self._settings = np.empty((num_envs, *self.dynamics.plain.shape), dtype=np.int64)
        self._rewarded = np.zeros(num_envs)
        self._taken = np.zeros(num_envs, dtype=np.int64)

    def action_masks(self) -> NDArray[np.bool_]:
        """Say which actions are possible now.

        Returns:
            Shape (num_envs, 2 K L + 1).
        """
        return self.changes.masks(self._settings).astype(bool)

    def _begin(self, rows: Flags) -> None:
        self._settings[rows] = self.dynamics.plain
        self._rewarded[rows], self._taken[rows] = 0.0, 0

    def _begin_infos(self) -> dict[str, NDArray[Any]]:
        return {"action_mask": self.changes.masks(self._settings)}

    def _advance(self, rows: IntArray, actions: NDArray[Any]) -> Advance:
        settings, possible = self.changes.apply(self._settings[rows], actions)
        scores = self.dynamics.scores(settings)
        self._settings[rows] = settings
        self._taken[rows] += 1
        rewards = scores.reward - self._rewarded[rows]
        self._rewarded[rows] += rewards
        terminated = self._taken[rows] == self.horizon
        every = {
            "action_mask": self.changes.masks(settings),
            "action_possible": possible,
            "gain": scores.gain,
            "accuracy_drop": scores.accuracy_drop,
        }
        infos = [(rows, every)]
        if terminated.any():
            last = self.dynamics.space.numbers(settings) | self._final_infos(settings, scores)
            ended = {key: values[terminated] for key, values in last.items() if key not in every}
            infos.append((rows[terminated], ended))
        return rewards, terminated, infos

    def _observe(self) -> Observation:
        return observe_refinements(self.dynamics, self._settings, self._taken, self.horizon)
