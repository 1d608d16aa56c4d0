"""Random designs that a table is fitted to and judged on."""

from collections.abc import Set

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.design_result import design_text
from lrmp.hardware.space.design import MAX_BITS, MIN_BITS

#: Summed divergence of the designs, in nats: from hardly changed to broken.
LEAST, MOST = 0.005, 1.5
CANDIDATES_PER_DESIGN = 60


def draw_designs(
    weight_table: NDArray[np.float64],
    activation_table: NDArray[np.float64],
    count: int,
    seed: int,
    exclude: Set[str] = frozenset(),
) -> NDArray[np.int64]:
    """Draw designs whose summed divergences are spread evenly, on a logarithmic scale.

    Bits drawn evenly from 2..8 would nearly always break the network. So a candidate has a lowest
    width of its own for weights and another for activations, and a share of layers that ignore
    them; of many candidates those nearest to the wanted sums are taken.

    Args:
        weight_table: Divergence by layer and weight bits 2..8, shape (L, 7).
        activation_table: The same for activations, shape (L, 7).
        count: Number of designs.
        seed: Of the draw.
        exclude: Designs as text that are not wanted.

    Returns:
        Weight and activation bits, shape (count, 2, L).
    """
    rng = np.random.default_rng(seed)
    layers = len(weight_table)
    pool = count * CANDIDATES_PER_DESIGN
    lowest = rng.integers(MIN_BITS, MAX_BITS, (pool, 2, 1))
    bits = rng.integers(lowest, MAX_BITS + 1, (pool, 2, layers))
    free = rng.random((pool, 2, layers)) < rng.uniform(0, 0.3, (pool, 2, 1))
    bits = np.where(free, rng.integers(MIN_BITS, MAX_BITS + 1, (pool, 2, layers)), bits)
    place = np.arange(layers)
    sums = weight_table[place, bits[:, 0] - MIN_BITS].sum(1)
    sums = sums + activation_table[place, bits[:, 1] - MIN_BITS].sum(1)
    logs = np.log(np.maximum(sums, 1e-12))
    low = max(np.log(LEAST), logs.min())
    high = min(np.log(MOST), logs.max())
    chosen: list[int] = []
    # Small networks have few designs: none is taken twice.
    texts = [design_text(design) for design in bits]
    first = {text: index for index, text in reversed(list(enumerate(texts)))}
    left = np.array([first[text] == i and text not in exclude for i, text in enumerate(texts)])
    for target in np.linspace(low, high, count):
        nearest = int(np.argmin(np.where(left, np.abs(logs - target), np.inf)))
        left[nearest] = False
        chosen.append(nearest)
    order = rng.permutation(count)
    designs: NDArray[np.int64] = bits[np.array(chosen)[order]]
    return designs
