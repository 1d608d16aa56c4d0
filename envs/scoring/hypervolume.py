"""How much a set of designs attains of several objectives at once."""

from bisect import bisect_left

import numpy as np
from numpy.typing import ArrayLike

from lrmp.errors import TaskError


def hypervolume(vectors: ArrayLike, reference: ArrayLike) -> float:
    """Measure what lies between a reference point and some vectors.

    Exact up to rounding: the volume of all points that are above the reference and that some vector
    equals or exceeds in every entry. Planes are swept from the best third entry down, over the
    staircase of the other two.

    Args:
        vectors: Of three objectives that are maximised, shape (N, 3).
        reference: Shape (3,). What is not above it in every entry adds nothing.

    Returns:
        The volume, 0 for no vectors.

    Raises:
        TaskError: If the shapes are others, or a number is not finite.
    """
    points, origin = np.asarray(vectors, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or origin.shape != (3,):
        raise TaskError(
            "Expected vectors of shape (N, 3) and a reference of shape (3,), got "
            f"{points.shape} and {origin.shape}."
        )
    if not (np.isfinite(points).all() and np.isfinite(origin).all()):
        raise TaskError("Expected finite vectors and a finite reference, got others.")
    points = points[(points > origin).all(axis=1)] - origin
    volume = area = height = 0.0
    stairs: list[tuple[float, float]] = []  # corners by rising x and falling y
    for x, y, z in points[np.argsort(-points[:, 2])].tolist():
        volume += area * (height - z) if stairs else 0.0
        height = z
        right = bisect_left(stairs, (x,))  # the first corner that is no less in x
        if right < len(stairs) and stairs[right][1] >= y:
            continue
        left = right
        while left > 0 and stairs[left - 1][1] <= y:
            left -= 1
        if right < len(stairs) and stairs[right][0] == x:
            right += 1
        begun = stairs[left - 1][0] if left else 0.0
        area += (x - begun) * y
        for before, below in stairs[left:right]:
            area -= (before - begun) * below
            begun = before
        if right < len(stairs):
            area -= (x - begun) * stairs[right][1]
        stairs[left:right] = [(x, y)]
    return volume + area * height
