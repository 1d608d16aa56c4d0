"""Environments in which the chip, too, is chosen: once, by the first step."""

from abc import abstractmethod
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.envs.chip_choice.chip_info import chip_info
from lrmp.envs.chip_choice.chosen_chip import ChosenChip
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
from lrmp.errors import ActionError
from lrmp.hardware.families.chip import CHIP_SPACE
from lrmp.hardware.frozen_arrays import IntArray

Observation = NDArray[np.float32]
Action = NDArray[np.float32] | NDArray[np.int64]
CHIP_KNOBS = len(CHIP_SPACE)


# A property stands for Gymnasium's attribute `spec`.
class _ChipBase(ChosenChip, ShownEpisode, OwnSpec, gym.Env[Observation, Action]):  # pyright: ignore
    """What both forms share: which chip is meant, and how a design on it is scored."""

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
        plain = self.problem.plain_task
        self._count = len(plain.network)
        each = self._count if layers else 1
        sizes = (*CHIP_SPACE.sizes, *plain.space.sizes * each)
        self._code = ActionCode(sizes, self.discrete)
        self.action_space = self._code.space
        self.outcome: Outcome | None = None
        self._decided: int | None = None  # None: reset needed

    @property
    def score(self) -> float | None:
        """Of the finished design, over the plain one on LRMP's chip; None beyond the allowance."""
        return None if self.outcome is None else self.problem.score(self._chip, self.outcome)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start with nothing decided, on LRMP's chip.

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
        self._take(self.problem.plain_chip)
        self._settings = self.dynamics.plain.copy()
        self.outcome, self._decided = None, 0
        return self._observe(), self._info()

    def view(self) -> EpisodeView:
        """Say how the episode stands, for text and pictures.

        Returns:
            The view, of the task of the chip.

        Raises:
            gymnasium.error.ResetNeeded: If no episode has begun.
        """
        if self._decided is None and self.outcome is None:
            raise gym.error.ResetNeeded("Expected reset() before render(): no episode has begun.")
        decided = self._count if self._decided is None else self._decided
        progress = f"{decided} of {self._count} layers decided"
        return EpisodeView(self.task, self._settings, decided, progress, self.outcome)

    def _take(self, chip: int) -> None:
        super()._take(chip)
        self._scaled = knob_features(CHIP_SPACE, self.problem.chips[chip])

    def _places(self, action: Action) -> IntArray:
        """Turn an action into places of values, or say what is wrong with it."""
        if self._decided is None:
            raise gym.error.ResetNeeded("Expected reset() before step(): no episode is running.")
        values = read_action(self.action_space, action)
        if values is None:
            raise ActionError(f"Expected an action in {self.action_space}, got {action!r}.")
        return self._code.places(values)

    def _build(self, setting: IntArray) -> None:
        """Take the chip of a setting or, if it does not hold the plain design, the nearest."""
        self._take(self.problem.nearest(setting))

    def _finish(self) -> float:
        """Place the copies, and reward the design."""
        outcome = self.dynamics.outcome(self._settings)
        reward = self.problem.reward(self._chip, outcome, self._reward)
        self.outcome, self._decided = outcome, None
        return reward

    def _info(self) -> dict[str, Any]:
        finished = self.outcome is not None
        return chip_info(self.problem, self._chip, self.outcome, finished=finished)

    @abstractmethod
    def _observe(self) -> Observation:
        """Describe how the episode stands."""


