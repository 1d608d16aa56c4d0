"""Environments that play another task in every episode."""

from abc import abstractmethod
from typing import Any, ClassVar, Generic, TypeVar, get_args

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.envs.forms.action import Discrete, check_discrete
from lrmp.envs.forms.design_observation import DesignObservation
from lrmp.envs.forms.layerwise import Action, LayerwiseEnv
from lrmp.envs.forms.layerwise_view import FLAGS, LayerwiseObservation
from lrmp.envs.forms.one_shot import OneShotEnv
from lrmp.envs.forms.task_spec import OwnSpec
from lrmp.envs.procedural.family import Family, Instance, Remembered
from lrmp.envs.procedural.generator import Draws
from lrmp.envs.procedural.most_layers import MAX_LAYERS
from lrmp.envs.procedural.padded_graph import PaddedGraphView, check_edges
from lrmp.envs.procedural.slots import MOST_KNOBS, Slots
from lrmp.envs.procedural.value_features import VALUE_FEATURES, describe_value_features
from lrmp.envs.rendering.episode_frame import MOST_WIDTH
from lrmp.envs.rendering.episode_renderer import RENDER_MODES, EpisodeRenderer
from lrmp.envs.rendering.episode_view import EpisodeView
from lrmp.envs.rendering.shown_episode import ShownEpisode
from lrmp.envs.scoring.design_info import fresh
from lrmp.envs.scoring.observation import TOTALS, check_observation, running_features
from lrmp.envs.scoring.observation_table import ObservationTable, describe_elements
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import Reward, find_reward
from lrmp.envs.task.task import Task
from lrmp.errors import ActionError, TaskError
from lrmp.solvers.replication.oracle import SolverName, check_solver

Observation = dict[str, NDArray[Any] | np.int64]
Mask = TypeVar("Mask", np.bool_, np.int8)
Inner = TypeVar("Inner", LayerwiseEnv, OneShotEnv)


