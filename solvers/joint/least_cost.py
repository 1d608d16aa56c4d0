"""The part of a design's cost that is one network's, bounded from below by what it gives up."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np

from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.floats import Floats
from lrmp.solvers.replication.knapsack import hull_steps


class LeastCost(Protocol):
    """Bounds of a network's part of the cost, each at one price of a tile.

    With bounds at the same price for every network the parts add up to no more than a design costs.
    """

    def __call__(self, units: Floats) -> Floats:
        """Bound the part where no more accuracy is given up than this.

        Args:
            units: Any shape (...).

        Returns:
            Lower bounds that never rise with the units, shape (tile prices, ...).
        """
        ...


class Lines:
    """The highest of some lines over the units: the bound of the only network.

    Args:
        at_none: What designs that give up no accuracy cost at least, by line, shape (J,).
        slopes: Prices of a unit, shape (J,).
    """

    def __init__(self, at_none: Sequence[float], slopes: Sequence[float]) -> None:
        self._at_none, self._slopes = np.array(at_none), np.array(slopes)

    def __call__(self, units: Floats) -> Floats:
        """Bound the cost; see ``LeastCost``."""
        bounds: Floats = (self._at_none - self._slopes * units[..., None]).max(axis=-1)
        return bounds[None]


class Hulls:
    """The lower hulls of layers, added up: the least of the linear relaxation at prices of a tile.

    Args:
        layer: Layers of the network's settings, ascending, shape (n,).
        units: Accuracy given up with each setting, shape (n,).
        priced: Least cost plus priced tiles of each setting, by tile price, shape (P, n).
        lowered: What is taken off the sums of every tile price: the share in the price of the
            budget, and rounding; shape (P,).
    """

    def __init__(self, layer: IntArray, units: Floats, priced: Floats, lowered: Floats) -> None:
        ends = np.append(np.flatnonzero(np.diff(layer, prepend=-1)), len(layer)).tolist()
        self._corners = []
        for values, less in zip(priced, lowered.tolist(), strict=True):
            first, steps = np.zeros(2), []
            for start, stop in pairwise(ends):
                order = start + np.lexsort((values[start:stop], units[start:stop]))
                order = order[np.append(True, np.diff(units[order]) > 0)]
                first += units[order[0]], values[order[0]]
                before, after = order[hull_steps(units[order], values[order])]
                steps.append([units[after] - units[before], values[after] - values[before]])
            more = np.concatenate(steps, axis=1)
            more = more[:, np.argsort(more[1] / more[0], kind="stable")]
            given_up, cost = first[:, None] + np.cumsum(np.insert(more, 0, 0.0, axis=1), axis=1)
            self._corners.append((given_up, cost - less))

    def __call__(self, units: Floats) -> Floats:
        """Bound the part; see ``LeastCost``."""
        return np.stack([np.interp(units, *corners) for corners in self._corners])
