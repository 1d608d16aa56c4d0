"""What a crossbar saves by pruned weights: by hand, and beside a layer that never had them."""

from dataclasses import replace

import numpy as np
import pytest

from lrmp.errors import DesignError
from lrmp.hardware import (
    ENERGY_COMPONENTS,
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
from lrmp.hardware.families import find_family
from lrmp.hardware.space.block_circulant import BLOCK_SIZE
from lrmp.hardware.space.column_nonzeros import column_nonzeros
from lrmp.hardware.space.pruning import PRUNING_METHOD, PRUNING_RATIO

# By hand from these few numbers:
#
#   chip   crossbars of 16 x 16 cells of 1 bit, inputs bit by bit, p = 16 rows at a time, so 5 bits;
#          8 columns per ADC; a read of 1 cycle and 8 conversions of 1 cycle; a weight is a pair of
#          columns; a cell read takes 2 fJ, a driven row 3 fJ, a bit in a buffer 1 fJ
#   layer  a 2 x 2 convolution of 10 channels of 3 x 3, unpadded: K = 40, M = 3, P = 4; 90 inputs
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
    energy=EventEnergies(
        **dict.fromkeys(EVENTS, 0)
        | {"adc_conversion_fj": 990, "cell_read_fj": 2, "row_drive_fj": 3, "buffer_fj_per_bit": 1}
    ),
)
NETWORK = Network("toy", (Layer.conv2d("c", 10, 3, 2, 3, padding=0),))
SPACE = DesignSpace((*PRECISION, PRUNING_RATIO, PRUNING_METHOD))


def pruned(ratio, method, space=SPACE, layers=1, **values):
    return Design.of(
        {"weight_bits": 2, "activation_bits": 3, "pruning_ratio": ratio, "pruning_method": method}
        | values,
        layers=layers,
        space=space,
    )


# 2-bit weights: 2 slices on crossbars of their own, each of 40 x 6 cells: 3 crossbars, of 16, 16
# and 8 rows. 3 input steps x 4 positions = 12 reads.
#
#   all weights   12 * 12 columns * 3 row groups = 432 conversions of 990 fJ; 12 * 480 cells * 2 fJ;
#                 12 * 80 rows * 3 fJ; 160 window inputs read and 90 delivered, of 3 bits;
#                 4 * 3 * (1 + 8) cycles
#   channels      5 of 10 leave 20 rows in 2 crossbars; 9 of 10 leave 4 rows in one
#   columns       n = 16 - floor(ratio * 16) is 12, 8, 4, 2: 4, 4, 3, 2 bits, and 7, 7, 5, 4
#                 conversions' cycles; no ADC is cheaper than that of 4 bits, 790 fJ; of the cells
#                 n + n + min(n, 8) of 40 in every column draw current
#   fine          120 - floor(ratio * 120) of 120 weights, of 4 cells each, draw current
BY_HAND = {
    # ratio, method: tiles, cycles, ADC, cells, rows, buffer
    (0, "fine"): (6, 108, 427_680, 11_520, 2880, 750),
    (0, "columns"): (6, 108, 427_680, 11_520, 2880, 750),
    (0, "channels"): (6, 108, 427_680, 11_520, 2880, 750),
    (25, "fine"): (6, 108, 427_680, 8640, 2880, 750),
    (90, "fine"): (6, 108, 427_680, 1152, 2880, 750),
    (25, "columns"): (6, 96, 341_280, 9216, 2880, 750),
    (50, "columns"): (6, 96, 341_280, 6912, 2880, 750),
    (75, "columns"): (6, 72, 341_280, 3456, 2880, 750),
    (90, "columns"): (6, 60, 341_280, 1728, 2880, 750),
    (50, "channels"): (4, 108, 285_120, 5760, 1440, 375),
    (90, "channels"): (2, 108, 142_560, 1152, 288, 75),
}


@pytest.mark.parametrize(("ratio", "method"), BY_HAND)
def test_savings_by_hand(ratio, method):
    report = CostModel(NETWORK, CHIP, SPACE).evaluate(pruned(ratio, method))
    energy = report.energy_breakdown_fj
    found = tuple(energy[name] for name in ("adc", "cells", "row_drive", "buffer"))
    assert (report.tiles, report.latency_cycles, *found) == BY_HAND[ratio, method]
    assert report.energy_fj == sum(found)


