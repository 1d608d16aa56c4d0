import numpy as np
import pytest

from lrmp.errors import NetworkError
from lrmp.hardware import PRECISION, Accelerator, CostModel, Layer, Network
from lrmp.hardware.cost.mapping import TileMapping, ceil_div
from lrmp.hardware.space.computation import Computation

# Every number is worked out by hand for one layer on crossbars of R x C = 8 x 8 cells of c = 2 bits
# with p = 4 active rows.
CHIP = {
    "name": "toy",
    "crossbar_rows": 8,
    "crossbar_columns": 8,
    "cell_bits": 2,
    "dac_bits": 1,
    "active_rows": 4,
    "columns_per_adc": 2,
    "clock_mhz": 100,
    "output_elements_per_cycle": 0,
}
DENSE = Layer.linear("dense", 10, 5)  # K = 10, M = 5; w = 6 bits are s = 3 slices


def mapping_of(layers, chip, *weight_bits):
    """Place layers with some weight widths to choose from, the first axis of the results."""
    network = Network("some", tuple(layers))
    one = np.ones((1, 1), np.int64)
    computation = Computation(
        weight_bits=np.array(weight_bits)[:, None],
        activation_bits=8 * one,
        rows=network.rows[None],
        columns=network.columns[None],
        reads=one,
    )
    return TileMapping(network, chip, computation)


def place(layer, weight_bits=6, **changes):
    mapping = mapping_of([layer], Accelerator(**CHIP | changes), weight_bits)
    arrays = {key: value for key, value in vars(mapping).items() if isinstance(value, np.ndarray)}
    return {key: int(value.item()) for key, value in arrays.items()}


def grouped(rows, columns, groups):
    return Layer("grouped", "conv2d", rows=rows, columns=columns, positions=1, groups=groups)


def test_separate_slices():
    # Each of the 3 slices is a 10 x 5 block: ceil(10/8) x ceil(5/8) = 2 x 1 crossbars. The fuller
    # one reads its 8 rows in ceil(8/4) = 2 groups, a column takes 2 + ceil(2/4) = 3 conversions.
    assert place(DENSE) == {
        "on_crossbars": 1,
        "tiles": 3 * 2,
        "stacks": 1,
        "tiles_per_stack": 3 * 2,
        "columns": 3 * 5,
        "cells": 3 * 5 * 10,
        "driven_rows": 3 * 10,
        "row_tiles": 2,
        "added_tiles": 2,
        "row_groups": 2,
        "conversions_per_column": 3,
        "inputs_per_tile": 8,
        "inputs_per_row_group": 4,
        "window_inputs": 10,
        "input_elements": 10,
        "passes": 1,
    }


def test_packed_slices():
    # One block of 10 x 3*5 = 10 x 15: ceil(10/8) x ceil(15/8) = 2 x 2 crossbars; its 10 rows are
    # driven in both columns of crossbars, each of which gives other outputs.
    separate, packed = place(DENSE), place(DENSE, slice_placement="packed")
    changed = {key: packed[key] for key in packed if packed[key] != separate[key]}
    assert changed == {"tiles": 4, "driven_rows": 20, "stacks": 2, "tiles_per_stack": 2}


@pytest.mark.parametrize(
    ("placement", "tiles", "columns", "driven_rows"),
    [
        ("separate", 12, 30, 60),  # 3 slices of 10 x 10: 2 x 2 each; 3 * 2 * 10 driven
        ("packed", 8, 30, 40),  # 10 x 30: 2 x 4; 4 * 10 driven
    ],
)
def test_differential_columns_double_the_columns(placement, tiles, columns, driven_rows):
    where = place(DENSE, weight_encoding="differential-columns", slice_placement=placement)
    assert (where["tiles"], where["columns"], where["driven_rows"]) == (tiles, columns, driven_rows)
    assert where["cells"] == 30 * 10
    assert where["row_tiles"] == 2


def test_differential_rows_double_the_rows():
    # Blocks of 20 x 5: 3 x 1 crossbars for each of 3 slices; a crossbar of 8 rows has 4 inputs, a
    # group of 4 rows has 2. Conversions of a column: 2 + 2 + ceil(4/4) = 5.
    assert place(DENSE, weight_encoding="differential-rows") == {
        "on_crossbars": 1,
        "tiles": 9,
        "stacks": 1,
        "tiles_per_stack": 9,
        "columns": 15,
        "cells": 15 * 20,
        "driven_rows": 3 * 20,
        "row_tiles": 3,
        "added_tiles": 3,
        "row_groups": 2,
        "conversions_per_column": 5,
        "inputs_per_tile": 4,
        "inputs_per_row_group": 2,
        "window_inputs": 10,
        "input_elements": 10,
        "passes": 1,
    }


