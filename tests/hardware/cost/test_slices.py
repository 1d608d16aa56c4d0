"""Cells and converters that are not all alike, with numbers by hand."""

from dataclasses import replace

import numpy as np
import pytest

from lrmp.errors import DesignError
from lrmp.hardware import Accelerator, CostModel, Design, EventEnergies, Layer, Network
from lrmp.hardware.chip.event_energies import EVENTS
from lrmp.hardware.chip.weight_slices import count_slices
from lrmp.hardware.space.catalogue import space_from_json
from lrmp.hardware.space.precision import PRECISION

CHIP = Accelerator(
    name="chip",
    crossbar_rows=128,
    crossbar_columns=128,
    cell_bits=2,
    dac_bits=1,
    active_rows=128,
    columns_per_adc=128,
    clock_mhz=100,
    output_elements_per_cycle=0,
    slice_placement="packed",
)
FC = Network("fc", (Layer.linear("fc", 128, 16, 5),))


def cost(chip, network=FC, weight_bits=8, activation_bits=8):
    bits = {"weight_bits": [weight_bits], "activation_bits": [activation_bits]}
    design = Design.from_json(bits | {"replication": [1]}, PRECISION, ["fc"])
    model = CostModel(network, chip)
    return model, model.evaluate(design)


def energies(**others):
    return EventEnergies(**(dict.fromkeys(EVENTS, 0) | others))


def test_unequal_slices_are_filled_from_the_first():
    raella = replace(CHIP, cell_bits=4, slice_bits=(4, 2, 2))
    assert count_slices(raella, np.arange(1, 14)).tolist() == [
        1,
        1,
        1,
        1,
        2,
        2,
        3,
        3,
        4,
        4,
        4,
        4,
        5,
    ]
    # Of 8 bits, 16 columns x 3 slices; equal slices of 4 bits would be two.
    model, _ = cost(raella)
    assert model.mapping.columns.squeeze().tolist()[6] == 48
    assert cost(replace(raella, slice_bits=()))[0].mapping.columns.squeeze().tolist()[6] == 32


def test_a_pair_has_the_sign():
    pairs = replace(CHIP, weight_encoding="differential-columns")
    assert count_slices(pairs, 7) == 4
    magnitude = replace(pairs, stored_bits="magnitude")
    assert count_slices(magnitude, 7) == 3
    # A 7-bit weight in 2-bit cells: 6 bits in 3 pairs, 6 columns.
    network = Network("one", (Layer.linear("fc", 128, 1),))
    assert cost(magnitude, network)[0].mapping.columns.squeeze().tolist()[5] == 6
    assert cost(pairs, network)[0].mapping.columns.squeeze().tolist()[5] == 8
    assert count_slices(magnitude, 1) == 1  # a sign alone takes a pair


def test_columns_weighed_before_one_adc():
    """Four 1-bit columns make a 4-bit weight, and are converted once."""
    bits = replace(CHIP, cell_bits=1, technology_nm=7, energy=energies(adc_conversion_fj=10))
    weighed = replace(bits, slices_per_conversion=4)
    many, few = cost(bits, weight_bits=4)[1], cost(weighed, weight_bits=4)[1]
    # 5 positions x 8 input bits x 16 weights, of 4 columns or of one
    assert few.energy_fj == 5 * 8 * 16 * 10
    assert many.energy_fj == 4 * few.energy_fj
    assert (few.tiles, many.tiles) == (1, 1)
    assert few.latency_cycles == 5 * 8 * 128 // 4
    assert many.latency_cycles == 5 * 8 * 128
    # 128 rows x 15, instead of 128 x 1: 11 bits instead of 8
    assert (weighed.lossless_adc_bits, bits.lossless_adc_bits) == (11, 8)


def test_a_chip_without_adcs_loses_nothing_and_clips_nothing():
    digital = replace(CHIP, cell_bits=1, columns_per_adc=1, adc="none")
    assert not digital.adc_is_lossy
    assert cost(digital)[1].latency_cycles == 5 * 8
    space = space_from_json({"knobs": ["weight_bits", "activation_bits", "adc_clip_bits"]})
    with pytest.raises(DesignError, match=r"adc_clip_bits is chosen, .* with adc 'none'"):
        CostModel(FC, digital, space)
    wider = replace(digital, technology_nm=22, energy=energies(adc_conversion_fj=3))
    assert wider.with_active_rows(16).energy.adc_conversion_fj == 3  # no ADC to make smaller


