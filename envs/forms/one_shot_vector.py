"""The one-shot environment over many episodes at once."""

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.envs.forms.action import action_space, units_to_places
from lrmp.envs.forms.design_observation import design_feature_names, observe_designs
from lrmp.envs.forms.vector import Advance, Flags, TaskVectorEnv
from lrmp.envs.scoring.observation import Observation
from lrmp.hardware.frozen_arrays import IntArray


class OneShotVectorEnv(TaskVectorEnv):
    """`OneShotEnv` in NumPy over episodes; its docstring says what is decided and seen.

    Args:
        num_envs: Episodes side by side.
        discrete: Actions as places of values.
        **settings: As `TaskVectorEnv` takes them.
    """

    def __init__(self, num_envs: int = 1, *, discrete: bool = False, **settings: Any) -> None:
        super().__init__(num_envs, **settings)
        self.discrete = discrete
        self.feature_names = design_feature_names(self.dynamics)
        self._set_spaces(
            spaces.Box(0.0, 1.0, (len(self.feature_names),), np.float32),
            action_space(self.task.space, discrete, len(self.dynamics)),
        )
        self._settings = np.empty((num_envs, *self.dynamics.plain.shape), dtype=np.int64)

    def _begin(self, rows: Flags) -> None:
        self._settings[rows] = self.dynamics.plain

    def _advance(self, rows: IntArray, actions: NDArray[Any]) -> Advance:
        space = self.dynamics.space
        actions = actions.reshape(len(rows), *self.dynamics.plain.shape)
        places = actions if self.discrete else units_to_places(actions, space.sizes)
        settings = space.nearest(places.astype(np.int64))
        scores = self.dynamics.scores(settings)
        self._settings[rows] = settings
        infos = space.numbers(settings) | self._final_infos(settings, scores)
        return scores.reward, np.ones(len(rows), dtype=bool), [(rows, infos)]

    def _observe(self) -> Observation:
        return observe_designs(self.dynamics, self._settings)