def test_an_odd_row_of_a_pair_needs_its_input_too():
    # Pairs of rows of inputs 0, 1, 2: a crossbar of 5 rows holds 00112, one of 1 row half of one.
    odd = {"weight_encoding": "differential-rows", "active_rows": 1}
    assert place(DENSE, crossbar_rows=5, **odd)["inputs_per_tile"] == 3
    assert place(DENSE, crossbar_rows=1, **odd)["inputs_per_tile"] == 1
    assert place(DENSE, crossbar_rows=1, **odd)["inputs_per_row_group"] == 1


@pytest.mark.parametrize(
    ("placement", "reference_columns", "columns", "tiles"),
    [
        ("separate", 1, 3 * 6, 6),  # each slice 5 + 1 = 6 columns: 3 * 2 * ceil(6/8)
        ("separate", 4, 3 * 9, 12),  # 9 columns: 3 * 2 * 2
        ("packed", 1, 16, 4),  # 15 + 1 = 16 columns: 2 * 2
        ("packed", 2, 17, 6),  # 17 columns: 2 * 3
    ],
)
def test_reference_columns(placement, reference_columns, columns, tiles):
    changes = {"slice_placement": placement, "reference_columns": reference_columns}
    where = place(DENSE, **changes)
    assert (where["columns"], where["tiles"]) == (columns, tiles)
    assert where["cells"] == columns * 10
    # Differential weights need none.
    for encoding in ("differential-columns", "differential-rows"):
        plain = place(DENSE, weight_encoding=encoding, slice_placement=placement)
        assert place(DENSE, weight_encoding=encoding, **changes) == plain


def test_every_group_has_its_own_reference_column():
    # 3 blocks of 2 x (2 + 1): min(8 // 2, 8 // 3) = 2 fit a crossbar.
    where = place(grouped(rows=2, columns=6, groups=3), weight_bits=2, reference_columns=1)
    assert (where["columns"], where["tiles"], where["cells"]) == (9, 2, 18)


@pytest.mark.parametrize(
    ("active_rows", "row_groups", "conversions", "inputs_per_row_group"),
    [
        (8, 1, 1, 6),  # both blocks at once
        (6, 1, 1, 6),
        (5, 2, 1, 3),  # the second does not fit whole
        (3, 2, 1, 3),
        (2, 4, 2, 2),  # 2 + 1 rows each
        (1, 6, 3, 1),
    ],
)
def test_depthwise_blocks_on_the_diagonal(
    active_rows, row_groups, conversions, inputs_per_row_group
):
    # 6 blocks of 3 x 1: min(8 // 3, 8 // 1) = 2 per crossbar, so 3 crossbars for the only slice.
    layer = Layer.conv1d("depthwise", 6, 6, kernel_size=3, input_size=4, groups=6)
    assert place(layer, weight_bits=2, active_rows=active_rows) == {
        "on_crossbars": 1,
        "tiles": 3,
        "stacks": 3,
        "tiles_per_stack": 1,
        "columns": 6,
        "cells": 18,
        "driven_rows": 18,
        "row_tiles": 1,
        "added_tiles": 1,
        "row_groups": row_groups,
        "conversions_per_column": conversions,
        "inputs_per_tile": 6,
        "inputs_per_row_group": inputs_per_row_group,
        "window_inputs": 3 * 6 * 4,
        "input_elements": 6 * 4,
        "passes": 1,
    }


