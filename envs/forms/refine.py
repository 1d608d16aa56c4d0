"""The refinement environment: from the plain design, one value of one knob at a time."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.envs.forms.changes import Changes
from lrmp.envs.forms.design_observation import DesignObservation, DesignView, observe_designs
from lrmp.envs.forms.reset_options import check_no_options
from lrmp.envs.forms.task_spec import OwnSpec
from lrmp.envs.rendering.episode_renderer import RENDER_MODES, EpisodeRenderer
from lrmp.envs.rendering.episode_view import EpisodeView
from lrmp.envs.rendering.shown_episode import ShownEpisode
from lrmp.envs.scoring.design_info import design_info, no_design
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.graph_view import one_of
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.scoring.observation_table import ObservationTable
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import Reward
from lrmp.envs.scoring.running_design import RunningDesign
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.errors import ActionError, TaskError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.oracle import SolverName


# A property stands for Gymnasium's attribute `spec`.
class RefineEnv(ShownEpisode, OwnSpec, gym.Env[Observation, int]):  # pyright: ignore
    """Change one knob of one layer by one value per step; every step is scored.

    ## Description
    The task is that of `LayerwiseEnv`: chip, network, budget, accuracy and reward are the same, and
    so is the best return. An episode starts from the plain design and lasts a fixed number of
    steps. Copies are placed anew after every step, so a step's reward is what it changes: a Markov
    decision process with local credit.

    ## Action Space
    `Discrete(2 K L + 1)` for K knobs and L layers. 0 changes nothing. Else, with k = action - 1,
    layer k // (2 K) changes: k % (2 K) = 0 takes its first knob a value down, 1 takes it up, 2 and
    3 the second, and so on. For bits, k // 4 is the layer: 0 takes one weight bit away, 1 adds one,
    2 takes one activation bit away, 3 adds one. Values that the layer may not have are skipped. A
    change beyond the first or last value is impossible: `info["action_mask"]` (and
    `env.unwrapped.action_masks()`) says which are possible; an impossible one changes nothing and
    is reported as `info["action_possible"] = False`. An action outside the space raises
    `ActionError`.

    ## Observation Space
    `Box(0, 1, (K L + 5,), float32)`. `env.unwrapped.feature_names` names the elements,
    `env.unwrapped.describe_observation()` says what they mean. For bits (K = 2):

    | Num | Observation | Meaning | Normalisation |
    | --- | --- | --- | --- |
    | 2 l | weight_bits_l | weight_bits of layer l | place / 6 |
    | 2 l + 1 | activation_bits_l | activation_bits of layer l | place / 6 |
    | 2 L | tiles | tiles, one copy of every layer | / budget, or the most of any design |
    | 2 L + 1 | accuracy_spent | accuracy spent so far, s; 0 if negative | s / (s + allowance) |
    | 2 L + 2 | cycles | cycles, one copy of every layer | / the most of any design |
    | 2 L + 3 | bottleneck | cycles from image to image, one copy | / the most of any design |
    | 2 L + 4 | steps_left | steps to the end | / horizon |

    With `observation="graph"`, for policies over sets and graphs, a `Dict`:

    | Key | Space | Meaning |
    | --- | --- | --- |
    | layers | `Box(0, 1, (L, F), float32)` | the nodes: features and setting of every layer |
    | edges | `Box(0, L - 1, (E, 2), int64)` | source and target: whose outputs are read by whom |
    | totals | `Box(0, 1, (5,), float32)` | the last five elements above |

    Features of layers are 0 to 11 of `LayerwiseEnv`, and behind them one column per knob; edges are
    those that it describes.

    ## Rewards
    That of the design after the step, by `reward` as in `LayerwiseEnv`, less all rewards before:
    the return is the reward of the last design, up to rounding.

    ## Starting State
    The plain design, whatever the seed.

    ## Episode End
    1. Termination: after `horizon` steps. Time is part of the state, so no value follows.

    An episode never truncates: `env.spec.max_episode_steps` is `horizon` + 1.

    ## Info
    As in `LayerwiseEnv`, but of the design that every step leads to: `gain`, `accuracy_drop`,
    `proven_optimal`, `design_weight_bits` and so on, and `replication` are 0 at reset, where no
    copies are placed yet, and known from the first step on; `finished` is true at the last one. The
    values of every knob (`weight_bits`, `activation_bits`) are arrays of shape (L,), plain at
    reset; `action_mask` is of shape (2 K L + 1,). `action_possible` (bool) says whether the action
    was, and is true at reset. There is no `layer`. `env.unwrapped.outcome` is the last design of a
    finished episode.

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `task` | `str` or `Task` | the id's own | what is solved: an id, a TOML file, or a task |
    | `horizon` | `int` or `None` | `None` | steps of an episode; see below |
    | `observation` | `str` | `"design"` | `"design"`, a row of numbers, or `"graph"` |
    | `reward` | `str` or function | `"lrmp"` | the name of a formula, or your own |
    | `solver` | `str` | `"exact"` | the oracle's solver: `"exact"`, or `"ilp"` for CP-SAT |
    | `accuracy` | `str` or `None` | the task's own | `"table"`, or `"network"`: run it on images |
    | `render_mode` | `str` or `None` | `None` | `"ansi"` (text) or `"rgb_array"` |

    Without a `horizon` there are as many steps as lead from the plain setting of every layer to the
    farthest one: 12 L for bits.

    >>> import gymnasium as gym
    >>> env = gym.make("lrmp:LRMP-LeNet-Refine-v0", horizon=2)
    >>> observation, info = env.reset(seed=0)
    >>> _, first, *_ = env.step(3)  # layer 0: 7 activation bits
    >>> _, second, terminated, truncated, info = env.step(4)  # and 8 again
    >>> first > 0, first + second == 0, terminated
    (True, True, True)

    ## Vectorized environment
    `gym.make_vec(id, num_envs)` computes all episodes at once, in NumPy, as `LayerwiseEnv`
    describes it.

    ## Registered Configurations
    `LRMP-*-Refine-v0` for every `LRMP-*-v0` that `LayerwiseEnv` names.

    ## Version History
    - v0: first release.
    """

    metadata = {"render_modes": [*RENDER_MODES], "render_fps": 4}  # noqa: RUF012  Gymnasium's way

    def __init__(
        self,
        task: TaskLike | None,
        *,
        horizon: int | None = None,
        observation: DesignObservation = "design",
        reward: Reward = "lrmp",
        solver: SolverName = "exact",
        accuracy: AccuracyKind | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.task = find_task(task, accuracy)
        self.render_mode, self._renderer = render_mode, EpisodeRenderer(render_mode)
        self.dynamics = Dynamics(self.task, reward, solver)
        self.changes = Changes(self.task.space, len(self.dynamics))
        self.horizon = check_horizon(horizon, self.dynamics, self.changes)
        self.longest_episode = self.horizon
        self._view = DesignView(self.dynamics, observation, "steps_left")
        self.feature_names, self.observation_space = self._view.names, self._view.space
        self.action_space = spaces.Discrete(self.changes.count)  # type: ignore[assignment]
        self._running = RunningDesign(self.dynamics)
        self._elapsed: int | None = None  # None: reset needed
        self.outcome: Outcome | None = None

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
        self._running = RunningDesign(self.dynamics)
        self._elapsed, self._rewarded, self.outcome = 0, 0.0, None
        self._shown: Outcome | None = None  # of the latest design
        return self._observe(), self._info(possible=True)

    def step(self, action: int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Change one knob of one layer by one value, or nothing.

        Args:
            action: 0 to 2 K L.

        Returns:
            Observation, reward, terminated, truncated (always False), info.

        Raises:
            ActionError: If the action is not in the action space.
            InfeasibleBudgetError: If the design does not fit a budget smaller than the registered
                ones; the episode stays where it was.
            gymnasium.error.ResetNeeded: If the episode has ended or not begun.
        """
        if self._elapsed is None:
            raise gym.error.ResetNeeded("Expected reset() before step(): no episode is running.")
        if not self.action_space.contains(action):
            raise ActionError(f"Expected an action in {self.action_space}, got {action!r}.")
        settings, possible = self.changes.apply_one(self._running.settings, action)
        outcome = self.dynamics.outcome(settings)
        reward = outcome.reward(self.dynamics.reward) - self._rewarded
        if settings is not self._running.settings:
            self._running.change(self.changes.layer_of(action), settings)
        self._shown = outcome
        self._elapsed += 1
        observation = self._observe()
        terminated = self._elapsed == self.horizon
        self._rewarded += reward
        if terminated:
            self.outcome, self._elapsed = outcome, None
        return observation, reward, terminated, False, self._info(possible=possible)

    def view(self) -> EpisodeView:
        """Say how the episode stands, for text and pictures.

        Returns:
            The view.

        Raises:
            gymnasium.error.ResetNeeded: If no episode has begun.
        """
        if self._elapsed is None and self.outcome is None:
            raise gym.error.ResetNeeded("Expected reset() before render(): no episode has begun.")
        elapsed = self.horizon if self._elapsed is None else self._elapsed
        progress = f"{elapsed} of {self.horizon} steps"
        layers = len(self.dynamics)
        return EpisodeView(self.task, self._running.settings, layers, progress, self._shown)

    def action_masks(self) -> NDArray[np.bool_]:
        """Say which actions are possible now, as sb3-contrib's MaskablePPO asks.

        Returns:
            Shape (2 K L + 1,).
        """
        masks: NDArray[np.bool_] = self.changes.masks(self._running.settings[None])[0].astype(bool)
        return masks

    def describe_observation(self) -> ObservationTable | dict[str, ObservationTable]:
        """Say what the elements of observations mean.

        Returns:
            A row per element; printed, a table. Of a graph a table for every key.
        """
        return self._view.describe()

    def _info(self, *, possible: bool) -> dict[str, Any]:
        return {
            **self.dynamics.space.numbers(self._running.settings),
            "action_mask": self.changes.masks(self._running.settings[None])[0],
            "action_possible": np.array(possible),
            "finished": np.array(self._elapsed is None),
            **(no_design(self.task) if self._shown is None else design_info(self._shown)),
        }

    def _observe(self) -> Observation:
        assert self._elapsed is not None
        left = (self.horizon - self._elapsed) / self.horizon
        seen = self._running.observe(left)
        observation: Observation = one_of(
            self._view.show(seen[None], self._running.settings[None]), 0
        )
        return observation


def check_horizon(horizon: int | None, dynamics: Dynamics, changes: Changes) -> int:
    """Return the number of steps of an episode.

    Args:
        horizon: As given to the environment.
        dynamics: Of the task.
        changes: What actions do.

    Returns:
        The horizon; if None was given, steps enough to take every layer from the plain setting to
        the farthest, 12 for bits of weights and activations.

    Raises:
        TaskError: If it is less than 1.
    """
    if horizon is None:
        return changes.steps_per_layer * len(dynamics)
    if horizon < 1:
        raise TaskError(f"Expected horizon of at least 1 step, got {horizon}.")
    return horizon


def observe_refinements(
    dynamics: Dynamics, settings: IntArray, elapsed: IntArray, horizon: int
) -> Observation:
    """Describe designs and the time left to change them.

    Args:
        dynamics: Of the task.
        settings: Shape (B, L, K).
        elapsed: Steps taken, shape (B,).
        horizon: Steps of an episode.

    Returns:
        Shape (B, K L + 5).
    """
    return observe_designs(dynamics, settings, (horizon - elapsed) / horizon)