def test_floors_of_odd_numbers():
    # floor(0.25 * 10) = 2 of 10 channels: 8 leave 32 rows, whole crossbars.
    model = CostModel(NETWORK, CHIP, SPACE)
    settings = pruned(25, "channels").settings
    assert model.tiles_per_copy(settings).tolist() == [4]
    assert model.cells_per_copy(settings).tolist() == [2 * 6 * 32]
    # One input channel of a group is never left out.
    depthwise = Network("toy", (Layer.conv2d("c", 10, 10, 2, 3, groups=10),))
    model = CostModel(depthwise, CHIP, SPACE)
    one, none = (model.evaluate(pruned(ratio, "channels")) for ratio in (90, 0))
    assert one == none


CHIPS = {
    "adc": find_family("adc").chip(),
    "noc": replace(
        load_preset("isaac_isca_2016"), weight_encoding="differential-rows", adc="early-stop"
    ),
    "offset": load_preset("lrmp_frontiers_2024"),
}


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("network", ["lenet", "resnet20", "lstm_ptb_medium"])
def test_ratio_0_is_the_task_without_the_knobs(chip, network):
    chip, network = CHIPS[chip], load_network(network)
    space = SPACE
    if chip.weight_encoding == "offset":  # nothing but 0 can be had there
        space = DesignSpace((*PRECISION, replace(PRUNING_RATIO, values=(0,)), PRUNING_METHOD))
    base, model = CostModel(network, chip), CostModel(network, chip, space)
    rng = np.random.default_rng(0)
    bits, copies = PRECISION.sample(rng, len(network)), rng.integers(1, 5, len(network))
    expected = base.evaluate(Design(PRECISION, bits, copies))
    for method in range(3):
        settings = np.column_stack([bits, np.zeros_like(copies), np.full_like(copies, method)])
        design = Design(space, settings, copies)
        assert model.evaluate(design) == expected
        assert model.area_um2(design) == base.area_um2(Design(PRECISION, bits, copies))


def narrow(layer, channels):
    """The layer as if it had never had more input channels."""
    return replace(
        layer,
        rows=layer.rows // (layer.rows // layer.kernel_elements) * channels,
        input_elements=layer.input_elements * channels // (layer.rows // layer.kernel_elements),
    )


