"""The layer-wise environment over many episodes at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.envs.forms.action import layer_action_space, units_to_bits
from lrmp.envs.forms.vector import Advance, Flags, TaskVectorEnv
from lrmp.envs.scoring.features import Feature
from lrmp.envs.scoring.observation import (
    RUNNING_FEATURES,
    Observation,
    bit_feature,
    shown_features,
)
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import MAX_BITS, MIN_BITS


class LayerwiseVectorEnv(TaskVectorEnv):
    """`LayerwiseEnv` in NumPy over episodes; its docstring says what is decided and seen.

    Args:
        num_envs: Episodes side by side.
        discrete: Actions as bit indices.
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
        self._shown = shown_features(self.task, features, RUNNING_FEATURES)
        self.feature_names = self._shown.names
        self._set_spaces(
            spaces.Box(0.0, 1.0, (len(self.feature_names),), np.float32),
            layer_action_space(discrete),
        )
        count = len(self.dynamics)
        self._bits = np.empty((2, num_envs, count), dtype=np.int64)
        self._previous = np.empty((2, num_envs), dtype=np.int64)
        self._layer_cycles = np.empty((num_envs, count), dtype=np.int64)
        self._tiles, self._cycles, self._layer = np.empty((3, num_envs), dtype=np.int64)
        self._spent, self._rewarded = np.empty((2, num_envs))

    def _begin(self, rows: Flags) -> None:
        dynamics = self.dynamics
        self._bits[:, rows] = MAX_BITS
        self._previous[:, rows] = MAX_BITS
        self._layer_cycles[rows] = dynamics.cycles[:, -1]
        self._tiles[rows], self._cycles[rows] = dynamics.start_tiles, dynamics.start_cycles
        self._spent[rows], self._rewarded[rows] = dynamics.start_spent, 0.0
        self._layer[rows] = 0

    def _advance(self, rows: IntArray, actions: NDArray[Any]) -> Advance:
        dynamics, layer = self.dynamics, self._layer[rows]
        chosen = MIN_BITS + actions if self.discrete else units_to_bits(actions)
        weight_bits, activation_bits = chosen.T.astype(np.int64)
        w, a = weight_bits - MIN_BITS, activation_bits - MIN_BITS
        bits = self._bits[:, rows]
        every = np.arange(len(rows))
        bits[0, every, layer], bits[1, every, layer] = weight_bits, activation_bits
        terminated = layer + 1 == len(dynamics)
        # What may refuse a design comes first: an error leaves the episodes as they were.
        if dynamics.weight_spent is None or dynamics.activation_spent is None:
            spent = dynamics.drops(*bits)
        else:
            spent = self._spent[rows] + (
                dynamics.weight_spent[layer, w] + dynamics.activation_spent[layer, a]
            )
        rewards = np.zeros(len(rows))
        infos = [(rows, {"weight_bits": weight_bits, "activation_bits": activation_bits})]
        scored = every if self.dense else np.flatnonzero(terminated)
        if scored.size:
            scores = dynamics.scores(*bits[:, scored])
            rewards[scored] = scores.reward - self._rewarded[rows[scored]]
            last = terminated[scored]
            if last.any():
                ended = scored[last]
                infos.append(
                    (rows[ended], self._final_infos(bits[0, ended], bits[1, ended], scores, last))
                )
        self._bits[:, rows] = bits
        self._rewarded[rows] += rewards
        self._previous[:, rows] = weight_bits, activation_bits
        self._spent[rows] = spent
        self._tiles[rows] += dynamics.tiles[layer, w] - dynamics.tiles[layer, -1]
        cycles = dynamics.cycles[layer, a]
        self._cycles[rows] += cycles - dynamics.cycles[layer, -1]
        self._layer_cycles[rows, layer] = cycles
        self._layer[rows] += 1
        return rewards, terminated, infos

    def _observe(self) -> Observation:
        layer = np.minimum(self._layer, len(self.dynamics) - 1)
        described = self._shown.layers[layer]
        count = described.shape[1]
        observation = np.empty((self.num_envs, count + len(RUNNING_FEATURES)), np.float32)
        observation[:, :count] = described
        columns = (
            *bit_feature(self._previous.astype(np.float64)),
            *self.dynamics.totals(
                self._tiles, self._spent, self._cycles, self._layer_cycles.max(axis=1)
            ),
        )
        for place, column in enumerate(columns, start=count):
            observation[:, place] = column
        return self._shown.pick(observation)
