"""HAQ's map from numbers in 0..1 to bits, for one number and for many."""

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.design import BIT_WIDTHS, MIN_BITS
from lrmp.hardware.frozen_arrays import IntArray


def unit_to_bits(value: float) -> int:
    """Cut 0..1 into seven equal intervals, one per bit width.

    Args:
        value: In 0..1.

    Returns:
        ``2 + min(6, floor(7 value))``.
    """
    return MIN_BITS + min(len(BIT_WIDTHS) - 1, int(value * len(BIT_WIDTHS)))


def units_to_bits(values: NDArray[np.floating]) -> IntArray:
    """Do the same for many numbers.

    Args:
        values: Any shape, each in 0..1.

    Returns:
        Bits, same shape.
    """
    # In double precision, as Python computes one number.
    index = (values.astype(np.float64) * len(BIT_WIDTHS)).astype(np.int64)
    bits: IntArray = MIN_BITS + np.minimum(len(BIT_WIDTHS) - 1, index)
    return bits
