"""Integers that users give, as arrays that were never rounded."""

import numpy as np
from numpy.typing import ArrayLike

from lrmp.errors import DesignError, LRMPError
from lrmp.hardware.frozen_arrays import IntArray


def as_integers(
    name: str, values: ArrayLike, error_class: type[LRMPError] = DesignError
) -> IntArray:
    """Convert to int64 without ever rounding.

    Args:
        name: What the values are, for the error message.
        values: Integers of any shape.
        error_class: What to raise.

    Returns:
        The values as an int64 array.

    Raises:
        LRMPError: Of the given class, if a value is not an integer of at most 64 bits.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:  # ragged nesting
        raise error_class(f"Expected {name} to be an array of integers, got {values!r}.") from error
    if array.dtype.kind == "i":
        return array.astype(np.int64, copy=False)
    if array.dtype.kind == "u" and (array.size == 0 or array.max() <= np.iinfo(np.int64).max):
        return array.astype(np.int64)
    raise error_class(
        f"Expected {name} to be integers of at most 64 bits, got {array.dtype} {values!r}."
    )
