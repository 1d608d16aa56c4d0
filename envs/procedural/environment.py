"""Environments that play another task in every episode."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar, get_args

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs.forms.action import action_space
from lrmp.envs.forms.layerwise import Action, LayerwiseEnv
from lrmp.envs.forms.one_shot import OneShotEnv
from lrmp.envs.procedural.features import (
    describe_transfer_features,
    transfer_feature_names,
    transfer_features,
)
from lrmp.envs.procedural.generator import INSTANCES, Split, draw_task
from lrmp.envs.rendering.episode_frame import MOST_WIDTH, Frame
from lrmp.envs.rendering.episode_renderer import RENDER_MODES, EpisodeRenderer
from lrmp.envs.scoring.features import Feature, check_features, feature_name
from lrmp.envs.scoring.observation import TOTALS, running_features
from lrmp.envs.scoring.observation_table import ObservationTable, describe_elements
from lrmp.envs.scoring.reward import Reward, check_reward
from lrmp.envs.task.custom_task import find_task
from lrmp.envs.task.task import Task
from lrmp.errors import ActionError, TaskError, unknown_name
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION
from lrmp.solvers.replication.oracle import SolverName, check_solver

MAX_LAYERS = 128  # layers that observations have room for; ResNet-101 has 105
REMEMBERED = 256  # instances that are not drawn again

Observation = dict[str, NDArray[Any] | np.int64]
Inner = TypeVar("Inner", LayerwiseEnv, OneShotEnv)


class _ProceduralBase(gym.Env[Observation, Action], ABC, Generic[Inner]):
    """What both forms share: which task an episode plays, and how its layers are shown."""

    metadata = {"render_modes": [*RENDER_MODES], "render_fps": 4}  # noqa: RUF012  Gymnasium's way

    def __init__(
        self,
        *,
        split: Split = "train",
        instances: int | None = None,
        tasks: Sequence[str | Task] | None = None,
        objective: Objective = "latency",
        discrete: bool = False,
        features: Sequence[Feature] | None = None,
        reward: Reward = "lrmp",
        solver: SolverName = "exact",
        render_mode: str | None = None,
    ) -> None:
        # Networks differ in size, pictures of one video must not.
        self.render_mode, self._renderer = render_mode, EpisodeRenderer(render_mode, MOST_WIDTH)
        if split not in get_args(Split):
            raise TaskError(unknown_name("split", split, get_args(Split)))
        if instances is not None and not 1 <= instances <= INSTANCES:
            raise TaskError(f"Expected instances of 1 to {INSTANCES}, got {instances}.")
        if objective not in get_args(Objective):
            raise TaskError(unknown_name("objective", objective, get_args(Objective)))
        check_reward(reward)
        check_solver(solver)
        self.split: Split = split
        self.objective: Objective = objective
        self.tasks = None if tasks is None else tuple(_playable(task) for task in tasks)
        self.instances = (instances or INSTANCES) if self.tasks is None else len(self.tasks)
        if not self.instances:
            raise TaskError("Expected at least one task, got none.")
        self.space = _common_space(self.tasks)
        known = transfer_feature_names(self.space)
        self.features: tuple[Feature, ...] = (
            known if features is None else check_features(features, known)
        )
        self.discrete = discrete
        self._settings: dict[str, Any] = {"discrete": discrete, "reward": reward, "solver": solver}
        self._remembered: OrderedDict[int, tuple[Inner, NDArray[np.float32]]] = OrderedDict()
        self._inner: Inner | None = None
        self._layer = 0

    @property
    def task(self) -> Task:
        """The task of the running or last episode.

        Raises:
            gymnasium.error.ResetNeeded: If no episode has begun.
        """
        return self._playing().task

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Draw a task and start it.

        Args:
            seed: Decides which instances are drawn from now on.
            options: None, or ``{"instance": n}`` for a certain one.

        Returns:
            The first observation, and an info with the ``instance``.

        Raises:
            TaskError: If there are other options, or no such instance.
        """
        super().reset(seed=seed)
        options = dict(options or {})
        number = options.pop("instance", None)
        if options:
            raise TaskError(
                f"Expected no reset option but instance, got {sorted(map(str, options))}."
            )
        if number is None:
            number = int(self.np_random.integers(self.instances))
        elif not isinstance(number, (int, np.integer)) or not 0 <= number < self.instances:
            raise TaskError(f"Expected an instance of 0 to {self.instances - 1}, got {number!r}.")
        self._inner, self._layers = self._instance(int(number))
        self._mask = (np.arange(MAX_LAYERS) < len(self._inner.task.network)).astype(np.int8)
        seen, _ = self._inner.reset()
        self._layer = 0
        return self._observe(seen), {"instance": int(number)}

    def render(self) -> str | Frame | None:
        """Show how the episode stands.

        Returns:
            Text, or pixels of shape (height, width, 3); None if ``render_mode`` is None.

        Raises:
            MissingExtraError: If pixels are asked for and matplotlib is not installed.
            gymnasium.error.ResetNeeded: If no episode has begun.
        """
        return None if self.render_mode is None else self._renderer.show(self._playing().view())

    def describe_observation(self) -> dict[str, ObservationTable]:
        """Say what the elements of observations mean.

        Returns:
            For every key with numbers in 0..1 a row per feature; printed, a table.
        """
        names = [feature_name(feature) for feature in self.features]
        return {"layers": describe_transfer_features(self.space, names)}

    def _instance(self, number: int) -> tuple[Inner, NDArray[np.float32]]:
        if number in self._remembered:
            self._remembered.move_to_end(number)
        else:
            if self.tasks is None:
                task = draw_task(self.split, number, self.objective)
            else:
                task = self.tasks[number]
            layers = np.zeros((MAX_LAYERS, len(self.features)), np.float32)
            layers[: len(task.network)] = transfer_features(task, self.features)
            self._remembered[number] = self._make(task), layers
            if len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        return self._remembered[number]

    def _layer_spaces(self) -> dict[str, spaces.Space[Any]]:
        return {
            "layers": spaces.Box(0.0, 1.0, (MAX_LAYERS, len(self.features)), np.float32),
            "mask": spaces.MultiBinary(MAX_LAYERS),
        }

    def _playing(self) -> Inner:
        if self._inner is None:
            raise gym.error.ResetNeeded("Expected reset() first: no episode has begun.")
        return self._inner

    @abstractmethod
    def _make(self, task: Task) -> Inner:
        """Build the environment that plays a task."""

    @abstractmethod
    def _observe(self, seen: NDArray[np.float32]) -> Observation:
        """Turn what that environment shows into this one's observation."""


