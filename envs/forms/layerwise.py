"""The layer-wise environment: one step chooses the setting of one layer."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.envs.forms.action import action_setting, action_space
from lrmp.envs.rendering.episode_frame import Frame
from lrmp.envs.rendering.episode_renderer import RENDER_MODES, EpisodeRenderer
from lrmp.envs.rendering.episode_view import EpisodeView
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.features import Feature
from lrmp.envs.scoring.layer_lookup import LayerEntry
from lrmp.envs.scoring.observation import Observation, running_features, shown_features
from lrmp.envs.scoring.observation_table import ObservationTable, describe_elements
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import Reward
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.errors import ActionError, TaskError
from lrmp.solvers.replication.oracle import SolverName

Action = NDArray[np.float32] | NDArray[np.int64]


class LayerwiseEnv(gym.Env[Observation, Action]):
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
    `Box(0, 1, (K,), float32)`: a number for every knob, such as weight bits and activation bits.
    The interval is cut into equal parts, one for each of the knob's V values (HAQ's map):
    `place = min(V - 1, floor(V * a))`, and of bits, 2..8, `bits = 2 + place`. With `discrete=True`
    actions are the places, counted from 0: `MultiDiscrete([7, 7])` for bits.

    A value that the layer may not have (`task.space.allowed`; none in the registered tasks) counts
    as the nearest that it may have. Else the setting executed is the one chosen, and nothing is
    changed afterwards. An action of the wrong shape, outside the space or not finite raises
    `ActionError`.

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

    ## Rewards
    0 until the last layer is decided; then the score of the design, by `reward`:

    - `"lrmp"` (default, ranked): `ln(gain) - 1 * max(0, accuracy drop - allowed drop)`, drops in
      percentage points; 0 for the plain design, the baseline;
    - `"haq"`: `-0.1 * drop`;
    - `"cim-aq"`: `-10 * (drop - allowed)` above the allowed drop, else
      `100 * (gain - 1) + 0.1 * (allowed - drop)`;
    - a function of your own, from the finished design, an `Outcome`, to a finite number. An outcome
      has `gain`, `accuracy_drop`, `design`, `report` (exact cost), `task`, and `reward()`, the
      default, to add to. Records, rankings, optima and the spec's threshold keep the default.

    `gain` is baseline / design, of what the task minimises: the cycles of one inference
    (latency), those between images of a full pipeline (throughput), the energy of one inference, or
    its energy times its cycles (EDP).

    With `dense=True` every step is rewarded with what it changes: the score of the design so far,
    layers not decided yet in the plain setting and copies placed anew, less all rewards before. The
    sum is the same, up to rounding; every step costs an oracle call.

    ## Starting State
    The first layer, nothing decided. There is no randomness: every reset gives the same state,
    whatever the seed.

    ## Episode End
    1. Termination: the last layer is decided. The design is finished, so no value follows it.

    An episode never truncates.

    ## Info
    Every step: the value executed of every knob, by its name: `weight_bits` and `activation_bits`;
    of a knob whose values are labels, the place, so that all are numbers. The last step also:
    `design` (settings and copies), `report` (exact cost by layer), `gain`, `accuracy_drop`
    (percentage points), `accuracy_is_estimate`, `proven_optimal` (whether the oracle proved its
    copies optimal).

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `task` | `str` or `Task` | the id's own | what is solved: an id, a TOML file, or a task |
    | `discrete` | `bool` | `False` | actions as places of values |
    | `dense` | `bool` | `False` | a reward at every step, of the same sum |
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
    >>> round(info["gain"], 3), terminated
    (6.101, True)

    ## Vectorized environment
    `gym.make_vec(id, num_envs)` computes all episodes at once, in NumPy, with the results of
    Gymnasium's own vector environment (`vectorization_mode="sync"`) in every autoreset mode:
    `autoreset_mode="NextStep"` (default), `"SameStep"` or `"Disabled"`. Episodes of a task are
    equally long, so they end together; by default the next step resets them all, looks at no
    action, and is no transition. Infos are arrays over the episodes; in place of `design` and
    `report` they have the values of every knob, `design_weight_bits` and so on, and `replication`,
    each of shape (num_envs, L).

    ## Registered Configurations
    `lrmp.list_tasks()` names all. `LRMP-ResNet18-v0` minimises latency; of every network,
    `LRMP-{...}-Throughput-v0` maximises throughput, `LRMP-{...}-Energy-v0` minimises the energy
    and `LRMP-{...}-EDP-v0` the energy-delay product of one inference. On Digits the drop is that
    of the quantised network itself on real images. The others have a table: measured on the
    network, or predicted from other networks' where the id says so, as in
    `LRMP-ResNet34-Predicted-v0`. `LRMP-Custom-v0` has no task of its own:
    `lrmp.envs.make_task` makes one from your network, chip and budget.

    ## Version History
    - v0: first release.
    """

    metadata = {"render_modes": [*RENDER_MODES], "render_fps": 4}  # noqa: RUF012  Gymnasium's way

    def __init__(
        self,
        task: TaskLike | None,
        *,
        discrete: bool = False,
        dense: bool = False,
        features: Sequence[Feature] | None = None,
        reward: Reward = "lrmp",
        solver: SolverName = "exact",
        accuracy: AccuracyKind | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.task = find_task(task, accuracy)
        self.render_mode, self._renderer = render_mode, EpisodeRenderer(render_mode)
        self.discrete = discrete
        self.dense = dense
        self.dynamics = Dynamics(self.task, reward, solver)
        self._shown = shown_features(self.task, features, running_features(self.task.space))
        self.feature_names = self._shown.names

        self.observation_space = spaces.Box(0.0, 1.0, (len(self.feature_names),), np.float32)
        self.action_space = action_space(self.task.space, discrete)
        self._plain_settings: list[list[int]] = self.dynamics.plain.tolist()
        self._plain_cycles: list[int] = self.dynamics.start_cycles.tolist()
        self._plain_tiles: list[int] = self.dynamics.start_tiles.tolist()
        self._step: int | None = None  # None: reset needed
        self.outcome: Outcome | None = None  # of the last finished episode

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
        self._settings = self._plain_settings.copy()
        self._layer_cycles = self._plain_cycles.copy()
        self._tiles, self._cycles = sum(self._plain_tiles), sum(self._plain_cycles)
        self._spent = self.dynamics.start_spent
        self._rewarded = 0.0
        self._step = 0
        self.outcome = None
        plain = self.dynamics.lookup(0, self._settings[0])
        return self._observe(0, plain.features), {}

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
        info: dict[str, Any] = {**entry.numbers}
        reward = 0.0
        if outcome is not None:
            reward = score - self._rewarded
            self._rewarded += reward
        if terminated:
            assert outcome is not None
            self.outcome = outcome
            info |= outcome.info
        self._spent = spent
        self._tiles += entry.tiles - self._plain_tiles[layer]
        self._cycles += entry.cycles - self._plain_cycles[layer]
        self._layer_cycles[layer] = entry.cycles
        self._step = None if terminated else layer + 1
        shown = layer if terminated else layer + 1
        return self._observe(shown, entry.features), reward, terminated, False, info

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
        if self._step is None and self.outcome is None:
            raise gym.error.ResetNeeded("Expected reset() before render(): no episode has begun.")
        decided = len(self.task.network) if self._step is None else self._step
        progress = f"{decided} of {len(self.dynamics)} layers decided"
        settings = np.array(self._settings)
        return EpisodeView(self.task, settings, decided, progress, self.outcome)

    def describe_observation(self) -> ObservationTable:
        """Say what the elements of observations mean.

        Returns:
            A row per element; printed, a table.
        """
        return describe_elements(self.task.space, self.feature_names)

    def _spend(self, entry: LayerEntry) -> float:
        """Return the accuracy spent once a layer has a setting."""
        if not self.dynamics.has_table:
            return self.dynamics.drop(np.array(self._settings))
        return self._spent + entry.spent_beyond_plain

    def _decode(self, layer: int, action: Action) -> list[int]:
        """Turn an action into a setting, or say what is wrong with it."""
        setting = action_setting(self.dynamics.space, layer, action, self.discrete)
        if setting is None:
            raise ActionError(f"Expected an action in {self.action_space}, got {action!r}.")
        return setting

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
        return self._shown.pick(observation)
