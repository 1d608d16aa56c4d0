"""The refinement environment: from 8 bits everywhere, one bit at a time."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.envs.forms.design_observation import design_feature_names, observe_designs
from lrmp.envs.rendering.episode_frame import Frame
from lrmp.envs.rendering.episode_renderer import RENDER_MODES, EpisodeRenderer
from lrmp.envs.rendering.episode_view import EpisodeView
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import Reward
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.errors import ActionError, TaskError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import MAX_BITS, MIN_BITS
from lrmp.solvers.replication.oracle import SolverName

#: Steps per layer by default: as many changes as lead from 8/8 bits to 2/2, the farthest design.
STEPS_PER_LAYER = 2 * (MAX_BITS - MIN_BITS)
#: What an action does to a layer: to which operand, and how many bits it adds.
CHANGES = (("weight", -1), ("weight", 1), ("activation", -1), ("activation", 1))


class RefineEnv(gym.Env[Observation, int]):
    """Change the bits of one layer by one per step; every step is scored.

    ## Description
    The task is that of `LayerwiseEnv`: chip, network, budget, accuracy and reward are the same, and
    so is the best return. An episode starts from the plain 8-bit design and lasts a fixed number of
    steps. Copies are placed anew after every step, so a step's reward is what it changes: a Markov
    decision process with local credit.

    ## Action Space
    `Discrete(4 L + 1)` for L layers. 0 changes nothing. Else, with k = action - 1, layer k // 4
    changes: k % 4 = 0 takes one weight bit away, 1 adds one, 2 takes one activation bit away, 3
    adds one. A change beyond 2..8 bits is impossible: `info["action_mask"]` (and
    `env.unwrapped.action_masks()`) says which are possible; an impossible one changes nothing and
    is reported as `info["action_possible"] = False`. An action outside the space raises
    `ActionError`.

    ## Observation Space
    `Box(0, 1, (2 L + 5,), float32)`; `env.unwrapped.feature_names` names the elements.

    | Num | Observation | Meaning | Normalisation |
    | --- | --- | --- | --- |
    | 2 l | weight_bits_l | weight bits of layer l | (bits - 2) / 6 |
    | 2 l + 1 | activation_bits_l | activation bits of layer l | (bits - 2) / 6 |
    | 2 L | tiles | tiles, one copy of every layer | / budget (or the 8-bit design's) |
    | 2 L + 1 | accuracy_spent | as in `LayerwiseEnv` | s / (s + allowance) |
    | 2 L + 2 | cycles | cycles, one copy of every layer | / baseline latency |
    | 2 L + 3 | bottleneck | cycles between images of a full pipeline, one copy | / baseline's |
    | 2 L + 4 | steps_left | steps to the end | / horizon |

    ## Rewards
    The score of the design after the step less all rewards before, by `reward` as in
    `LayerwiseEnv`: the return is the score of the last design, up to rounding.

    ## Starting State
    The plain 8-bit design, whatever the seed.

    ## Episode End
    1. Termination: after `horizon` steps. Time is part of the state, so no value follows.

    ## Info
    Every step: `action_mask` (int8, shape (4 L + 1,)), `action_possible`, `gain`,
    `accuracy_drop`. The last step also: `weight_bits` and `activation_bits`, arrays of shape (L,),
    and what `LayerwiseEnv`'s last step has. `reset` has `action_mask`.

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `task` | `str` or `Task` | the id's own | what is solved: an id, a TOML file, or a task |
    | `horizon` | `int` or `None` | `None` | steps of an episode; None for 12 L |
    | `reward` | `str` or function | `"lrmp"` | `"lrmp"`, `"haq"`, `"cim-aq"` or your own |
    | `solver` | `str` | `"exact"` | the oracle's solver: `"exact"`, or `"ilp"` for CP-SAT |
    | `accuracy` | `str` or `None` | the task's own | `"table"`, or `"network"`: run it on images |
    | `render_mode` | `str` or `None` | `None` | `"ansi"` (text) or `"rgb_array"` |

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
    `LRMP-*-Refine-v*` for every `LRMP-*-v*` that `LayerwiseEnv` names.

    ## Version History
    As the task's own.
    """

    metadata = {"render_modes": [*RENDER_MODES], "render_fps": 4}  # noqa: RUF012  Gymnasium's way

    def __init__(
        self,
        task: TaskLike | None,
        *,
        horizon: int | None = None,
        reward: Reward = "lrmp",
        solver: SolverName = "exact",
        accuracy: AccuracyKind | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.task = find_task(task, accuracy)
        self.render_mode, self._renderer = render_mode, EpisodeRenderer(render_mode)
        self.dynamics = Dynamics(self.task, reward, solver)
        self.horizon = check_horizon(horizon, self.dynamics)
        self.feature_names = (*design_feature_names(self.dynamics), "steps_left")
        self.observation_space = spaces.Box(0.0, 1.0, (len(self.feature_names),), np.float32)
        self.action_space = spaces.Discrete(len(CHANGES) * len(self.dynamics) + 1)  # type: ignore[assignment]
        self._bits = np.full((len(self.dynamics), 2), MAX_BITS)
        self._elapsed: int | None = None  # None: reset needed
        self.outcome: Outcome | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start with 8 bits everywhere.

        Args:
            seed: Seeds ``np_random``, which the dynamics do not use.
            options: None or empty; there are none.

        Returns:
            The observation, and an info with the action mask.

        Raises:
            TaskError: If options are given.
        """
        super().reset(seed=seed)
        if options:
            raise TaskError(f"Expected no reset options, got {sorted(map(str, options))}.")
        self._bits = np.full((len(self.dynamics), 2), MAX_BITS)
        self._elapsed, self._rewarded, self.outcome = 0, 0.0, None
        self._shown: Outcome | None = None  # of the latest design
        return self._observe(), {"action_mask": action_masks(self._bits[None])[0]}

    def step(self, action: int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Change one layer's bits by one, or nothing.

        Args:
            action: 0 to 4 L.

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
        bits, possible = change_bits(self._bits[None], np.array([action]))
        outcome = self.dynamics.outcome(bits[0, :, 0], bits[0, :, 1])
        reward = outcome.reward(self.dynamics.reward) - self._rewarded
        self._bits, self._shown = bits[0], outcome
        self._elapsed += 1
        observation = self._observe()
        terminated = self._elapsed == self.horizon
        self._rewarded += reward
        info: dict[str, Any] = {
            "action_mask": action_masks(bits)[0],
            "action_possible": bool(possible[0]),
            "gain": outcome.gain,
            "accuracy_drop": outcome.accuracy_drop,
        }
        if terminated:
            self.outcome, self._elapsed = outcome, None
            design = outcome.design
            info |= {"weight_bits": design.weight_bits, "activation_bits": design.activation_bits}
            info |= outcome.info
        return observation, reward, terminated, False, info

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
        if self._elapsed is None and self.outcome is None:
            raise gym.error.ResetNeeded("Expected reset() before render(): no episode has begun.")
        elapsed = self.horizon if self._elapsed is None else self._elapsed
        weight_bits, activation_bits = self._bits.T
        progress = f"{elapsed} of {self.horizon} steps"
        layers = len(self.dynamics)
        return EpisodeView(self.task, weight_bits, activation_bits, layers, progress, self._shown)

    def action_masks(self) -> NDArray[np.bool_]:
        """Say which actions are possible now, as sb3-contrib's MaskablePPO asks.

        Returns:
            Shape (4 L + 1,).
        """
        masks: NDArray[np.bool_] = action_masks(self._bits[None])[0].astype(bool)
        return masks

    def _observe(self) -> Observation:
        assert self._elapsed is not None
        observation: Observation = observe_refinements(
            self.dynamics, self._bits[None], np.array([self._elapsed]), self.horizon
        )[0]
        return observation


def check_horizon(horizon: int | None, dynamics: Dynamics) -> int:
    """Return the number of steps of an episode.

    Args:
        horizon: As given to the environment.
        dynamics: Of the task.

    Returns:
        The horizon, 12 steps per layer if None was given.

    Raises:
        TaskError: If it is less than 1.
    """
    if horizon is None:
        return STEPS_PER_LAYER * len(dynamics)
    if horizon < 1:
        raise TaskError(f"Expected horizon of at least 1 step, got {horizon}.")
    return horizon


def observe_refinements(
    dynamics: Dynamics, bits: IntArray, elapsed: IntArray, horizon: int
) -> Observation:
    """Describe designs and the time left to change them.

    Args:
        dynamics: Of the task.
        bits: Shape (B, L, 2).
        elapsed: Steps taken, shape (B,).
        horizon: Steps of an episode.

    Returns:
        Shape (B, 2 L + 5).
    """
    left = ((horizon - elapsed) / horizon).astype(np.float32)
    return np.concatenate([observe_designs(dynamics, bits), left[:, None]], axis=1)


def action_masks(bits: IntArray) -> NDArray[np.int8]:
    """Say which changes keep within 2..8 bits.

    Args:
        bits: Shape (B, L, 2).

    Returns:
        1 for a possible action, else 0; shape (B, 4 L + 1).
    """
    masks = np.ones((len(bits), len(CHANGES) * bits.shape[1] + 1), dtype=np.int8)
    possible = np.stack([bits > MIN_BITS, bits < MAX_BITS], axis=-1)
    masks[:, 1:] = possible.reshape(len(bits), -1)
    return masks


def change_bits(bits: IntArray, actions: IntArray) -> tuple[IntArray, NDArray[np.bool_]]:
    """Apply actions where they are possible.

    Args:
        bits: Shape (B, L, 2).
        actions: Shape (B,), each 0 to 4 L.

    Returns:
        New bits, shape (B, L, 2), and whether the actions were possible, shape (B,).
    """
    rows = np.arange(len(bits))
    actions = actions.astype(np.int64)  # of narrow integers -1 is none
    possible = action_masks(bits)[rows, actions] == 1
    rows, change = rows[possible & (actions > 0)], actions[possible & (actions > 0)] - 1
    layer, kind = change // len(CHANGES), change % len(CHANGES)
    changed = bits.copy()
    changed[rows, layer, kind // 2] += 2 * (kind % 2) - 1
    return changed, possible