def test_steps_beyond_the_bits():
    """Three speculative steps and eight to recover, with the energy of as many reads."""
    eleven = replace(CHIP, extra_input_steps=3, technology_nm=32, energy=energies(cell_read_fj=1))
    assert cost(eleven)[1].latency_cycles == 5 * 11 * 128
    assert cost(eleven)[1].energy_fj == 5 * 11 * 128 * 64  # 16 weights of 4 columns


def test_rates_that_are_not_whole():
    # 128 columns at 1.28 conversions per cycle
    fast = replace(CHIP, conversions_per_cycle=1.28, clock_mhz=1000 / 5.5)
    report = cost(fast)[1]
    assert report.latency_cycles == 5 * 8 * 100
    assert report.clock_hz == 181_818_182  # 5.5 ns
    assert report.latency_s == pytest.approx(4000 * 5.5e-9, rel=1e-8)


def test_weights_come_from_a_memory():
    """AlexNet's fc6 on one macro: 9216 x 4096 weights of 8 bits in 288 x 32 x 4 rounds."""
    fc6 = Network("fc6", (Layer.linear("fc6", 9216, 4096),))
    alone = replace(
        CHIP, weight_loading="time-multiplexed", tiles=1, write_cycles=128, columns_per_adc=1
    )
    # In 2-bit cells 72 x 128 crossbars; each written in 128 cycles, then 8 reads of a cycle.
    assert cost(alone, fc6)[1].latency_cycles == 72 * 128 * (128 + 8)
    narrow = replace(alone, weight_bits_per_cycle=64)
    # 9216 x 4096 x 8 bits / 9216 rounds are 32,768 bits: 512 cycles at 64 bits.
    assert cost(narrow, fc6)[1].latency_cycles == 72 * 128 * (512 + 8)
    wide = replace(alone, weight_bits_per_cycle=512)
    assert cost(wide, fc6)[1].latency_cycles == cost(alone, fc6)[1].latency_cycles


def test_a_layer_takes_no_less_time_than_its_memory():
    """Weights, inputs and outputs of a layer over 64 bits per cycle; the longer of both counts."""
    small = Network("small", (Layer.linear("fc", 128, 16, 100),))
    alone = replace(
        CHIP, weight_loading="time-multiplexed", tiles=1, write_cycles=100, columns_per_adc=1
    )
    # 64 of 128 columns: one round of 100 cycles, then 100 positions of 8 cycles
    assert cost(alone, small)[1].latency_cycles == 900
    slow = replace(alone, memory_bits_per_cycle=64)
    # (128 x 16 weights + 128 x 100 inputs + 16 x 100 outputs) x 8 bits
    transfer = (2048 + 12800 + 1600) * 8 // 64
    model, report = cost(slow, small)
    assert report.latency_cycles == transfer == 2056
    assert report.component_cycles[:, 0].tolist() == [transfer - 900 + 0, 800, 0, 0, 0, 0, 0, 100]
    fast = replace(alone, memory_bits_per_cycle=512)
    assert cost(fast, small)[1].latency_cycles == 900
    # Every way to ask gives the same: batches, layers, and what solvers see.
    settings = model.baseline and Design.plain(1).settings
    assert model.layer_cycles(settings).tolist() == [transfer]
    assert model.evaluate_batch(settings[None], [[1]]).latency_cycles.tolist() == [transfer]
    assert model.copy_costs(settings).cycles_per_unit.tolist() == [transfer]
    # With 2 copies side by side the work takes 400 cycles, and the memory as long as before.
    double = Design.from_json(
        {"weight_bits": [8], "activation_bits": [8], "replication": [1]}, PRECISION, ["fc"]
    )
    roomy = CostModel(small, replace(slow, tiles=2))
    assert roomy.evaluate(replace(double, replication=[2])).latency_cycles == transfer
