"""Graphs of networks of any size, in arrays of one size."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.envs.scoring.graph_view import GraphObservation
from lrmp.envs.scoring.observation import TOTALS
from lrmp.envs.scoring.observation_table import (
    ObservationTable,
    describe_edges,
    describe_elements,
    joined,
)
from lrmp.errors import TaskError
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design_space import DesignSpace

#: Edges that observations have room for. Of the built-in networks of at most 128 layers BERT-base
#: has the most, 636; drawn networks are chains.
MAX_EDGES = 1024


class PaddedGraphView:
    """A design as in ``GraphView``, with masks that say which rows are layers and edges.

    Args:
        knobs: The K knobs.
        features: Table of the n features of layers.
        layers: Layers that there is room for, N.
        flags: Names of what else is told of every layer, in order.

    Attributes:
        spaces: Of observations, by key.
    """

    def __init__(
        self, knobs: DesignSpace, features: ObservationTable, layers: int, flags: tuple[str, ...]
    ) -> None:
        self._features, self._own = features, describe_elements(knobs, (*knobs.names, *flags))
        self._knobs, self._room = knobs, layers
        columns = len(features) + len(self._own)
        self.spaces: dict[str, spaces.Space[Any]] = {
            "layers": spaces.Box(0.0, 1.0, (layers, columns), np.float32),
            "mask": spaces.MultiBinary(layers),
            "edges": spaces.Box(0, layers - 1, (MAX_EDGES, 2), np.int64),
            "edge_mask": spaces.MultiBinary(MAX_EDGES),
            "totals": spaces.Box(0.0, 1.0, (len(TOTALS),), np.float32),
        }

    def show(
        self,
        network: Network,
        features: NDArray[np.float32],
        settings: NDArray[np.float32],
        totals: NDArray[np.float32],
        flags: Sequence[NDArray[Any]] = (),
    ) -> GraphObservation:
        """Describe a design.

        Args:
            network: L layers.
            features: Of layers, shape (N, n), 0 behind the last.
            settings: Of its layers, scaled to 0..1, shape (L, K).
            totals: Of the design, shape (4,).
            flags: As many as there are names of them, each of shape (L,) and in 0..1.

        Returns:
            Fresh arrays by key; 0 behind the last layer and the last edge.
        """
        count, edges = len(network), network.edges_or_chain
        layers = np.zeros((self._room, features.shape[1] + len(self._own)), np.float32)
        layers[:, : features.shape[1]] = features
        layers[:count, features.shape[1] :] = np.column_stack([settings, *flags])
        padded = np.zeros((MAX_EDGES, 2), np.int64)
        padded[: len(edges)] = np.reshape(edges, (-1, 2))
        return {
            "layers": layers,
            "mask": _first(count, self._room),
            "edges": padded,
            "edge_mask": _first(len(edges), MAX_EDGES),
            "totals": totals.copy(),
        }

    def describe(self) -> dict[str, ObservationTable]:
        """Say what observations mean.

        Returns:
            For every key but the masks a row per column.
        """
        return {
            "layers": joined(self._features, self._own),
            "edges": describe_edges(),
            "totals": describe_elements(self._knobs, TOTALS),
        }


def check_edges(network: Network) -> None:
    """Refuse a network whose edges cannot be shown.

    Args:
        network: Any.

    Raises:
        TaskError: If it has more of them than there is room for.
    """
    count = len(network.edges_or_chain)
    if count > MAX_EDGES:
        raise TaskError(
            f"Expected networks of at most {MAX_EDGES} edges to show as graphs, got {network.name} "
            f"with {count}. Take another observation."
        )


def _first(count: int, room: int) -> NDArray[np.int8]:
    return (np.arange(room) < count).astype(np.int8)
