"""Weight slices: the columns over which the bits of a weight are spread."""

from typing import TYPE_CHECKING

import numpy as np

from lrmp.hardware.frozen_arrays import IntArray

if TYPE_CHECKING:
    from lrmp.hardware.chip.accelerator import Accelerator


def count_slices(chip: "Accelerator", weight_bits: IntArray | int) -> IntArray:
    """Count the slices of a weight.

    Where a pair of cells gives the sign, only the bits of the magnitude are stored
    (``stored_bits``). Slices of unequal widths are filled from the first; weights of more bits than
    these hold take cells of ``cell_bits`` beyond them.

    Args:
        chip: Its cells.
        weight_bits: With the sign, at least 1, any shape.

    Returns:
        Slices, of that shape: ``ceil(w / cell_bits)``, 3 for 8 bits in slices of 4, 2 and 2.
    """
    stored = np.asarray(weight_bits, dtype=np.int64)
    if chip.stored_bits == "magnitude":
        stored = np.maximum(1, stored - 1)
    held = np.cumsum(np.array([0, *chip.slice_bits], dtype=np.int64))
    whole = -(-(stored - held[-1]) // chip.cell_bits)
    slices: IntArray = np.where(
        stored > held[-1], len(held) - 1 + whole, np.searchsorted(held, stored)
    )
    return slices
