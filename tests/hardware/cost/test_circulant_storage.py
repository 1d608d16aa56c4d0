"""Circulant blocks of weights: what they cost by hand, and what must hold."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from lrmp.hardware import (
    PRECISION,
    Accelerator,
    CostModel,
    Design,
    DesignSpace,
    EventEnergies,
    Layer,
    Network,
    list_presets,
    load_network,
    load_preset,
)
from lrmp.hardware.chip.event_energies import EVENTS
from lrmp.hardware.families.block import BLOCK
from lrmp.hardware.families.circulant import CIRCULANT
from lrmp.hardware.space.block_circulant import BLOCK_SIZE, ROTATIONS

#: With as many rotations as the largest block has, which is the dense layer.
ALL_ROTATIONS = replace(ROTATIONS, values=(1, 2, 4, 8, 16))
SPACE = DesignSpace((*PRECISION, BLOCK_SIZE, ALL_ROTATIONS))
# By hand from these few numbers:
#
#   chip   crossbars of 32 x 8 cells of 1 bit, bit slices side by side, inputs bit by bit, 8 rows
#          at a time, X = 4 columns per ADC, a conversion a cycle, 5 cycles per level of the adder
#          tree; every event takes 1 fJ, and a sum on the bus has 16 bits
#   layer  3 x 3 convolution of 6 -> 10 channels, 8 x 8 input: K = 54, M = 10, P = 64, 384 inputs
CHIP = Accelerator(
    name="toy",
    crossbar_rows=32,
    crossbar_columns=8,
    cell_bits=1,
    dac_bits=1,
    active_rows=8,
    columns_per_adc=4,
    clock_mhz=100,
    output_elements_per_cycle=0,
    technology_nm=32,
    slice_placement="packed",
    accumulation_cycles=5,
    partial_sum_bits=16,
    energy=EventEnergies(**dict.fromkeys(EVENTS, 1)),
)
NETWORK = Network("toy", (Layer.conv2d("conv", 6, 10, 3, 8),))


def design_of(block, rotations, layers=1, space=SPACE, **values):
    values = {"weight_bits": 2, "activation_bits": 3} | values
    return Design.of(
        values | {"block_size": block, "rotations": rotations}, layers=layers, space=space
    )


# 2-bit weights have 2 slices, 3-bit inputs take 3 steps. Blocks of 4: 6 channels are filled up to
# 8, so K' = 9 * 8 = 72 rows, of which 2 crossbars hold 32 and one 8; 10 outputs are 3 blocks.
#
#              dense                    4x4, 1 rotation          4x4, 2 rotations
#   columns    10 * 2 = 20              3 * 1 * 2 = 6            3 * 2 * 2 = 12
#   tiles      2 * 3 = 6                3 * 1 = 3                3 * 2 = 6
#   passes     1                        4                        2
#   cycles of a position: passes * (3 steps * 4 row groups * 4 conversions + levels * 5)
#              48 + 5 = 53              4 * (48 + 10) = 232      2 * (48 + 10) = 116
#   row groups of a column
#              4 + 3 = 7                4 + 4 + 1 = 9            9
#   ADC, 64 * 3 = 192 reads times
#              1 * 20 * 7 = 140         4 * 6 * 9 = 216          2 * 12 * 9 = 216
#   cells      54 * 20 = 1080           4 * 72 * 6 = 1728        2 * 72 * 12 = 1728
#              (and a read of every tile: passes * tiles = 6, 12, 12)
#   rows       54 * 3 = 162             4 * 72 * 1 = 288         2 * 72 * 2 = 288
#   registers  6                        4 * 3 = 12               2 * 6 = 12
#   and of the output registers, 64 positions times
#              20 * 2 = 40              4 * 6 * 3 = 72           2 * 12 * 3 = 72
#   partial sums, 640 outputs times
#              2                        3                        3
# Inputs are fetched once, 54 per position, whatever is stored: 64 * 54 * 3 = 10,368 bits.
# (columns per ADC are converted whether they hold weights or not)
BY_HAND = {
    ("1x1", 1): (6, 53, 140, 1080 + 6, 162, 6, 40, 2),
    ("4x4", 1): (3, 232, 216, 1728 + 12, 288, 12, 72, 3),
    ("4x4", 2): (6, 116, 216, 1728 + 12, 288, 12, 72, 3),
}


@pytest.mark.parametrize("setting", BY_HAND)
def test_blocks_that_do_not_divide_the_channels_by_hand(setting):
    report = CostModel(NETWORK, CHIP, SPACE).evaluate(design_of(*setting))
    tiles, cycles, adc, cells, rows, inputs, outputs, sums = BY_HAND[setting]
    assert (report.tiles, report.latency_cycles) == (tiles, 64 * cycles)
    energy = report.energy_breakdown_fj
    assert energy["adc"] == 192 * adc
    assert energy["cells"] == 192 * cells
    assert energy["row_drive"] == 192 * rows
    assert energy["registers"] == 192 * inputs + 64 * outputs
    assert energy["shift_add"] == 192 * adc + 640 * (sums - 1)
    assert energy["bus"] == 10_368 + 640 * sums * 16
    assert energy["buffer"] == 10_368 + 384 * 3


def test_channels_of_a_fully_connected_layer_by_hand():
    # 10 -> 6 in blocks of 4: 12 rows, 2 blocks of outputs. Separate slices have crossbars each.
    network = Network("toy", (Layer.linear("fc", 10, 6),))
    model = CostModel(network, replace(CHIP, slice_placement="separate"), SPACE)
    report = model.evaluate(design_of("4x4", 2))
    assert report.tiles == 2
    # 2 passes of 3 steps, 2 row groups of 8 rows, 4 conversions; no tree over one crossbar.
    assert report.latency_cycles == 2 * 3 * 2 * 4
    # 2 slices of 2 * 2 columns, 2 row groups of a column, 6 reads.
    assert report.energy_breakdown_fj["adc"] == 6 * 2 * 4 * 2


def test_kernel_that_is_not_square_is_filled_up_as_if_it_were():
    # 1 x 3 kernel of 6 channels: K = 18 is divided by 9, so 2 channels of 9 elements, filled to 4.
    layer = Layer("conv", "conv2d", 18, 8, 4, kernel_size=3)
    model = CostModel(Network("toy", (layer,)), CHIP, SPACE)
    report = model.evaluate(design_of("4x4", 4))
    assert report.energy_breakdown_fj["row_drive"] == 4 * 3 * 36 * 2


# What must hold


@pytest.fixture(scope="module", params=["toy", "lrmp", "isaac", "rows", "units"])
def chip(request):
    """Packed slices; separate ones; a column of ones; weights in pairs of rows; 9 x 8 units."""
    preset = load_preset("lrmp_frontiers_2024")
    chips = {
        "toy": CHIP,
        "lrmp": preset,
        "isaac": replace(
            load_preset("isaac_isca_2016"), reference_columns=1, shared_work="row-groups"
        ),
        "units": BLOCK.chip(),
        "rows": replace(preset, slice_placement="packed", weight_encoding="differential-rows"),
    }
    return chips[request.param]


@pytest.fixture(scope="module")
def network():
    """Channels that 16 divides."""
    return Network(
        "even",
        (
            Layer.conv2d("a", 16, 48, 3, 6),
            Layer.conv1d("b", 32, 16, 5, 9),
            Layer.linear("c", 96, 160, 2),
        ),
    )


def report_of(network, chip, block, rotations, **values):
    model = CostModel(network, chip, SPACE)
    return model.evaluate(design_of(block, rotations, len(network), **values))


def same(one, other):
    assert one.layer_tiles.tolist() == other.layer_tiles.tolist()
    assert one.component_cycles.tolist() == other.component_cycles.tolist()
    if one.component_energy_fj is not None:
        assert one.component_energy_fj.tolist() == other.component_energy_fj.tolist()


@pytest.mark.parametrize("block", BLOCK_SIZE.values)
def test_as_many_rotations_as_the_block_has_are_the_dense_layer(block, network, chip):
    size = int(block.partition("x")[0])
    dense = CostModel(network, chip).evaluate(
        Design.of({"weight_bits": 2, "activation_bits": 3}, layers=3)
    )
    same(report_of(network, chip, block, size), dense)


@pytest.mark.parametrize("name", ["mlp", "lenet", "resnet20", "mobilenet_v2", "lstm_ptb_medium"])
@pytest.mark.parametrize("preset", list_presets())
def test_blocks_of_one_weight_are_the_base_suite(name, preset):
    network, chip = load_network(name), load_preset(preset)
    rng = np.random.default_rng(0)
    bits = PRECISION.sample(rng, len(network))
    copies = np.ones(len(network), np.int64)
    plain = CostModel(network, chip).evaluate(Design(PRECISION, bits, copies))
    one = np.full(len(network), BLOCK_SIZE.plain_index)
    settings = np.column_stack([bits, one, rng.integers(0, 5, len(network))])
    same(CostModel(network, chip, SPACE).evaluate(Design(SPACE, settings, copies)), plain)


def test_more_rotations_take_more_tiles_and_fewer_cycles(network, chip):
    for block in BLOCK_SIZE.values:
        found = [report_of(network, chip, block, d) for d in ALL_ROTATIONS.values]
        for fewer, more in pairwise(found):
            assert (fewer.layer_tiles <= more.layer_tiles).all()
            assert (fewer.layer_cycles >= more.layer_cycles).all()


def test_rotations_beyond_the_block_change_nothing(network, chip):
    for rotations in (4, 8, 16):
        same(report_of(network, chip, "4x4", 4), report_of(network, chip, "4x4", rotations))


def test_conversions_stay_and_inputs_are_fetched_once(network):
    # Without a reference column, which is converted in every pass.
    chip = replace(load_preset("lrmp_frontiers_2024"), slice_placement="packed")
    dense = report_of(network, chip, "1x1", 1).energy_breakdown_fj
    for block in BLOCK_SIZE.values:
        for rotations in ROTATIONS.values:
            found = report_of(network, chip, block, rotations).energy_breakdown_fj
            for part in ("adc", "cells", "buffer", "noc", "bus", "vector", "shift_add"):
                assert found[part] == dense[part], part
            assert found["row_drive"] >= dense["row_drive"]


def test_columns_are_stored_once_for_every_block(network):
    # Crossbars of one column count columns: 48 + 16 + 160 in 8 slices, over 5, 5 and 3 row tiles.
    chip = replace(CHIP, crossbar_columns=1, columns_per_adc=1)
    for block, size in (("1x1", 1), ("2x2", 2), ("8x8", 8)):
        report = report_of(network, chip, block, 1, weight_bits=8)
        expected = [5 * 48 * 8, 5 * 16 * 8, 3 * 160 * 8]
        assert report.layer_tiles.tolist() == [tiles // size for tiles in expected]


def test_products_of_activations_have_no_blocks():
    network = Network("qk", (Layer.matmul("qk", 32, 32, 16),))
    chip = replace(CHIP, dynamic_matmul="rewrite")
    same(report_of(network, chip, "8x8", 1), report_of(network, chip, "1x1", 1))


def test_every_group_of_channels_has_blocks_of_its_own():
    # 2 groups of 4 -> 6 channels, blocks of 4: 2 blocks of outputs and 4 rows each; a crossbar of
    # 32 x 8 holds both groups, 2 * 2 columns wide, on its diagonal.
    network = Network("grouped", (Layer.conv2d("conv", 8, 12, 1, 4, groups=2),))
    report = report_of(network, CHIP, "4x4", 1)
    assert report.tiles == 1
    # 16 positions, 3 steps, 4 passes; 2 * 4 columns of a single row group.
    assert report.energy_breakdown_fj["adc"] == 16 * 3 * 4 * 8


def test_the_family_stores_less_where_slices_lie_side_by_side():
    network, chip = load_network("resnet20"), CIRCULANT.chip()
    space = CIRCULANT.space(network, chip)
    model = CostModel(network, chip, space)
    halved = model.evaluate(Design.of({"block_size": "2x2"}, layers=20, space=space))
    # Of 8 slices of 64 outputs, 2 crossbars wide, half is one wide; fewer outputs are one anyway.
    last = np.array([layer.name.startswith("layer3.") for layer in network.layers])
    dense, stored = model.baseline.layer_tiles, halved.layer_tiles
    assert dense[last].tolist() == [4, 6, 6, 6, 6, 6]
    assert stored[last].tolist() == [2, 3, 3, 3, 3, 3]
    assert stored[~last].tolist() == dense[~last].tolist()
