"""What follows where a layer needs fewer bits of the ADC: by hand, and what must hold."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from lrmp.errors import DesignError, PresetError
from lrmp.hardware import (
    ENERGY_COMPONENTS,
    PRECISION,
    Accelerator,
    Component,
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
from lrmp.hardware.space.column_nonzeros import column_nonzeros

# By hand from these few numbers:
#
#   chip   crossbars of R x C = 16 x 16 cells of 1 bit, inputs bit by bit, p = 16 rows at a time, so
#          B(16) = 5 bits; X = 8 columns per ADC, so 2 ADCs per crossbar; a read of 1 cycle and
#          8 conversions of 1 cycle; 100 MHz: a microwatt in a cycle is 10 fJ
#   layer  K = 20 (16 rows in one crossbar, 4 in another), M = 3, P = 2; in two columns each
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
    weight_encoding="differential-columns",
    adc="per-layer",
    read_cycles=1,
    energy=EventEnergies(**dict.fromkeys(EVENTS, 0) | {"adc_conversion_fj": 990}),
    components=(
        Component("adc", "adc", "adc", 1, area_um2=477, leakage_uw=10),
        Component("rest", "control", "tile", 1, area_um2=100, leakage_uw=5),
    ),
)
NETWORK = Network("toy", (Layer.linear("fc", 20, 3, positions=2),))
SPACE = DesignSpace((*PRECISION, column_nonzeros(16)))
ADC, LEAKAGE = map(ENERGY_COMPONENTS.index, ("adc", "leakage"))


def design_of(nonzeros, space=SPACE, layers=1, **values):
    return Design.of(
        {"weight_bits": 2, "activation_bits": 3, "column_nonzeros": nonzeros} | values,
        layers=layers,
        space=space,
    )


# 2-bit weights: 2 slices on crossbars of their own, each 20 x 6: 2 x 1 crossbars, 4 tiles in all.
# 3 input steps x 2 positions x 12 columns x 2 row groups = 144 conversions.
# The fullest crossbar has one row group: 2 positions x 3 steps x (1 + conversions) cycles.
#
#   n   B(n)  8 conversions             cycles      ADC fJ           area of 8 ADCs
#   16  5     8                         6 * 9 = 54  144 * 990        8 * 477 = 3816
#   8   4     ceil(8 * 4 / 5) = 7       6 * 8 = 48  144 * 790        8 * 361 = 2888
#   4   3     ceil(8 * 3 / 5) = 5       6 * 6 = 36  as at 4 bits     as at 4 bits
#
# Leakage of 4 tiles: two ADCs of 10 uW and 5 uW, or per layer two of 10 * 790 / 990 and 5.
BY_HAND = {
    16: (5, 54, 142_560, 3816, 4 * 25 * 54 * 10),
    8: (4, 48, 113_760, 2888, 40_242),  # 4 * (20 * 790 / 990 + 5) * 48 * 10 = 40242.4
    4: (3, 36, 113_760, 2888, 30_182),  # 4 * (20 * 790 / 990 + 5) * 36 * 10 = 30181.8
}


@pytest.mark.parametrize("nonzeros", BY_HAND)
def test_adcs_of_every_layer_by_hand(nonzeros):
    model, design = CostModel(NETWORK, CHIP, SPACE), design_of(nonzeros)
    report = model.evaluate(design)
    bits, cycles, adc_fj, area_um2, leakage_fj = BY_HAND[nonzeros]
    assert model.conversion.bits.ravel()[SPACE["column_nonzeros"].values.index(nonzeros)] == bits
    assert (report.tiles, report.latency_cycles) == (4, cycles)
    assert report.energy_breakdown_fj["adc"] == adc_fj
    assert report.energy_breakdown_fj["leakage"] == leakage_fj
    assert model.area_um2(design) == {"adc": area_um2, "control": 400}


@pytest.mark.parametrize("nonzeros", BY_HAND)
def test_adc_that_stops_early_keeps_its_area_and_leakage(nonzeros):
    chip = replace(CHIP, adc="early-stop")
    model, design = CostModel(NETWORK, chip, SPACE), design_of(nonzeros)
    report = model.evaluate(design)
    _, cycles, adc_fj, *_ = BY_HAND[nonzeros]
    assert report.latency_cycles == cycles
    assert report.energy_breakdown_fj["adc"] == adc_fj
    assert report.energy_breakdown_fj["leakage"] == 4 * 25 * cycles * 10
    assert model.area_um2(design) == chip.area_um2(4) == {"adc": 3816, "control": 400}


def test_rows_in_pairs_need_the_sign_and_hold_half_as_many_weights():
    # 16 rows are 8 weights, B = bits(8) + 1 = 5 = bits(16); 4 weights: bits(4) + 1 = 4.
    model = CostModel(NETWORK, replace(CHIP, weight_encoding="differential-rows"), SPACE)
    assert model.conversion.bits.ravel().tolist() == [4, 5, 5]


def test_fast_adcs_end_together_with_a_cycle():
    # 128 columns in one cycle of 100 ns: fewer bits save energy, and no cycle can be saved.
    chip = replace(
        load_preset("isaac_isca_2016"), weight_encoding="differential-columns", adc="per-layer"
    )
    model = CostModel(load_network("lenet"), chip, DesignSpace((*PRECISION, column_nonzeros())))
    assert (model.conversion.cycles == 1).all()
    # 9 bits lose nothing, but the chip has 8: n = 64 needs them, too.
    assert model.conversion.bits.ravel().tolist() == [4, 5, 6, 7, 8, 8]


@pytest.mark.parametrize("adc", ["per-layer", "early-stop"])
@pytest.mark.parametrize("network", ["lenet", "resnet20", "mobilenet_v2"])
def test_fewer_nonzeros_never_cost_more_and_all_rows_are_the_base(network, adc):
    base_chip = replace(
        load_preset("lrmp_frontiers_2024").with_active_rows(128),
        weight_encoding="differential-columns",
    )
    layers = load_network(network)
    space = DesignSpace((*PRECISION, column_nonzeros(128)))
    base = CostModel(layers, base_chip)
    plain = CostModel(layers, replace(base_chip, adc=adc))
    model = CostModel(layers, replace(base_chip, adc=adc), space)
    rng = np.random.default_rng(0)
    settings, copies = base.space.sample(rng, len(layers)), rng.integers(1, 9, len(layers))
    expected = base.evaluate(Design(base.space, settings, copies))
    assert plain.evaluate(Design(base.space, settings, copies)) == expected

    def report(place):
        with_knob = np.column_stack([settings, np.full(len(layers), place)])
        design = Design(space, with_knob, copies)
        return model.evaluate(design), sum(model.area_um2(design).values())

    reports, areas = zip(*map(report, range(len(space["column_nonzeros"]))), strict=True)
    assert reports[-1] == expected
    for fewer, more in pairwise(reports):
        assert (fewer.layer_tiles == more.layer_tiles).all()
        assert (fewer.component_cycles <= more.component_cycles).all()
        assert (fewer.component_energy_fj <= more.component_energy_fj).all()
        assert fewer.latency_cycles < more.latency_cycles
        assert fewer.energy_fj < more.energy_fj
    assert list(areas) == sorted(areas)
    assert (areas[0] < areas[-1]) == (adc == "per-layer")


def test_nobody_knows_what_is_0_in_a_product_of_two_activations():
    layer = Layer.matmul("qk", inner=20, outputs=3, positions=2)
    chip = replace(CHIP, dynamic_matmul="rewrite")
    model = CostModel(Network("toy", (layer, *NETWORK.layers)), chip, SPACE)
    assert model.conversion.bits.reshape(3, 2).tolist() == [[5, 3], [5, 4], [5, 5]]


def test_models_without_the_knob_have_no_axis_for_it():
    model = CostModel(NETWORK, CHIP, SPACE)
    assert model.latency.unit_cycles.shape == (1, 7, 3, 1)
    assert CostModel(NETWORK, CHIP).latency.unit_cycles.shape == (1, 7, 1)


def test_small_adcs_are_charged_as_the_smallest_known():
    # p = 8 of 1-bit cells: 4 bits; 4 weights need 3 bits, for which there are no figures.
    chip = replace(CHIP, active_rows=8)
    space = DesignSpace((*PRECISION, column_nonzeros(8)))
    ratio = CostModel(NETWORK, chip, space).conversion.energy_ratio
    assert ratio.ravel().tolist() == [1, 1]


# ------------------------------------------------------------------------------------ bad input


def test_chip_whose_adcs_are_fixed_is_refused():
    with pytest.raises(
        DesignError,
        match=r"Expected a chip whose ADCs follow the layers where column_nonzeros is chosen, got "
        r"accelerator 'toy' with adc 'fixed'\. Set its adc to 'per-layer' or 'early-stop', or",
    ):
        CostModel(NETWORK, replace(CHIP, adc="fixed"), SPACE)


def test_fixed_chip_takes_a_knob_that_prunes_nothing():
    all_rows = replace(column_nonzeros(16), values=(16,))
    chip = replace(CHIP, adc="fixed")
    model = CostModel(NETWORK, chip, DesignSpace((*PRECISION, all_rows)))
    assert model.baseline == CostModel(NETWORK, chip).baseline


def test_chip_that_stores_zeros_as_numbers_is_refused():
    with pytest.raises(
        DesignError,
        match=r"Expected a chip that stores a weight of 0 as cells of 0 .* got accelerator 'toy' "
        r"with weight_encoding 'offset', which moves zeros up\. Set it to 'differential-columns'",
    ):
        CostModel(NETWORK, replace(CHIP, weight_encoding="offset"), SPACE)


def test_chip_that_tears_the_rows_of_a_weight_apart_is_refused():
    chip = replace(CHIP, weight_encoding="differential-rows", active_rows=9)
    with pytest.raises(
        DesignError, match=r"drives both rows of a weight together .* 9 active_rows\. Take an even"
    ):
        CostModel(NETWORK, chip, DesignSpace((*PRECISION, column_nonzeros(9))))


def test_more_nonzeros_than_rows_are_refused():
    with pytest.raises(
        DesignError,
        match=r"Expected column_nonzeros of at most the 16 active_rows of accelerator 'toy', got "
        r"128\. Declare the knob by column_nonzeros\(16\)",
    ):
        CostModel(NETWORK, CHIP, DesignSpace((*PRECISION, column_nonzeros(128))))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"weight_loading": "time-multiplexed"}, "weight_loading 'stationary', .* 'time-multi"),
        ({"idle_power": "leaking"}, "idle_power 'gated', .* got 'leaking'"),
    ],
)
def test_tiles_without_a_layer_have_no_adc_of_a_layer(change, found):
    with pytest.raises(
        PresetError, match=rf"accelerator 'toy' with adc 'per-layer' to have {found}.*'early-stop'"
    ):
        replace(CHIP, tiles=100, **change)
    assert replace(CHIP, tiles=100, adc="early-stop", **change).adc == "early-stop"


def test_adc_without_figures_is_refused():
    chip = replace(CHIP, adc_resolution_bits=12)
    with pytest.raises(PresetError, match=r"Expected an ADC of 4 to 10 bits, got 12"):
        CostModel(NETWORK, chip, SPACE)


def test_unknown_kind_of_adc_is_refused():
    with pytest.raises(PresetError, match=r"Expected adc .* one of fixed, per-layer, early-stop"):
        replace(CHIP, adc="flash")
