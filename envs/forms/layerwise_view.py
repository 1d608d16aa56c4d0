"""How much an agent sees that walks from layer to layer: the layer, the prefix, or the graph."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from lrmp.envs.forms.design_observation import setting_names
from lrmp.envs.scoring.features import Feature
from lrmp.envs.scoring.graph_view import GraphView
from lrmp.envs.scoring.observation import (
    Observation,
    check_observation,
    knob_features,
    running_features,
    shown_features,
    total_names,
)
from lrmp.envs.scoring.observation_table import ObservationTable, describe_elements
from lrmp.envs.task.task import Task
from lrmp.hardware.frozen_arrays import IntArray

#: The layer to decide and the totals; also the settings so far; all layers as a graph.
LayerwiseObservation = Literal["layer", "prefix", "graph"]
#: What the graph tells of every layer beside its features and its setting.
FLAGS = ("decided", "to_decide")


class LayerwiseView:
    """What is seen of layer-wise episodes.

    Args:
        task: What is solved.
        observation: ``"layer"``, ``"prefix"`` or ``"graph"``.
        features: What is observed, in order; of layers alone if all are shown; None for all.

    Attributes:
        layer_alone: Whether ``shown.pick`` of the layer's and the running features is all.
        shown: Those features.
        names: Of the elements; of the columns of ``layers`` in a graph.
        space: Of observations.

    Raises:
        TaskError: If there is no such observation or feature.
    """

    space: gym.Space[Any]

    def __init__(
        self, task: Task, observation: LayerwiseObservation, features: Sequence[Feature] | None
    ) -> None:
        check_observation(observation, get_args(LayerwiseObservation))
        self._knobs, self._network = task.space, task.network
        self.layer_alone = observation == "layer"
        self._totals = total_names(task)
        self._graph: GraphView | None = None
        if observation == "graph":
            self._graph = GraphView(task, features, FLAGS, self._totals)
            features = None
        running = running_features(task.space, self._totals)
        self.shown = shown_features(task, features, running)
        self.names = self.shown.names
        if self._graph is not None:
            self.names, self.space = self._graph.names, self._graph.space
            return
        if observation == "prefix":
            self.names += (*setting_names(task.space, len(task.network)), "steps_left")
        self.space = spaces.Box(0.0, 1.0, (len(self.names),), np.float32)

    def show(self, observations: Observation, settings: IntArray, decided: IntArray) -> Any:
        """Show episodes.

        Args:
            observations: The features of the layer to decide and the running ones behind them,
                shape (B, n).
            settings: Of all layers so far, plain where they are not decided, shape (B, L, K).
            decided: How many layers are, shape (B,).

        Returns:
            Arrays or arrays by key, fresh, the first axis being B.
        """
        count = len(self._network)
        if self._graph is not None:
            layers, done = np.arange(count), decided[:, None]
            totals = observations[:, -len(self._totals) :]
            return self._graph.show(settings, totals, (layers < done, layers == done))
        picked = self.shown.pick(observations)
        if self.layer_alone:
            return picked
        prefix = knob_features(self._knobs, settings).reshape(len(settings), -1)
        left = (count - decided[:, None]) / count
        return np.concatenate([picked, prefix, left], axis=1, dtype=np.float32)

    def describe(self) -> ObservationTable | dict[str, ObservationTable]:
        """Say what observations mean.

        Returns:
            A row per element; of a graph for every key a row per column.
        """
        if self._graph is not None:
            return self._graph.describe()
        return describe_elements(self._knobs, self.names, self._network)