# A property stands for Gymnasium's attribute `spec`.
class _ProceduralBase(  # pyright: ignore
    ShownEpisode, OwnSpec, gym.Env[Observation, Action], Generic[Inner]
):
    """What both forms share: which task an episode plays, and how its layers are shown."""

    metadata = {"render_modes": [*RENDER_MODES], "render_fps": 4}  # noqa: RUF012  Gymnasium's way

    #: Whether spaces are drawn, too.
    draws: ClassVar[Draws] = "precision"

    def __init__(
        self,
        *,
        observation: LayerwiseObservation | DesignObservation,
        flags: tuple[str, ...] = (),
        layers: int | None = None,
        discrete: Discrete = False,
        reward: Reward = "lrmp",
        solver: SolverName = "exact",
        render_mode: str | None = None,
        **family: Any,
    ) -> None:
        self.render_mode, self._renderer = render_mode, renderer(render_mode, self.draws)
        #: What episodes play.
        self.family = Family(draws=self.draws, **family)
        self.space, self.features = self.family.space, self.family.features
        reward = find_reward(reward)
        check_solver(solver)
        self.observation = observation
        self.graph: PaddedGraphView | None = None
        if observation == "graph":
            for task in self.family.tasks or ():
                check_edges(task.network)
            self.graph = PaddedGraphView(self.space, self.family.describe(), MAX_LAYERS, flags)
        self.discrete: Discrete = check_discrete(discrete)
        self._slots = Slots(self.space, self.discrete, layers)
        self.action_space = self._slots.action_space
        self._settings: dict[str, Any] = {"discrete": discrete, "reward": reward, "solver": solver}
        self._remembered: Remembered[tuple[Inner, Instance]] = Remembered(self._prepare)
        self._inner: Inner | None = None
        self._decided = 0

    @property
    def outcome(self) -> Outcome | None:
        """The finished design; None until there is one."""
        return None if self._inner is None else self._inner.outcome

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
            The first observation and its info.

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
            number = self.family.draw(self.np_random)
        self._inner, self._instance = self._remembered[self.family.check(number)]
        seen, info = self._inner.reset()
        self._decided = 0
        return self._observe(seen), self._padded(info)

    def action_masks(self) -> NDArray[np.bool_]:
        """Say which actions are possible now, as sb3-contrib's MaskablePPO asks.

        Returns:
            As ``info["action_mask"]``.

        Raises:
            gymnasium.error.ResetNeeded: If no episode has begun.
        """
        return self._pad_mask(self._playing().action_masks())

    def view(self) -> EpisodeView:
        """Say how the episode stands, for text and pictures.

        Returns:
            The view.

        Raises:
            gymnasium.error.ResetNeeded: If no episode has begun.
        """
        return self._playing().view()

    def describe_observation(self) -> dict[str, ObservationTable]:
        """Say what the elements of observations mean.

        Returns:
            For every key with numbers in 0..1 a row per feature; printed, a table.
        """
        shown = {"layers": self.family.describe()}
        if self.graph is not None:
            shown = self.graph.describe()
        if self.family.has_own_spaces:
            shown["values"] = describe_value_features()
        return shown

    def _padded(self, info: dict[str, Any]) -> dict[str, Any]:
        """Give what the inner info says of layers the same shape for every network."""
        for key, value in info.items():
            if key == "action_mask":
                info[key] = self._pad_mask(value)
            elif np.ndim(value):
                info[key] = padded(value)
        info = self._slots.info(info, self._instance.task.space)
        return fresh(info | self._instance.facts)

    def _prepare(self, number: int) -> tuple[Inner, Instance]:
        instance = self.family.instance(number)
        return self._make(instance.task), instance

    def _playing(self) -> Inner:
        if self._inner is None:
            raise gym.error.ResetNeeded("Expected reset() first: no episode has begun.")
        return self._inner

    def _choice_spaces(self, layers: tuple[int, ...]) -> dict[str, spaces.Space[Any]]:
        """Return the spaces of what is shown of values, where tasks have knobs of their own."""
        if not self.family.has_own_spaces:
            return {}
        shape: tuple[int, ...] = (*layers, len(self.space), self.space.sizes[0])
        return {
            "values": spaces.Box(0.0, 1.0, (*shape, len(VALUE_FEATURES)), np.float32),
            "value_mask": spaces.MultiBinary(shape),
        }

    @abstractmethod
    def _pad_mask(self, mask: NDArray[Mask]) -> NDArray[Mask]:
        """Give the inner environment's mask the shape of this one's actions."""

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
    That of `LayerwiseEnv`: `Box(-1, 1, (2,), float32)`; `MultiDiscrete([7, 7])` with
    `discrete=True`; `Discrete(49)` with `discrete="flat"`.

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

    With `observation="prefix"` there is a key more, with all that was decided so far:

    | Key | Space | Meaning |
    | --- | --- | --- |
    | settings | `Box(0, 1, (128, 2), float32)` | of every layer; 0 behind the last |

    With `observation="graph"` there are these instead, for policies over graphs:

    | Key | Space | Meaning |
    | --- | --- | --- |
    | layers | `Box(0, 1, (128, 18), float32)` | the nodes: features and more of every layer |
    | mask | `MultiBinary(128)` | which rows are layers |
    | edges | `Box(0, 127, (1024, 2), int64)` | source and target: whose outputs are read by whom |
    | edge_mask | `MultiBinary(1024)` | which rows are edges |
    | totals | `Box(0, 1, (4,), float32)` | features 14 to 17 of `LayerwiseEnv` |

    Behind its features a layer has its setting so far, `decided` and `to_decide`, as in
    `LayerwiseEnv`'s graph. Drawn networks are chains; tasks of yours have their own edges.

    ## Rewards
    Those of `LayerwiseEnv`, with `dense=True` too.

    ## Starting State
    The first layer of a network drawn by `np_random`: `reset(seed=...)` decides this task and the
    following ones.

    ## Episode End
    1. Termination: the last layer is decided. Episodes have as many steps as the network layers.

    ## Info
    As `LayerwiseEnv`; what it says of every layer has shape (128,), 0 behind the last. And of the
    task, in every info:

    | Key | Type | Meaning |
    | --- | --- | --- |
    | instance | int64 | its number, which `reset(options={"instance": n})` plays again |
    | num_layers | int64 | L |
    | optimum_known | bool | whether the following is known; it is 0 where not |
    | optimum | float64 | score of the best design within the allowed drop |
    | optimum_bound | float64 | no design within the allowed drop has a higher score, proven |
    | has_constant | bool | whether one setting for all layers is within the allowed drop |
    | best_constant | float64 | score of the best such setting; 0 where there is none |

    `(score - best_constant) / (optimum - best_constant)` is 0 for the best constant and 1 for the
    optimum. Known are the optima of the first 1,000 test instances, which ship with lrmp, and of
    registered tasks. `optima="solved"` solves the others when they are drawn, once in a process:
    mostly 0.1 to 3 s each, of the energy-delay product up to minutes; so with few `instances`.

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `split` | `str` | `"train"` | `"train"` or `"test"` instances |
    | `instances` | `int` or `None` | `None` | how many there are; None for all 2**31 |
    | `tasks` | sequence or `None` | `None` | play these instead, ids or tasks with a table |
    | `objective` | `str` | `"latency"` | or `"throughput"`, `"energy"`, `"edp"`, of drawn tasks |
    | `optima` | `str` | `"known"` | `"solved"` to solve tasks whose optimum does not ship |
    | `discrete` | `bool` or `"flat"` | `False` | actions as places of values, or of settings |
    | `dense` | `bool` | `False` | a reward at every step, of the same sum |
    | `observation` | `str` | `"layer"` | `"layer"`, `"prefix"` or `"graph"`: how much is seen |
    | `features` | sequence or `None` | `None` | of layers, in order; None for the 14 |
    | `reward` | `str` or function | `"lrmp"` | the name of a formula, or your own |
    | `solver` | `str` | `"exact"` | the oracle's solver: `"exact"`, or `"ilp"` for CP-SAT |
    | `render_mode` | `str` or `None` | `None` | `"ansi"` (text) or `"rgb_array"` |

    >>> import gymnasium as gym
    >>> env = gym.make("lrmp:LRMP-Procedural-v0", split="test")
    >>> observation, info = env.reset(seed=0)
    >>> len(env.unwrapped.task.network) == int(observation["mask"].sum())
    True

    ## Vectorized environment
    `gym.make_vec(id, num_envs)` plays them side by side exactly as scalar ones, every episode with
    a network of its own and its own end; `autoreset_mode="SameStep"` chooses how they reset.
    `reset(seed=s)` seeds them s, s + 1 and so on, or give a list; `options={"instance": numbers}`
    plays an instance in each. Instances are prepared once for all episodes and the last ones
    remembered, so that with `instances=256` or fewer a step is several times as fast as with
    Gymnasium's `SyncVectorEnv`; drawing a new network costs more than playing it.
    `env.unwrapped.outcomes` has the finished designs.

    ## Registered Configurations
    `LRMP-Procedural-v0`, and `LRMP-Procedural-OneShot-v0` for `ProceduralOneShotEnv`.

    ## Version History
    - v0: first release.
    """

    def __init__(
        self, *, dense: bool = False, observation: LayerwiseObservation = "layer", **settings: Any
    ) -> None:
        check_observation(observation, get_args(LayerwiseObservation))
        super().__init__(observation=observation, flags=FLAGS, **settings)
        self._settings["dense"] = dense
        self._settings["observation"] = "layer" if observation == "layer" else "prefix"
        self.longest_episode = MAX_LAYERS
        self._running = len(running_features(self.space))
        shown: dict[str, spaces.Space[Any]]
        if self.graph is not None:
            shown = self.graph.spaces
        else:
            shown = {
                **_layer_spaces(self.family),
                "layer": spaces.Discrete(MAX_LAYERS),
                "current": spaces.Box(0.0, 1.0, (len(self.features),), np.float32),
                "running": spaces.Box(0.0, 1.0, (self._running,), np.float32),
            }
            if observation == "prefix":
                room = (MAX_LAYERS, len(self.space))
                shown["settings"] = spaces.Box(0.0, 1.0, room, np.float32)
        shown |= self._choice_spaces(() if self.graph is None else (MAX_LAYERS,))
        self.observation_space = spaces.Dict(shown)  # type: ignore[assignment]  # a dict it is

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
        inner = self._playing()
        own = self._slots.action(action, inner.task.space)
        seen, reward, terminated, truncated, info = inner.step(own)
        self._decided += 1
        return self._observe(seen), reward, terminated, truncated, self._padded(info)

    def describe_observation(self) -> dict[str, ObservationTable]:
        """Say what the elements of observations mean.

        Returns:
            For every key with numbers in 0..1 a row per feature; printed, a table.
        """
        found = super().describe_observation()
        if self.graph is not None:
            return found
        if self.observation == "prefix":
            found["settings"] = describe_elements(self.space, self.space.names)
        running = describe_elements(self.space, running_features(self.space))
        return {**found, "current": found["layers"], "running": running}

    def _pad_mask(self, mask: NDArray[Mask]) -> NDArray[Mask]:
        return self._slots.mask(mask, self.task.space)

    def _make(self, task: Task) -> LayerwiseEnv:
        return LayerwiseEnv(task, **self._settings)

    def _observe(self, seen: NDArray[np.float32]) -> Observation:
        network, knobs = self.task.network, len(self.task.space)
        count = len(network)
        settings = np.zeros((count, knobs), np.float32)
        choices = self._instance.choices
        if self.observation != "layer":
            # Behind the running features: the settings of all layers, and the steps left.
            settings = seen[-1 - count * knobs : -1].reshape(count, knobs)
            seen = seen[: -1 - count * knobs]
        settings = self._slots.features(settings)
        if self.graph is not None:
            every = np.arange(count)
            flags = (every < self._decided, every == self._decided)
            totals = seen[-len(TOTALS) :]
            shown = self.graph.show(network, self._instance.layers, settings, totals, flags)
            return {**shown, **fresh(choices)}
        layer = min(self._decided, count - 1)
        observation: Observation = {
            "layers": self._instance.layers.copy(),
            "mask": self._instance.mask.copy(),
            "layer": np.int64(layer),  # as Discrete has it
            "current": self._instance.layers[layer].copy(),
            "running": self._running_features(seen, knobs),
            **{key: values[layer].copy() for key, values in choices.items()},
        }
        if self.observation == "prefix":
            padded = np.zeros((MAX_LAYERS, len(self.space)), np.float32)
            padded[:count] = settings
            observation["settings"] = padded
        return observation

    def _running_features(self, seen: NDArray[np.float32], knobs: int) -> NDArray[np.float32]:
        totals = seen[-len(TOTALS) :]
        setting = self._slots.features(seen[-len(TOTALS) - knobs : -len(TOTALS)])
        return np.concatenate([setting, totals])


class ProceduralOneShotEnv(_ProceduralBase[OneShotEnv]):
    """Choose all settings in one action, for another network and chip in every episode.

    ## Description
    As `ProceduralEnv`, all layers at once: a contextual bandit whose context is a set of layers.

    ## Action Space
    That of `OneShotEnv` for 128 layers, `Box(-1, 1, (256,), float32)` for bits; what stands behind
    the last layer is not looked at. With `discrete=True`, `MultiDiscrete([7] * 256)`; with
    `discrete="flat"`, `MultiDiscrete([49] * 128)`.

    ## Observation Space
    A `Dict`: `layers` and `mask` as in `ProceduralEnv`, and `totals`, `Box(0, 1, (4,), float32)`,
    the last four features of `OneShotEnv`: before the step of the plain design, after it of the
    chosen one. With `observation="graph"`, the keys that `ProceduralEnv` has then, but layers
    without the flags `decided` and `to_decide`.

    ## Rewards
    That of the design, as in `OneShotEnv`.

    ## Starting State
    A network drawn by `np_random`, as in `ProceduralEnv`.

    ## Episode End
    1. Termination: always, after the one step.

    ## Info
    As `OneShotEnv`, but what it says of every layer has shape (128,), 0 behind the last; and the
    keys that `ProceduralEnv` has beside: the instance, its optimum and its best constant.

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `split` | `str` | `"train"` | `"train"` or `"test"` instances |
    | `instances` | `int` or `None` | `None` | how many there are; None for all 2**31 |
    | `tasks` | sequence or `None` | `None` | play these instead, ids or tasks with a table |
    | `objective` | `str` | `"latency"` | or `"throughput"`, `"energy"`, `"edp"`, of drawn tasks |
    | `optima` | `str` | `"known"` | `"solved"` to solve tasks whose optimum does not ship |
    | `discrete` | `bool` or `"flat"` | `False` | actions as places of values, or of settings |
    | `observation` | `str` | `"design"` | `"design"`, or `"graph"` with settings and edges |
    | `features` | sequence or `None` | `None` | of layers, in order; None for the 14 |
    | `reward` | `str` or function | `"lrmp"` | the name of a formula, or your own |
    | `solver` | `str` | `"exact"` | the oracle's solver: `"exact"`, or `"ilp"` for CP-SAT |
    | `render_mode` | `str` or `None` | `None` | `"ansi"` (text) or `"rgb_array"` |

    >>> import gymnasium as gym
    >>> env = gym.make("lrmp:LRMP-Procedural-OneShot-v0", tasks=("LRMP-ResNet18-v0",))
    >>> observation, info = env.reset(seed=0)
    >>> *_, info = env.step(env.action_space.sample() * 0 + 0.3)  # 6 bits
    >>> round(float(info["gain"]), 3)
    4.136

    ## Vectorized environment
    As `ProceduralEnv`.

    ## Registered Configurations
    `LRMP-Procedural-OneShot-v0`.

    ## Version History
    - v0: first release.
    """

    def __init__(self, *, observation: DesignObservation = "design", **settings: Any) -> None:
        check_observation(observation, get_args(DesignObservation))
        super().__init__(observation=observation, layers=MAX_LAYERS, **settings)
        self.longest_episode = 1
        shown: dict[str, spaces.Space[Any]]
        if self.graph is not None:
            shown = self.graph.spaces
        else:
            totals = spaces.Box(0.0, 1.0, (len(TOTALS),), np.float32)
            shown = {**_layer_spaces(self.family), "totals": totals}
        shown |= self._choice_spaces((MAX_LAYERS,))
        self.observation_space = spaces.Dict(shown)  # type: ignore[assignment]  # a dict it is

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
        shape = self.action_space.shape
        if values.shape != shape:
            raise ActionError(f"Expected an action of shape {shape}, got {values.shape}.")
        used = len(values) * len(inner.task.network) // MAX_LAYERS
        own = self._slots.action(values, inner.task.space, used)
        seen, reward, terminated, truncated, info = inner.step(own)
        return self._observe(seen), reward, terminated, truncated, self._padded(info)

    def describe_observation(self) -> dict[str, ObservationTable]:
        """Say what the elements of observations mean.

        Returns:
            For every key with numbers in 0..1 a row per feature; printed, a table.
        """
        totals = describe_elements(self.space, TOTALS)
        return {**super().describe_observation(), "totals": totals}

    def _pad_mask(self, mask: NDArray[Mask]) -> NDArray[Mask]:
        task = self._playing().task
        layers = len(task.network)
        mask = self._slots.mask(mask.reshape(layers, -1), task.space).reshape(-1)
        count = len(mask) * MAX_LAYERS // layers
        padded = np.ones(count, mask.dtype)  # what is not looked at is possible
        padded[: len(mask)] = mask
        return padded

    def _make(self, task: Task) -> OneShotEnv:
        return OneShotEnv(task, **self._settings)

    def _observe(self, seen: NDArray[np.float32]) -> Observation:
        if self.graph is not None:
            settings, totals = np.split(seen, [-len(TOTALS)])
            settings = self._slots.features(settings.reshape(-1, len(self.task.space)))
            shown = self.graph.show(self.task.network, self._instance.layers, settings, totals)
            return {**shown, **fresh(self._instance.choices)}
        return {
            **fresh(self._instance.choices),
            "layers": self._instance.layers.copy(),
            "mask": self._instance.mask.copy(),
            "totals": seen[-len(TOTALS) :].copy(),
        }


def renderer(render_mode: str | None, draws: Draws) -> EpisodeRenderer:
    """Make pictures of one size: networks differ in layers, and spaces in knobs.

    Args:
        render_mode: As environments take it.
        draws: Whether tasks have spaces of their own.

    Returns:
        It has room for the largest.
    """
    return EpisodeRenderer(render_mode, MOST_WIDTH, MOST_KNOBS if draws == "spaces" else None)


def padded(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give a number per layer the shape that it has for the largest network.

    Args:
        values: Shape (L,).

    Returns:
        Shape (128,), 0 behind the last layer.
    """
    found = np.zeros(MAX_LAYERS, dtype=np.int64)
    found[: len(values)] = values
    return found


def _layer_spaces(family: Family) -> dict[str, spaces.Space[Any]]:
    return {
        "layers": spaces.Box(0.0, 1.0, (MAX_LAYERS, len(family.features)), np.float32),
        "mask": spaces.MultiBinary(MAX_LAYERS),
    }
