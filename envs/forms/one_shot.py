"""The one-shot environment: one action chooses the settings of all layers."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.envs.forms.action import action_space, units_to_places
from lrmp.envs.forms.design_observation import design_feature_names, observe_designs
from lrmp.envs.forms.layerwise import Action
from lrmp.envs.rendering.episode_frame import Frame
from lrmp.envs.rendering.episode_renderer import RENDER_MODES, EpisodeRenderer
from lrmp.envs.rendering.episode_view import EpisodeView
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.scoring.observation_table import ObservationTable, describe_elements
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import Reward
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.errors import ActionError, TaskError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.oracle import SolverName


class OneShotEnv(gym.Env[Observation, Action]):
    """Choose all settings in one action; an integer program places the copies.

    ## Description
    The task is that of `LayerwiseEnv`: chip, network, budget, accuracy and reward are the same, and
    so is the best return. An episode is one step, so that any black-box optimiser or bandit is an
    agent.

    ## Action Space
    `Box(0, 1, (K L,), float32)` for K knobs and L layers: the numbers of layer 0, a knob each, then
    those of layer 1, and so on, in parts as in `LayerwiseEnv`. With `discrete=True` they are
    places: `MultiDiscrete([7] * 2 L)` for bits. An action outside the space raises `ActionError`.

    ## Observation Space
    `Box(0, 1, (K L + 4,), float32)`: before the step the plain design, after it the chosen one.
    `env.unwrapped.feature_names` names the elements, `env.unwrapped.describe_observation()` says
    what they mean. For bits (K = 2):

    | Num | Observation | Meaning | Normalisation |
    | --- | --- | --- | --- |
    | 2 l | weight_bits_l | weight_bits of layer l | place / 6 |
    | 2 l + 1 | activation_bits_l | activation_bits of layer l | place / 6 |
    | 2 L | tiles | tiles, one copy of every layer | / budget, or the most of any design |
    | 2 L + 1 | accuracy_spent | accuracy spent so far, s; 0 if negative | s / (s + allowance) |
    | 2 L + 2 | cycles | cycles, one copy of every layer | / the most of any design |
    | 2 L + 3 | bottleneck | cycles from image to image, one copy | / the most of any design |

    ## Rewards
    The score of the design: that of `LayerwiseEnv`'s last step, by `reward`.

    ## Starting State
    The plain design, whatever the seed.

    ## Episode End
    1. Termination: always, after the one step.

    ## Info
    As after `LayerwiseEnv`'s last step, the values of every knob (`weight_bits` and
    `activation_bits`) being an array of shape (L,).

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `task` | `str` or `Task` | the id's own | what is solved: an id, a TOML file, or a task |
    | `discrete` | `bool` | `False` | actions as places of values |
    | `reward` | `str` or function | `"lrmp"` | `"lrmp"`, `"haq"`, `"cim-aq"` or your own |
    | `solver` | `str` | `"exact"` | the oracle's solver: `"exact"`, or `"ilp"` for CP-SAT |
    | `accuracy` | `str` or `None` | the task's own | `"table"`, or `"network"`: run it on images |
    | `render_mode` | `str` or `None` | `None` | `"ansi"` (text) or `"rgb_array"` |

    >>> import gymnasium as gym
    >>> env = gym.make("lrmp:LRMP-ResNet18-OneShot-v0", discrete=True)
    >>> observation, info = env.reset(seed=0)
    >>> observation, reward, terminated, truncated, info = env.step([4] * 42)  # 6 bits
    >>> round(info["gain"], 3), terminated
    (4.136, True)

    ## Vectorized environment
    `gym.make_vec(id, num_envs)` computes all episodes at once, in NumPy, as `LayerwiseEnv`
    describes it. Every second step is a reset in the default autoreset mode; `"SameStep"` has
    none.

    ## Registered Configurations
    `LRMP-*-OneShot-v0` for every `LRMP-*-v0` that `LayerwiseEnv` names.

    ## Version History
    - v0: first release.
    """

    metadata = {"render_modes": [*RENDER_MODES], "render_fps": 4}  # noqa: RUF012  Gymnasium's way

    def __init__(
        self,
        task: TaskLike | None,
        *,
        discrete: bool = False,
        reward: Reward = "lrmp",
        solver: SolverName = "exact",
        accuracy: AccuracyKind | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.task = find_task(task, accuracy)
        self.discrete = discrete
        self.render_mode, self._renderer = render_mode, EpisodeRenderer(render_mode)
        self.dynamics = Dynamics(self.task, reward, solver)
        self.feature_names = design_feature_names(self.dynamics)
        self.observation_space = spaces.Box(0.0, 1.0, (len(self.feature_names),), np.float32)
        self.action_space = action_space(self.task.space, discrete, len(self.dynamics))
        self.outcome: Outcome | None = None
        self._running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start with the plain design.

        Args:
            seed: Seeds ``np_random``, which the dynamics do not use.
            options: None or empty; there are none.

        Returns:
            The observation and an empty info.

        Raises:
            TaskError: If options are given.
        """
        super().reset(seed=seed)
        if options:
            raise TaskError(f"Expected no reset options, got {sorted(map(str, options))}.")
        self._running, self.outcome = True, None
        return self._observe(self.dynamics.plain), {}

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Choose the settings of all layers.

        Args:
            action: Shape (K L,), as the action space says.

        Returns:
            Observation, reward, terminated (always True), truncated (always False), info.

        Raises:
            ActionError: If the action is not in the action space.
            InfeasibleBudgetError: If the design does not fit a budget smaller than the registered
                ones.
            gymnasium.error.ResetNeeded: If the episode has ended or not begun.
        """
        if not self._running:
            raise gym.error.ResetNeeded("Expected reset() before step(): no episode is running.")
        settings = self._decode(action)
        outcome = self.dynamics.outcome(settings)
        reward = outcome.reward(self.dynamics.reward)
        self.outcome, self._running = outcome, False
        info = {**self.dynamics.space.numbers(settings), **outcome.info}
        return self._observe(settings), reward, True, False, info

    def render(self) -> str | Frame | None:
        """Show how the episode stands.

        Returns:
            Text, or pixels of shape (height, width, 3); None if ``render_mode`` is None.

        Raises:
            MissingExtraError: If pixels are asked for and matplotlib is not installed.
            gymnasium.error.ResetNeeded: If no episode has begun.
        """
        return None if self.render_mode is None else self._renderer.show(self.view())

    def view(self) -> EpisodeView:
        """Say how the episode stands, for text and pictures.

        Returns:
            The view.

        Raises:
            gymnasium.error.ResetNeeded: If no episode has begun.
        """
        if not self._running and self.outcome is None:
            raise gym.error.ResetNeeded("Expected reset() before render(): no episode has begun.")
        layers = len(self.dynamics)
        if self.outcome is None:
            return EpisodeView(self.task, self.dynamics.plain, 0, "to choose", None)
        settings = self.outcome.design.settings
        return EpisodeView(self.task, settings, layers, "chosen", self.outcome)

    def describe_observation(self) -> ObservationTable:
        """Say what the elements of observations mean.

        Returns:
            A row per element; printed, a table.
        """
        return describe_elements(self.task.space, self.feature_names, self.task.network)

    def _observe(self, settings: IntArray) -> Observation:
        observation: Observation = observe_designs(self.dynamics, settings[None])[0]
        return observation

    def _decode(self, action: Action) -> IntArray:
        """Turn an action into settings, shape (L, K), or say what is wrong with it."""
        try:
            values: NDArray[Any] = np.asarray(action)
        except ValueError:  # ragged nesting
            values = np.empty(0)
        space, layers = self.dynamics.space, len(self.dynamics)
        most = np.tile(np.array(space.sizes) - 1, layers) if self.discrete else 1
        if (
            values.shape != (len(space) * layers,)
            or values.dtype.kind not in ("iu" if self.discrete else "iuf")
            or not ((values >= 0) & (values <= most)).all()  # False for NaN
        ):
            raise ActionError(f"Expected an action in {self.action_space}, got {action!r}.")
        values = values.reshape(layers, -1)
        places = values if self.discrete else units_to_places(values, space.sizes)
        return space.nearest(places.astype(np.int64))
