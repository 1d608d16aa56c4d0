"""The knob of block-wise weights: bits of a weight on average over the blocks of a layer."""

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from lrmp.hardware.space.computation import Computation
from lrmp.hardware.space.knob import Knob

#: Parts of a bit that the knob counts.
PARTS = 4
#: A block has 0 to so many bits.
MOST_BITS = 8


def _cut_blocks(computation: Computation, quarters: NDArray[Any]) -> Computation:
    return replace(computation, block_bits=quarters)


MEAN_WEIGHT_BITS = Knob(
    name="mean_weight_bits",
    values=(8, 10, 12, 14, 16, 18, 20, 22, 24, 28, 32),
    plain=PARTS * MOST_BITS,
    effect=_cut_blocks,
    network_effect="lrmp.accuracy.lab.quantization.block_bits:round_blocks",
    unit="quarter bits",
    about="Quarters of a bit that a weight has on average: every block of an operation unit has "
    "bits of its own, 0 to 8, where they are worth most. Fewer take fewer units, and so fewer "
    "tiles.",
)
