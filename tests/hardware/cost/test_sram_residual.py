"""Words in SRAM that correct weights: what they take, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from lrmp.errors import DesignError, PresetError
from lrmp.hardware import (
    PRECISION,
    Accelerator,
    CostModel,
    Design,
    DesignSpace,
    EventEnergies,
    Layer,
    Network,
    load_network,
    load_preset,
)
from lrmp.hardware.chip.event_energies import EVENTS
from lrmp.hardware.space.sram_residual import SRAM_BITS, SRAM_SHIFT, SRAM_SPARSITY

# By hand from these few numbers:
#
#   chip   crossbars of 16 x 16 cells of 1 bit, all rows at once; SRAM of 64 bits in a tile's area;
#          a digital multiply-accumulate takes 7 fJ, a bit from a buffer 1 fJ, an addition 2 fJ
#   layer  K = 20, M = 3, P = 2
CHIP = Accelerator(
    name="toy",
    crossbar_rows=16,
    crossbar_columns=16,
    cell_bits=1,
    dac_bits=1,
    active_rows=16,
    columns_per_adc=8,
    clock_mhz=100,
    output_elements_per_cycle=0,
    technology_nm=32,
    sram_bits_per_tile=64,
    energy=EventEnergies(
        **dict.fromkeys(EVENTS, 0)
        | {"digital_mac_fj": 7, "buffer_fj_per_bit": 1, "shift_add_fj": 2}
    ),
)
NETWORK = Network("toy", (Layer.linear("fc", 20, 3, positions=2),))
SPACE = DesignSpace((*PRECISION, SRAM_SPARSITY, SRAM_BITS, SRAM_SHIFT))


def hybrid(sparsity, bits=2, shift=0, space=SPACE, layers=1):
    values = {"weight_bits": 2, "activation_bits": 3}
    values |= {"sram_sparsity": sparsity, "sram_bits": bits, "sram_shift": shift}
    return Design.of(values, layers=layers, space=space)


# 2-bit weights: 2 slices of 20 x 3, each on 2 crossbars: 4 tiles. ceil(20 / 8) = 3 groups of each
# of 3 columns: 9 groups, of which floor(sparsity * 9) have no words; 8 words each.
#
#   sparsity, bits   groups  words  bits                  tiles
#   0, 2             9       72     144 + 9 = 153         ceil(153 / 64) = 3
#   50, 2            5       40     80 + 9 = 89           2
#   50, 4            5       40     160 + 9 = 169         3
#   95, 3            1       8      24 + 9 = 33           1
BY_HAND = {(0, 2): (72, 153, 3), (50, 2): (40, 89, 2), (50, 4): (40, 169, 3), (95, 3): (8, 33, 1)}


@pytest.mark.parametrize(("sparsity", "bits"), BY_HAND)
def test_words_by_hand(sparsity, bits):
    words, stored, tiles = BY_HAND[sparsity, bits]
    model = CostModel(NETWORK, CHIP, SPACE)
    none, found = (model.evaluate(each) for each in (hybrid(100), hybrid(sparsity, bits)))
    assert (none.tiles, found.tiles) == (4, 4 + tiles)
    assert found.latency_cycles == none.latency_cycles
    added = {
        name: found.energy_breakdown_fj[name] - none.energy_breakdown_fj[name]
        for name in found.energy_breakdown_fj
    }
    # Two positions read all words; 2 * 3 outputs have one addition more.
    wanted = {"digital": 2 * words * 7, "buffer": 2 * stored, "shift_add": 2 * 3 * 2}
    assert {name: fj for name, fj in added.items() if fj} == wanted


def test_shifts_cost_nothing_more():
    model = CostModel(NETWORK, CHIP, SPACE)
    reports = [model.evaluate(hybrid(50, 3, shift)) for shift in SRAM_SHIFT.values]
    assert all(report == reports[0] for report in reports)


def test_every_copy_has_its_words():
    model = CostModel(NETWORK, CHIP, SPACE)
    twice = Design(SPACE, hybrid(50).settings, np.array([2]))
    assert model.evaluate(twice).tiles == 2 * (4 + 2)


@pytest.mark.parametrize("network", ["lenet", "resnet20"])
def test_without_words_it_is_plain_rram(network):
    network = load_network(network)
    chip = replace(load_preset("lrmp_frontiers_2024"), sram_bits_per_tile=10_000)
    base, model = CostModel(network, chip), CostModel(network, chip, SPACE)
    rng = np.random.default_rng(0)
    bits, copies = PRECISION.sample(rng, len(network)), rng.integers(1, 5, len(network))
    rest = np.tile([SRAM_SPARSITY.values.index(100), 1, 2], (len(network), 1))
    found = model.evaluate(Design(SPACE, np.column_stack([bits, rest]), copies))
    assert found == base.evaluate(Design(PRECISION, bits, copies))


def test_a_product_of_two_activations_has_no_words():
    layer = Layer.matmul("qk", inner=20, outputs=3, positions=2)
    chip = replace(CHIP, dynamic_matmul="rewrite")
    model = CostModel(Network("toy", (layer,)), chip, SPACE)
    assert model.evaluate(hybrid(0)) == model.evaluate(hybrid(100))


# ------------------------------------------------------------------------------------ bad input


def test_chip_without_sram_is_refused():
    with pytest.raises(
        DesignError,
        match=r"Expected a chip with SRAM beside its crossbars where sram_sparsity is chosen, got "
        r"accelerator 'toy' with sram_bits_per_tile 0\. Set it, or leave the knob out",
    ):
        CostModel(NETWORK, replace(CHIP, sram_bits_per_tile=0), SPACE)


def test_words_of_no_length_are_refused():
    with pytest.raises(DesignError, match=r"Expected sram_bits beside sram_sparsity, .* Add the"):
        CostModel(NETWORK, CHIP, DesignSpace((*PRECISION, SRAM_SPARSITY)))


def test_products_that_take_no_energy_are_refused():
    energy = replace(CHIP.energy, digital_mac_fj=0)
    model = CostModel(NETWORK, replace(CHIP, energy=energy), SPACE)
    with pytest.raises(
        PresetError, match=r"what a digital multiply-accumulate takes where sram_sparsity is chosen"
    ):
        model.evaluate(hybrid(100))
