"""Mapping: how the matrices of a network sit in the crossbars of a chip."""

from dataclasses import dataclass

import numpy as np

from lrmp.errors import NetworkError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.weight_slices import count_slices
from lrmp.hardware.cost.circulant_storage import CirculantStorage
from lrmp.hardware.cost.sram_residual import SramResidual
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.computation import Computation


def ceil_div(numerator: IntArray, denominator: IntArray | int) -> IntArray:
    """Divide positive integers, rounding up, without leaving the integers.

    Args:
        numerator: Any shape.
        denominator: Broadcastable to it.

    Returns:
        The quotients, int64.
    """
    return -(-numerator // denominator)


def over(amount: IntArray, rate: int) -> IntArray:
    """Count the cycles of an amount at a rate.

    Args:
        amount: Any shape.
        rate: Per cycle; 0 leaves it out of the model.

    Returns:
        Cycles, rounded up; none at rate 0.
    """
    return ceil_div(amount, rate) if rate else np.zeros_like(amount)


@dataclass(frozen=True, eq=False)
class Matrices:
    """What crossbars are to hold of L layers, in cells, for every setting.

    Attributes:
        groups: Of a layer, each with a matrix; shape (L,).
        inputs: Distinct inputs of a matrix. This and the others have an axis per knob, as in
            `Computation`.
        rows: Of a matrix.
        columns: Of a matrix, of one bit slice.
        reference: Columns more of every matrix, by which offsets are told.
        sets: How many sets of crossbars hold it; 0 off the crossbars.
    """

    groups: IntArray
    inputs: IntArray
    rows: IntArray
    columns: IntArray
    reference: int
    sets: IntArray


class TileMapping:
    """Where the weights of L layers sit, for every setting.

    A layer is one block of K x M weights, or one block of K x M/groups weights per group, or what
    `CirculantStorage` makes of it; K and M are then those of what is stored. In
    cells, a block has ``K`` rows (twice that for differential rows) and, with s bit slices
    (``count_slices``: ``ceil(w/c)`` for equal ones of c-bit cells), ``M/groups`` columns per slice
    (twice that for differential columns) and the accelerator's reference columns under offset
    encoding. Separate slices sit on crossbars of their own, packed ones in neighbouring columns.

    - Every weight takes ``sum_columns`` more; neighbouring ones, ``slices_per_conversion``, are
      converted together.
    - A block that exceeds a crossbar is cut into ``row_tiles`` x ``column_tiles`` of them; blocks
      of a grouped layer that fit share a crossbar along its diagonal, as many as rows and columns
      allow. Copies and layers never share a crossbar.
    - A crossbar needs one row group per ``active_rows`` rows of a block. Small blocks on a diagonal
      share a row group as long as whole ones fit, since their columns differ. The longest
      diagonal, that of the narrowest weights, sets the row groups for all settings of as many rows
      and columns.

    - Words that correct weights sit in SRAM, once for a copy: `SramResidual`, whose tiles count as
      all others do.
    - A copy holds ``averaging_copies`` sets of these crossbars. They read the same inputs at the
      same time, and their results are averaged.

    With ``dynamic_matmul = "digital"`` a matmul layer holds no crossbars.

    Attributes:
        on_crossbars: Whether a layer runs in crossbars at all, shape (L,).
        tiles: Tiles of one copy; 0 off the crossbars. This and the others have an axis per knob, of
            size 1 where the knob plays no part, and the layers last, as in `Computation`.
        cells: Cells that hold a weight, of one copy.
        columns: Columns that are converted, of all blocks, slices and sets.
        driven_rows: Rows driven per input step and position, of all crossbars.
        row_tiles: Crossbars of a set among which the sums of a column are split.
        added_tiles: Crossbars whose results are added up to one sum, of all sets.
        stacks: Sets of crossbars that give the same outputs together: row tiles, slices on
            crossbars of their own, averaged sets. Where operation units are read there are none.
        tiles_per_stack: Crossbars of one; 0 off the crossbars.
        row_groups: Row groups that the fullest crossbar reads one after the other.
        conversions_per_column: Row groups that hold rows of a column, over all its row tiles; where
            operation units are read, only ``conversions`` says.
        inputs_per_tile: Distinct inputs of a crossbar.
        inputs_per_row_group: Distinct inputs of one of its row groups.
        window_inputs: Inputs of all windows.
        input_elements: Distinct inputs.
        residual: Words that correct weights; None where no knob has any.
        passes: Reads of a position, with other inputs in the rows; 1 unless weights form circulant
            blocks.

    Args:
        network: L layers.
        accelerator: The chip.
        computation: What sits in the crossbars, for every setting.

    Raises:
        NetworkError: If a matmul layer needs a digital unit that the chip does not have.
    """

    tiles: IntArray

    def __init__(
        self, network: Network, accelerator: Accelerator, computation: Computation
    ) -> None:
        chip = accelerator
        digital = network.is_matmul & (chip.dynamic_matmul == "digital")
        if digital.any() and not chip.digital_macs_per_cycle:
            layer = network.layers[int(np.argmax(digital))]
            raise NetworkError(
                f"Expected accelerator {chip.name!r} to have a digital unit for layer "
                f"{layer.name!r}, a product of two activations; got digital_macs_per_cycle 0. Set "
                'it, or dynamic_matmul = "rewrite" with the cost of writing.'
            )
        self.on_crossbars = ~digital
        self.on_crossbars.flags.writeable = False

        column_factor = 2 if chip.weight_encoding == "differential-columns" else 1
        groups = network.groups
        stored = CirculantStorage.of(network, computation)
        self.passes: IntArray = read_only(stored.passes)
        rows, stored_rows = (
            np.where(self.on_crossbars, each, network.rows)
            for each in (computation.rows, stored.rows)
        )
        self.window_inputs: IntArray = read_only(rows * groups * network.positions)
        distinct = computation.kept_input_elements
        if distinct is None:
            distinct = network.input_elements
        self.input_elements: IntArray = read_only(np.minimum(distinct, self.window_inputs))
        matrices = Matrices(
            groups=groups,
            inputs=rows,
            rows=stored_rows * chip.rows_per_weight,
            # Of the widest of the groups, which a knob may leave unequal.
            columns=ceil_div(stored.columns, groups) * column_factor,
            reference=chip.reference_columns if chip.weight_encoding == "offset" else 0,
            sets=self.on_crossbars.astype(np.int64) * computation.averaging_copies,
        )
        self._place(chip, computation, matrices)
        self.residual: SramResidual | None = SramResidual.of(network, chip, computation)
        if self.residual is not None:
            self.tiles = read_only(self.tiles + self.residual.tiles * self.on_crossbars)
        self.added_tiles: IntArray = read_only(self.row_tiles * computation.averaging_copies)

    def _place(self, chip: Accelerator, computation: Computation, matrices: "Matrices") -> None:
        """Put the matrices of all layers into crossbars."""
        rows, groups, on = matrices.rows, matrices.groups, matrices.sets
        slices = count_slices(chip, computation.weight_bits)
        separate = chip.slice_placement == "separate"
        slices_per_block = np.ones_like(slices) if separate else slices
        copies_of_block = slices if separate else np.ones_like(slices)
        slices_per_block = slices_per_block + chip.sum_columns
        columns = matrices.columns * slices_per_block + matrices.reference
        weighed = ceil_div(slices_per_block, chip.slices_per_conversion)
        converted = matrices.columns * weighed + matrices.reference

        row_tiles = ceil_div(rows, chip.crossbar_rows)
        column_tiles = ceil_div(columns, chip.crossbar_columns)
        fitting = np.minimum(chip.crossbar_rows // rows, chip.crossbar_columns // columns)
        blocks_per_tile = np.clip(fitting, 1, groups)
        stacks = ceil_div(groups, blocks_per_tile) * column_tiles
        tiles_per_stack = row_tiles * copies_of_block * on
        self.stacks: IntArray = read_only(stacks)
        self.tiles_per_stack: IntArray = read_only(tiles_per_stack)
        self.tiles: IntArray = read_only(stacks * tiles_per_stack)
        self.columns: IntArray = read_only(converted * groups * copies_of_block * on)
        self.cells: IntArray = read_only(columns * groups * copies_of_block * on * rows)
        self.driven_rows: IntArray = read_only(rows * groups * column_tiles * copies_of_block * on)

        per_row_tile = ceil_div(np.minimum(rows, chip.crossbar_rows), chip.active_rows)
        blocks_per_group = np.maximum(1, chip.active_rows // rows)
        # Settings of the same rows and columns share the longest diagonal.
        sizes = np.broadcast_shapes(rows.shape, matrices.columns.shape)
        narrower = tuple(axis for axis in range(rows.ndim - 1) if sizes[axis] == 1)
        blocks = blocks_per_tile.max(axis=narrower, keepdims=True)
        self.row_groups: IntArray = read_only(ceil_div(blocks, blocks_per_group) * per_row_tile)
        rest = rows - (row_tiles - 1) * chip.crossbar_rows
        full_groups = -(-chip.crossbar_rows // chip.active_rows)
        self.conversions_per_column: IntArray = read_only(
            (row_tiles - 1) * full_groups + ceil_div(rest, chip.active_rows)
        )
        self.row_tiles: IntArray = read_only(row_tiles)
        row_factor = chip.rows_per_weight
        most_inputs = -(-chip.crossbar_rows // row_factor)  # an odd row is half a pair
        self.inputs_per_tile: IntArray = read_only(
            blocks * np.minimum(matrices.inputs, most_inputs)
        )
        most_inputs = -(-chip.active_rows // row_factor)
        self.inputs_per_row_group: IntArray = read_only(
            np.minimum(blocks, blocks_per_group) * np.minimum(matrices.inputs, most_inputs)
        )

    @property
    def conversions(self) -> IntArray:
        """Conversions of a position in one input step."""
        return self.columns * self.conversions_per_column

    @property
    def index_bits(self) -> IntArray:
        """Bits that tell what sits where, other than the order of rows, columns and slices."""
        return np.zeros_like(self.tiles)
