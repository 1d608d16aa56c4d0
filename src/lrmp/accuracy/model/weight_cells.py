"""Weights in cells: which level every cell of a weight holds, and what a level counts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.frozen_arrays import IntArray


@dataclass(frozen=True, eq=False)
class WeightCells:
    """The cells that integer weights are written into.

    A weight is ``sum_s scales[s] * sum_p signs[p] * level[s, p] - shift``.

    Attributes:
        levels: Shape (slices, parts, ...), from the least significant slice on; 0 to
            ``most[slice]``.
        most: Highest level of the cells of every slice, which their largest conductance stands for.
        scales: What one level of every slice counts.
        signs: (1,) for offset encoding, (1, -1) for a difference of two cells.
        shift: What the sum of the inputs is multiplied by and subtracted, digitally.
    """

    levels: IntArray
    most: tuple[int, ...]
    scales: tuple[int, ...]
    signs: tuple[int, ...]
    shift: int

    @classmethod
    def of(cls, weights: IntArray, bits: int, chip: Accelerator) -> "WeightCells":
        """Cut weights into cells as a chip does.

        Under offset encoding all b bits of ``weight + 2 ** (b - 1)`` are cut into slices of
        ``cell_bits``; otherwise the b - 1 bits of the magnitude, which sits in one of the two cells
        of a difference. A slice of fewer bits uses the whole range of its cells.

        Args:
            weights: ``-2 ** (b - 1) < weight < 2 ** (b - 1)``, any shape.
            bits: b, at least 2.
            chip: Its cell bits and encoding.

        Returns:
            The cells.
        """
        whole = np.asarray(weights, dtype=np.int64)
        offset = chip.weight_encoding == "offset"
        shift = 2 ** (bits - 1) if offset else 0
        parts = [whole + shift] if offset else [np.maximum(whole, 0), np.maximum(-whole, 0)]
        width = bits if offset else bits - 1
        starts = range(0, width, chip.cell_bits)
        most = tuple(2 ** min(chip.cell_bits, width - start) - 1 for start in starts)
        levels = np.stack(
            [
                np.stack([part >> start & highest for part in parts])
                for start, highest in zip(starts, most, strict=True)
            ]
        )
        scales = tuple(2**start for start in starts)
        return cls(levels, most, scales, (1,) if offset else (1, -1), shift)

    @property
    def fractions(self) -> NDArray[np.float64]:
        """Conductances that are meant, of the largest one; of the shape of the levels."""
        return self.levels / self._of_slices(self.most)

    @property
    def counts(self) -> NDArray[np.float64]:
        """What the largest conductance of a cell counts, shape (slices, parts, 1, ...)."""
        signs = np.array(self.signs, np.float64).reshape(1, -1, *(1,) * (self.levels.ndim - 2))
        return self._of_slices(self.most) * self._of_slices(self.scales) * signs

    def _of_slices(self, numbers: tuple[int, ...]) -> NDArray[np.float64]:
        return np.array(numbers, np.float64).reshape(-1, *(1,) * (self.levels.ndim - 1))
