"""The one-shot environment over many episodes at once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.envs.forms.action import ActionCode, Discrete
from lrmp.envs.forms.design_observation import DesignObservation, DesignView, observe_designs
from lrmp.envs.forms.vector import Advance, Flags, TaskVectorEnv
from lrmp.envs.rendering.episode_view import EpisodeView
from lrmp.envs.scoring.design_info import designs_info
from lrmp.envs.scoring.observation import Observation
from lrmp.hardware.frozen_arrays import IntArray


class OneShotVectorEnv(TaskVectorEnv):
    """Play many episodes of `OneShotEnv` side by side, in NumPy, by the rules described there.

    Args:
        num_envs: Episodes side by side.
        discrete: How actions say which values are chosen; see `ActionCode`.
        observation: ``"design"`` or ``"graph"``.
        **settings: As `TaskVectorEnv` takes them.
    """

    _view: DesignView

    def __init__(
        self,
        num_envs: int = 1,
        *,
        discrete: Discrete = False,
        observation: DesignObservation = "design",
        **settings: Any,
    ) -> None:
        super().__init__(num_envs, **settings)
        self.discrete = discrete
        self.longest_episode = 1
        self._view = DesignView(self.dynamics, observation)
        self.feature_names = self._view.names
        space, count = self.task.space, len(self.dynamics)
        self._code = ActionCode(space.sizes, discrete, count)
        self._mask = self._code.masks(space.masks(count)).reshape(-1)
        self._set_spaces(self._view.space, self._code.space)
        self._settings = np.empty((num_envs, *self.dynamics.plain.shape), dtype=np.int64)

    def action_masks(self) -> NDArray[np.bool_]:
        """Say what the layers may have.

        Returns:
            As ``info["action_mask"]``, shape (num_envs, n).
        """
        return np.tile(self._mask.astype(bool), (self.num_envs, 1))

    def _begin(self, rows: Flags) -> None:
        self._settings[rows] = self.dynamics.plain

    def _begin_infos(self) -> dict[str, NDArray[Any]]:
        return self._infos(self._settings, False) | self._no_designs

    def _infos(self, settings: IntArray, finished: bool) -> dict[str, NDArray[Any]]:
        count = len(settings)
        return {
            **self.dynamics.space.numbers(settings),
            "action_mask": np.broadcast_to(self._mask, (count, *self._mask.shape)),
            "finished": np.full(count, finished),
        }

    def _advance(self, rows: IntArray, actions: NDArray[Any]) -> Advance:
        settings = self.dynamics.space.nearest(self._code.places(actions))
        scores = self.dynamics.scores(settings)
        self._settings[rows] = settings
        infos = self._infos(settings, True) | designs_info(self.task, settings, scores)
        return scores.reward, np.ones(len(rows), dtype=bool), [(rows, infos)]

    def _episode_view(self, row: int) -> EpisodeView:
        settings = self._settings[row]
        if not self._elapsed[row]:
            return EpisodeView(self.task, settings, 0, "to choose", None)
        outcome = self.dynamics.outcome(settings)
        return EpisodeView(self.task, settings, len(self.dynamics), "chosen", outcome)

    def _observe(self) -> Observation:
        observations = observe_designs(self.dynamics, self._settings)
        seen: Observation = self._view.show(observations, self._settings)
        return seen
