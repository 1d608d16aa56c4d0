"""The layer-wise environment: one step chooses the bits of one layer."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.envs.accuracy.model import AccuracyKind
from lrmp.envs.custom_task import TaskLike, find_task
from lrmp.envs.episode_frame import EpisodeFrame, Frame
from lrmp.envs.episode_view import RENDER_MODES, EpisodeView, check_render_mode
from lrmp.envs.observation import FEATURES, Observation, running_features, static_features
from lrmp.envs.outcome import Outcome, evaluate_bits
from lrmp.envs.reward import RewardName, reward_function
from lrmp.errors import ActionError, TaskError
from lrmp.hardware.design import BIT_WIDTHS, MAX_BITS, MIN_BITS
from lrmp.solvers.oracle import SolverName, check_solver

Action = NDArray[np.float32] | NDArray[np.int64]


class LayerwiseEnv(gym.Env[Observation, Action]):
    """Choose weight and activation bits layer by layer; an integer program places the copies.

    ## Description
    A chip of NVM crossbar tiles computes a network in place. Fewer weight bits free tiles, which
    hold copies of slow layers; fewer activation bits shorten every pass; both cost accuracy. The
    agent walks through the layers in network order and chooses the bits of each. After the last
    layer a replication oracle spends the tiles left in the budget on copies, to proven optimality,
    and the design is scored. The problem is LRMP's (Nallathambi et al., Frontiers in AI 7:1268317,
    2024); the budget is the area of the plain 8-bit design.

    ## Action Space
    `Box(0, 1, (2,), float32)`: weight bits and activation bits of the layer. The interval is cut
    into seven equal parts, one per bit width 2..8 (HAQ's map): `bits = 2 + min(6, floor(7 * a))`.
    With `discrete=True`, `MultiDiscrete([7, 7])`: `bits = 2 + a`.

    The bits executed are the bits chosen; nothing is changed afterwards. An action of the wrong
    shape, outside the space or not finite raises `ActionError`.

    ## Observation Space
    `Box(0, 1, (16,), float32)`. Features 0 to 9 describe the layer to decide, each scaled to 0..1
    over the layers of the network; 10 to 15 tell how the episode stands, where layers not decided
    yet count with 8 bits and one copy.

    | Num | Observation | Meaning | Normalisation |
    | --- | --- | --- | --- |
    | 0 | depth | index of the layer | min-max |
    | 1 | linear | 1 for a fully connected layer | min-max |
    | 2 | rows | K, inputs of the weight matrix | log2, min-max |
    | 3 | columns | M, outputs of the weight matrix | log2, min-max |
    | 4 | positions | P, matrix-vector products per inference | log2, min-max |
    | 5 | kernel_size | side of the kernel | min-max |
    | 6 | stride | stride | min-max |
    | 7 | weights | K x M | log2, min-max |
    | 8 | baseline_cycles | cycles at 8/8 bits, one copy | log2, min-max |
    | 9 | baseline_tiles | tiles at 8 bits, one copy | log2, min-max |
    | 10 | previous_weight_bits | of the layer decided last, 8 at first | (bits - 2) / 6 |
    | 11 | previous_activation_bits | of the layer decided last, 8 at first | (bits - 2) / 6 |
    | 12 | tiles | tiles, one copy of every layer | / budget, at most 1 |
    | 13 | accuracy_spent | drop d so far, in points; 0 if negative | d / (d + allowed drop) |
    | 14 | cycles | cycles, one copy of every layer | / baseline latency |
    | 15 | bottleneck | cycles of the slowest layer, one copy | / baseline's slowest layer |

    The final observation repeats the last layer's features, with the totals of the whole design.

    ## Rewards
    0 until the last layer is decided; then, by `reward`:

    - `"lrmp"` (default, ranked): `ln(speedup) - max(0, drop - allowed)`, drop in percentage
      points; 0 for the 8-bit baseline;
    - `"haq"`: `-0.1 * drop`;
    - `"cim-aq"`: `-10 * (drop - allowed)` above the allowed drop, else
      `100 * (speedup - 1) + 0.1 * (allowed - drop)`.

    `speedup` is baseline / design, of what the task minimises: the cycles of one inference
    (latency), those of the slowest layer (throughput), the energy of one inference, or its
    energy times its cycles (EDP).

    ## Starting State
    The first layer, nothing decided. There is no randomness: every reset gives the same state,
    whatever the seed.

    ## Episode End
    1. Termination: the last layer is decided. The design is finished, so no value follows it.

    An episode never truncates.

    ## Info
    Every step: `weight_bits` and `activation_bits` executed. The last step also: `design` (bits
    and copies), `report` (exact cost by layer), `speedup`, `accuracy_drop` (percentage points),
    `accuracy_is_estimate`, `proven_optimal` (whether the oracle proved its copies optimal).

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `task` | `str` or `Task` | the id's own | what is solved: an id, a TOML file, or a task |
    | `discrete` | `bool` | `False` | actions as bit indices |
    | `reward` | `str` | `"lrmp"` | `"lrmp"`, `"haq"` or `"cim-aq"` |
    | `solver` | `str` | `"exact"` | the oracle's solver: `"exact"`, or `"ilp"` for CP-SAT |
    | `accuracy` | `str` or `None` | the task's own | `"table"`, or `"network"`: run it on images |
    | `render_mode` | `str` or `None` | `None` | `"ansi"` (text) or `"rgb_array"` |

    >>> import gymnasium as gym
    >>> env = gym.make("lrmp:LRMP-ResNet18-v0", discrete=True)
    >>> observation, info = env.reset(seed=0)
    >>> for _ in range(21):
    ...     observation, reward, terminated, truncated, info = env.step([3, 3])  # 5 bits
    >>> round(info["speedup"], 3), terminated
    (6.101, True)

    ## Registered Configurations
    `LRMP-{Digits,MLP,LeNet,ResNet8,ResNet20,SqueezeNet,ResNet18,ResNet34,ResNet50,ResNet101}-v0`
    minimise latency, as do `LRMP-{ResNet18,ResNet34,ResNet50,ResNet101}-v1`. In both versions
    `LRMP-{...}-Throughput` maximise throughput, `LRMP-{...}-Energy` minimise the energy and
    `LRMP-{...}-EDP` the energy-delay product of one inference. On Digits the drop is that of the
    quantised network itself on real images. The others have a table: measured on the network, but
    predicted for ResNet-34, -50 and -101 (`-v1`), and an estimate from published results for the
    `-v0` ResNets of ImageNet. `LRMP-Custom-v0` has no task of its own: `lrmp.envs.make_task` makes
    one from your network, chip and budget.

    ## Version History
    - v1 (ResNets of ImageNet): tables of the network, or predicted, in place of the estimate.
    - v0: first release.
    """

    metadata = {"render_modes": [*RENDER_MODES], "render_fps": 4}  # noqa: RUF012  Gymnasium's way

    def __init__(
        self,
        task: TaskLike | None,
        *,
        discrete: bool = False,
        reward: RewardName = "lrmp",
        solver: SolverName = "exact",
        accuracy: AccuracyKind | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.task = find_task(task)
        if accuracy is not None:
            self.task = self.task.with_accuracy(accuracy)
        check_render_mode(render_mode)
        reward_function(reward)
        check_solver(solver)
        self.render_mode = render_mode
        self.discrete = discrete
        self._reward: RewardName = reward
        self._solver: SolverName = solver

        self.observation_space = spaces.Box(0.0, 1.0, (len(FEATURES),), np.float32)
        # One space or the other: the class is generic over both.
        self.action_space = (
            spaces.MultiDiscrete([len(BIT_WIDTHS), len(BIT_WIDTHS)])
            if discrete
            else spaces.Box(0.0, 1.0, (2,), np.float32)
        )

        count = len(self.task.network)
        every_width = np.repeat(np.array(BIT_WIDTHS)[:, None], count, axis=1)
        model = self.task.cost_model
        cycles = model.layer_cycles(every_width, every_width, 1)
        self._tiles: list[list[int]] = model.tiles_per_copy(every_width).T.tolist()
        self._cycles: list[list[int]] = cycles.T.tolist()
        self._static = static_features(self.task)
        self.feature_names: tuple[str, ...] = FEATURES
        self._step: int | None = None  # None: reset needed
        self.outcome: Outcome | None = None  # of the last finished episode
        self._frame: EpisodeFrame | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start with nothing decided.

        Args:
            seed: Seeds ``np_random``, which the dynamics do not use.
            options: None or empty; there are none.

        Returns:
            The first observation and an empty info.

        Raises:
            TaskError: If options are given.
        """
        super().reset(seed=seed)
        if options:
            raise TaskError(f"Expected no reset options, got {sorted(map(str, options))}.")
        count = len(self.task.network)
        self._weight_bits = np.full(count, MAX_BITS)
        self._activation_bits = np.full(count, MAX_BITS)
        self._layer_cycles = [row[-1] for row in self._cycles]
        self._tiles_used = sum(row[-1] for row in self._tiles)
        self._drop = self.task.accuracy.drop(self._weight_bits, self._activation_bits)
        self._step = 0
        self.outcome = None
        return self._observe(0, (MAX_BITS, MAX_BITS)), {}

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Decide the bits of the next layer.

        Args:
            action: Weight and activation bits, shape (2,), as the action space says.

        Returns:
            Observation, reward, terminated, truncated (always False), info.

        Raises:
            ActionError: If the action is not in the action space.
            InfeasibleBudgetError: If the finished design does not fit a budget smaller than the
                registered ones; the episode stays where it was.
            gymnasium.error.ResetNeeded: If the episode has ended or not begun.
        """
        if self._step is None:
            raise gym.error.ResetNeeded("Expected reset() before step(): no episode is running.")
        layer = self._step
        weight_bits, activation_bits = self._decode(action)
        all_weight_bits, all_activation_bits = (
            self._weight_bits.copy(),
            self._activation_bits.copy(),
        )
        all_weight_bits[layer], all_activation_bits[layer] = weight_bits, activation_bits
        drop = self.task.accuracy.drop(all_weight_bits, all_activation_bits)
        info: dict[str, Any] = {"weight_bits": weight_bits, "activation_bits": activation_bits}

        terminated = layer + 1 == len(self.task.network)
        reward, outcome = 0.0, None
        if terminated:
            outcome = evaluate_bits(
                self.task, all_weight_bits, all_activation_bits, self._solver, drop
            )
            reward = outcome.reward(self._reward)
            info |= {
                "design": outcome.design,
                "report": outcome.report,
                "speedup": outcome.speedup,
                "accuracy_drop": outcome.accuracy_drop,
                "accuracy_is_estimate": self.task.accuracy.is_estimate,
                "proven_optimal": outcome.replication.proven_optimal,
            }
        # Nothing above has changed the episode: an error leaves it as it was.
        self._weight_bits, self._activation_bits = all_weight_bits, all_activation_bits
        self._drop, self.outcome = drop, outcome
        self._tiles_used += self._tiles[layer][weight_bits - MIN_BITS] - self._tiles[layer][-1]
        self._layer_cycles[layer] = self._cycles[layer][activation_bits - MIN_BITS]
        self._step = None if terminated else layer + 1
        shown = layer if terminated else layer + 1
        observation = self._observe(shown, (weight_bits, activation_bits))
        return observation, reward, terminated, False, info

    def render(self) -> str | Frame | None:
        """Show how the episode stands.

        Returns:
            Text, or pixels of shape (height, width, 3); None if ``render_mode`` is None.

        Raises:
            MissingExtraError: If pixels are asked for and matplotlib is not installed.
            gymnasium.error.ResetNeeded: If no episode has begun.
        """
        if self.render_mode is None:
            return None
        if self._step is None and self.outcome is None:
            raise gym.error.ResetNeeded("Expected reset() before render(): no episode has begun.")
        decided = len(self.task.network) if self._step is None else self._step
        view = EpisodeView(
            self.task, self._weight_bits, self._activation_bits, decided, self._drop, self.outcome
        )
        if self.render_mode == "ansi":
            return view.to_text()
        if self._frame is None:
            self._frame = EpisodeFrame(self.task)
        return self._frame.draw(view)

    def _decode(self, action: Action) -> tuple[int, int]:
        """Turn an action into bits, or say what is wrong with it."""
        try:
            values: NDArray[Any] = np.asarray(action)
        except ValueError:  # ragged nesting
            values = np.empty(0)
        kinds, most = ("iu", len(BIT_WIDTHS) - 1) if self.discrete else ("iuf", 1)
        if (
            values.shape != (2,)
            or values.dtype.kind not in kinds
            or not ((values >= 0) & (values <= most)).all()  # False for NaN
        ):
            raise ActionError(f"Expected an action in {self.action_space}, got {action!r}.")
        weight, activation = values.tolist()
        if self.discrete:
            return MIN_BITS + weight, MIN_BITS + activation
        top = len(BIT_WIDTHS) - 1
        return (
            MIN_BITS + min(top, int(weight * len(BIT_WIDTHS))),
            MIN_BITS + min(top, int(activation * len(BIT_WIDTHS))),
        )

    def _observe(self, layer: int, bits: tuple[int, int]) -> Observation:
        """Describe a layer and the state after the last decision, of the given bits."""
        observation = np.empty(len(FEATURES), np.float32)
        observation[: self._static.shape[1]] = self._static[layer]
        observation[self._static.shape[1] :] = running_features(
            self.task,
            *bits,
            tiles=self._tiles_used,
            accuracy_drop=self._drop,
            cycles=sum(self._layer_cycles),
            bottleneck_cycles=max(self._layer_cycles),
        )
        return observation
