"""The environments of random tasks over many episodes at once."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from lrmp.envs.forms.action import ActionCode, Discrete
from lrmp.envs.forms.design_observation import observe_designs
from lrmp.envs.forms.vector import Advance, EpisodesVectorEnv, Flags, Seeds
from lrmp.envs.procedural.environment import (
    ProceduralEnv,
    ProceduralOneShotEnv,
    padded,
    renderer,
)
from lrmp.envs.procedural.family import REMEMBERED, Instance, Remembered
from lrmp.envs.procedural.most_layers import MAX_LAYERS
from lrmp.envs.procedural.padded_graph import PaddedGraphView
from lrmp.envs.procedural.slots import Slots
from lrmp.envs.rendering.episode_view import EpisodeView
from lrmp.envs.scoring.design_info import design_info, no_design
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.layer_lookup import LayerEntry
from lrmp.envs.scoring.observation import TOTALS, knob_features
from lrmp.envs.scoring.observation_table import ObservationTable
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.scoring.reward import Reward
from lrmp.errors import TaskError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.oracle import SolverName

Seen = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class _Board:
    """What the episodes of an instance have in common.

    Attributes:
        instance: What is played.
        dynamics: Its rules.
        masks: Which actions its layers may have, shape (L, n).
        code: What actions of its own environment mean.
        unfinished: What infos say of its designs before there is one.
    """

    instance: Instance
    dynamics: Dynamics
    masks: NDArray[np.int8]
    code: ActionCode
    unfinished: dict[str, Any]


class _ProceduralVectorBase(EpisodesVectorEnv):
    """What both forms share: what every episode plays, its layers, and infos.

    Instances are prepared once for all episodes. What an episode's network decides is looked up one
    by one, in Python's numbers as in the scalar environments; what is shown lies in arrays over the
    episodes, of which a step changes what is new and hands out a copy.
    """

    def __init__(
        self,
        num_envs: int,
        scalar: ProceduralEnv | ProceduralOneShotEnv,
        layers: int | None,
        reward: Reward,
        solver: SolverName,
        **settings: Any,
    ) -> None:
        super().__init__(num_envs, **settings)
        self._renderer = renderer(self.render_mode, scalar.draws)
        self._scalar = scalar  # never played; says what is seen and done
        self.discrete: Discrete = scalar.discrete
        self.longest_episode = scalar.longest_episode
        self.family, self.space, self.features = scalar.family, scalar.space, scalar.features
        self.observation = scalar.observation
        self._reward: Reward = reward
        self._solver: SolverName = solver
        self._layers = layers
        self._slots = Slots(self.space, self.discrete, layers)
        self._code = None
        if not self._slots.are_loose:
            self._code = ActionCode(self.space.sizes, self.discrete, layers)
        self._set_spaces(scalar.observation_space, scalar.action_space)
        self._remembered = Remembered(self._make, max(REMEMBERED, 2 * num_envs))
        self._generators: list[tuple[np.random.Generator, int] | None] = [None] * num_envs
        self._numbers: dict[int, int] = {}  # instances that the next reset asks for, by episode
        self._boards: list[_Board] = []
        self._outcomes: list[Outcome | None] = [None] * num_envs
        self._info: dict[str, NDArray[Any]] = {}
        shape = (num_envs, MAX_LAYERS)
        self._count = np.zeros(num_envs, np.int64)
        self._settings = np.zeros((*shape, len(self.space)), np.int64)
        features = len(self.features)
        self._seen: Seen = {}
        if isinstance(scalar.graph, PaddedGraphView):
            self._seen = {
                key: np.zeros((num_envs, *space.shape), space.dtype)
                for key, space in scalar.graph.spaces.items()
                if space.shape is not None
            }
        else:
            self._seen["layers"] = np.zeros((*shape, features), np.float32)
            self._seen["mask"] = np.zeros(shape, np.int8)
        if self.family.has_own_spaces:
            for key in ("values", "value_mask"):
                space = scalar.observation_space[key]  # type: ignore[index]  # a dict it is
                self._seen[key] = np.zeros((num_envs, *space.shape), space.dtype)
        # Behind the features of a layer a graph has its setting.
        self._own = slice(features, features + len(self.space))

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]  # as SyncVectorEnv
        """The seeds of the episodes' generators."""
        return tuple(self._generator(row)[1] for row in range(self.num_envs))

    @property  # type: ignore[misc]  # as SyncVectorEnv
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The episodes' generators, which draw instances."""
        return tuple(self._generator(row)[0] for row in range(self.num_envs))

    @property
    def outcomes(self) -> tuple[Outcome | None, ...]:
        """The finished design of every episode; None where there is none."""
        return tuple(self._outcomes)

    def describe_observation(self) -> dict[str, ObservationTable]:
        """Say what the elements of observations mean.

        Returns:
            For every key with numbers in 0..1 a row per feature; printed, a table.
        """
        return self._scalar.describe_observation()

    def _generator(self, row: int) -> tuple[np.random.Generator, int]:
        found = self._generators[row]
        if found is None:
            found = self._generators[row] = seeding.np_random(None)
        return found

    def _make(self, number: int) -> _Board:
        instance = self.family.instance(number)
        task = instance.task
        dynamics = Dynamics(task, self._reward, self._solver)
        layers = None if self._layers is None else len(dynamics)
        code = self._code or ActionCode(task.space.sizes, self.discrete, layers)
        masks = self._slots.mask(code.masks(task.space.masks(len(dynamics))), task.space)
        designed = self._slots.info(_padded(no_design(task)), task.space)
        unfinished = {"finished": np.array(False), **designed, **instance.facts}
        return _Board(instance, dynamics, masks, code, unfinished)

    def _design(self, row: int) -> IntArray:
        """Return the settings of an episode's layers, a view of shape (L, K)."""
        dynamics = self._boards[row].dynamics
        return self._settings[row, : len(dynamics), : len(dynamics.space)]

    def _places(self, rows: IntArray, actions: NDArray[Any]) -> list[IntArray]:
        """Turn actions into places of values, or settings of layers, for every episode."""
        if self._code is not None:
            return list(self._code.places(actions))
        found = []
        for row, action in zip(rows.tolist(), actions, strict=True):
            code, dynamics = self._boards[row].code, self._boards[row].dynamics
            chosen: NDArray[Any] = np.asarray(action)
            if self._layers is not None:
                chosen = chosen[: len(chosen) * len(dynamics) // self._layers]
            found.append(code.places(self._slots.own_actions(chosen, dynamics.space)))
        return found

    def _prepare(self, rows: Flags, seed: Seeds, options: dict[str, Any]) -> None:
        wanted = options.pop("instance", None)
        if options:
            raise TaskError(
                "Expected no reset option but reset_mask and instance, got "
                f"{sorted(map(str, options))}."
            )
        numbers: list[Any] = [wanted] * self.num_envs
        if isinstance(wanted, np.ndarray | list | tuple):
            if len(wanted) != self.num_envs:
                raise TaskError(
                    f"Expected an instance or {self.num_envs} instances, one per episode; got "
                    f"{len(wanted)}."
                )
            numbers = list(wanted)
        started = np.flatnonzero(rows).tolist()
        if wanted is not None:
            self._numbers = {row: self.family.check(numbers[row]) for row in started}
        if seed is not None:
            seeds = seed if isinstance(seed, list | tuple) else range(seed, seed + self.num_envs)
            fresh = {
                row: seeding.np_random(seeds[row]) for row in started if seeds[row] is not None
            }
            for row, generator in fresh.items():
                self._generators[row] = generator

    def _begin(self, rows: Flags) -> None:
        numbers, self._numbers = self._numbers, {}
        found = {}
        for row in np.flatnonzero(rows).tolist():
            number = numbers.get(row)
            if number is None:
                number = self.family.draw(self._generator(row)[0])
            found[row] = self._remembered[number]
        if rows.all():
            self._boards = list(found.values())
        for row, board in found.items():
            self._boards[row] = board
            self._outcomes[row] = None
            self._count[row] = len(board.dynamics)
            self._settings[row] = 0
            self._design(row)[:] = board.dynamics.plain
            seen, instance = self._seen, board.instance
            if self._scalar.graph is None:
                seen["layers"][row], seen["mask"][row] = instance.layers, instance.mask
            else:
                self._begin_graph(row, board)
            for key, values in instance.choices.items():
                seen[key][row] = values if seen[key].ndim == values.ndim + 1 else values[0]
            self._say(row, board.unfinished)
            self._begin_episode(row, board)

    def _begin_graph(self, row: int, board: _Board) -> None:
        assert self._scalar.graph is not None
        scaled = knob_features(board.dynamics.space, board.dynamics.plain)
        every = np.arange(len(board.dynamics))
        flags = (every < 0, every == 0)[: self._seen["layers"].shape[-1] - self._own.stop]
        shown = self._scalar.graph.show(
            board.instance.task.network,
            board.instance.layers,
            self._slots.features(scaled.astype(np.float32)),
            np.zeros(len(TOTALS), np.float32),
            flags,
        )
        for key, values in shown.items():
            self._seen[key][row] = values

    def _observe(self) -> Any:
        return {key: values.copy() for key, values in self._seen.items()}

    def _begin_infos(self) -> dict[str, NDArray[Any]]:
        return self._info

    def _say(self, row: int, info: dict[str, Any]) -> None:
        """Note what the info of an episode says from now on."""
        for key, value in info.items():
            if key not in self._info:
                shape = (self.num_envs, *np.shape(value))
                self._info[key] = np.zeros(shape, np.asarray(value).dtype)
            self._info[key][row] = value

    def _say_design(self, row: int, outcome: Outcome) -> None:
        """Note a finished design."""
        self._outcomes[row] = outcome
        info = self._slots.info(_padded(design_info(outcome)), outcome.task.space)
        self._say(row, {"finished": True, **info})

    def action_masks(self) -> NDArray[np.bool_]:
        """Say which actions are possible now.

        Returns:
            As ``info["action_mask"]``, shape (num_envs, n).

        Raises:
            gymnasium.error.ResetNeeded: If no episode has begun.
        """
        if self._ended is None:
            raise gym.error.ResetNeeded("Expected reset() first: no episode has begun.")
        masks: NDArray[np.bool_] = self._info["action_mask"].astype(bool)
        return masks

    @abstractmethod
    def _begin_episode(self, row: int, board: _Board) -> None:
        """Put what else an episode has at its start."""


class ProceduralVectorEnv(_ProceduralVectorBase):
    """Play many episodes of `ProceduralEnv` side by side, by the rules described there.

    Args:
        num_envs: Episodes side by side, each with a network of its own.
        dense: A reward at every step, of the same sum.
        reward: What scores a design.
        solver: Which solver places the copies.
        autoreset_mode: As `EpisodesVectorEnv` takes it.
        max_episode_steps: As `EpisodesVectorEnv` takes it.
        render_mode: ``"ansi"`` (text) or ``"rgb_array"``, of every episode; or None.
        **settings: As `ProceduralEnv` takes them.
    """

    #: What one episode is.
    scalar: ClassVar[type[ProceduralEnv]] = ProceduralEnv

    def __init__(
        self,
        num_envs: int = 1,
        *,
        dense: bool = False,
        reward: Reward = "lrmp",
        solver: SolverName = "exact",
        autoreset_mode: Any = "NextStep",
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        scalar = self.scalar(dense=dense, reward=reward, solver=solver, **settings)
        super().__init__(
            num_envs,
            scalar,
            None,
            reward,
            solver,
            autoreset_mode=autoreset_mode,
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )
        self.dense = dense
        self._missing = (0.0,) * len(self.space)
        self._layer, self._tiles, self._cycles = np.zeros((3, num_envs), np.int64).tolist()
        self._spent, self._rewarded = np.zeros((2, num_envs)).tolist()
        self._layer_cycles: list[list[int]] = [[]] * num_envs
        if scalar.graph is None:
            self._seen["layer"] = np.zeros(num_envs, np.int64)
            self._seen["current"] = np.zeros((num_envs, len(self.features)), np.float32)
            self._seen["running"] = np.zeros((num_envs, len(self.space) + len(TOTALS)), np.float32)
        if self.observation == "prefix":
            self._seen["settings"] = np.zeros(self._settings.shape, np.float32)

    def _begin_episode(self, row: int, board: _Board) -> None:
        dynamics = board.dynamics
        self._layer[row], self._rewarded[row] = 0, 0.0
        self._tiles[row] = int(dynamics.start_tiles.sum())
        self._cycles[row] = int(dynamics.start_cycles.sum())
        self._layer_cycles[row] = dynamics.start_cycles.tolist()
        self._spent[row] = dynamics.start_spent
        if "settings" in self._seen:
            self._seen["settings"][row] = 0
            scaled = knob_features(dynamics.space, dynamics.plain)
            self._seen["settings"][row, : len(dynamics), : len(dynamics.space)] = scaled
        self._show(row, -1, dynamics.lookup(0, dynamics.plain[0].tolist()))

    def _show(self, row: int, decided: int, entry: LayerEntry) -> None:
        """Show an episode whose layers up to one are decided."""
        board, seen = self._boards[row], self._seen
        layer = min(decided + 1, len(board.dynamics) - 1)
        setting = entry.features + self._missing[len(entry.features) :]
        totals = board.dynamics.totals(
            self._tiles[row], self._spent[row], self._cycles[row], max(self._layer_cycles[row])
        )
        if self._scalar.graph is None:
            seen["layer"][row] = layer
            seen["current"][row] = board.instance.layers[layer]
            seen["running"][row] = (*setting, *totals)
            for key, values in board.instance.choices.items():
                seen[key][row] = values[layer]
            if "settings" in seen and decided >= 0:
                seen["settings"][row, decided] = setting
        else:
            seen["totals"][row] = totals
            if decided >= 0:
                nodes, flags = seen["layers"][row], self._own.stop
                nodes[decided, self._own] = setting
                nodes[decided, flags:] = (1, 0)
                if layer > decided:
                    nodes[layer, flags + 1] = 1
        numbers = self._slots.info(entry.numbers, board.dynamics.space)
        self._say(row, {"layer": decided, "action_mask": board.masks[layer]} | numbers)

    def _advance(self, rows: IntArray, actions: NDArray[Any]) -> Advance:
        places = self._places(rows, actions)
        # What may refuse a design comes first: an error leaves the episodes as they were.
        steps = [self._decide(*step) for step in zip(rows.tolist(), places, strict=True)]
        rewards, terminated = np.zeros(len(rows)), np.zeros(len(rows), bool)
        for place, (row, (entry, settings, outcome)) in enumerate(
            zip(rows.tolist(), steps, strict=True)
        ):
            board, layer = self._boards[row], self._layer[row]
            self._design(row)[:] = settings
            self._spent[row] += entry.spent_beyond_plain
            self._tiles[row] += entry.tiles - int(board.dynamics.start_tiles[layer])
            self._cycles[row] += entry.cycles - int(board.dynamics.start_cycles[layer])
            self._layer_cycles[row][layer] = entry.cycles
            self._layer[row] = layer + 1
            self._show(row, layer, entry)
            if outcome is not None:
                rewards[place] = outcome.reward(self._reward) - self._rewarded[row]
                self._rewarded[row] += rewards[place]
            if layer + 1 == len(settings):
                assert outcome is not None
                terminated[place] = True
                self._say_design(row, outcome)
        return rewards, terminated, [(rows, {k: values[rows] for k, values in self._info.items()})]

    def _decide(self, row: int, places: IntArray) -> tuple[LayerEntry, IntArray, Outcome | None]:
        """Say what a setting of the next layer makes of an episode."""
        dynamics, layer = self._boards[row].dynamics, self._layer[row]
        settings = self._design(row).copy()
        settings[layer] = dynamics.space.nearest(places, np.array(layer))
        entry = dynamics.lookup(layer, settings[layer].tolist())
        outcome = None
        if self.dense or layer + 1 == len(dynamics):
            outcome = dynamics.outcome(settings)
        return entry, settings, outcome

    def _episode_view(self, row: int) -> EpisodeView:
        board, decided = self._boards[row], self._layer[row]
        progress = f"{decided} of {len(board.dynamics)} layers decided"
        settings = self._design(row)
        return EpisodeView(board.instance.task, settings, decided, progress, self._outcomes[row])


class ProceduralOneShotVectorEnv(_ProceduralVectorBase):
    """Play many episodes of `ProceduralOneShotEnv` side by side, by the rules described there.

    Args:
        num_envs: Episodes side by side, each with a network of its own.
        reward: What scores a design.
        solver: Which solver places the copies.
        autoreset_mode: As `EpisodesVectorEnv` takes it.
        max_episode_steps: As `EpisodesVectorEnv` takes it.
        render_mode: ``"ansi"`` (text) or ``"rgb_array"``, of every episode; or None.
        **settings: As `ProceduralOneShotEnv` takes them.
    """

    #: What one episode is.
    scalar: ClassVar[type[ProceduralOneShotEnv]] = ProceduralOneShotEnv

    def __init__(
        self,
        num_envs: int = 1,
        *,
        reward: Reward = "lrmp",
        solver: SolverName = "exact",
        autoreset_mode: Any = "NextStep",
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        scalar = self.scalar(reward=reward, solver=solver, **settings)
        super().__init__(
            num_envs,
            scalar,
            MAX_LAYERS,
            reward,
            solver,
            autoreset_mode=autoreset_mode,
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )
        if scalar.graph is None:
            self._seen["totals"] = np.zeros((num_envs, len(TOTALS)), np.float32)

    def _begin_episode(self, row: int, board: _Board) -> None:
        masks = np.ones(MAX_LAYERS * board.masks.shape[1], np.int8)  # what is not looked at, too
        masks[: board.masks.size] = board.masks.reshape(-1)
        self._say(row, {"action_mask": masks})
        self._show(row)

    def _show(self, row: int) -> None:
        """Show the design of an episode."""
        dynamics, settings = self._boards[row].dynamics, self._design(row)
        described = observe_designs(dynamics, settings[None])[0]
        self._seen["totals"][row] = described[-len(TOTALS) :]
        if self._scalar.graph is not None:
            scaled = described[: -len(TOTALS)].reshape(settings.shape)
            self._seen["layers"][row, : len(settings), self._own] = self._slots.features(scaled)
        numbers = _padded(dynamics.space.numbers(settings))
        self._say(row, self._slots.info(numbers, dynamics.space))

    def _checked(self, actions: Any, rows: IntArray) -> NDArray[Any]:
        """Refuse wrong actions, whatever stands behind the last layers."""
        try:
            values: NDArray[Any] = np.asarray(actions)
        except ValueError:  # ragged nesting
            return super()._checked(actions, rows)
        if values.shape != self.action_space.shape:
            return super()._checked(values, rows)
        used = np.arange(values.shape[1]) * MAX_LAYERS < self._count[:, None] * values.shape[1]
        return super()._checked(np.where(used, values, values.dtype.type(0)), rows)

    def _advance(self, rows: IntArray, actions: NDArray[Any]) -> Advance:
        places = self._places(rows, actions)
        designs = []
        # What may refuse a design comes first: an error leaves the episodes as they were.
        for row, chosen in zip(rows.tolist(), places, strict=True):
            dynamics = self._boards[row].dynamics
            settings = dynamics.space.nearest(chosen[: len(dynamics)])
            outcome = dynamics.outcome(settings)
            designs.append((settings, outcome, outcome.reward(self._reward)))
        for row, (settings, outcome, _) in zip(rows.tolist(), designs, strict=True):
            self._design(row)[:] = settings
            self._show(row)
            self._say_design(row, outcome)
        rewards = np.array([reward for *_, reward in designs])
        infos = {key: values[rows] for key, values in self._info.items()}
        return rewards, np.ones(len(rows), bool), [(rows, infos)]

    def _episode_view(self, row: int) -> EpisodeView:
        board, outcome = self._boards[row], self._outcomes[row]
        layers = len(board.dynamics)
        decided, progress = (0, "to choose") if outcome is None else (layers, "chosen")
        settings = self._design(row)
        return EpisodeView(board.instance.task, settings, decided, progress, outcome)


def _padded(info: dict[str, Any]) -> dict[str, Any]:
    """Give what an info says of layers the same shape for every network."""
    return {key: padded(value) if np.ndim(value) else value for key, value in info.items()}
