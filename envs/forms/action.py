"""Actions: HAQ's map from numbers in 0..1 to values of knobs, and what one layer's action means."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design_space import DesignSpace


def unit_to_place(value: float, count: int) -> int:
    """Cut 0..1 into equal intervals.

    Args:
        value: In 0..1.
        count: Of the intervals.

    Returns:
        ``min(count - 1, floor(count value))``.
    """
    return min(count - 1, int(value * count))


def units_to_places(values: NDArray[np.floating], sizes: Sequence[int]) -> IntArray:
    """Do the same for many numbers.

    Args:
        values: Shape (..., K), each in 0..1.
        sizes: Intervals for each of the last axis, K numbers.

    Returns:
        Places of values, same shape.
    """
    counts = np.array(sizes)
    # In double precision, as Python computes one number.
    place = (values.astype(np.float64) * counts).astype(np.int64)
    places: IntArray = np.minimum(counts - 1, place)
    return places


def action_space(space: DesignSpace, discrete: bool, layers: int = 1) -> gym.Space[Any]:
    """Build the space of actions that set all knobs of some layers.

    Args:
        space: K knobs.
        discrete: Whether actions are places of values.
        layers: L.

    Returns:
        ``MultiDiscrete`` of how many values the knobs have, layer by layer, or ``Box(0, 1, (L
        K,), float32)``.
    """
    if discrete:
        return spaces.MultiDiscrete(np.array(space.sizes * layers))
    return spaces.Box(0.0, 1.0, (layers * len(space),), np.float32)


def action_setting(
    space: DesignSpace, layer: int, action: object, discrete: bool
) -> list[int] | None:
    """Turn one layer's action into its setting.

    Args:
        space: K knobs.
        layer: Its number.
        action: Shape (K,), an array or a sequence.
        discrete: Whether actions are places of values.

    Returns:
        Places of values, the nearest that the layer may have; None if the action is not in the
        space.
    """
    try:
        values: NDArray[Any] = np.asarray(action)
    except ValueError:  # ragged nesting
        return None
    sizes = space.sizes
    if values.shape != (len(sizes),) or values.dtype.kind not in ("iu" if discrete else "iuf"):
        return None
    setting: list[int] = []
    for value, size in zip(values.tolist(), sizes, strict=True):
        if not 0 <= value <= (size - 1 if discrete else 1):  # True for NaN
            return None
        setting.append(value if discrete else unit_to_place(value, size))
    if not space.allowed:
        return setting
    nearest: list[int] = space.nearest(np.array(setting), np.array(layer)).tolist()
    return nearest
