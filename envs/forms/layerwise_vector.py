"""The layer-wise environment over many episodes at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.envs.forms.action import ActionCode, Discrete
from lrmp.envs.forms.layerwise_view import LayerwiseObservation, LayerwiseView
from lrmp.envs.forms.vector import Advance, Flags, TaskVectorEnv
from lrmp.envs.rendering.episode_view import EpisodeView
from lrmp.envs.scoring.design_info import designs_info
from lrmp.envs.scoring.features import Feature
from lrmp.envs.scoring.observation import Observation, knob_features
from lrmp.hardware.frozen_arrays import IntArray


class LayerwiseVectorEnv(TaskVectorEnv):
    """Play many episodes of `LayerwiseEnv` side by side, in NumPy, by the rules described there.

    Args:
        num_envs: Episodes side by side.
        discrete: How actions say which values are chosen; see `ActionCode`.
        dense: A reward at every step, of the same sum.
        observation: ``"layer"``, ``"prefix"`` or ``"graph"``.
        features: What is observed, in order; None for all.
        **settings: As `TaskVectorEnv` takes them.
    """

    _view: LayerwiseView

    def __init__(
        self,
        num_envs: int = 1,
        *,
        discrete: Discrete = False,
        dense: bool = False,
        observation: LayerwiseObservation = "layer",
        features: Sequence[Feature] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(num_envs, **settings)
        self.discrete, self.dense = discrete, dense
        self.longest_episode = len(self.dynamics)
        self._view = LayerwiseView(self.task, observation, features)
        self.feature_names = self._view.names
        count = len(self.dynamics)
        self._code = ActionCode(self.task.space.sizes, discrete)
        self._masks = self._code.masks(self.task.space.masks(count))
        self._set_spaces(self._view.space, self._code.space)
        knobs = len(self.task.space)
        self._settings = np.empty((num_envs, count, knobs), dtype=np.int64)
        self._previous = np.empty((num_envs, knobs), dtype=np.int64)
        # Layers come first: the largest of every episode is found faster.
        self._layer_cycles = np.empty((count, num_envs), dtype=np.int64)
        self._tiles, self._cycles, self._layer = np.zeros((3, num_envs), dtype=np.int64)
        self._spent = np.empty((num_envs, *self.dynamics.spent_shape))
        self._rewarded = np.empty(num_envs)

    def action_masks(self) -> NDArray[np.bool_]:
        """Say what the layers to decide may have.

        Returns:
            As ``info["action_mask"]``, shape (num_envs, n).
        """
        masks: NDArray[np.bool_] = self._next_masks(self._layer - 1).astype(bool)
        return masks

    def _begin(self, rows: Flags) -> None:
        dynamics = self.dynamics
        self._settings[rows] = dynamics.plain
        self._previous[rows] = dynamics.plain[0]
        self._layer_cycles[:, rows] = dynamics.start_cycles[:, None]
        self._tiles[rows] = dynamics.start_tiles.sum()
        self._cycles[rows] = dynamics.start_cycles.sum()
        self._spent[rows], self._rewarded[rows] = dynamics.start_spent, 0.0
        self._layer[rows] = 0

    def _begin_infos(self) -> dict[str, NDArray[Any]]:
        every = np.full(self.num_envs, -1)
        plain = np.tile(self.dynamics.space.plain, (self.num_envs, 1))
        return self._infos(every, plain)

    def _infos(self, layer: IntArray, chosen: IntArray) -> dict[str, NDArray[Any]]:
        """Say of episodes which layer has been decided, how, and what the next one may have."""
        return {
            "layer": layer,
            **self.dynamics.space.numbers(chosen),
            "action_mask": self._next_masks(layer),
            "finished": np.zeros(len(layer), dtype=bool),
            **{key: values[: len(layer)] for key, values in self._no_designs.items()},
        }

    def _next_masks(self, layer: IntArray) -> NDArray[np.int8]:
        masks: NDArray[np.int8] = self._masks[np.minimum(layer + 1, len(self._masks) - 1)]
        return masks

    def _advance(self, rows: IntArray, actions: NDArray[Any]) -> Advance:
        dynamics, layer = self.dynamics, self._layer[rows]
        chosen = dynamics.space.nearest(self._code.places(actions), layer)
        terminated = layer + 1 == len(dynamics)
        # What may refuse a design comes first: an error leaves the episodes as they were.
        if dynamics.has_table:
            spent = self._spent[rows] + dynamics.spent_beyond_plain(layer, chosen)
        else:
            designs = self._with(rows, layer, chosen)
            spent = np.array([dynamics.drop(design) for design in designs])
        rewards = np.zeros(len(rows))
        infos = [(rows, self._infos(layer, chosen))]
        scored = np.arange(len(rows)) if self.dense else np.flatnonzero(terminated)
        if scored.size:
            settings = self._with(rows[scored], layer[scored], chosen[scored])
            scores = dynamics.scores(settings)
            rewards[scored] = scores.reward - self._rewarded[rows[scored]]
            last = terminated[scored]
            if last.any():
                ended = rows[scored[last]]
                finished = designs_info(self.task, settings[last], scores, last)
                infos.append((ended, finished | {"finished": np.ones(len(ended), bool)}))
        self._settings[rows, layer] = chosen
        self._rewarded[rows] += rewards
        self._previous[rows] = chosen
        self._spent[rows] = spent
        tiles, cycles = dynamics.amounts(layer, chosen)
        self._tiles[rows] += tiles - dynamics.start_tiles[layer]
        self._cycles[rows] += cycles - dynamics.start_cycles[layer]
        self._layer_cycles[layer, rows] = cycles
        self._layer[rows] += 1
        return rewards, terminated, infos

    def _with(self, rows: IntArray, layer: IntArray, chosen: IntArray) -> IntArray:
        """Copy the designs of episodes and give a layer of each another setting."""
        settings = self._settings[rows]
        settings[np.arange(len(rows)), layer] = chosen
        return settings

    def _episode_view(self, row: int) -> EpisodeView:
        settings, decided, layers = self._settings[row], int(self._layer[row]), len(self.dynamics)
        outcome = self.dynamics.outcome(settings) if decided == layers else None
        return EpisodeView(
            self.task, settings, decided, f"{decided} of {layers} layers decided", outcome
        )

    def _observe(self) -> Observation:
        layer = np.minimum(self._layer, len(self.dynamics) - 1)
        described = self._view.shown.layers
        columns = (
            *knob_features(self.dynamics.space, self._previous).T,
            *self.dynamics.totals(
                self._tiles, self._spent, self._cycles, self._layer_cycles.max(axis=0)
            ),
        )
        width = described.shape[1]
        whole = np.empty((self.num_envs, width + len(columns)), np.float32)
        whole[:, :width] = described[layer]
        for place, column in enumerate(columns, width):
            whole[:, place] = column
        seen: Observation = self._view.show(whole, self._settings, self._layer)
        return seen
