"""The layer-wise environment over many episodes at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.envs.forms.action import action_space, units_to_places
from lrmp.envs.forms.vector import Advance, Flags, TaskVectorEnv
from lrmp.envs.scoring.features import Feature
from lrmp.envs.scoring.observation import (
    Observation,
    knob_features,
    running_features,
    shown_features,
)
from lrmp.hardware.frozen_arrays import IntArray


class LayerwiseVectorEnv(TaskVectorEnv):
    """`LayerwiseEnv` in NumPy over episodes; its docstring says what is decided and seen.

    Args:
        num_envs: Episodes side by side.
        discrete: Actions as places of values.
        dense: A reward at every step, of the same sum.
        features: What is observed, in order; None for all.
        **settings: As `TaskVectorEnv` takes them.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        discrete: bool = False,
        dense: bool = False,
        features: Sequence[Feature] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(num_envs, **settings)
        self.discrete, self.dense = discrete, dense
        self._shown = shown_features(self.task, features, running_features(self.task.space))
        self.feature_names = self._shown.names
        self._set_spaces(
            spaces.Box(0.0, 1.0, (len(self.feature_names),), np.float32),
            action_space(self.task.space, discrete),
        )
        count = len(self.dynamics)
        knobs = len(self.task.space)
        self._settings = np.empty((num_envs, count, knobs), dtype=np.int64)
        self._previous = np.empty((num_envs, knobs), dtype=np.int64)
        self._layer_cycles = np.empty((num_envs, count), dtype=np.int64)
        self._tiles, self._cycles, self._layer = np.empty((3, num_envs), dtype=np.int64)
        self._spent, self._rewarded = np.empty((2, num_envs))

    def _begin(self, rows: Flags) -> None:
        dynamics = self.dynamics
        self._settings[rows] = dynamics.plain
        self._previous[rows] = dynamics.plain[0]
        self._layer_cycles[rows] = dynamics.start_cycles
        self._tiles[rows] = dynamics.start_tiles.sum()
        self._cycles[rows] = dynamics.start_cycles.sum()
        self._spent[rows], self._rewarded[rows] = dynamics.start_spent, 0.0
        self._layer[rows] = 0

    def _advance(self, rows: IntArray, actions: NDArray[Any]) -> Advance:
        dynamics, layer = self.dynamics, self._layer[rows]
        space = dynamics.space
        places = actions if self.discrete else units_to_places(actions, space.sizes)
        chosen = space.nearest(places.astype(np.int64), layer)
        settings = self._settings[rows]
        every = np.arange(len(rows))
        settings[every, layer] = chosen
        terminated = layer + 1 == len(dynamics)
        # What may refuse a design comes first: an error leaves the episodes as they were.
        if dynamics.has_table:
            spent = self._spent[rows] + dynamics.spent_beyond_plain(layer, chosen)
        else:
            spent = np.array([dynamics.drop(design) for design in settings])
        rewards = np.zeros(len(rows))
        infos = [(rows, space.numbers(chosen))]
        scored = every if self.dense else np.flatnonzero(terminated)
        if scored.size:
            scores = dynamics.scores(settings[scored])
            rewards[scored] = scores.reward - self._rewarded[rows[scored]]
            last = terminated[scored]
            if last.any():
                ended = scored[last]
                infos.append((rows[ended], self._final_infos(settings[ended], scores, last)))
        self._settings[rows] = settings
        self._rewarded[rows] += rewards
        self._previous[rows] = chosen
        self._spent[rows] = spent
        tiles, cycles = dynamics.amounts(layer, chosen)
        self._tiles[rows] += tiles - dynamics.start_tiles[layer]
        self._cycles[rows] += cycles - dynamics.start_cycles[layer]
        self._layer_cycles[rows, layer] = cycles
        self._layer[rows] += 1
        return rewards, terminated, infos

    def _observe(self) -> Observation:
        layer = np.minimum(self._layer, len(self.dynamics) - 1)
        described = self._shown.layers[layer]
        columns = (
            *knob_features(self.dynamics.space, self._previous).T,
            *self.dynamics.totals(
                self._tiles, self._spent, self._cycles, self._layer_cycles.max(axis=1)
            ),
        )
        running = np.stack(columns, axis=1).astype(np.float32)
        return self._shown.pick(np.concatenate([described, running], axis=1))
