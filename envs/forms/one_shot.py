"""The one-shot environment: one action chooses the settings of all layers."""

from copy import deepcopy
from functools import cached_property
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.envs.forms.action import ActionCode, Discrete, read_action
from lrmp.envs.forms.design_observation import DesignObservation, DesignView, observe_designs
from lrmp.envs.forms.layerwise import Action
from lrmp.envs.forms.reset_options import check_no_options
from lrmp.envs.forms.task_spec import OwnSpec
from lrmp.envs.rendering.episode_renderer import RENDER_MODES, EpisodeRenderer
from lrmp.envs.rendering.episode_view import EpisodeView
from lrmp.envs.rendering.shown_episode import ShownEpisode
from lrmp.envs.scoring.design_info import design_info, fresh, no_design
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.graph_view import one_of
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.scoring.observation_table import ObservationTable
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import Reward
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.errors import ActionError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.oracle import SolverName


# A property stands for Gymnasium's attribute `spec`.
class OneShotEnv(ShownEpisode, OwnSpec, gym.Env[Observation, Action]):  # pyright: ignore
    """Choose all settings in one action; an integer program places the copies.

    ## Description
    The task is that of `LayerwiseEnv`: chip, network, budget, accuracy and reward are the same, and
    so is the best return. An episode is one step, so that any black-box optimiser or bandit is an
    agent.

    ## Action Space
    `Box(-1, 1, (K L,), float32)` for K knobs and L layers: the numbers of layer 0, a knob each,
    then those of layer 1, and so on, in parts as in `LayerwiseEnv`. With `discrete=True` they are
    places: `MultiDiscrete([7] * 2 L)` for bits; with `discrete="flat"` numbers of settings, one for
    each layer: `MultiDiscrete([49] * L)`. An action outside the space raises `ActionError`.

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

    With `observation="graph"`, for policies over sets and graphs, a `Dict`:

    | Key | Space | Meaning |
    | --- | --- | --- |
    | layers | `Box(0, 1, (L, F), float32)` | the nodes: features and setting of every layer |
    | edges | `Box(0, L - 1, (E, 2), int64)` | source and target: whose outputs are read by whom |
    | totals | `Box(0, 1, (4,), float32)` | the last four elements above |

    Features of layers are 0 to 11 of `LayerwiseEnv`, and behind them one column per knob; edges are
    those that it describes.

    ## Rewards
    That of the design, by `reward`, as at `LayerwiseEnv`'s last step.

    ## Starting State
    The plain design, whatever the seed.

    ## Episode End
    1. Termination: always, after the one step.

    ## Info
    As in `LayerwiseEnv`, of all layers: the values of every knob (`weight_bits`, `activation_bits`)
    are an array of shape (L,), plain at reset, and `action_mask` has the masks of all layers in a
    row, layer by layer. There is no `layer`.

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `task` | `str` or `Task` | the id's own | what is solved: an id, a TOML file, or a task |
    | `discrete` | `bool` or `str` | `False` | `True` for places of values, `"flat"` for settings |
    | `observation` | `str` | `"design"` | `"design"`, a row of numbers, or `"graph"` |
    | `reward` | `str` or function | `"lrmp"` | the name of a formula, or your own |
    | `solver` | `str` | `"exact"` | the oracle's solver: `"exact"`, or `"ilp"` for CP-SAT |
    | `accuracy` | `str` or `None` | the task's own | `"table"`, or `"network"`: run it on images |
    | `render_mode` | `str` or `None` | `None` | `"ansi"` (text) or `"rgb_array"` |

    >>> import gymnasium as gym
    >>> env = gym.make("lrmp:LRMP-ResNet18-OneShot-v0", discrete=True)
    >>> observation, info = env.reset(seed=0)
    >>> observation, reward, terminated, truncated, info = env.step([4] * 42)  # 6 bits
    >>> round(float(info["gain"]), 3), terminated
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
        discrete: Discrete = False,
        observation: DesignObservation = "design",
        reward: Reward = "lrmp",
        solver: SolverName = "exact",
        accuracy: AccuracyKind | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.task = find_task(task, accuracy)
        self.discrete = discrete
        self.render_mode, self._renderer = render_mode, EpisodeRenderer(render_mode)
        self.dynamics = Dynamics(self.task, reward, solver)
        self.longest_episode = 1
        self._view = DesignView(self.dynamics, observation)
        self.feature_names, self.observation_space = self._view.names, self._view.space
        space, count = self.task.space, len(self.dynamics)
        self._code = ActionCode(space.sizes, discrete, count)
        self.action_space = self._code.space
        self._mask = self._code.masks(space.masks(count)).reshape(-1)
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
            The observation and its info.

        Raises:
            TaskError: If options are given.
        """
        super().reset(seed=seed)
        check_no_options(options)
        self._running, self.outcome = True, None
        observation, info = self._start
        return deepcopy(observation), fresh(info)

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
        info = self._info(settings) | design_info(outcome)
        return self._observe(settings), reward, True, False, info

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

    def action_masks(self) -> NDArray[np.bool_]:
        """Say what the layers may have, as sb3-contrib's MaskablePPO asks.

        Returns:
            As ``info["action_mask"]``.
        """
        masks: NDArray[np.bool_] = self._mask.astype(bool)
        return masks

    def describe_observation(self) -> ObservationTable | dict[str, ObservationTable]:
        """Say what the elements of observations mean.

        Returns:
            A row per element; printed, a table. Of a graph a table for every key.
        """
        return self._view.describe()

    @cached_property
    def _start(self) -> tuple[Observation, dict[str, Any]]:
        """What every reset shows."""
        assert self._running
        plain = self.dynamics.plain
        return self._observe(plain), self._info(plain) | no_design(self.task)

    def _observe(self, settings: IntArray) -> Observation:
        designs = settings[None]
        observation: Observation = one_of(
            self._view.show(observe_designs(self.dynamics, designs), designs), 0
        )
        return observation

    def _decode(self, action: Action) -> IntArray:
        """Turn an action into settings, shape (L, K), or say what is wrong with it."""
        values = read_action(self.action_space, action)
        if values is None:
            raise ActionError(f"Expected an action in {self.action_space}, got {action!r}.")
        return self.dynamics.space.nearest(self._code.places(values))

    def _info(self, settings: IntArray) -> dict[str, Any]:
        return {
            **self.dynamics.space.numbers(settings),
            "action_mask": self._mask.copy(),
            "finished": np.array(not self._running),
        }
