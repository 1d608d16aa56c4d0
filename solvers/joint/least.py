"""The least accuracy terms within the budget: a design, and a bound on all."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.floats import ROUNDING, Floats
from lrmp.solvers.replication.knapsack import hull_steps


def least_terms(excess: Floats, tiles: NDArray[Any], budget: int) -> tuple[IntArray, float]:
    """Choose a setting for every layer so that the sum of the terms is small, one copy each.

    A multiple-choice knapsack, relaxed: from the smallest settings on, steps along the lower convex
    hulls are taken, those first that spare most per tile (Sinha and Zoltners, Operations Research
    27(3), 1979). What the first one that does not fit spares per tile is the price that bounds all.

    Args:
        excess: Terms beyond the least of the layer, shape (L, S).
        tiles: Of one copy, shape (L, S).
        budget: At least the tiles of the smallest settings.

    Returns:
        Settings that fit, shape (L,), and what the sum of those that fit is at least.
    """
    more = (tiles - tiles.min(axis=1, keepdims=True)).astype(float)
    room = budget - int(tiles.min(axis=1).sum())
    scale = float(excess.max()) or 1.0
    steps = []
    settings = np.empty(len(excess), dtype=np.intp)
    for layer, (terms, weights) in enumerate(zip(excess / scale, more, strict=True)):
        order = np.lexsort((terms, weights))
        order = order[np.append(True, np.diff(weights[order]) > 0)]
        settings[layer] = order[0]
        for before, after in order[hull_steps(weights[order], terms[order])].T.tolist():
            weight = weights[after] - weights[before]
            steps.append(((terms[before] - terms[after]) / weight, weight, layer, after))
    price, full = 0.0, set()
    for gain, weight, layer, after in sorted(steps, key=lambda step: -step[0]):
        if layer in full or weight > room:
            price = price or gain * scale
            full.add(layer)
            continue
        room -= weight
        settings[layer] = after
    held = price * (budget - int(tiles.min(axis=1).sum()))
    with np.errstate(over="ignore"):  # of what is not chosen at this price
        total = math.fsum((excess + price * more).min(axis=1).tolist())
    return settings, max(total - held - 16 * ROUNDING * (total + held), 0.0)
