"""The layer-wise environment: one step chooses the setting of one layer."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.envs.forms.action import ActionCode, Discrete
from lrmp.envs.forms.layerwise_view import LayerwiseObservation, LayerwiseView
from lrmp.envs.forms.reset_options import check_no_options
from lrmp.envs.forms.task_spec import OwnSpec
from lrmp.envs.rendering.episode_renderer import RENDER_MODES, EpisodeRenderer
from lrmp.envs.rendering.episode_view import EpisodeView
from lrmp.envs.rendering.shown_episode import ShownEpisode
from lrmp.envs.scoring.design_info import design_info, no_design
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.features import Feature
from lrmp.envs.scoring.graph_view import one_of
from lrmp.envs.scoring.layer_lookup import LayerEntry
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.scoring.observation_table import ObservationTable
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import Reward
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.errors import ActionError
from lrmp.solvers.replication.oracle import SolverName

Action = NDArray[np.float32] | NDArray[np.int64]


# A property stands for Gymnasium's attribute `spec`.
class LayerwiseEnv(ShownEpisode, OwnSpec, gym.Env[Observation, Action]):  # pyright: ignore
    """Choose the settings of the layers one by one; an integer program places the copies.

    ## Description
    A chip of NVM crossbar tiles computes a network in place. K knobs are turned layer by layer:
    what a layer is set to frees tiles, which hold copies of slow layers, or shortens every pass,
    and costs accuracy. In the registered tasks K is 2: fewer `weight_bits` free tiles, fewer
    `activation_bits` shorten passes. A task of your own may have other knobs
    (`env.unwrapped.task.space`), and all below follows them. The agent walks through the layers in
    network order and chooses the setting of each. After the last layer a replication oracle spends
    the tiles left in the budget on copies, to proven optimality, and the design is scored. The
    problem is LRMP's (Nallathambi et al., Frontiers in AI 7:1268317, 2024); the budget is the area
    of the plain design, 8 bits everywhere.

    ## Action Space
    Of three kinds:

    - By default `Box(-1, 1, (K,), float32)`: a number for every knob, such as weight bits and
      activation bits. The interval is cut into equal parts, one for each of the knob's V values:
      `place = min(V - 1, floor(V * (a + 1) / 2))`, and of bits, 2..8, `bits = 2 + place`. That is
      HAQ's map of 0..1, moved to where Gaussian policies start.
    - `discrete=True`: the places, counted from 0: `MultiDiscrete([7, 7])` for bits.
    - `discrete="flat"`: the number of a setting, the last knob counting fastest, in the order of
      `task.space.settings`: `Discrete(49)` for bits, `7 * weight place + activation place`.

    A value that the layer may not have (`task.space.allowed`; none in the registered tasks) counts
    as the nearest that it may have, and `info["action_mask"]` tells beforehand. Else the setting
    executed is the one chosen, and nothing is changed afterwards. An action of the wrong shape,
    outside the space or not finite raises `ActionError`.

    ## Observation Space
    `Box(0, 1, (n,), float32)`, n being 14 + 2 K or less: a feature of the layers in which all
    layers of the network are alike is left out. `env.unwrapped.feature_names` says what is left,
    and `print(env.unwrapped.describe_observation())` what it means, as the table here does for
    tasks that turn bits. Features 0 to 11 describe the layer to decide, each scaled to 0..1 over
    the layers of the network; 12 to 17 tell how the episode stands, where layers not decided yet
    count with the plain setting and one copy.

    | Num | Observation | Meaning | Normalisation |
    | --- | --- | --- | --- |
    | 0 | depth | index of the layer | min-max |
    | 1 | linear | 1 for a fully connected layer | min-max |
    | 2 | rows | inputs of the weight matrix | log2, min-max |
    | 3 | columns | outputs of the weight matrix | log2, min-max |
    | 4 | positions | matrix-vector products per inference | log2, min-max |
    | 5 | kernel_size | side of the kernel | min-max |
    | 6 | stride | stride | min-max |
    | 7 | weights | rows x columns | log2, min-max |
    | 8 | baseline_cycles | cycles of the plain setting, one copy | log2, min-max |
    | 9 | baseline_tiles | tiles of the plain setting, one copy | log2, min-max |
    | 10 | weight_bits_sensitivity | harm of weight_bits 4 alone | log10, min-max of all |
    | 11 | activation_bits_sensitivity | harm of activation_bits 4 alone | log10, min-max of all |
    | 12 | previous_weight_bits | weight_bits of the layer before, 8 at first | place / 6 |
    | 13 | previous_activation_bits | activation_bits of the layer before, 8 at first | place / 6 |
    | 14 | tiles | tiles, one copy of every layer | / budget, or the most of any design |
    | 15 | accuracy_spent | accuracy spent so far, s; 0 if negative | s / (s + allowance) |
    | 16 | cycles | cycles, one copy of every layer | / the most of any design |
    | 17 | bottleneck | cycles from image to image, one copy | / the most of any design |

    The place of a value is its number among the knob's, from 0: bits - 2. Accuracy is spent in the
    unit of the table, whose sum over layers a monotone map turns into the drop; the allowance is
    the sum that gives the allowed drop. Without a table, as on Digits, it is the drop itself in
    percentage points (and sensitivities are drops at 2 bits); the allowance is the allowed drop.
    Harm is what the value, in this layer alone, adds to the accuracy spent; of a value above the
    plain one the relief is shown, what it takes off. Images follow each other through a full
    pipeline. Where bits are turned, no design takes more tiles or cycles than the plain one.

    The final observation repeats the last layer's features, with the totals of the whole design.

    `features` lists what is seen instead, in its order, such as `("depth", "tiles", mine)`: names
    out of the table, and functions of your own from the `Task` to a number per layer, of any unit:
    they are scaled min-max over the layers, too, and shown under their names.

    `observation` says how much is seen. What is above, `"layer"`, tells what is left of the tiles
    and of the allowance, but not where they went; how the copies will turn out depends on that.

    - `"layer"` (default): the above.
    - `"prefix"`: the above, then the settings decided so far and the time, so that the episode is
      fully observed: `Box(0, 1, (n + K L + 1,), float32)` for L layers.
    - `"graph"`: a `Dict` for policies over sets and graphs.

    Prefixes have, for bits, behind the n:

    | Num | Observation | Meaning | Normalisation |
    | --- | --- | --- | --- |
    | n + 2 l | weight_bits_l | weight_bits of layer l | place / 6 |
    | n + 2 l + 1 | activation_bits_l | activation_bits of layer l | place / 6 |
    | n + 2 L | steps_left | steps to the end | / horizon |

    Layers not decided yet have the plain setting; the horizon is L. Graphs have:

    | Key | Space | Meaning |
    | --- | --- | --- |
    | layers | `Box(0, 1, (L, F), float32)` | the nodes: features and more of every layer |
    | edges | `Box(0, L - 1, (E, 2), int64)` | source and target: whose outputs are read by whom |
    | totals | `Box(0, 1, (4,), float32)` | features 14 to 17 |

    Behind its features a layer has its setting so far, one column per knob (`weight_bits`,
    `activation_bits`), `decided` (1 once it is) and `to_decide` (1 for the layer to decide). An
    edge leads from a layer to every one that reads its outputs, through additions, concatenations
    and poolings (`env.unwrapped.task.network.edges`). The edges of a network that does not know
    them are those of a chain, and `describe_observation()` says so. They are the same in every
    observation of a task. `features` lists features of layers only.

    Where several networks share the chip (`LRMP-Shared-Edge-v0`) they are one long list of layers,
    network after network. A feature `network`, the number of the layer's network, stands before the
    sensitivities, and `accuracy_spent_0`, `accuracy_spent_1` and so on, one per network in shares
    of its own allowance, in the place of `accuracy_spent`; cycles are those of a round, in which
    every network runs as often as its rate says.

    ## Rewards
    0 until the last layer is decided; then that of the design, by `reward`:

    - `"lrmp"` (default): `ln(gain)` within the allowed drop, which is the ranked score; 0 for the
      plain design, the baseline. Beyond it `max(ln(gain) - 100 x, -0.5 x)`, where x is
      `ln(divergence / allowed divergence)`: credit for the gain fades at once, and what remains
      falls strictly with the divergence, a power of the table's sum, which nothing bounds from
      above. (Where the network itself is run, drops in points take their place; where the gain is
      below 1, `ln(gain)` stays.) It is continuous, has no plateau, and its optimum is the best
      design within the allowed drop, as the joint solver proves task by task
      (`lrmp.stored_optimum(id).is_exact`). Where networks share the chip all must be within their
      allowances, and x is the mean of theirs;
    - `"haq"`: `-0.1 * drop`;
    - `"cim-aq"`: `-10 * (drop - allowed)` above the allowed drop, else
      `100 * (gain - 1) + 0.1 * (allowed - drop)`;
    - a function of your own, from the finished design, an `Outcome`, to a finite number. An outcome
      has `gain`, `accuracy_drop`, `design`, `report` (exact cost), `task`, and `reward()`, the
      default, to add to, and `score`, the ranked one, None beyond the allowed drop. Records,
      rankings, optima and the spec's threshold count `score`, whatever the reward.

    `gain` is baseline / design, of what the task minimises: the cycles of one inference
    (latency), those between images of a full pipeline (throughput), the energy of one inference, or
    its energy times its cycles (EDP).

    With `dense=True` every step is rewarded with what it changes: the reward of the design so far,
    layers not decided yet in the plain setting and copies placed anew, less all rewards before. The
    sum is the same, up to rounding; every step costs an oracle call.

    ## Starting State
    The first layer, nothing decided. There is no randomness: every reset gives the same state,
    whatever the seed.

    ## Episode End
    1. Termination: the last layer is decided. The design is finished, so no value follows it.

    An episode never truncates: the spec's `max_episode_steps` is L + 1.

    ## Info
    The same keys at every step and reset, with the same shapes and types, all of NumPy: what is not
    known before the last step is 0 until then, and `finished` says so. L is the number of layers.

    | Key | Type | Meaning |
    | --- | --- | --- |
    | `layer` | int64 | number of the layer just decided; -1 at reset |
    | `weight_bits`, ... | int64 | value executed, a key per knob; of labels the place |
    | `action_mask` | int8, (n,) | 1 for what the next layer may have; see below |
    | `finished` | bool | whether the design is finished |
    | `score` | float64 | the ranked score of the design, `ln(gain)`; 0 beyond the allowed drop |
    | `gain`, `accuracy_drop` | float64 | of the design; the drop in percentage points |
    | `divergence` | float64 | of the design: a table's sum; its power `exponent` is in nats |
    | `within_allowance` | bool | whether the drop is allowed |
    | `proven_optimal` | bool | whether the oracle proved its copies optimal |
    | `accuracy_is_estimate` | bool | whether the task's accuracy is one; from the start |
    | `accuracy_holds` | bool | whether it was found true on optimised designs; from the start |
    | `design_weight_bits`, ... | int64, (L,) | the design's values, a key per knob |
    | `replication` | int64, (L,) | its copies |

    At reset the values executed are plain. `action_mask` has the values of all knobs in a row,
    7 + 7 for bits; of a flat space all settings, 49. After the last step it is still that of the
    last layer. `env.unwrapped.action_masks()` returns it as booleans, as sb3-contrib's MaskablePPO
    asks. `env.unwrapped.outcome` is the finished design with its exact cost by layer,
    an `Outcome` (`.design`, `.report`); None until there is one.

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `task` | `str` or `Task` | the id's own | what is solved: an id, a TOML file, or a task |
    | `discrete` | `bool` or `str` | `False` | `True` for places of values, `"flat"` for settings |
    | `dense` | `bool` | `False` | a reward at every step, of the same sum |
    | `observation` | `str` | `"layer"` | `"layer"`, `"prefix"` or `"graph"`: how much is seen |
    | `features` | sequence or `None` | `None` | what is observed, in order; None for all |
    | `reward` | `str` or function | `"lrmp"` | the name of a formula, or your own |
    | `solver` | `str` | `"exact"` | the oracle's solver: `"exact"`, or `"ilp"` for CP-SAT |
    | `accuracy` | `str` or `None` | the task's own | `"table"`, or `"network"`: run it on images |
    | `render_mode` | `str` or `None` | `None` | `"ansi"` (text) or `"rgb_array"` |

    >>> import gymnasium as gym
    >>> env = gym.make("lrmp:LRMP-ResNet18-v0", discrete=True)
    >>> observation, info = env.reset(seed=0)
    >>> for _ in range(21):
    ...     observation, reward, terminated, truncated, info = env.step([3, 3])  # 5 bits
    >>> round(float(info["gain"]), 3), terminated
    (6.101, True)

    ## Vectorized environment
    `gym.make_vec(id, num_envs)` computes all episodes at once, in NumPy, with the results of
    Gymnasium's own vector environment (`vectorization_mode="sync"`) in every autoreset mode:
    `autoreset_mode="NextStep"` (default), `"SameStep"` or `"Disabled"`. Episodes of a task are
    equally long, so they end together; by default the next step resets them all, looks at no
    action, and is no transition. Infos are arrays over the episodes.

    ## Registered Configurations
    `lrmp.list_tasks()` names all. `LRMP-ResNet18-v0` minimises latency; of every network,
    `LRMP-{...}-Throughput-v0` maximises throughput, `LRMP-{...}-Energy-v0` minimises the energy
    and `LRMP-{...}-EDP-v0` the energy-delay product of one inference. On Digits the drop is that
    of the quantised network itself on real images. The others have a table: measured on the
    network, or predicted from other networks' where the id says so, as in
    `LRMP-ResNet34-Predicted-v0`. `LRMP-Shared-{Edge, Vision}-v0` and their `-Throughput` and
    `-Weighted` have several networks on one chip. `LRMP-Custom-v0` has no task of its own:
    `lrmp.envs.make_task` makes one from your network, chip and budget.

    ## Version History
    - v0: first release.
    """

    metadata = {"render_modes": [*RENDER_MODES], "render_fps": 4}  # noqa: RUF012  Gymnasium's way

    def __init__(
        self,
        task: TaskLike | None,
        *,
        discrete: Discrete = False,
        dense: bool = False,
        observation: LayerwiseObservation = "layer",
        features: Sequence[Feature] | None = None,
        reward: Reward = "lrmp",
        solver: SolverName = "exact",
        accuracy: AccuracyKind | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.task = find_task(task, accuracy)
        self.render_mode, self._renderer = render_mode, EpisodeRenderer(render_mode)
        self.discrete: Discrete = discrete
        self.dense = dense
        self.dynamics = Dynamics(self.task, reward, solver)
        self.longest_episode = len(self.dynamics)
        self._view = LayerwiseView(self.task, observation, features)
        self._shown, self.feature_names = self._view.shown, self._view.names

        self.observation_space = self._view.space
        space, count = self.task.space, len(self.dynamics)
        self._code = ActionCode(space.sizes, discrete)
        self.action_space = self._code.space
        self._masks = self._code.masks(space.masks(count))
        #: What infos say before the last step: of the reset, and of every step.
        self._unfinished = [
            {
                "layer": np.int64(layer),
                **dict.fromkeys(space.names),
                "action_mask": self._masks[min(layer + 1, count - 1)],
                "finished": np.array(False),
                **no_design(self.task),
            }
            for layer in range(-1, count)
        ]
        self._arrays = [k for k, v in self._unfinished[0].items() if isinstance(v, np.ndarray)]
        self._plain_settings: list[list[int]] = self.dynamics.plain.tolist()
        self._plain_cycles: list[int] = self.dynamics.start_cycles.tolist()
        self._plain_tiles: list[int] = self.dynamics.start_tiles.tolist()
        self._step: int | None = None  # None: reset needed
        self.outcome: Outcome | None = None  # of the last finished episode

    @property
    def next_layer(self) -> int:
        """Number of the layer to decide; of the last one when all are, of the first before."""
        if self._step is not None:
            return self._step
        return 0 if self.outcome is None else len(self._masks) - 1

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start with nothing decided.

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
        self._settings = self._plain_settings.copy()
        self._layer_cycles = self._plain_cycles.copy()
        self._tiles, self._cycles = sum(self._plain_tiles), sum(self._plain_cycles)
        self._spent = self.dynamics.start_spent
        self._rewarded = 0.0
        self._step = 0
        self.outcome = None
        plain = self.dynamics.lookup(0, self._settings[0])
        return self._observe(0, plain.features), self._info(-1, plain)

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Decide the setting of the next layer.

        Args:
            action: A number for every knob, shape (K,), as the action space says.

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
        layer, dynamics = self._step, self.dynamics
        setting, before = self._decode(layer, action), self._settings[layer]
        self._settings[layer] = setting
        entry = dynamics.lookup(layer, setting)
        terminated = layer + 1 == len(self._settings)
        try:
            spent, outcome, score = self._spend(entry), None, 0.0
            if terminated or self.dense:
                drop = None if dynamics.has_table else spent
                outcome = dynamics.outcome(np.array(self._settings), drop)
                score = outcome.reward(dynamics.reward)
        except Exception:  # the episode stays where it was
            self._settings[layer] = before
            raise
        info = self._info(layer, entry)
        reward = 0.0
        if outcome is not None:
            reward = score - self._rewarded
            self._rewarded += reward
        if terminated:
            assert outcome is not None
            self.outcome = outcome
            info |= {"finished": np.array(True), **design_info(outcome)}
        self._spent = spent
        self._tiles += entry.tiles - self._plain_tiles[layer]
        self._cycles += entry.cycles - self._plain_cycles[layer]
        self._layer_cycles[layer] = entry.cycles
        self._step = None if terminated else layer + 1
        shown = layer if terminated else layer + 1
        return self._observe(shown, entry.features), reward, terminated, False, info

    def view(self) -> EpisodeView:
        """Say how the episode stands, for text and pictures.

        Returns:
            The view.

        Raises:
            gymnasium.error.ResetNeeded: If no episode has begun.
        """
        if self._step is None and self.outcome is None:
            raise gym.error.ResetNeeded("Expected reset() before render(): no episode has begun.")
        decided = len(self.task.network) if self._step is None else self._step
        progress = f"{decided} of {len(self.dynamics)} layers decided"
        settings = np.array(self._settings)
        return EpisodeView(self.task, settings, decided, progress, self.outcome)

    def action_masks(self) -> NDArray[np.bool_]:
        """Say what the layer to decide may have, as sb3-contrib's MaskablePPO asks.

        Returns:
            As ``info["action_mask"]``.
        """
        masks: NDArray[np.bool_] = self._masks[self.next_layer].astype(bool)
        return masks

    def describe_observation(self) -> ObservationTable | dict[str, ObservationTable]:
        """Say what the elements of observations mean.

        Returns:
            A row per element; printed, a table. Of a graph a table for every key.
        """
        return self._view.describe()

    def _spend(self, entry: LayerEntry) -> Any:
        """Return the accuracy spent once a layer has a setting."""
        if not self.dynamics.has_table:
            return self.dynamics.drop(np.array(self._settings))
        return self._spent + entry.spent_beyond_plain

    def _decode(self, layer: int, action: Action) -> list[int]:
        """Turn an action into a setting, or say what is wrong with it."""
        setting = self._code.decode(action)
        if setting is None:
            raise ActionError(f"Expected an action in {self.action_space}, got {action!r}.")
        space = self.dynamics.space
        if not space.allowed:
            return setting
        nearest: list[int] = space.nearest(np.array(setting), np.array(layer)).tolist()
        return nearest

    def _info(self, layer: int, entry: LayerEntry) -> dict[str, Any]:
        """Say which layer has been decided, how, and what the next one may have."""
        info = self._unfinished[layer + 1].copy()
        for key in self._arrays:  # no info shares one with another
            info[key] = info[key].copy()
        info.update(entry.numbers)
        return info

    def _observe(self, layer: int, setting: tuple[float, ...]) -> Observation:
        """Describe a layer and the state after the last decision, of the given scaled setting."""
        described = self._shown.layers[layer]
        running = (
            *setting,
            *self.dynamics.totals(self._tiles, self._spent, self._cycles, max(self._layer_cycles)),
        )
        observation = np.empty(len(described) + len(running), np.float32)
        observation[: len(described)] = described
        observation[len(described) :] = running
        if self._view.layer_alone:
            return self._shown.pick(observation)
        settings = np.array([self._settings])
        decided = np.array([settings.shape[1] if self._step is None else self._step])
        seen: Observation = one_of(self._view.show(observation[None], settings, decided), 0)
        return seen
