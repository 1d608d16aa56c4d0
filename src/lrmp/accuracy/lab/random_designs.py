"""Random designs that a table is fitted to and judged on."""

from collections.abc import Set

import numpy as np

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.errors import AccuracyDataError
from lrmp.hardware.frozen_arrays import IntArray

#: Summed divergence of the designs, in nats: from hardly changed to broken.
LEAST, MOST = 0.005, 1.5
CANDIDATES_PER_DESIGN = 60


def draw_designs(
    table: TableAccuracy, count: int, seed: int, exclude: Set[bytes] = frozenset()
) -> IntArray:
    """Draw designs whose summed divergences are spread evenly, on a logarithmic scale.

    Values drawn evenly would nearly always break the network. So a candidate has a lowest value of
    its own for every knob, and a share of layers that ignore it; of many candidates those nearest
    to the wanted sums are taken.

    Args:
        table: Of divergences, in nats.
        count: Number of designs, N.
        seed: Of the draw.
        exclude: Settings that are not wanted, as bytes.

    Returns:
        Settings, shape (N, L, K).

    Raises:
        AccuracyDataError: If there are not so many different ones.
    """
    rng = np.random.default_rng(seed)
    knobs, layers = len(table.space), table.layers
    sizes = np.array(table.space.sizes)[:, None]
    pool = count * CANDIDATES_PER_DESIGN
    lowest = rng.integers(0, np.maximum(1, sizes - 1), (pool, knobs, 1))
    places = rng.integers(lowest, sizes, (pool, knobs, layers))
    free = rng.random((pool, knobs, layers)) < rng.uniform(0, 0.3, (pool, knobs, 1))
    places = np.where(free, rng.integers(0, sizes, (pool, knobs, layers)), places)
    settings = table.space.nearest(np.ascontiguousarray(places.swapaxes(1, 2)))
    logs = np.log(np.maximum(table.sums(settings), 1e-12))
    low = max(np.log(LEAST), logs.min())
    high = min(np.log(MOST), logs.max())
    chosen: list[int] = []
    # Small networks have few designs: none is taken twice.
    keys = [design.tobytes() for design in settings]
    first = {key: index for index, key in reversed(list(enumerate(keys)))}
    left = np.array([first[key] == i and key not in exclude for i, key in enumerate(keys)])
    if left.sum() < count:
        raise AccuracyDataError(
            f"Expected at most {left.sum()} designs to be drawn from this space, got {count}. "
            "Ask for fewer."
        )
    for target in np.linspace(low, high, count):
        nearest = int(np.argmin(np.where(left, np.abs(logs - target), np.inf)))
        left[nearest] = False
        chosen.append(nearest)
    order = rng.permutation(count)
    designs: IntArray = settings[np.array(chosen)[order]]
    return designs
