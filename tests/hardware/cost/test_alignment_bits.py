"""Alignment of half-precision inputs by hand, and a chip that cannot do it."""

from dataclasses import replace

import numpy as np
import pytest

from lrmp.errors import DesignError
from lrmp.hardware import Accelerator, CostModel, Design, DesignSpace, EventEnergies, Layer, Network
from lrmp.hardware.chip.event_energies import EVENTS
from lrmp.hardware.families import find_family
from lrmp.hardware.networks import load_network
from lrmp.hardware.space.alignment_bits import ALIGNMENT_BITS
from lrmp.hardware.space.precision import activation_bits, weight_bits

# Worked out by hand: crossbars of 8 x 8 cells of 2 bits, 3 input bits at a time, 4 rows at a time,
# 2 columns per ADC; a 1 x 1 convolution of 10 -> 5 channels at 6 positions, with 4-bit weights:
# K = 10 in row tiles of 8 and 2 rows, so 2 + 1 row groups, M = 5 in 2 slices, so 10 columns.
CHIP = Accelerator(
    name="toy",
    crossbar_rows=8,
    crossbar_columns=8,
    cell_bits=2,
    dac_bits=3,
    active_rows=4,
    columns_per_adc=2,
    clock_mhz=100,
    output_elements_per_cycle=0,
    technology_nm=32,
    noc_bits_per_cycle=7,
    float_input_bits=16,
    energy=EventEnergies(
        **dict.fromkeys(EVENTS, 0)
        | {"adc_conversion_fj": 10, "shift_add_fj": 3, "buffer_fj_per_bit": 2, "bus_fj_per_bit": 5}
    ),
)
NETWORK = Network("toy", (Layer("a", "conv2d", rows=10, columns=5, positions=6),))
SPACE = DesignSpace((weight_bits(), ALIGNMENT_BITS))


def cost(alignment_bits, chip=CHIP):
    values = {"weight_bits": 4, "alignment_bits": alignment_bits}
    return CostModel(NETWORK, chip, SPACE).evaluate(Design.of(values, [1], space=SPACE))


# t = ceil((11 + A) / 3) input steps.
@pytest.mark.parametrize(("alignment_bits", "steps"), [(-9, 1), (-4, 3), (0, 4), (8, 7)])
def test_cost_by_hand(alignment_bits, steps):
    found = cost(alignment_bits)
    # 6 positions of t steps of 2 row groups of 2 conversions each; 60 inputs of 16 bits arrive at 7
    # bits a cycle, ceil(960 / 7) = 138, whatever their alignment.
    assert found.cycle_breakdown["mvm"] == 6 * steps * 2 * 2
    assert found.cycle_breakdown["noc"] == 138
    # 6 t conversions of 10 columns in 3 row groups. They are added up within the row group, the
    # 10 * 3 sums of a position shifted and added once more, the 5 outputs of two row tiles joined.
    conversions = 6 * steps * 10 * 3
    assert found.energy_breakdown_fj["adc"] == 10 * conversions
    assert found.energy_breakdown_fj["shift_add"] == 3 * (conversions + 6 * 10 * 3 + 6 * 5)
    # 60 inputs of 16 bits are written and read once; a position has 5 * 2 partial sums of 16.
    assert found.energy_breakdown_fj["buffer"] == 2 * 2 * 60 * 16
    assert found.energy_breakdown_fj["bus"] == 5 * (60 * 16 + 6 * 5 * 2 * 16)
    assert found.tiles == 2 * 2


def test_integer_inputs_cost_the_same_on_a_chip_that_takes_floats():
    integers = DesignSpace((weight_bits(), activation_bits()))
    floats, plain = (
        CostModel(NETWORK, chip, integers) for chip in (CHIP, replace(CHIP, float_input_bits=0))
    )
    settings = integers.settings[:, None]
    copies = np.ones((len(settings), 1), np.int64)
    for one, other in zip(
        vars(floats.evaluate_batch(settings, copies, with_energy=True)).values(),
        vars(plain.evaluate_batch(settings, copies, with_energy=True)).values(),
        strict=True,
    ):
        assert one.tolist() == other.tolist()


def test_eight_bits_stream_as_long_as_integers_of_eight():
    integers = DesignSpace((weight_bits(), activation_bits()))
    values = {"weight_bits": 4, "activation_bits": 8}
    whole = CostModel(NETWORK, CHIP, integers).evaluate(Design.of(values, [1], space=integers))
    aligned = cost(-3)
    assert aligned.cycle_breakdown["mvm"] == whole.cycle_breakdown["mvm"]
    assert aligned.energy_breakdown_fj["adc"] == whole.energy_breakdown_fj["adc"]
    # What floats cost beside: wider inputs on the way, and a shifted sum per row group.
    assert aligned.energy_breakdown_fj["buffer"] == 2 * whole.energy_breakdown_fj["buffer"]
    shifted = 3 * 6 * 10 * 3
    assert (
        aligned.energy_breakdown_fj["shift_add"] == whole.energy_breakdown_fj["shift_add"] + shifted
    )


def test_more_bits_never_cost_less():
    family = find_family("float")
    network, chip = load_network("resnet20"), family.chip()
    space = family.space(network, chip)
    model = CostModel(network, chip, space)
    for weights in (2, 8):
        settings = [
            Design.of({"weight_bits": weights, "alignment_bits": bits}, layers=20, space=space)
            for bits in ALIGNMENT_BITS.values
        ]
        found = [model.evaluate(design) for design in settings]
        for quantity in ("latency_cycles", "energy_fj", "tiles"):
            numbers = [getattr(report, quantity) for report in found]
            assert numbers == sorted(numbers)
            assert (numbers[0] < numbers[-1]) == (quantity != "tiles")


def test_chip_without_floats_is_refused():
    message = (
        "Expected a chip that takes half-precision inputs where alignment_bits is chosen, got "
        "accelerator 'toy' with float_input_bits 0. Set it to 16, or take activation_bits."
    )
    with pytest.raises(DesignError) as error:
        cost(0, replace(CHIP, float_input_bits=0))
    assert str(error.value) == message


def test_bits_below_a_sign_and_another_are_refused():
    knob = replace(ALIGNMENT_BITS, values=(-10, 0, 8))
    with pytest.raises(DesignError) as error:
        CostModel(NETWORK, CHIP, DesignSpace((knob,)))
    assert str(error.value) == (
        "Expected alignment_bits of at least -9, which leave 2 of the 11 bits of a significand, "
        "got -10."
    )
