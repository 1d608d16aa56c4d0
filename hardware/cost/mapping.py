"""Mapping: how the matrices of a network sit in the crossbars of a chip."""

import numpy as np

from lrmp.errors import NetworkError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.hardware.networks.network import Network


def ceil_div(numerator: IntArray, denominator: IntArray | int) -> IntArray:
    """Divide positive integers, rounding up, without leaving the integers.

    Args:
        numerator: Any shape.
        denominator: Broadcastable to it.

    Returns:
        The quotients, int64.
    """
    return -(-numerator // denominator)


class TileMapping:
    """Where the weights of L layers sit, for every weight width.

    A layer is one block of K x M weights, or one block of K x M/groups weights per group. In
    cells, a block has ``K`` rows (twice that for differential rows) and, with ``s = ceil(w/c)``
    bit slices of c-bit cells, ``M/groups`` columns per slice (twice that for differential columns)
    and the accelerator's reference columns under offset encoding. Separate slices sit on crossbars
    of their own, packed ones in neighbouring columns.

    - A block that exceeds a crossbar is cut into ``row_tiles`` x ``column_tiles`` of them; blocks
      of a grouped layer that fit share a crossbar along its diagonal, as many as rows and columns
      allow. Copies and layers never share a crossbar.
    - A crossbar needs one row group per ``active_rows`` rows of a block. Small blocks on a diagonal
      share a row group as long as whole ones fit, since their columns differ. The diagonal of the
      narrowest weights, which is the longest, sets the row groups for all widths.

    With ``dynamic_matmul = "digital"`` a matmul layer holds no crossbars.

    Attributes:
        widths: Weight and activation widths, the first axis of the arrays of shape (W, L).
        on_crossbars: Whether a layer runs in crossbars at all, shape (L,).
        tiles: Tiles of one copy, shape (W, L); 0 off the crossbars.
        cells: Cells that hold a weight, of one copy, shape (W, L).
        columns: Columns that are converted, of all blocks and slices, shape (W, L).
        driven_rows: Rows driven per input step and position, of all crossbars, shape (W, L).
        row_tiles: Crossbars among which the sums of a column are split, shape (L,).
        row_groups: Row groups that the fullest crossbar reads one after the other, shape (L,).
        conversions_per_column: Row groups that hold rows of a column, over all its row tiles, shape
            (L,).
        inputs_per_tile: Distinct inputs of a crossbar, shape (L,).
        inputs_per_row_group: Distinct inputs of one of its row groups, shape (L,).

    Args:
        network: L layers.
        accelerator: The chip.
        widths: The bit widths to tabulate.

    Raises:
        NetworkError: If a matmul layer needs a digital unit that the chip does not have.
    """

    def __init__(self, network: Network, accelerator: Accelerator, widths: tuple[int, ...]) -> None:
        chip = accelerator
        digital = network.is_matmul & (chip.dynamic_matmul == "digital")
        if digital.any() and not chip.digital_macs_per_cycle:
            layer = network.layers[int(np.argmax(digital))]
            raise NetworkError(
                f"Expected accelerator {chip.name!r} to have a digital unit for layer "
                f"{layer.name!r}, a product of two activations; got digital_macs_per_cycle 0. Set "
                'it, or dynamic_matmul = "rewrite" with the cost of writing.'
            )
        self.widths = widths
        self.on_crossbars = ~digital
        self.on_crossbars.flags.writeable = False

        row_factor = 2 if chip.weight_encoding == "differential-rows" else 1
        column_factor = 2 if chip.weight_encoding == "differential-columns" else 1
        reference = chip.reference_columns if chip.weight_encoding == "offset" else 0
        groups = network.groups
        block_rows = network.rows * row_factor
        slices = ceil_div(np.array(widths)[:, None], chip.cell_bits)
        separate = chip.slice_placement == "separate"
        slices_per_block = np.ones_like(slices) if separate else slices
        copies_of_block = slices if separate else np.ones_like(slices)
        block_columns = (network.columns // groups) * column_factor * slices_per_block + reference

        row_tiles = ceil_div(block_rows, chip.crossbar_rows)
        column_tiles = ceil_div(block_columns, chip.crossbar_columns)
        fitting = np.minimum(
            chip.crossbar_rows // block_rows, chip.crossbar_columns // block_columns
        )
        blocks_per_tile = np.clip(fitting, 1, groups)
        tiles = ceil_div(groups, blocks_per_tile) * row_tiles * column_tiles * copies_of_block
        on = self.on_crossbars.astype(np.int64)
        self.tiles: IntArray = read_only(tiles * on)
        self.columns: IntArray = read_only(block_columns * groups * copies_of_block * on)
        self.cells: IntArray = read_only(self.columns * block_rows)
        self.driven_rows: IntArray = read_only(
            block_rows * groups * column_tiles * copies_of_block * on
        )

        per_row_tile = ceil_div(np.minimum(block_rows, chip.crossbar_rows), chip.active_rows)
        blocks_per_group = np.maximum(1, chip.active_rows // block_rows)
        blocks = blocks_per_tile.max(axis=0)
        self.row_groups: IntArray = read_only(ceil_div(blocks, blocks_per_group) * per_row_tile)
        rest = block_rows - (row_tiles - 1) * chip.crossbar_rows
        full_groups = -(-chip.crossbar_rows // chip.active_rows)
        self.conversions_per_column: IntArray = read_only(
            (row_tiles - 1) * full_groups + ceil_div(rest, chip.active_rows)
        )
        self.row_tiles: IntArray = read_only(row_tiles)
        most_inputs = -(-chip.crossbar_rows // row_factor)  # an odd row is half a pair
        self.inputs_per_tile: IntArray = read_only(blocks * np.minimum(network.rows, most_inputs))
        most_inputs = -(-chip.active_rows // row_factor)
        self.inputs_per_row_group: IntArray = read_only(
            np.minimum(blocks, blocks_per_group) * np.minimum(network.rows, most_inputs)
        )