class ChipEnv(_ChipBase):
    """Choose a chip in an area, then the settings of the layers; a program places the copies.

    ## Description
    The problem of `LayerwiseEnv`, with the chip left open, on the ground of CIMNAS (IEEE TCAS-AI,
    2025): crossbar side, bits of a cell, rows driven together, columns per ADC, and how much of the
    area budget is built. The budget is the area of LRMP's chip with the tiles of the plain design,
    in square millimetres and not in tiles: a chip with small tiles has more of them. The first step
    chooses the chip, which then stays; every step chooses the setting of a layer. A chip that does
    not hold the plain design in its area counts as the nearest that does, by places. The ADCs have
    the fewest bits that lose nothing, so the accuracy is that of LRMP's own table on every chip.

    ## Action Space
    `Box(-1, 1, (7,), float32)`: five numbers for the chip, of which only the first step's are
    looked at, and two for the layer, in parts as in `LayerwiseEnv`. With `discrete=True`, places of
    values: `MultiDiscrete([3, 3, 4, 4, 3, 7, 7])`.

    ## Observation Space
    `Box(0, 1, (25,), float32)`: the chip, LRMP's until it is chosen (5); the 14 features of
    `ProceduralEnv` of the layer to decide on this chip; and its running features (6).

    ## Rewards
    0 until the last step; then by the formula `reward` as `LayerwiseEnv` has it, with the gain over
    the plain design on LRMP's chip. What is minimised is the cycles of one inference, its energy
    (`-Energy`), or energy x delay x area of the whole chip (`-EDAP`).

    ## Starting State
    The first layer, LRMP's chip, nothing decided; whatever the seed.

    ## Episode End
    1. Termination: the last layer is decided.

    ## Info
    What `LayerwiseEnv` says of a finished design, by the same keys, in the task of its chip; but
    `score` and `gain` over LRMP's plain chip. And always:

    | Key | Type | Meaning |
    | --- | --- | --- |
    | `layer` | int64 | number of the layer just decided; -1 at reset |
    | `chip_crossbar_side`, ... | int64 | the chip's values, a key per knob of it |
    | `chip_mm2` | float64 | its area |
    | `optimum`, `optimum_bound` | float64 | score of the proven best; none has a higher one |
    | `optimum_without` | float64 | the same on LRMP's chip alone |
    | `optimum_known` | bool | whether these are known; 0 where not |

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `problem` | `str` | the id's own | id of the problem |
    | `discrete` | `bool` | `False` | actions as places of values |
    | `reward` | `str` | `"lrmp"` | the name of a formula |
    | `render_mode` | `str` or `None` | `None` | `"ansi"` (text) or `"rgb_array"` |

    >>> import gymnasium as gym
    >>> env = gym.make("lrmp:LRMP-ResNet18-Chip-v0", discrete=True)
    >>> observation, info = env.reset()
    >>> for _ in range(21):  # 128 x 128 cells of 4 bits, 16 rows at once, 8 columns per ADC
    ...     observation, reward, terminated, truncated, info = env.step([1, 2, 1, 1, 2, 5, 5])
    >>> round(float(info["gain"]), 2), terminated  # of 7 bits
    (10.77, True)

    ## Registered Configurations
    `LRMP-{LeNet, ResNet20, ResNet18}-Chip-v0`, their `-Chip-Energy-v0`, and
    `LRMP-LeNet-Chip-EDAP-v0`.

    ## Version History
    - v0: first release.
    """

    def __init__(self, problem: str, **settings: Any) -> None:
        super().__init__(problem, layers=False, **settings)
        self.longest_episode = self._count
        features = len(transfer_feature_names(self.problem.plain_task.space))
        running = len(self.problem.plain_task.space) + len(TOTALS)
        shape = (CHIP_KNOBS + features + running,)
        self.observation_space = spaces.Box(0.0, 1.0, shape, np.float32)

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Decide the chip, if it is the first step, and the setting of the next layer.

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
            self._build(places[:CHIP_KNOBS])
        self._settings[layer] = places[CHIP_KNOBS:]
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


class ChipOneShotEnv(_ChipBase):
    """Choose a chip in an area and all settings in one action.

    ## Description
    The problem of `ChipEnv`; an episode is one step.

    ## Action Space
    `Box(-1, 1, (5 + 2 L,), float32)` for L layers: five numbers for the chip, then two for every
    layer. With `discrete=True`, places of values.

    ## Observation Space
    `Box(0, 1, (5 + 2 L + 4,), float32)`: the chip, the settings and the totals of `OneShotEnv`;
    before the step of the plain design on LRMP's chip, after it of the chosen one.

    ## Rewards
    That of the design, as in `ChipEnv`.

    ## Starting State
    The plain design, whatever the seed.

    ## Episode End
    1. Termination: always, after the one step.

    ## Info
    As `ChipEnv`, without `layer`.

    ## Arguments
    Those of `ChipEnv`.

    >>> import gymnasium as gym
    >>> env = gym.make("lrmp:LRMP-LeNet-Chip-OneShot-v0", discrete=True)
    >>> observation, info = env.reset()
    >>> *_, info = env.step([0, 1, 3, 3, 2] + [1] * 8)  # 3 bits
    >>> round(float(info["score"]), 3), round(float(info["optimum"]), 3)
    (2.73, 2.75)

    ## Registered Configurations
    `LRMP-*-OneShot-v0` for every id that `ChipEnv` names.

    ## Version History
    - v0: first release.
    """

    def __init__(self, problem: str, **settings: Any) -> None:
        super().__init__(problem, layers=True, **settings)
        self.longest_episode = 1
        knobs = len(self.problem.plain_task.space)
        shape = (CHIP_KNOBS + knobs * self._count + len(TOTALS),)
        self.observation_space = spaces.Box(0.0, 1.0, shape, np.float32)

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Choose chip and settings.

        Args:
            action: As the action space says.

        Returns:
            Observation, reward, terminated (always True), truncated (always False), info.

        Raises:
            ActionError: If the action is not in the action space.
            gymnasium.error.ResetNeeded: If the episode has ended or not begun.
        """
        places = self._places(action)
        self._build(places[:CHIP_KNOBS])
        self._settings = places[CHIP_KNOBS:].reshape(self._count, -1)
        reward = self._finish()
        return self._observe(), reward, True, False, self._info()

    def _observe(self) -> Observation:
        settings = knob_features(self.dynamics.space, self._settings).ravel()
        totals = self.dynamics.design_totals(self._settings[None])
        return np.concatenate([self._scaled, settings, *totals]).astype(np.float32)
