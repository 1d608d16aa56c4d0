"""Actions: HAQ's map from numbers in 0..1 to bits, and the bits that one layer's action means."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import BIT_WIDTHS, MIN_BITS


def unit_to_index(value: float, count: int) -> int:
    """Cut 0..1 into equal intervals.

    Args:
        value: In 0..1.
        count: Of the intervals.

    Returns:
        ``min(count - 1, floor(count value))``.
    """
    return min(count - 1, int(value * count))


def unit_to_bits(value: float) -> int:
    """Cut 0..1 into seven equal intervals, one per bit width.

    Args:
        value: In 0..1.

    Returns:
        ``2 + min(6, floor(7 value))``.
    """
    return MIN_BITS + unit_to_index(value, len(BIT_WIDTHS))


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


def layer_action_space(discrete: bool) -> gym.Space[Any]:
    """Build the space of one layer's actions: weight and activation bits.

    Args:
        discrete: Whether actions are bit indices.

    Returns:
        ``MultiDiscrete([7, 7])`` or ``Box(0, 1, (2,), float32)``.
    """
    if discrete:
        return spaces.MultiDiscrete([len(BIT_WIDTHS), len(BIT_WIDTHS)])
    return spaces.Box(0.0, 1.0, (2,), np.float32)


def layer_action_bits(action: object, discrete: bool) -> tuple[int, int] | None:
    """Turn one layer's action into bits.

    Args:
        action: Shape (2,), an array or a sequence.
        discrete: Whether actions are bit indices.

    Returns:
        Weight and activation bits; None if the action is not in the space.
    """
    try:
        values: NDArray[Any] = np.asarray(action)
    except ValueError:  # ragged nesting
        return None
    if values.shape == (2,) and values.dtype.kind in ("iu" if discrete else "iuf"):
        weight, activation = values.tolist()
        if discrete:
            if 0 <= weight < len(BIT_WIDTHS) and 0 <= activation < len(BIT_WIDTHS):
                return MIN_BITS + weight, MIN_BITS + activation
        elif 0 <= weight <= 1 and 0 <= activation <= 1:  # False for NaN
            return unit_to_bits(weight), unit_to_bits(activation)
    return None
