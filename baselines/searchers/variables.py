"""What a search turns: a number for every knob of every layer."""

import numpy as np
from numpy.typing import NDArray

from lrmp.errors import RunError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design_space import DesignSpace


class Variables:
    """The choices of a task as N variables, knob by knob, and for each knob layer by layer.

    A variable counts the values that its layer may have, from 0. Where a layer may have one value
    alone, there is none.

    Args:
        space: The knobs.
        layers: L.

    Attributes:
        names: Such as ``"weight_bits_0"``, N of them.
        counts: How many values each variable has, at least 2, shape (N,).

    Raises:
        RunError: If there is nothing to choose.
    """

    def __init__(self, space: DesignSpace, layers: int) -> None:
        self._plain = space.plain_settings(layers)
        allowed = [space.choices(layer) for layer in range(layers)]
        where = [
            (layer, place)
            for place in range(len(space))
            for layer in range(layers)
            if len(allowed[layer][place]) > 1
        ]
        if not where:
            raise RunError("Expected a task with something to choose, got one of a single design.")
        self._layers, self._places = np.array(where).T
        self.names = [f"{space.names[place]}_{layer}" for layer, place in where]
        self.counts = np.array([len(allowed[layer][place]) for layer, place in where])
        self._values = np.zeros((len(where), self.counts.max()), dtype=np.int64)
        for row, (layer, place) in zip(self._values, where, strict=True):
            row[: len(allowed[layer][place])] = allowed[layer][place]

    def __len__(self) -> int:
        return len(self.counts)

    def between(self, share: float) -> NDArray[np.float64]:
        """Find a point between the first values of all knobs and their last.

        Args:
            share: 0 for the first, 1 for the last.

        Returns:
            Shape (N,).
        """
        return share * (self.counts - 1)

    def settings(self, chosen: IntArray) -> IntArray:
        """Turn variables into designs.

        Args:
            chosen: Shape (B, N).

        Returns:
            Settings, shape (B, L, K).
        """
        settings = np.repeat(self._plain[None], len(chosen), axis=0)
        settings[:, self._layers, self._places] = self._values[np.arange(len(self)), chosen]
        return settings