class ProceduralEnv(_ProceduralBase[LayerwiseEnv]):
    """Choose settings layer by layer, for another network and chip in every episode.

    ## Description
    As `LayerwiseEnv`, but each reset draws a task: a network, a chip, a budget and sensitivities,
    from a seeded generator whose sensitivities are fitted to the measured networks
    (`lrmp.envs.procedural.draw_task` documents the distributions). Training and test tasks have
    different seeds and no topology in common, so that generalisation is measured, not memory. The
    plain 8-bit design loses at most the allowed point in all of them. Drawn tasks turn weight bits
    and activation bits. With `tasks` it plays tasks of yours, or registered ones, through the same
    observations: a policy trained on drawn networks can be tried on ResNet-18 as it is. Tasks of
    yours may have other knobs, all of them the same.

    ## Action Space
    That of `LayerwiseEnv`: `Box(0, 1, (2,), float32)`, or `MultiDiscrete([7, 7])` with
    `discrete=True`.

    ## Observation Space
    A `Dict`, here for bits:

    | Key | Space | Meaning |
    | --- | --- | --- |
    | layers | `Box(0, 1, (128, 14), float32)` | features of every layer; 0 behind the last |
    | mask | `MultiBinary(128)` | which rows are layers |
    | layer | `Discrete(128)` | which one is to be decided (the last one, at the end) |
    | current | `Box(0, 1, (14,), float32)` | its features |
    | running | `Box(0, 1, (6,), float32)` | features 12 to 17 of `LayerwiseEnv` |

    Features of a layer mean the same in all networks; `env.unwrapped.describe_observation()` says
    what is shown:

    | Num | Observation | Meaning | Normalisation |
    | --- | --- | --- | --- |
    | 0 | depth | index of the layer | / that of the last |
    | 1 | linear | 1 for a fully connected layer | as it is |
    | 2 | rows | inputs of the weight matrix | log2, / 20 |
    | 3 | columns | outputs of the weight matrix | log2, / 20 |
    | 4 | positions | matrix-vector products per inference | log2, / 20 |
    | 5 | cycles_share | share of the plain design's cycles | 1 + log10 / 6 |
    | 6 | tiles_share | share of the plain design's tiles | 1 + log10 / 6 |
    | 7 | least_tiles | fewest tiles of any setting | / the plain setting's |
    | 8 | least_cycles | fewest cycles of any setting | / the plain setting's |
    | 9 | weight_bits_harm_4 | harm of weight_bits 4 alone | (log10 h + 5) / 8 |
    | 10 | weight_bits_harm_2 | harm of weight_bits 2 alone | (log10 h + 5) / 8 |
    | 11 | activation_bits_harm_4 | harm of activation_bits 4 alone | (log10 h + 5) / 8 |
    | 12 | activation_bits_harm_2 | harm of activation_bits 2 alone | (log10 h + 5) / 8 |
    | 13 | spare_tiles | tiles beyond the plain design's, for all layers | / budget |

    h is what the value, in this layer alone, adds to the accuracy spent, over the allowance
    (`LayerwiseEnv`). Numbers beyond 0..1 are cut.

    `features` lists what is shown instead of these 14: names out of the table, and functions of
    your own from the `Task` to a number per layer, of 0 to 1 in every network.

    ## Rewards
    Those of `LayerwiseEnv`, with `dense=True` too.

    ## Starting State
    The first layer of a network drawn by `np_random`: `reset(seed=...)` decides this task and the
    following ones.

    ## Episode End
    1. Termination: the last layer is decided. Episodes have as many steps as the network layers.

    ## Info
    As `LayerwiseEnv`; `reset` has `instance`, the number of the task, which
    `reset(options={"instance": n})` plays again.

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `split` | `str` | `"train"` | `"train"` or `"test"` instances |
    | `instances` | `int` or `None` | `None` | how many there are; None for all 2**31 |
    | `tasks` | sequence or `None` | `None` | play these instead, ids or tasks with a table |
    | `objective` | `str` | `"latency"` | what drawn tasks minimise |
    | `discrete` | `bool` | `False` | actions as places of values |
    | `dense` | `bool` | `False` | a reward at every step, of the same sum |
    | `features` | sequence or `None` | `None` | of layers, in order; None for the 14 |
    | `reward` | `str` or function | `"lrmp"` | `"lrmp"`, `"haq"`, `"cim-aq"` or your own |
    | `solver` | `str` | `"exact"` | the oracle's solver: `"exact"`, or `"ilp"` for CP-SAT |
    | `render_mode` | `str` or `None` | `None` | `"ansi"` (text) or `"rgb_array"` |

    >>> import gymnasium as gym
    >>> env = gym.make("lrmp:LRMP-Procedural-v0", split="test")
    >>> observation, info = env.reset(seed=0)
    >>> len(env.unwrapped.task.network) == int(observation["mask"].sum())
    True

    ## Vectorized environment
    `gym.make_vec(id, num_envs)` gives Gymnasium's `SyncVectorEnv`, every episode with a network of
    its own; `vectorization_mode="async"` runs them in processes, and
    `vector_kwargs={"autoreset_mode": "SameStep"}` chooses how they reset.

    ## Registered Configurations
    `LRMP-Procedural-v0`, and `LRMP-Procedural-OneShot-v0` for `ProceduralOneShotEnv`.

    ## Version History
    - v0: first release.
    """

    def __init__(self, *, dense: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self._settings["dense"] = dense
        self._running = len(running_features(self.space))
        self.observation_space = spaces.Dict(  # type: ignore[assignment]  # a dict it is
            {
                **self._layer_spaces(),
                "layer": spaces.Discrete(MAX_LAYERS),
                "current": spaces.Box(0.0, 1.0, (len(self.features),), np.float32),
                "running": spaces.Box(0.0, 1.0, (self._running,), np.float32),
            }
        )
        self.action_space = action_space(self.space, self.discrete)

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Decide the setting of the next layer.

        Args:
            action: As for `LayerwiseEnv`.

        Returns:
            Observation, reward, terminated, truncated (always False), info.

        Raises:
            ActionError: If the action is not in the action space.
            gymnasium.error.ResetNeeded: If the episode has ended or not begun.
        """
        seen, reward, terminated, truncated, info = self._playing().step(action)
        self._layer = min(self._layer + 1, len(self.task.network) - 1)
        return self._observe(seen), reward, terminated, truncated, info

    def describe_observation(self) -> dict[str, ObservationTable]:
        """Say what the elements of observations mean.

        Returns:
            For every key with numbers in 0..1 a row per feature; printed, a table.
        """
        found = super().describe_observation()
        running = describe_elements(self.space, running_features(self.space))
        return {**found, "current": found["layers"], "running": running}

    def _make(self, task: Task) -> LayerwiseEnv:
        return LayerwiseEnv(task, **self._settings)

    def _observe(self, seen: NDArray[np.float32]) -> Observation:
        return {
            "layers": self._layers.copy(),
            "mask": self._mask.copy(),
            "layer": np.int64(self._layer),  # as Discrete has it
            "current": self._layers[self._layer].copy(),
            "running": seen[-self._running :].copy(),
        }


class ProceduralOneShotEnv(_ProceduralBase[OneShotEnv]):
    """Choose all settings in one action, for another network and chip in every episode.

    ## Description
    As `ProceduralEnv`, all layers at once: a contextual bandit whose context is a set of layers.

    ## Action Space
    That of `OneShotEnv` for 128 layers, `Box(0, 1, (256,), float32)` for bits; what stands behind
    the last layer is not looked at. With `discrete=True`, `MultiDiscrete([7] * 256)`.

    ## Observation Space
    A `Dict`: `layers` and `mask` as in `ProceduralEnv`, and `totals`, `Box(0, 1, (4,), float32)`,
    the last four features of `OneShotEnv`: before the step of the plain design, after it of the
    chosen one.

    ## Rewards
    The score of the design, as in `OneShotEnv`.

    ## Starting State
    A network drawn by `np_random`, as in `ProceduralEnv`.

    ## Episode End
    1. Termination: always, after the one step.

    ## Info
    As `OneShotEnv`, but the values of every knob (`weight_bits`, `activation_bits`) have room for
    the largest network, so that vector environments can stack them: shape (128,), 0 behind
    the last layer. `num_layers` says how many layers there are; `design` is that of the
    network. `reset` has `instance`.

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `split` | `str` | `"train"` | `"train"` or `"test"` instances |
    | `instances` | `int` or `None` | `None` | how many there are; None for all 2**31 |
    | `tasks` | sequence or `None` | `None` | play these instead, ids or tasks with a table |
    | `objective` | `str` | `"latency"` | what drawn tasks minimise |
    | `discrete` | `bool` | `False` | actions as places of values |
    | `features` | sequence or `None` | `None` | of layers, in order; None for the 14 |
    | `reward` | `str` or function | `"lrmp"` | `"lrmp"`, `"haq"`, `"cim-aq"` or your own |
    | `solver` | `str` | `"exact"` | the oracle's solver: `"exact"`, or `"ilp"` for CP-SAT |
    | `render_mode` | `str` or `None` | `None` | `"ansi"` (text) or `"rgb_array"` |

    >>> import gymnasium as gym
    >>> env = gym.make("lrmp:LRMP-Procedural-OneShot-v0", tasks=("LRMP-ResNet18-v0",))
    >>> observation, info = env.reset(seed=0)
    >>> *_, info = env.step(env.action_space.sample() * 0 + 0.7)  # 6 bits
    >>> round(info["gain"], 3)
    4.136

    ## Vectorized environment
    `gym.make_vec(id, num_envs)` gives Gymnasium's `SyncVectorEnv`, every episode with a network of
    its own; `vectorization_mode="async"` runs them in processes, and
    `vector_kwargs={"autoreset_mode": "SameStep"}` chooses how they reset.

    ## Registered Configurations
    `LRMP-Procedural-OneShot-v0`.

    ## Version History
    - v0: first release.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.observation_space = spaces.Dict(  # type: ignore[assignment]  # a dict it is
            {**self._layer_spaces(), "totals": spaces.Box(0.0, 1.0, (len(TOTALS),), np.float32)}
        )
        self.action_space = action_space(self.space, self.discrete, MAX_LAYERS)

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Choose the settings of all layers.

        Args:
            action: Shape (128 K,), as the action space says.

        Returns:
            Observation, reward, terminated (always True), truncated (always False), info.

        Raises:
            ActionError: If the action is not in the action space.
            gymnasium.error.ResetNeeded: If the episode has ended or not begun.
        """
        inner = self._playing()
        try:
            values: NDArray[Any] = np.asarray(action)
        except ValueError:  # ragged nesting
            values = np.empty(0)
        size = len(self.space) * MAX_LAYERS
        if values.shape != (size,):
            raise ActionError(f"Expected an action of shape ({size},), got {values.shape}.")
        count = len(inner.task.network)
        seen, reward, terminated, truncated, info = inner.step(values[: len(self.space) * count])
        for name in self.space.names:
            padded = np.zeros(MAX_LAYERS, dtype=np.int64)
            padded[:count] = info[name]
            info[name] = padded
        info["num_layers"] = count
        return self._observe(seen), reward, terminated, truncated, info

    def describe_observation(self) -> dict[str, ObservationTable]:
        """Say what the elements of observations mean.

        Returns:
            For every key with numbers in 0..1 a row per feature; printed, a table.
        """
        totals = describe_elements(self.space, TOTALS)
        return {**super().describe_observation(), "totals": totals}

    def _make(self, task: Task) -> OneShotEnv:
        return OneShotEnv(task, **self._settings)

    def _observe(self, seen: NDArray[np.float32]) -> Observation:
        return {
            "layers": self._layers.copy(),
            "mask": self._mask.copy(),
            "totals": seen[-len(TOTALS) :].copy(),
        }


def _common_space(tasks: tuple[Task, ...] | None) -> DesignSpace:
    """Return the space of all tasks, or of those that are drawn."""
    if tasks is None:
        return PRECISION
    space = replace(tasks[0].space, allowed=())
    for task in tasks:
        if replace(task.space, allowed=()) != space:
            raise TaskError(
                f"Expected tasks with the knobs of {tasks[0].id}, {', '.join(space.names)}; got "
                f"{task.id} with {', '.join(task.space.names)} or other values."
            )
    return space


def _playable(task: str | Task) -> Task:
    """Look a task up and check that its layers can be shown."""
    found = find_task(task)
    if not isinstance(found.accuracy, TableAccuracy):
        raise TaskError(
            f"Expected tasks whose accuracy is a table, got {found.id}. Its harms are not known."
        )
    if len(found.network) > MAX_LAYERS:
        raise TaskError(
            f"Expected networks of at most {MAX_LAYERS} layers, got {found.id} with "
            f"{len(found.network)}."
        )
    return found
