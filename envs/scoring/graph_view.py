"""What graph and set policies see: all layers, which reads which, and how the design stands."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.envs.scoring.features import Feature
from lrmp.envs.scoring.observation import knob_features, shown_features
from lrmp.envs.scoring.observation_table import (
    ObservationTable,
    describe_edges,
    describe_elements,
)
from lrmp.envs.task.task import Task
from lrmp.hardware.frozen_arrays import IntArray, read_only

#: Arrays by key.
GraphObservation = dict[str, NDArray[Any]]


class GraphView:
    """A design as a graph whose nodes are layers.

    Observations have the features and the setting of every layer (``layers``, shape (L, F)), the
    pairs of source and target (``edges``, shape (E, 2)) and the totals of the design (``totals``).
    All are plain boxes: Gymnasium's own ``Graph`` space is batched to a tuple of graphs, and few
    libraries take it.

    Args:
        task: What is solved.
        features: Of layers, as in ``shown_features``; None for all documented ones.
        flags: Names of what else is told of every layer, in order.
        totals: Names of what is told of the design, in order.

    Attributes:
        names: Of the F columns of ``layers``.
        space: Of observations.

    Raises:
        TaskError: If there is no such feature.
    """

    def __init__(
        self,
        task: Task,
        features: Sequence[Feature] | None,
        flags: tuple[str, ...],
        totals: tuple[str, ...],
    ) -> None:
        shown = shown_features(task, features, ())
        self._network, self._knobs, self._totals = task.network, task.space, totals
        self._features, self._flags = shown.pick(shown.layers), flags
        self._edges = read_only(np.reshape(self._network.edges_or_chain, (-1, 2)).astype(np.int64))
        self.names = (*shown.names, *task.space.names, *flags)
        count = len(self._network)
        self.space = spaces.Dict(
            {
                "layers": spaces.Box(0.0, 1.0, (count, len(self.names)), np.float32),
                "edges": spaces.Box(0, count - 1, self._edges.shape, np.int64),
                "totals": spaces.Box(0.0, 1.0, (len(totals),), np.float32),
            }
        )

    def show(
        self,
        settings: IntArray,
        totals: NDArray[np.floating],
        flags: Sequence[NDArray[Any]] = (),
    ) -> GraphObservation:
        """Describe designs.

        Args:
            settings: Shape (B, L, K).
            totals: Shape (B, number of totals).
            flags: As many as there are names of them, each of shape (B, L) and in 0..1.

        Returns:
            Fresh arrays by key, the first axis being B.
        """
        own = knob_features(self._knobs, settings)
        parts: list[NDArray[Any]] = [self._features, own, *(flag[..., None] for flag in flags)]
        shape = settings.shape[:2]
        every = [np.broadcast_to(part, (*shape, part.shape[-1])) for part in parts]
        return {
            "layers": np.concatenate(every, axis=2, dtype=np.float32),
            "edges": np.repeat(self._edges[None], len(settings), axis=0),
            "totals": totals.astype(np.float32),
        }

    def describe(self) -> dict[str, ObservationTable]:
        """Say what observations mean.

        Returns:
            For every key a row per column.
        """
        return {
            "layers": describe_elements(self._knobs, self.names),
            "edges": describe_edges(self._network),
            "totals": describe_elements(self._knobs, self._totals),
        }


def one_of(observations: Any, row: int) -> Any:
    """Take one of some observations.

    Args:
        observations: An array or arrays by key, the first axis being that of the observations.
        row: Which.

    Returns:
        The same without that axis.
    """
    if isinstance(observations, Mapping):
        return {key: values[row] for key, values in observations.items()}
    return observations[row]