@pytest.mark.parametrize("chip", ["adc", "noc"])
@pytest.mark.parametrize("ratio", [25, 50, 90])
@pytest.mark.parametrize("network", ["lenet", "resnet20", "mobilenet_v2"])
def test_channels_that_are_pruned_were_never_there(chip, ratio, network):
    """Every number of every layer is that of the physically narrower one."""
    chip, network = CHIPS[chip], load_network(network)
    space = DesignSpace((*PRECISION, PRUNING_RATIO, replace(PRUNING_METHOD, values=("channels",),
                                                             plain="channels")))  # fmt: skip
    counts = network.rows // network.kernel_elements
    layers = zip(network.layers, (counts - counts * ratio // 100).tolist(), strict=True)
    narrower = Network("narrow", tuple(narrow(*each) for each in layers))
    rng = np.random.default_rng(ratio)
    bits, copies = PRECISION.sample(rng, len(network)), rng.integers(1, 5, len(network))
    place = np.full_like(copies, PRUNING_RATIO.values.index(ratio))
    settings = np.column_stack([bits, place, np.zeros_like(copies)])
    found = CostModel(network, chip, space).evaluate(Design(space, settings, copies))
    assert found == CostModel(narrower, chip).evaluate(Design(PRECISION, bits, copies))


def test_columns_are_those_of_column_nonzeros():
    """Half of the weights of columns: n of the ADC family, and cells that draw no current."""
    chip, network = CHIPS["adc"], load_network("resnet20")
    few = DesignSpace((*PRECISION, column_nonzeros(128)))
    expected = CostModel(network, chip, few).evaluate(Design.of({"column_nonzeros": 64},
                                                               layers=20, space=few))  # fmt: skip
    values = {"pruning_ratio": 50, "pruning_method": "columns"}
    found = CostModel(network, chip, SPACE).evaluate(Design.of(values, layers=20, space=SPACE))
    assert (found.component_cycles == expected.component_cycles).all()
    cells = ENERGY_COMPONENTS.index("cells")
    same = np.arange(len(ENERGY_COMPONENTS)) != cells
    assert (found.component_energy_fj[same] == expected.component_energy_fj[same]).all()
    draw = found.component_energy_fj[cells] / expected.component_energy_fj[cells]
    assert draw.min() == pytest.approx(80 / 144)  # 64 of 128 rows, and the 16 that are left
    assert draw[0] == 1  # 27 rows: no row group has more than 64


def test_a_fine_zero_saves_nothing_but_the_current_of_its_cells():
    model = CostModel(load_network("resnet20"), CHIPS["adc"], SPACE)
    none, most = (model.evaluate(pruned(ratio, "fine", layers=20)) for ratio in (0, 90))
    assert (none.layer_tiles == most.layer_tiles).all()
    assert (none.component_cycles == most.component_cycles).all()
    cells = ENERGY_COMPONENTS.index("cells")
    saved = none.component_energy_fj - most.component_energy_fj
    assert (np.delete(saved, cells, axis=0) == 0).all()
    ratio = most.component_energy_fj[cells] / none.component_energy_fj[cells]
    assert ratio == pytest.approx(0.1, abs=0.01)


def test_a_product_of_two_activations_has_no_weights():
    layer = Layer.matmul("qk", inner=20, outputs=3, positions=2)
    chip = replace(CHIP, dynamic_matmul="rewrite")
    model = CostModel(Network("toy", (layer,)), chip, SPACE)
    plain = model.evaluate(pruned(0, "fine"))
    for method in PRUNING_METHOD.values:
        assert model.evaluate(pruned(90, method)) == plain


def test_a_ratio_alone_is_of_single_weights():
    alone = DesignSpace((*PRECISION, PRUNING_RATIO))
    design = Design.of(
        {"weight_bits": 2, "activation_bits": 3, "pruning_ratio": 25}, layers=1, space=alone
    )
    found = CostModel(NETWORK, CHIP, alone).evaluate(design)
    assert found == CostModel(NETWORK, CHIP, SPACE).evaluate(pruned(25, "fine"))


# ------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("method", ["fine", "columns"])
def test_chip_that_stores_zeros_as_numbers_is_refused(method):
    space = DesignSpace(
        (*PRECISION, PRUNING_RATIO, replace(PRUNING_METHOD, values=(method,), plain=method))
    )
    with pytest.raises(
        DesignError,
        match=rf"Expected a chip that stores a weight of 0 as cells of 0 where pruning_method "
        rf"{method} is chosen, got accelerator 'toy' with weight_encoding 'offset'",
    ):
        CostModel(NETWORK, replace(CHIP, weight_encoding="offset"), space)


def test_chip_whose_adcs_are_fixed_has_no_columns_to_prune():
    chip = replace(CHIP, adc="fixed")
    with pytest.raises(
        DesignError, match=r"whose ADCs follow the layers where pruning_method columns is chosen"
    ):
        CostModel(NETWORK, chip, SPACE)
    rest = replace(PRUNING_METHOD, values=("channels", "fine"))
    model = CostModel(NETWORK, chip, DesignSpace((*PRECISION, PRUNING_RATIO, rest)))
    assert model.evaluate(pruned(90, "channels", model.space)).tiles == 2


def test_channels_need_no_zeros():
    chip = replace(CHIP, weight_encoding="offset", adc="fixed")
    only = replace(PRUNING_METHOD, values=("channels",), plain="channels")
    model = CostModel(NETWORK, chip, DesignSpace((*PRECISION, PRUNING_RATIO, only)))
    assert model.evaluate(pruned(90, "channels", model.space)).tiles == 2


@pytest.mark.parametrize("other", [column_nonzeros(16), BLOCK_SIZE])
def test_two_knobs_that_say_which_weights_there_are_are_refused(other):
    with pytest.raises(
        DesignError,
        match=rf"Expected one knob that says which weights a crossbar can hold, got pruning_ratio "
        rf"and {other.name}\. Leave one of them out",
    ):
        CostModel(NETWORK, CHIP, DesignSpace((*PRECISION, PRUNING_RATIO, other)))
