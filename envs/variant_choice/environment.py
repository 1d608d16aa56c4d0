"""Environments in which a variant, too, is chosen: once, by the first step."""

from abc import abstractmethod
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.envs.forms.action import ActionCode, read_action
from lrmp.envs.forms.reset_options import check_no_options
from lrmp.envs.forms.task_spec import OwnSpec
from lrmp.envs.procedural.features import transfer_feature_names
from lrmp.envs.rendering.episode_renderer import EpisodeRenderer
from lrmp.envs.rendering.episode_view import EpisodeView
from lrmp.envs.rendering.shown_episode import ShownEpisode
from lrmp.envs.scoring.observation import TOTALS, knob_features
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import RewardName
from lrmp.envs.variant_choice.chosen_variant import ChosenVariant
from lrmp.envs.variant_choice.variant_info import variant_info
from lrmp.errors import ActionError
from lrmp.hardware.frozen_arrays import IntArray

Observation = NDArray[np.float32]
Action = NDArray[np.float32] | NDArray[np.int64]


# A property stands for Gymnasium's attribute `spec`.
class _VariantBase(ChosenVariant, ShownEpisode, OwnSpec, gym.Env[Observation, Action]):  # pyright: ignore
    """What both forms share: which variant is meant, and how a design of it is scored."""

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}  # noqa: RUF012  Gymnasium's way

    def __init__(
        self,
        problem: str,
        *,
        layers: bool,
        discrete: bool = False,
        reward: RewardName = "lrmp",
        render_mode: str | None = None,
    ) -> None:
        self.render_mode, self._renderer = render_mode, EpisodeRenderer(render_mode)
        self._pose(problem, discrete, reward)
        plain, own = self.problem.plain_task, self.problem.space
        self._variant_knobs = len(own)
        self._count = len(plain.network)
        each = self._count if layers else 1
        sizes = (*own.sizes, *plain.space.sizes * each)
        self._code = ActionCode(sizes, self.discrete)
        self.action_space = self._code.space
        self.outcome: Outcome | None = None
        self._decided: int | None = None  # None: reset needed

    @property
    def score(self) -> float | None:
        """Of the finished design, over the plain one; None beyond the allowance."""
        return None if self.outcome is None else self.problem.score(self._variant, self.outcome)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start with nothing decided, of the plain variant.

        Args:
            seed: Seeds ``np_random``, which the dynamics do not use.
            options: None or empty; there are none.

        Returns:
            The first observation and its info.

        Raises:
            TaskError: If options are given.
        """
        super().reset(seed=seed)
        check_no_options(options)
        self._take(self.problem.plain_variant)
        self._settings = self.dynamics.plain.copy()
        self.outcome, self._decided = None, 0
        return self._observe(), self._info()

    def view(self) -> EpisodeView:
        """Say how the episode stands, for text and pictures.

        Returns:
            The view, of the task of the variant.

        Raises:
            gymnasium.error.ResetNeeded: If no episode has begun.
        """
        if self._decided is None and self.outcome is None:
            raise gym.error.ResetNeeded("Expected reset() before render(): no episode has begun.")
        decided = self._count if self._decided is None else self._decided
        progress = f"{decided} of {self._count} layers decided"
        return EpisodeView(self.task, self._settings, decided, progress, self.outcome)

    def _places(self, action: Action) -> IntArray:
        """Turn an action into places of values, or say what is wrong with it."""
        if self._decided is None:
            raise gym.error.ResetNeeded("Expected reset() before step(): no episode is running.")
        values = read_action(self.action_space, action)
        if values is None:
            raise ActionError(f"Expected an action in {self.action_space}, got {action!r}.")
        return self._code.places(values)

    def _choose(self, setting: IntArray) -> None:
        """Take the variant of a setting or, if it does not count, the nearest that does."""
        self._take(self.problem.nearest(setting))

    def _finish(self) -> float:
        """Place the copies, and reward the design."""
        outcome = self.dynamics.outcome(self._settings)
        reward = self.problem.reward(self._variant, outcome, self._reward)
        self.outcome, self._decided = outcome, None
        return reward

    def _info(self) -> dict[str, Any]:
        finished = self.outcome is not None
        return variant_info(self.problem, self._variant, self.outcome, finished=finished)

    @abstractmethod
    def _observe(self) -> Observation:
        """Describe how the episode stands."""


class VariantEnv(_VariantBase):
    """Choose a variant, then the settings of the layers one by one; a program places the copies.

    Args:
        problem: Id of the problem.
        settings: ``discrete``, ``reward`` and ``render_mode``.
    """

    def __init__(self, problem: str, **settings: Any) -> None:
        super().__init__(problem, layers=False, **settings)
        self.longest_episode = self._count
        features = len(transfer_feature_names(self.problem.plain_task.space))
        running = len(self.problem.plain_task.space) + len(TOTALS)
        shape = (self._variant_knobs + features + running,)
        self.observation_space = spaces.Box(0.0, 1.0, shape, np.float32)

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Decide the variant, if it is the first step, and the setting of the next layer.

        Args:
            action: As the action space says.

        Returns:
            Observation, reward, terminated, truncated (always False), info.

        Raises:
            ActionError: If the action is not in the action space.
            gymnasium.error.ResetNeeded: If the episode has ended or not begun.
        """
        places = self._places(action)
        layer = self._decided
        assert layer is not None
        if layer == 0:
            self._choose(places[: self._variant_knobs])
        self._settings[layer] = places[self._variant_knobs :]
        self._decided = layer + 1
        reward, terminated = 0.0, layer + 1 == self._count
        if terminated:
            reward = self._finish()
        return self._observe(), reward, terminated, False, self._info()

    def _info(self) -> dict[str, Any]:
        decided = self._count if self._decided is None else self._decided
        return {"layer": np.int64(decided - 1), **super()._info()}

    def _observe(self) -> Observation:
        decided = self._count if self._decided is None else self._decided
        layer, before = min(decided, self._count - 1), max(decided - 1, 0)
        previous = knob_features(self.dynamics.space, self._settings[before])
        totals = self.dynamics.design_totals(self._settings[None])
        running = np.concatenate([previous, *totals])
        described = self._described[layer]
        return np.concatenate([self._scaled, described, running]).astype(np.float32)


class VariantOneShotEnv(_VariantBase):
    """Choose a variant and all settings in one action; a program places the copies.

    Args:
        problem: Id of the problem.
        settings: ``discrete``, ``reward`` and ``render_mode``.
    """

    def __init__(self, problem: str, **settings: Any) -> None:
        super().__init__(problem, layers=True, **settings)
        self.longest_episode = 1
        knobs = len(self.problem.plain_task.space)
        shape = (self._variant_knobs + knobs * self._count + len(TOTALS),)
        self.observation_space = spaces.Box(0.0, 1.0, shape, np.float32)

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Choose variant and settings.

        Args:
            action: As the action space says.

        Returns:
            Observation, reward, terminated (always True), truncated (always False), info.

        Raises:
            ActionError: If the action is not in the action space.
            gymnasium.error.ResetNeeded: If the episode has ended or not begun.
        """
        places = self._places(action)
        self._choose(places[: self._variant_knobs])
        self._settings = places[self._variant_knobs :].reshape(self._count, -1)
        reward = self._finish()
        return self._observe(), reward, True, False, self._info()

    def _observe(self) -> Observation:
        settings = knob_features(self.dynamics.space, self._settings).ravel()
        totals = self.dynamics.design_totals(self._settings[None])
        return np.concatenate([self._scaled, settings, *totals]).astype(np.float32)
