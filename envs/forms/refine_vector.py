"""The refinement environment over many episodes at once."""

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.envs.forms.design_observation import design_feature_names
from lrmp.envs.forms.refine import (
    CHANGES,
    action_masks,
    change_bits,
    check_horizon,
    observe_refinements,
)
from lrmp.envs.forms.vector import Advance, Flags, TaskVectorEnv
from lrmp.envs.scoring.observation import Observation
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import MAX_BITS


class RefineVectorEnv(TaskVectorEnv):
    """`RefineEnv` in NumPy over episodes; its docstring says what is decided and seen.

    Args:
        num_envs: Episodes side by side.
        horizon: Steps of an episode; None for 12 L.
        **settings: As `TaskVectorEnv` takes them.
    """

    def __init__(self, num_envs: int = 1, *, horizon: int | None = None, **settings: Any) -> None:
        super().__init__(num_envs, **settings)
        count = len(self.dynamics)
        self.horizon = check_horizon(horizon, self.dynamics)
        self.feature_names = (*design_feature_names(self.dynamics), "steps_left")
        self._set_spaces(
            spaces.Box(0.0, 1.0, (len(self.feature_names),), np.float32),
            spaces.Discrete(len(CHANGES) * count + 1),
        )
        self._bits = np.empty((num_envs, count, 2), dtype=np.int64)
        self._rewarded = np.zeros(num_envs)
        self._taken = np.zeros(num_envs, dtype=np.int64)

    def action_masks(self) -> NDArray[np.bool_]:
        """Say which actions are possible now.

        Returns:
            Shape (num_envs, 4 L + 1).
        """
        return action_masks(self._bits).astype(bool)

    def _begin(self, rows: Flags) -> None:
        self._bits[rows] = MAX_BITS
        self._rewarded[rows], self._taken[rows] = 0.0, 0

    def _begin_infos(self) -> dict[str, NDArray[Any]]:
        return {"action_mask": action_masks(self._bits)}

    def _advance(self, rows: IntArray, actions: NDArray[Any]) -> Advance:
        bits, possible = change_bits(self._bits[rows], actions)
        weight_bits, activation_bits = bits[:, :, 0].copy(), bits[:, :, 1].copy()
        scores = self.dynamics.scores(weight_bits, activation_bits)
        self._bits[rows] = bits
        self._taken[rows] += 1
        rewards = scores.reward - self._rewarded[rows]
        self._rewarded[rows] += rewards
        terminated = self._taken[rows] == self.horizon
        every = {
            "action_mask": action_masks(bits),
            "action_possible": possible,
            "gain": scores.gain,
            "accuracy_drop": scores.accuracy_drop,
        }
        infos = [(rows, every)]
        if terminated.any():
            last = {"weight_bits": weight_bits, "activation_bits": activation_bits}
            last |= self._final_infos(weight_bits, activation_bits, scores)
            ended = {key: values[terminated] for key, values in last.items() if key not in every}
            infos.append((rows[terminated], ended))
        return rewards, terminated, infos

    def _observe(self) -> Observation:
        return observe_refinements(self.dynamics, self._bits, self._taken, self.horizon)
