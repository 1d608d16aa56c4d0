"""Averaged copies by hand: more crossbars that read the same inputs at the same time."""

from dataclasses import replace

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
from lrmp.hardware.space.averaging import AVERAGING_COPIES

SPACE = DesignSpace((*PRECISION, AVERAGING_COPIES))
# Every number is worked out by hand from these few:
#
#   chip   crossbars of 4 x 4 cells of 2 bits, 2 input bits at a time, 2 rows at a time, 2 columns
#          per ADC, 5 cycles per level of the adder tree; sums have 16 bits
#   "a"    3 x 3 convolution, 1 -> 5 channels, 4 x 4 input:   K = 9, M = 5, P = 16
#   "b"    1 x 1 convolution, 5 -> 3 channels, stride 2:      K = 5, M = 3, P = 4
#   "c"    linear, 3 -> 2:                                    K = 3, M = 2, P = 1
CHIP = Accelerator(
    name="toy",
    crossbar_rows=4,
    crossbar_columns=4,
    cell_bits=2,
    dac_bits=2,
    active_rows=2,
    columns_per_adc=2,
    clock_mhz=100,
    output_elements_per_cycle=0,
    accumulation_cycles=5,
    technology_nm=32,
    energy=EventEnergies(
        **dict.fromkeys(EVENTS, 0)
        | {
            "adc_conversion_fj": 10,
            "cell_read_fj": 1,
            "row_drive_fj": 1,
            "shift_add_fj": 1,
            "input_register_fj": 1,
            "output_register_fj": 1,
            "bus_fj_per_bit": 1,
        }
    ),
)
NETWORK = Network(
    "toy",
    (
        Layer.conv2d("a", 1, 5, kernel_size=3, input_size=4),
        Layer.conv2d("b", 5, 3, kernel_size=1, input_size=4, stride=2),
        Layer.linear("c", 3, 2),
    ),
)
VALUES = {
    "weight_bits": [3, 4, 3],
    "activation_bits": [5, 3, 8],
    "averaging_copies": [2, 1, 4],
}
DESIGN = Design.of(VALUES, [3, 3, 2], space=SPACE)


@pytest.fixture
def toy():
    return CostModel(NETWORK, CHIP, SPACE)


def test_tiles(toy):
    # ceil(K/4) * ceil(M/4) * ceil(w/2) of one set, times the sets, times the copies:
    #   a: 3 * 2 * 2 = 12, x 2, x 3     b: 2 * 1 * 2 = 4, x 1, x 3     c: 1 * 1 * 2 = 2, x 4, x 2
    assert toy.tiles_per_copy(DESIGN.settings).tolist() == [24, 4, 8]
    assert toy.evaluate(DESIGN).layer_tiles.tolist() == [72, 12, 16]


def test_cycles(toy):
    # A position takes ceil(a/2) * ceil(min(K, 4)/2) * 2 cycles, whatever the sets, and 5 per level
    # of a tree over the row tiles of all sets, 3 * 2, 2 * 1 and 1 * 4:
    #   a: 3 * 2 * 2 + 5 * 3 = 27     b: 2 * 2 * 2 + 5 * 1 = 13     c: 4 * 2 * 2 + 5 * 2 = 26
    assert toy.cycles_per_unit(DESIGN.settings).tolist() == [27, 13, 26]
    # The busiest of 3, 3 and 2 copies has 6, 2 and 1 positions.
    assert toy.evaluate(DESIGN).layer_cycles.tolist() == [6 * 27, 2 * 13, 26]


def test_energy(toy):
    # P * t = 16 * 3 = 48, 4 * 2 = 8 and 1 * 4 = 4 input steps, of 5 * 2 * 2 = 20, 3 * 2 = 6 and
    # 2 * 2 * 4 = 16 columns with 2 + 2 + 1, 2 + 1 and 2 conversions of each.
    report = toy.evaluate(DESIGN).component_energy_fj
    names = ("adc", "cells", "row_drive", "shift_add", "registers", "bus")
    adc, cells, row_drive, shift_add, registers, bus = (
        report[place].tolist() for place in range(len(names))
    )
    assert adc == [48 * 20 * 5 * 10, 8 * 6 * 3 * 10, 4 * 16 * 2 * 10]
    assert cells == [48 * 20 * 9, 8 * 6 * 5, 4 * 16 * 3]
    # Rows of every column tile, slice and set: 9 * 2 * 2 * 2, 5 * 1 * 2 and 3 * 1 * 2 * 4.
    assert row_drive == [48 * 72, 8 * 10, 4 * 24]
    # A conversion each, and P * M = 80, 12 and 2 additions per crossbar beyond the first of
    # 3 * 2, 2 and 4 whose results are added up.
    assert shift_add == [4800 + 80 * 5, 144 + 12, 128 + 2 * 3]
    # Input registers of 24, 4 and 8 tiles; output registers of the columns of 3, 2 and 1 row tiles.
    assert registers == [48 * 24 + 16 * 20 * 3, 8 * 4 + 4 * 6 * 2, 4 * 8 + 16]
    # Windows come once for all sets, 9 * 16 * 5, 5 * 4 * 3 and 3 * 8 bits; sums of 16 bits leave
    # all crossbars.
    assert bus == [720 + 80 * 6 * 16, 60 + 12 * 2 * 16, 24 + 2 * 4 * 16]


@pytest.mark.parametrize("preset", list_presets())
def test_one_averaged_copy_is_the_plain_chip(preset):
    network, chip = load_network("lenet"), load_preset(preset)
    with_knob, without = CostModel(network, chip, SPACE), CostModel(network, chip)
    assert with_knob.baseline == without.baseline
    bits = {"weight_bits": [4, 8, 3, 5], "activation_bits": [8, 2, 4, 6]}
    copies = None if chip.weight_loading == "time-multiplexed" else [3, 2, 1, 4]
    assert with_knob.evaluate(Design.of(bits, copies, space=SPACE)) == without.evaluate(
        Design.of(bits, copies)
    )


def test_averages_take_the_tiles_of_replication_but_do_not_divide_the_time():
    network = load_network("resnet20")
    chip = replace(load_preset("neurram_nature_2022"), accumulation_cycles=0)
    model = CostModel(network, chip, SPACE)
    layers = len(network)
    averaged = model.evaluate(Design.of({"averaging_copies": 4}, layers=layers, space=SPACE))
    replicated = model.evaluate(Design.of({}, [4] * layers, space=SPACE))
    assert averaged.layer_tiles.tolist() == replicated.layer_tiles.tolist()
    assert averaged.layer_cycles.tolist() == model.baseline.layer_cycles.tolist()
    assert (replicated.layer_cycles <= averaged.layer_cycles).all()
    assert replicated.latency_cycles < averaged.latency_cycles
    # On this chip energy is that of conversions and driven rows alone, which every set has.
    assert averaged.energy_fj == 4 * model.baseline.energy_fj
    assert replicated.energy_fj == model.baseline.energy_fj
