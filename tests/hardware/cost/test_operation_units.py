"""Operation units and blocks with bits of their own, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from lrmp.errors import DesignError, PresetError
from lrmp.hardware import Accelerator, CostModel, Design, DesignSpace, EventEnergies, Layer, Network
from lrmp.hardware.chip.event_energies import EVENTS
from lrmp.hardware.cost.operation_units import block_index_bits
from lrmp.hardware.families import find_family
from lrmp.hardware.networks import load_network
from lrmp.hardware.space.averaging import AVERAGING_COPIES
from lrmp.hardware.space.block_circulant import BLOCK_SIZE
from lrmp.hardware.space.mean_weight_bits import MEAN_WEIGHT_BITS
from lrmp.hardware.space.precision import PRECISION, activation_bits

# Worked out by hand: crossbars of 8 x 8 cells of 1 bit in units of 3 x 2, so 2 x 4 = 8 whole ones;
# a crossbar has 4 ADCs of 2 columns each, so that every column of a unit has one.
#   "a"  3 x 3 convolution, 1 -> 5 channels, 4 x 4 input:  K = 9, M = 5: 3 x 3 = 9 blocks
#   "b"  depthwise 2 x 1, 4 channels, 2 positions:         K = 2, M = 1: 1 x 1 block in 4 groups
CHIP = Accelerator(
    name="toy",
    crossbar_rows=8,
    crossbar_columns=8,
    cell_bits=1,
    dac_bits=1,
    active_rows=3,
    active_columns=2,
    columns_per_adc=2,
    clock_mhz=100,
    output_elements_per_cycle=0,
    technology_nm=32,
    energy=EventEnergies(
        **dict.fromkeys(EVENTS, 0)
        | {
            "adc_conversion_fj": 10,
            "cell_read_fj": 1,
            "row_drive_fj": 4,
            "shift_add_fj": 3,
            "buffer_fj_per_bit": 2,
            "output_register_fj": 7,
        }
    ),
)
NETWORK = Network(
    "toy",
    (
        Layer.conv2d("a", 1, 5, kernel_size=3, input_size=4),
        Layer("b", "conv2d", rows=2, columns=4, positions=2, groups=4),
    ),
)
SPACE = DesignSpace((MEAN_WEIGHT_BITS, activation_bits()))


def blocks(mean, activations=5, chip=CHIP, network=NETWORK):
    values = {"mean_weight_bits": mean, "activation_bits": activations}
    design = Design.of(values, layers=len(network), space=SPACE)
    return CostModel(network, chip, SPACE).evaluate(design)


def layerwise(weight_bits, activations=5, chip=CHIP, network=NETWORK):
    values = {"weight_bits": weight_bits, "activation_bits": activations}
    return CostModel(network, chip).evaluate(Design.of(values, layers=len(network)))


def test_bwq_integers():
    # 9 rows of 1-bit cells and 1-bit inputs sum up to 0..9; the units of an array are 15 x 16.
    bwq = replace(CHIP, crossbar_rows=128, crossbar_columns=128, active_rows=9, active_columns=8)
    assert bwq.adc_bits == 4
    assert bwq.reads_per_crossbar == 240
    assert replace(bwq, active_columns=0).reads_per_crossbar == 15
    # 9 numbers of bits, 0..8, and 7 places of the lowest.
    assert block_index_bits() == 4 + 3


def test_cost_by_hand():
    # 2.5 bits: a has floor(9 * 2.5) = 22 units on ceil(22 / 8) = 3 crossbars, b floor(4 * 2.5) = 10
    # on 2. The fullest reads 8, each with one conversion per ADC, in 5 input steps.
    found = blocks(10)
    assert found.layer_tiles.tolist() == [3, 2]
    assert found.component_cycles[1].tolist() == [16 * 5 * 8, 2 * 5 * 8]
    energy = found.component_energy_fj
    units = np.array([16 * 5 * 22, 2 * 5 * 10])  # read, in all
    assert energy[0].tolist() == (10 * 2 * units).tolist()
    assert energy[1].tolist() == (6 * units).tolist()
    assert energy[2].tolist() == (4 * 3 * units).tolist()
    # The 22 units of a are 3 columns of blocks, ceil(22 / 3) = 8 units each: a sum sits in one.
    assert energy[3].tolist() == (3 * 2 * units).tolist()
    assert energy[4].tolist() == [7 * 16 * 5, 7 * 2 * 4]
    # Windows of 9 * 16 and 2 * 4 * 2 inputs of 5 bits are read, 16 and 16 distinct ones written
    # (b says nothing of its own), and 7 bits of index for each of 9 and 4 blocks in every step.
    assert energy[8].tolist() == [
        2 * (9 * 16 * 5 + 16 * 5 + 16 * 5 * 9 * 7),
        2 * (16 * 5 + 16 * 5 + 2 * 5 * 4 * 7),
    ]


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize(
    ("network", "chip"), [(NETWORK, CHIP), (load_network("lenet"), find_family("block").chip())]
)
def test_equal_bits_cost_what_the_whole_layer_does(network, chip, bits):
    widths = tuple(range(1, 9))
    means = replace(MEAN_WEIGHT_BITS, values=tuple(4 * width for width in widths))
    by_block = DesignSpace((means, PRECISION["activation_bits"]))
    by_layer = DesignSpace(
        (replace(PRECISION["weight_bits"], values=widths), PRECISION["activation_bits"])
    )
    found, expected = CostModel(network, chip, by_block), CostModel(network, chip, by_layer)
    blocks, activations = found.mapping.blocks.ravel(), 5
    places = [[bits - 1, activations - 2]] * len(network)
    one, other = (
        model.evaluate(Design(model.space, places, [1] * len(network)))
        for model in (found, expected)
    )
    assert one.layer_tiles.tolist() == other.layer_tiles.tolist()
    assert one.component_cycles.tolist() == other.component_cycles.tolist()
    more = one.component_energy_fj - other.component_energy_fj
    # But for the index, which whole layers need not have.
    index_bits = blocks * 7 * network.positions * activations
    expected_more = np.zeros_like(more)
    expected_more[8] = index_bits * chip.energy.buffer_fj_per_bit
    assert more.tolist() == expected_more.tolist()


def test_more_bits_never_cost_less():
    family = find_family("block")
    network, chip = load_network("resnet20"), family.chip()
    found = [blocks(mean, chip=chip, network=network) for mean in MEAN_WEIGHT_BITS.values]
    for quantity in ("tiles", "latency_cycles", "energy_fj"):
        numbers = [getattr(report, quantity) for report in found]
        assert numbers == sorted(numbers)
        assert numbers[0] < numbers[-1]


def test_blocks_never_cost_more_than_the_widest_of_them():
    """A layer of one width must give all blocks what the worst of them needs."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        own = rng.integers(1, 9, 9)
        quarters = 4 * own.sum() // 9  # what the knob can say, not above the sum
        space = DesignSpace((replace(MEAN_WEIGHT_BITS, values=(int(quarters), 32)),))
        design = Design.of({"mean_weight_bits": int(quarters)}, layers=2, space=space)
        found = CostModel(NETWORK, CHIP, space).evaluate(design)
        widest = layerwise(max(2, int(own.max())), 8)
        assert found.tiles <= widest.tiles
        assert found.latency_cycles <= widest.latency_cycles


