"""The refinement environment over many episodes at once."""

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.envs.forms.changes import Changes
from lrmp.envs.forms.design_observation import DesignObservation, DesignView
from lrmp.envs.forms.refine import check_horizon, observe_refinements
from lrmp.envs.forms.vector import Advance, Flags, TaskVectorEnv
from lrmp.envs.rendering.episode_view import EpisodeView
from lrmp.envs.scoring.design_info import designs_info
from lrmp.envs.scoring.observation import Observation
from lrmp.hardware.frozen_arrays import IntArray


class RefineVectorEnv(TaskVectorEnv):
    """Play many episodes of `RefineEnv` side by side, in NumPy, by the rules described there.

    Args:
        num_envs: Episodes side by side.
        horizon: Steps of an episode; None for as many as ``check_horizon`` says.
        observation: ``"design"`` or ``"graph"``.
        **settings: As `TaskVectorEnv` takes them.
    """

    _view: DesignView

    def __init__(
        self,
        num_envs: int = 1,
        *,
        horizon: int | None = None,
        observation: DesignObservation = "design",
        **settings: Any,
    ) -> None:
        super().__init__(num_envs, **settings)
        self.changes = Changes(self.task.space, len(self.dynamics))
        self.horizon = check_horizon(horizon, self.dynamics, self.changes)
        self.longest_episode = self.horizon
        self._view = DesignView(self.dynamics, observation, "steps_left")
        self.feature_names = self._view.names
        self._set_spaces(self._view.space, spaces.Discrete(self.changes.count))
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
        every = np.ones(self.num_envs, dtype=bool)
        return self._infos(self._settings, every, ~every) | self._no_designs

    def _infos(self, settings: IntArray, possible: Flags, finished: Flags) -> dict[str, Any]:
        return {
            **self.dynamics.space.numbers(settings),
            "action_mask": self.changes.masks(settings),
            "action_possible": possible,
            "finished": finished,
        }

    def _advance(self, rows: IntArray, actions: NDArray[Any]) -> Advance:
        settings, possible = self.changes.apply(self._settings[rows], actions)
        scores = self.dynamics.scores(settings)
        self._settings[rows] = settings
        self._taken[rows] += 1
        rewards = scores.reward - self._rewarded[rows]
        self._rewarded[rows] += rewards
        terminated = self._taken[rows] == self.horizon
        infos = self._infos(settings, possible, terminated)
        return rewards, terminated, [(rows, infos | designs_info(self.task, settings, scores))]

    def _episode_view(self, row: int) -> EpisodeView:
        settings, taken = self._settings[row], int(self._taken[row])
        outcome = self.dynamics.outcome(settings) if taken else None
        progress = f"{taken} of {self.horizon} steps"
        return EpisodeView(self.task, settings, len(self.dynamics), progress, outcome)

    def _observe(self) -> Observation:
        observations = observe_refinements(self.dynamics, self._settings, self._taken, self.horizon)
        seen: Observation = self._view.show(observations, self._settings)
        return seen
