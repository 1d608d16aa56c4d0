"""Mapping on a chip that reads operation units: a few rows and columns of a crossbar at a time."""

import numpy as np

from lrmp.errors import DesignError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.weight_slices import count_slices
from lrmp.hardware.cost.mapping import Matrices, TileMapping, ceil_div
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.hardware.space.computation import Computation
from lrmp.hardware.space.mean_weight_bits import MOST_BITS, PARTS


class OperationUnitMapping(TileMapping):
    """Where the weights of L layers sit, in operation units, for every setting.

    A unit is ``active_rows`` x ``active_columns`` cells, which a crossbar reads at once; it reads
    its units one after the other. So units need no neighbours: a slice of a block of a matrix, of
    the size of a unit, goes to any place that a unit has (BWQ, IEEE TCAD 2024: bits of equal
    significance share a unit). A block at the edge of a matrix, or of a group, takes a whole unit
    and costs as one.

    - A layer has ``ceil(K / active_rows) * ceil(M / active_columns)`` blocks per group, where K and
      M count cells as in `TileMapping`, of ``ceil(w / cell_bits)`` slices each. Where blocks have
      bits of their own, on 1-bit cells, it has as many units as bits: blocks times their mean,
      rounded down. So only the sum of the bits plays a part, not which block has them.
    - A crossbar holds whole units, ``floor(R / active_rows) * floor(C / active_columns)``. The
      crossbars of a layer are filled one after the other, those of a column of blocks in a row, so
      that its sums are split among as few crossbars as its units fill.

    Attributes:
        blocks: Of one copy, all averaged sets together, shape (..., L).
        units: What these take; each is read once per input step, position and pass.

    Args:
        network: L layers.
        accelerator: The chip.
        computation: What sits in the crossbars, for every setting.

    Raises:
        NetworkError: If a matmul layer needs a digital unit that the chip does not have.
        DesignError: If blocks have bits of their own, and no unit holds a slice of a block.
    """

    def _place(self, chip: Accelerator, computation: Computation, matrices: Matrices) -> None:
        """Put the matrices of all layers into operation units."""
        groups, inputs, on = matrices.groups, matrices.inputs, matrices.sets
        columns = matrices.columns + matrices.reference
        column_blocks = groups * ceil_div(columns, chip.active_columns)
        blocks = column_blocks * ceil_div(matrices.rows, chip.active_rows)
        if computation.block_bits is None:
            units = blocks * count_slices(chip, computation.weight_bits)
        else:
            _check_blocks(chip)
            units = np.maximum(1, blocks * computation.block_bits // PARTS)
        whole = (chip.crossbar_rows // chip.active_rows) * (
            chip.crossbar_columns // chip.active_columns
        )
        self.blocks: IntArray = read_only(blocks * on)
        self.units: IntArray = read_only(units * on)
        self.tiles = read_only(ceil_div(units, whole) * on)
        self.columns = read_only(columns * groups * on)
        self.cells = read_only(self.units * chip.active_rows * chip.active_columns)
        self.driven_rows = read_only(self.units * chip.active_rows)
        self.row_groups = read_only(np.minimum(units, whole))
        self.row_tiles = read_only(ceil_div(ceil_div(units, column_blocks), whole))
        most_inputs = -(-chip.active_rows // chip.rows_per_weight)
        self.inputs_per_row_group = read_only(np.minimum(inputs, most_inputs))
        self.inputs_per_tile = read_only(
            np.minimum(inputs * groups, self.row_groups * self.inputs_per_row_group)
        )
        self._conversions = read_only(self.units * chip.active_columns)

    @property
    def conversions(self) -> IntArray:
        """Conversions of a position in one input step."""
        return self._conversions

    @property
    def index_bits(self) -> IntArray:
        """Bits that tell how many bits every block has, and which of the plain ones.

        ``ceil(log2(9))`` for 0 to 8 bits, as in BWQ; and, since bits may be missing below as well
        as above, ``ceil(log2(7))`` for the lowest.
        """
        return self.blocks * block_index_bits()


def block_index_bits() -> int:
    """Count the bits of the index of a block.

    Returns:
        4 for its number of bits, 0 to 8, and 3 for the place of the lowest, 0 to 6.
    """
    return MOST_BITS.bit_length() + (MOST_BITS - 2).bit_length()


def _check_blocks(chip: Accelerator) -> None:
    """Refuse a chip whose units do not hold one bit of a block of weights each."""
    whole_weights = chip.weight_encoding == "offset" and not chip.reference_columns
    if chip.cell_bits > 1 or not whole_weights:
        raise DesignError(
            "Expected a chip of 1-bit cells and weight_encoding 'offset' without reference columns "
            "where mean_weight_bits is chosen, so that a unit holds one bit of a block, got "
            f"accelerator {chip.name!r} with cell_bits {chip.cell_bits}, {chip.weight_encoding!r} "
            f"and {chip.reference_columns} reference columns. Take weight_bits there."
        )