@pytest.mark.parametrize(
    ("layer", "tiles", "why"),
    [
        (grouped(1, 15, 5), 3, "blocks of 1 x 3: the columns hold 8 // 3 = 2"),
        (grouped(1, 2, 2), 1, "as many as there are"),
        (grouped(1, 100, 100), 13, "blocks of 1 x 1: 8 per crossbar, 100 / 8 = 12.5"),
        (grouped(8, 16, 2), 2, "a block as large as a crossbar"),
        (grouped(10, 6, 2), 4, "blocks of 10 x 3 are cut into 2"),
        (grouped(2, 18, 2), 4, "blocks of 2 x 9 are cut into 2"),
        (grouped(9, 18, 2), 8, "blocks of 9 x 9 are cut into 2 x 2"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_groups_share_crossbars_as_rows_and_columns_allow(layer, tiles, why):
    assert place(layer, weight_bits=2)["tiles"] == tiles, why
    # Separate slices repeat that; a packed block is three times as wide.
    assert place(layer, weight_bits=6)["tiles"] == 3 * tiles


def test_a_crossbar_holds_no_more_groups_than_there_are():
    # 8 blocks of 1 x 1 would fit; the row groups and inputs are those of 2.
    where = place(grouped(1, 2, 2), weight_bits=2, active_rows=1)
    assert (where["row_groups"], where["inputs_per_tile"], where["inputs_per_row_group"]) == (
        2,
        2,
        1,
    )
    assert place(grouped(1, 2, 2), weight_bits=2)["inputs_per_row_group"] == 2


def test_packed_slices_leave_room_for_fewer_groups():
    # 4 blocks of 2 x 1 with 2 bits, one slice: 4 on the diagonal. With 6 bits 2 x 3: 8 // 3 = 2.
    layer = grouped(2, 4, 4)
    assert place(layer, weight_bits=2, slice_placement="packed")["tiles"] == 1
    assert place(layer, weight_bits=6, slice_placement="packed")["tiles"] == 2


def test_the_narrowest_weights_set_the_row_groups():
    # The 4 blocks of the 2-bit weights have 8 rows in 2 groups of 4; 2 blocks would need one.
    chip = Accelerator(**CHIP | {"slice_placement": "packed"})
    mapping = mapping_of([grouped(2, 4, 4)], chip, 2, 6)
    assert mapping.tiles.tolist() == [[1], [2]]
    assert mapping.row_groups.tolist() == [[2]]


def test_groups_that_a_knob_leaves_unequal_are_as_wide_as_the_widest():
    # 3 groups of 2 rows and 5, 5 and 4 columns; a crossbar holds one block of 2 x 5.
    chip = Accelerator(**CHIP)
    network = Network("one", (grouped(2, 24, 3),))
    one = np.ones((1, 1), np.int64)
    narrower = Computation(2 * one, 8 * one, network.rows[None], np.array([[14], [3], [1]]), one)
    mapping = TileMapping(network, chip, narrower)
    assert mapping.columns.tolist() == [[15], [3], [3]]
    assert mapping.tiles.tolist() == [[3], [1], [1]]
    # Columns, unlike bits, set the row groups of their own diagonals: 1, 3 and 3 blocks of 2 rows.
    assert mapping.row_groups.tolist() == [[1], [2], [2]]


def test_matmul_on_the_digital_unit_holds_no_crossbars():
    layer = Layer.matmul("qk", inner=10, outputs=5, positions=7)
    where = place(layer, digital_macs_per_cycle=1)
    assert where["on_crossbars"] == 0
    assert (where["tiles"], where["columns"], where["cells"], where["driven_rows"]) == (0, 0, 0, 0)


def test_rewritten_matmul_is_placed_like_weights():
    layer = Layer.matmul("qk", inner=10, outputs=5, positions=7)
    assert place(layer, dynamic_matmul="rewrite") == place(Layer.linear("dense", 10, 5, 7))


def test_matmul_without_a_digital_unit_is_refused():
    network = Network("two", (DENSE, Layer.matmul("qk", inner=10, outputs=5, positions=7)))
    message = (
        r"Expected accelerator 'toy' to have a digital unit for layer 'qk', a product of two "
        r'activations; got digital_macs_per_cycle 0\. Set it, or dynamic_matmul = "rewrite"'
    )
    with pytest.raises(NetworkError, match=message):
        CostModel(network, Accelerator(**CHIP))


def test_layers_do_not_disturb_each_other():
    layers = (
        DENSE,
        Layer("grouped", "conv2d", rows=3, columns=6, positions=4, groups=6),
        Layer.matmul("qk", inner=10, outputs=5, positions=7),
    )
    chip = Accelerator(**CHIP, digital_macs_per_cycle=1)
    together = mapping_of(layers, chip, 2, 6)
    for index, layer in enumerate(layers):
        alone = mapping_of([layer], chip, 2, 6)
        for key, value in vars(alone).items():
            if isinstance(value, np.ndarray):
                assert np.array_equal(getattr(together, key)[..., index], value[..., 0])


def test_utilisation_compares_weights_with_cells():
    # 150 cells in 6 crossbars of 64 cells; the digital matmul has neither.
    network = Network("two", (DENSE, Layer.matmul("qk", inner=10, outputs=5, positions=7)))
    model = CostModel(network, Accelerator(**CHIP, digital_macs_per_cycle=1))
    six = PRECISION.encode({"weight_bits": 6}, ["dense", "qk"])
    assert model.utilisation(six).tolist() == [150 / 384, 0]
    assert model.utilisation([six] * 3).shape == (3, 2)


def test_full_crossbars_are_fully_used():
    model = CostModel(Network("one", (Layer.linear("fc", 16, 24),)), Accelerator(**CHIP))
    assert model.utilisation(PRECISION.plain_settings(1)).tolist() == [1]


@pytest.mark.parametrize(
    ("numerator", "quotient"), [(1, 1), (3, 1), (4, 2), (2**62, (2**62 + 2) // 3)]
)
def test_division_rounds_up_and_stays_exact(numerator, quotient):
    assert ceil_div(np.array([numerator]), 3).tolist() == [quotient]
