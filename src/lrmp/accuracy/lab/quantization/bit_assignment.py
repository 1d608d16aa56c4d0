"""Which block gets how many bits: the least error that a sum of bits allows."""

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.frozen_arrays import IntArray


class BitAssignment:
    """Spends bits where each takes the most error away.

    Blocks start without bits. Of all steps to more bits the one that takes away the most error per
    bit comes next, and a block's steps are the corners of the convex hull of its errors, so that
    one bit that helps little does not hide the next that helps much. Where errors are convex, steps
    are single bits and the sum of the errors is the least that the total allows; else it is the
    least for the bits that are spent when a step no longer fits, and the few bits that are left go
    to the next steps that do fit. A bit that takes no error away is not spent.

    Args:
        errors: Of B blocks with 0, 1, ... bits, shape (B, bits + 1); more bits never err more.
    """

    def __init__(self, errors: NDArray[np.float64]) -> None:
        block, start, stop, gain = _hull_steps(errors)
        order = np.argsort(-gain, kind="stable")  # equal gains of a block stay in their order
        self._block, self._start, self._stop = block[order], start[order], stop[order]
        self._spent = np.cumsum(self._stop - self._start)
        self._blocks = len(errors)

    def assign(self, total: int) -> IntArray:
        """Assign bits to the blocks.

        Args:
            total: Bits of all blocks together, at least 0.

        Returns:
            Bits of every block, shape (B,); their sum is at most the total.
        """
        block, start, stop = self._block, self._start, self._stop
        fitting = int(np.searchsorted(self._spent, total, side="right"))
        bits = np.zeros(self._blocks, dtype=np.int64)
        np.maximum.at(bits, block[:fitting], stop[:fitting])
        left = total - int(self._spent[fitting - 1]) if fitting else total
        for at in range(fitting, len(block)):
            if not left:
                break
            if bits[block[at]] == start[at] and stop[at] - start[at] <= left:
                bits[block[at]] = stop[at]
                left -= int(stop[at] - start[at])
        return bits


def _hull_steps(
    errors: NDArray[np.float64],
) -> tuple[IntArray, IntArray, IntArray, NDArray[np.float64]]:
    """Walk down the lower convex hull of every block, all blocks at once.

    Returns:
        Of every step its block, bits before and after, and the error per bit that it takes away;
        the steps of a block are in their order, and take less and less away.
    """
    count, widths = errors.shape
    every, now = np.arange(count), np.zeros(count, dtype=np.int64)
    found = []
    for _ in range(widths - 1):
        ahead = np.arange(widths) - now[:, None]
        taken = errors[every, now][:, None] - errors
        slopes = np.where(ahead > 0, taken / np.maximum(ahead, 1), 0.0)
        to = slopes.argmax(1)
        gain = slopes[every, to]
        falls = gain > 0
        found.append((every[falls], now[falls], to[falls], gain[falls]))
        now = np.where(falls, to, widths - 1)
    block, start, stop, gain = (np.concatenate(each) for each in zip(*found, strict=True))
    return block, start, stop, gain
