"""Weights rounded block by block, every block of an operation unit to bits of its own."""

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lrmp.accuracy.lab.quantization.bit_assignment import BitAssignment
from lrmp.accuracy.lab.quantization.steps import weight_range
from lrmp.accuracy.lab.quantization.weight_grids import WeightGrids
from lrmp.accuracy.model.bit_widths import BIT_WIDTHS, MIN_BITS
from lrmp.errors import AccuracyDataError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.mean_weight_bits import MOST_BITS, PARTS

if TYPE_CHECKING:
    from lrmp.accuracy.lab.quantization.layers import QuantizedLayer


class BlockRounding:
    """Ways to round the blocks of a layer's weights on one grid of 8 bits.

    All blocks of an output channel share the step of the channel, whatever their bits, so that
    shifts put their sums together. Of the 8 bits a block keeps b, none or 2 to 8, between some
    lowest and some highest: it is rounded to multiples of ``2**lowest`` steps,
    ``-(2**(b - 1) - 1)`` to ``2**(b - 1) - 1`` of them. So a block of small weights loses nothing
    with its highest bits. With each b the lowest bit is that of least squared error.

    Args:
        weight: As in a crossbar, shape (M, K): a row per output channel.
        steps: Of the grid, shape (M,).
        groups: Of the layer, each with its own M / groups channels.
        unit: Rows and columns of an operation unit.

    Attributes:
        errors: Squared errors of the B blocks with 0 to 8 bits, shape (B, 9). One bit, which has no
            sign and another, is worth nothing.
        lowest: The lowest bit that is kept, shape (B, 9).
    """

    def __init__(self, weight: Tensor, steps: Tensor, groups: int, unit: tuple[int, int]) -> None:
        self._shape, self._groups, self._unit = weight.shape, groups, unit
        self._weight = self._blocks(weight)
        # One per channel; behind the edge are zeros of any step.
        self._steps = self._blocks(steps[:, None]).clamp_(min=1e-30)[..., :1]
        tried = self._errors()
        zeros = self._weight.square().sum((2, 4))
        errors, lowest = [zeros, zeros], [torch.zeros_like(zeros, dtype=torch.int64)] * 2
        for bits in BIT_WIDTHS:
            least = torch.stack(tried[bits]).min(0)
            errors.append(least.values)
            lowest.append(least.indices)
        self.errors = torch.stack(errors, -1).flatten(0, -2).double().numpy()
        self.lowest = torch.stack(lowest, -1).flatten(0, -2)
        self._assignment = BitAssignment(self.errors)

    def _errors(self) -> dict[int, list[Tensor]]:
        """Try every width with every lowest bit: the squared errors of the blocks."""
        tried: dict[int, list[Tensor]] = {bits: [] for bits in BIT_WIDTHS}
        for shift in range(MOST_BITS - MIN_BITS + 1):
            step = self._steps * 2**shift
            exact = self._weight / step
            whole, error = exact.round(), torch.empty_like(exact)
            squares = step[..., 0].square()  # of a channel
            for bits in BIT_WIDTHS[: len(BIT_WIDTHS) - shift]:
                torch.clamp(whole, *weight_range(bits), out=error)
                by_channel = error.sub_(exact).square_().sum(4)
                tried[bits].append((by_channel * squares).sum(2))
        return tried

    def assign(self, mean_quarters: int) -> tuple[IntArray, float]:
        """Assign bits to the blocks.

        Args:
            mean_quarters: Quarters of a bit that a weight has on average, at most.

        Returns:
            Bits of every block, by ``BitAssignment``, and the squared error of the layer.
        """
        bits = self._assignment.assign(len(self.errors) * mean_quarters // PARTS)
        return bits, float(self.errors[np.arange(len(bits)), bits].sum())

    def rounded(self, block_bits: IntArray) -> Tensor:
        """Round every block to its bits.

        Args:
            block_bits: 0 or 2 to 8, shape (B,).

        Returns:
            Shape (M, K).
        """
        bits = torch.from_numpy(block_bits)
        shift = self.lowest.gather(1, bits[:, None])[:, 0]
        most = (2.0 ** (bits - 1) - 1).clamp(min=0).floor()
        grid = self._weight.shape[:2] + self._weight.shape[3:4]
        one = [each.float().view(grid)[:, :, None, :, None] for each in (2.0**shift, most)]
        return self._matrix(self._rounded(*one))

    def _rounded(self, multiple: Tensor, most: Tensor) -> Tensor:
        """Round to multiples of so many steps, at most some of them, both by block."""
        step = self._steps * multiple
        return torch.minimum(torch.maximum((self._weight / step).round_(), -most), most) * step

    def _blocks(self, matrix: Tensor) -> Tensor:
        """Cut a matrix (M, K): groups, blocks of columns, columns, blocks of rows, rows."""
        rows, columns = self._unit
        by_group = torch.unflatten(matrix, 0, (self._groups, -1))
        missing = (0, -matrix.shape[1] % rows, 0, -by_group.shape[1] % columns)
        by_row = torch.unflatten(F.pad(by_group, missing), 2, (-1, rows))
        return torch.unflatten(by_row, 1, (-1, columns))

    def _matrix(self, blocks: Tensor) -> Tensor:
        """Put a matrix together again."""
        channels = self._shape[0] // self._groups
        whole = blocks.flatten(3).flatten(1, 2)[:, :channels, : self._shape[1]]
        return whole.flatten(0, 1)


class LayerBlocks:
    """The block-wise rounding of a layer, on a grid for every width.

    The steps of least squared error with w bits, ``2**(8 - w)`` of a grid of 8 bits, are a grid on
    which all blocks of w bits are rounded as ``round_weights`` rounds the layer.

    Args:
        grids: The layer's weights and their steps.
        groups: Of the layer.
        unit: Rows and columns of an operation unit.
    """

    def __init__(self, grids: WeightGrids, groups: int, unit: tuple[int, int]) -> None:
        # Not the grids themselves, which are the key that this is kept under.
        self._weight, self._steps = grids.weight, grids.steps
        self._groups, self._unit = groups, unit
        self._grids: dict[int, BlockRounding] = {}

    def rounded(self, mean_quarters: int) -> Tensor:
        """Round on the grid of least squared error, of those for about as many bits as the mean.

        Args:
            mean_quarters: Quarters of a bit that a weight has on average, at most.

        Returns:
            Shape of the weights.
        """
        near = (mean_quarters // PARTS, -(-mean_quarters // PARTS), -(-mean_quarters // PARTS) + 1)
        widths = sorted({min(max(width, MIN_BITS), MOST_BITS) for width in near})
        assigned = {width: self.grid(width).assign(mean_quarters) for width in widths}
        best = min(widths, key=lambda width: assigned[width][1])
        return self.grid(best).rounded(assigned[best][0]).view(self._weight.shape)

    def grid(self, width: int) -> BlockRounding:
        """Return the grid for a width; found once.

        Args:
            width: 2 to 8 bits.

        Returns:
            How blocks are rounded on it.
        """
        if width not in self._grids:
            steps = self._steps[width - MIN_BITS] * 2.0 ** (width - MOST_BITS)
            matrix = self._weight.flatten(1)
            self._grids[width] = BlockRounding(matrix, steps, self._groups, self._unit)
        return self._grids[width]


#: What was found for the weights of a layer, by the unit.
_FOUND: "WeakKeyDictionary[WeightGrids, dict[tuple[int, int], LayerBlocks]]" = WeakKeyDictionary()


def round_blocks(layer: "QuantizedLayer", mean_quarters: int) -> None:
    """Compute with block-wise rounded weights from now on: the knob ``mean_weight_bits``.

    Args:
        layer: Calibrated, on a chip that reads operation units.
        mean_quarters: Quarters of a bit that a weight has on average, 0 to 32.

    Raises:
        AccuracyDataError: If there are no such bits, the chip reads no units or nobody has said
            which it is, or the layer is not calibrated.
    """
    if not 0 <= mean_quarters <= PARTS * MOST_BITS:
        raise AccuracyDataError(
            f"Expected mean_weight_bits of 0 to {PARTS * MOST_BITS} quarter bits, got "
            f"{mean_quarters!r}."
        )
    unit = layer.chip.active_rows, layer.chip.active_columns
    if not unit[1]:
        raise AccuracyDataError(
            "Expected a chip that reads operation units where mean_weight_bits is chosen, got "
            f"{layer.chip.name!r} with active_columns 0. Set it, or take weight_bits."
        )
    groups = getattr(getattr(layer, "module", None), "groups", 1)

    def rounded(grids: WeightGrids) -> Tensor:
        found = _FOUND.setdefault(grids, {})
        if unit not in found:
            found[unit] = LayerBlocks(grids, groups, unit)
        return found[unit].rounded(mean_quarters)

    layer.round_weights_by(rounded)