def test_units_of_all_columns_hold_what_crossbars_do():
    """A unit as wide as a crossbar, whose rows it divides, is the plain mapping's row group."""
    wide = replace(CHIP, crossbar_rows=9, active_columns=8)
    rows = replace(wide, active_columns=0)
    network = Network("full", (Layer.linear("a", 9, 8),))
    for bits in (2, 5, 8):
        unit, plain = (layerwise(bits, chip=chip, network=network) for chip in (wide, rows))
        assert unit.tiles == -(-bits * 3 // 3) == plain.tiles
        assert unit.component_energy_fj[:3].tolist() == plain.component_energy_fj[:3].tolist()
        assert unit.cycle_breakdown["mvm"] == plain.cycle_breakdown["mvm"]


def test_averaged_sets_have_units_of_their_own():
    space = DesignSpace((*SPACE, AVERAGING_COPIES))
    chip = replace(CHIP, accumulation_cycles=5)
    model = CostModel(NETWORK, chip, space)
    values = {"mean_weight_bits": 10, "activation_bits": 5}
    one, four = (
        model.evaluate(Design.of(values | {"averaging_copies": n}, layers=2, space=space))
        for n in (1, 4)
    )
    assert four.layer_tiles.tolist() == (4 * one.layer_tiles).tolist()
    # Conversions, cells and rows; the sets read at the same time, and their 4 sums are added up in
    # two levels of 5 cycles, at 16 and 2 positions.
    assert four.component_energy_fj[:3].tolist() == (4 * one.component_energy_fj[:3]).tolist()
    assert four.cycle_breakdown["mvm"] == one.cycle_breakdown["mvm"]
    assert one.cycle_breakdown["accumulation"] == 0
    assert four.cycle_breakdown["accumulation"] == (16 + 2) * 2 * 5


def test_circulant_blocks_take_the_units_of_what_is_stored():
    """4 x 4 circulant blocks of 8 inputs and 8 outputs are 8 rows of 2 columns, read 4 times."""
    space = DesignSpace((*SPACE, BLOCK_SIZE))
    network = Network("one", (Layer.linear("a", 8, 8),))
    model = CostModel(network, CHIP, space)
    values = {"mean_weight_bits": 16, "activation_bits": 5, "block_size": "4x4"}
    found = model.evaluate(Design.of(values, layers=1, space=space))
    # ceil(8 / 3) * ceil(2 / 2) = 3 blocks of 4 bits: 12 units on 2 crossbars of 8.
    assert found.tiles == 2
    assert found.cycle_breakdown["mvm"] == 4 * 5 * 8
    assert found.energy_breakdown_fj["adc"] == 10 * 4 * 5 * 12 * 2


def test_chips_that_have_no_blocks_are_refused():
    with pytest.raises(DesignError) as error:
        blocks(16, chip=replace(CHIP, active_columns=0))
    assert str(error.value) == (
        "Expected a chip that reads operation units where mean_weight_bits is chosen, got "
        "accelerator 'toy' with active_columns 0. Set it, such as to 8, or take weight_bits."
    )
    for changes, told in (
        ({"cell_bits": 2}, "cell_bits 2, 'offset' and 0 reference columns"),
        (
            {"weight_encoding": "differential-columns"},
            "cell_bits 1, 'differential-columns' and 0 reference columns",
        ),
        ({"reference_columns": 1}, "cell_bits 1, 'offset' and 1 reference columns"),
    ):
        with pytest.raises(DesignError) as error:
            blocks(16, chip=replace(CHIP, **changes))
        assert str(error.value) == (
            "Expected a chip of 1-bit cells and weight_encoding 'offset' without reference columns "
            "where mean_weight_bits is chosen, so that a unit holds one bit of a block, got "
            f"accelerator 'toy' with {told}. Take weight_bits there."
        )


def test_units_wider_than_a_crossbar_are_refused():
    with pytest.raises(PresetError) as error:
        replace(CHIP, active_columns=9)
    assert str(error.value) == (
        "Expected active_columns of accelerator 'toy' to be at most its crossbar_columns (8), "
        "got 9."
    )
