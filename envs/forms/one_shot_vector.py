"""The one-shot environment over many episodes at once."""

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.envs.forms.action import units_to_bits
from lrmp.envs.forms.design_observation import design_feature_names, observe_designs
from lrmp.envs.forms.one_shot import one_shot_space
from lrmp.envs.forms.vector import Advance, Flags, TaskVectorEnv
from lrmp.envs.scoring.observation import Observation
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import MAX_BITS, MIN_BITS


class OneShotVectorEnv(TaskVectorEnv):
    """`OneShotEnv` in NumPy over episodes; its docstring says what is decided and seen.

    Args:
        num_envs: Episodes side by side.
        discrete: Actions as bit indices.
        **settings: As `TaskVectorEnv` takes them.
    """

    def __init__(self, num_envs: int = 1, *, discrete: bool = False, **settings: Any) -> None:
        super().__init__(num_envs, **settings)
        self.discrete = discrete
        self.feature_names = design_feature_names(self.dynamics)
        self._set_spaces(
            spaces.Box(0.0, 1.0, (len(self.feature_names),), np.float32),
            one_shot_space(len(self.dynamics), discrete),
        )
        self._bits = np.empty((num_envs, len(self.dynamics), 2), dtype=np.int64)

    def _begin(self, rows: Flags) -> None:
        self._bits[rows] = MAX_BITS

    def _advance(self, rows: IntArray, actions: NDArray[Any]) -> Advance:
        actions = actions.reshape(len(rows), -1, 2)
        bits = MIN_BITS + actions.astype(np.int64) if self.discrete else units_to_bits(actions)
        weight_bits, activation_bits = bits[:, :, 0].copy(), bits[:, :, 1].copy()
        scores = self.dynamics.scores(weight_bits, activation_bits)
        self._bits[rows] = bits
        infos = {"weight_bits": weight_bits, "activation_bits": activation_bits}
        infos |= self._final_infos(weight_bits, activation_bits, scores)
        return scores.reward, np.ones(len(rows), dtype=bool), [(rows, infos)]

    def _observe(self) -> Observation:
        return observe_designs(self.dynamics, self._bits)
