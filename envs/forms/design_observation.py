"""What an agent sees that changes a whole design: its settings, in a row or as a graph."""

from typing import Any, Literal, get_args

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.graph_view import GraphView
from lrmp.envs.scoring.observation import (
    Observation,
    check_observation,
    knob_features,
    total_names,
)
from lrmp.envs.scoring.observation_table import ObservationTable, describe_elements
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design_space import DesignSpace

#: The settings of all layers and the totals in a row, or the layers as a graph.
DesignObservation = Literal["design", "graph"]


def setting_names(space: DesignSpace, layers: int) -> tuple[str, ...]:
    """Name the settings of all layers.

    Args:
        space: The K knobs.
        layers: L.

    Returns:
        ``weight_bits_0, activation_bits_0, weight_bits_1, ...``, a name per layer and knob.
    """
    return tuple(f"{name}_{layer}" for layer in range(layers) for name in space.names)


def design_feature_names(dynamics: Dynamics) -> tuple[str, ...]:
    """Name the features of a design.

    Args:
        dynamics: Of the task.

    Returns:
        The ``setting_names``, and the totals.
    """
    return (*setting_names(dynamics.space, len(dynamics)), *total_names(dynamics.task))


def observe_designs(
    dynamics: Dynamics, settings: IntArray, *behind: NDArray[np.float64]
) -> Observation:
    """Describe designs.

    Args:
        dynamics: Of the task.
        settings: Shape (B, L, K).
        *behind: What else is seen of them, each of shape (B,).

    Returns:
        Shape (B, K L + 4 and one for each behind), each in 0..1.
    """
    count, knobs = len(settings), settings[0].size
    columns = (*dynamics.design_totals(settings), *behind)
    seen = np.empty((count, knobs + len(columns)), np.float32)
    seen[:, :knobs] = knob_features(dynamics.space, settings).reshape(count, knobs)
    for place, column in enumerate(columns, knobs):
        seen[:, place] = column
    return seen


class DesignView:
    """What is seen of episodes that change whole designs.

    Args:
        dynamics: Of the task.
        observation: ``"design"`` or ``"graph"``.
        time: Name of the feature behind the totals that says how much time is left, if there is
            one.

    Attributes:
        names: Of the elements; of the columns of ``layers`` in a graph.
        space: Of observations.

    Raises:
        TaskError: If there is no such observation.
    """

    space: gym.Space[Any]

    def __init__(self, dynamics: Dynamics, observation: DesignObservation, *time: str) -> None:
        check_observation(observation, get_args(DesignObservation))
        self._task, self._graph = dynamics.task, None
        if observation == "graph":
            totals = total_names(dynamics.task)
            self._graph = GraphView(dynamics.task, None, (), (*totals, *time))
            self.names, self.space = self._graph.names, self._graph.space
            return
        self.names = (*design_feature_names(dynamics), *time)
        self.space = spaces.Box(0.0, 1.0, (len(self.names),), np.float32)

    def show(self, observations: Observation, settings: IntArray) -> Any:
        """Show episodes.

        Args:
            observations: As ``observe_designs`` describes them, and the time left, shape (B, n).
            settings: Of the same designs, shape (B, L, K).

        Returns:
            Arrays or arrays by key, fresh, the first axis being B.
        """
        if self._graph is None:
            return observations
        return self._graph.show(settings, observations[:, settings[0].size :])

    def describe(self) -> ObservationTable | dict[str, ObservationTable]:
        """Say what observations mean.

        Returns:
            A row per element; of a graph for every key a row per column.
        """
        if self._graph is not None:
            return self._graph.describe()
        return describe_elements(self._task.space, self.names, self._task.network)
