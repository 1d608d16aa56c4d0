"""Pairs of one of many things and one of the first so many others, not too many at a time."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def pairs_in_chunks(
    counts: NDArray[np.intp], most: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Number pairs of a first thing and one of the first so many others.

    Args:
        counts: With how many others each of n first things is paired, shape (n,).
        most: Pairs at a time, unless one thing alone has more.

    Yields:
        Numbers of the first things, ascending, and of the others, each of shape (pairs,).
    """
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        before = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, before + most, side="right"))
        stop = max(stop, start + 1)
        mine = counts[start:stop]
        first = np.repeat(np.arange(start, stop), mine)
        yield first, np.arange(len(first)) - np.repeat(ends[start:stop] - mine - before, mine)
        start = stop
