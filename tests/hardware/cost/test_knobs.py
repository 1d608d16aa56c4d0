"""Spaces of more knobs than bits, by hand: reads that are averaged, and rows that are left out."""

from dataclasses import replace

import numpy as np
import pytest

from lrmp.errors import NetworkError
from lrmp.hardware import (
    PRECISION,
    Accelerator,
    CostModel,
    Design,
    DesignSpace,
    EventEnergies,
    Knob,
    Layer,
    Network,
    list_presets,
    load_network,
    load_preset,
)
from lrmp.hardware.chip.event_energies import EVENTS


def read_often(computation, values):
    return replace(computation, reads=computation.reads * values)


def keep_rows(computation, labels):
    halved = -(-computation.rows // 2)
    return replace(computation, rows=np.where(labels == "half", halved, computation.rows))


READS = Knob("reads", (1, 2, 4), 1, effect=read_often)
KEPT_ROWS = Knob("kept_rows", ("half", "all"), "all", effect=keep_rows)
FREE = Knob("free", ("low", "high"), "low")
#: The last of three layers keeps all its rows.
SPACE = DesignSpace(
    (*PRECISION, READS, KEPT_ROWS), {"kept_rows": [["half", "all"], ["half", "all"], ["all"]]}
)
# Every number of the first tests is worked out by hand from these few:
#
#   chip   crossbars of R x C = 4 x 4 cells of c = 2 bits, d = 2 input bits at a time,
#          p = 2 rows at a time, X = 2 columns per ADC, V = 3 output elements per cycle, 100 MHz;
#          a conversion takes 10 fJ, the read of a cell 1 fJ, a bit in a buffer 2 fJ
#   "a"    3 x 3 convolution, 1 -> 5 channels, 4 x 4 input:   K = 9, M = 5, P = 16
#   "b"    1 x 1 convolution, 5 -> 3 channels, stride 2:      K = 5, M = 3, P = 2 * 2 = 4
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
    output_elements_per_cycle=3,
    technology_nm=32,
    energy=EventEnergies(
        **dict.fromkeys(EVENTS, 0)
        | {"adc_conversion_fj": 10, "cell_read_fj": 1, "buffer_fj_per_bit": 2}
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
    "reads": [2, 1, 4],
    "kept_rows": ["half", "half", "all"],
}
DESIGN = Design.of(VALUES, [3, 3, 2], space=SPACE)


@pytest.fixture
def toy():
    return CostModel(NETWORK, CHIP, SPACE)


def test_tiles(toy):
    # ceil(K'/4) * ceil(M/4) * ceil(w/2), of half the rows 5 and 3:
    #   a: ceil(5/4) * ceil(5/4) * ceil(3/2) = 2 * 2 * 2 = 8
    #   b: ceil(3/4) * ceil(3/4) * ceil(4/2) = 1 * 1 * 2 = 2
    #   c: ceil(3/4) * ceil(2/4) * ceil(3/2) = 1 * 1 * 2 = 2
    assert toy.tiles_per_copy(DESIGN.settings).tolist() == [8, 2, 2]
    assert toy.evaluate(DESIGN).layer_tiles.tolist() == [24, 6, 4]
    # 50 of 8 * 16 cells: 5 rows of 5 columns in 2 slices; 3 x 6 of 32; 3 x 4 of 32.
    assert toy.utilisation(DESIGN.settings).tolist() == [50 / 128, 18 / 32, 12 / 32]


def test_cycles(toy):
    # A position takes ceil(a/2) * reads * ceil(min(K', 4)/2) * 2 cycles:
    #   a: ceil(5/2) * 2 * ceil(4/2) * 2 = 3 * 2 * 2 * 2 = 24
    #   b: ceil(3/2) * 1 * ceil(3/2) * 2 = 2 * 1 * 2 * 2 = 8
    #   c: ceil(8/2) * 4 * ceil(3/2) * 2 = 4 * 4 * 2 * 2 = 64
    costs = toy.copy_costs(DESIGN.settings)
    assert costs.units.tolist() == [16, 4, 1]
    assert costs.cycles_per_unit.tolist() == [24, 8, 64]
    # The output path carries all outputs: ceil(80/3) = 27, ceil(12/3) = 4, ceil(2/3) = 1.
    assert costs.fixed_cycles.tolist() == [27, 4, 1]
    # The busiest of 3, 3 and 2 copies has 6, 2 and 1 positions.
    cycles = [6 * 24 + 27, 2 * 8 + 4, 64 + 1]
    assert toy.evaluate(DESIGN).layer_cycles.tolist() == cycles
    assert toy.layer_cycles(DESIGN.settings, DESIGN.replication).tolist() == cycles


def test_energy(toy):
    # P * t * reads = 16 * 3 * 2 = 96, 4 * 2 * 1 = 8 and 1 * 4 * 4 = 16 reads
    #   of 10, 6 and 4 columns, with ceil(4/2) + ceil(1/2) = 3, 2 and 2 conversions of each,
    #   and of 50, 18 and 12 cells.
    energy = toy.evaluate(DESIGN).component_energy_fj
    adc = [96 * 10 * 3 * 10, 8 * 6 * 2 * 10, 16 * 4 * 2 * 10]
    cells = [96 * 50, 8 * 18, 16 * 12]
    # Windows of 5 * 16, 3 * 4 and 3 elements of 5, 3 and 8 bits are read. Delivered are, for 3, 3
    # and 2 copies, min(3 * 16, 80) = 48, min(3 * 12, 12) = 12 and min(2 * 3, 3) = 3 elements. (b
    # has 5 * 16 inputs, but half its rows need 3 * 4 of them.)
    windows = [80 * 5, 12 * 3, 3 * 8]
    delivered = [48 * 5, 12 * 3, 3 * 8]
    buffer = [2 * (w + d) for w, d in zip(windows, delivered, strict=True)]
    assert energy.sum(axis=0).tolist() == [
        sum(parts) for parts in zip(adc, cells, buffer, strict=True)
    ]
    assert toy.evaluate(DESIGN).energy_breakdown_fj["adc"] == sum(adc)
    assert toy.evaluate(DESIGN).energy_breakdown_fj["buffer"] == sum(buffer)


def test_the_plain_setting_is_the_plain_chip(toy):
    assert toy.baseline == CostModel(NETWORK, CHIP).baseline
    assert Design.plain(3, SPACE).to_json() == {
        "weight_bits": [8, 8, 8],
        "activation_bits": [8, 8, 8],
        "reads": [1, 1, 1],
        "kept_rows": ["all", "all", "all"],
        "replication": [1, 1, 1],
    }


def test_without_a_knob_its_quantity_is_the_plain_chip_s():
    alone = CostModel(NETWORK, CHIP, DesignSpace([READS]))
    design = Design.of({"reads": [2, 1, 4]}, [3, 3, 2], space=alone.space)
    every = CostModel(NETWORK, CHIP, SPACE)
    twin = Design.of({"reads": [2, 1, 4]}, [3, 3, 2], space=SPACE)
    assert alone.evaluate(design) == every.evaluate(twin)
    assert alone.baseline == every.baseline
    # Nothing that copies share depends on a knob here but the cycles of a unit.
    costs = alone.copy_costs(design.settings[None])
    assert [array.shape for array in costs] == [(1, 3)] * 4
    assert costs.tiles.tolist() == [every.tiles_per_copy(SPACE.plain_settings(3)).tolist()]
    batch = alone.evaluate_batch(design.settings[None], [[3, 3, 2]], with_energy=True)
    assert batch.energy_fj.tolist() == [alone.evaluate(design).energy_fj]


def test_a_space_without_a_choice_costs_what_it_says():
    single = DesignSpace([Knob("reads", (4,), 4, effect=read_often)])
    model = CostModel(NETWORK, CHIP, single)
    every = CostModel(NETWORK, CHIP, SPACE)
    four = every.evaluate(Design.of({"reads": 4}, layers=3, space=SPACE))
    assert model.baseline == model.evaluate(Design(single, [[0]] * 3, [1] * 3)) == four
    batch = model.evaluate_batch([[[0]] * 3] * 2, [[1] * 3] * 2, with_energy=True)
    assert batch.energy_fj.tolist() == [four.energy_fj] * 2
    assert model.layer_cycles([[0]] * 3, [[1] * 3] * 2).tolist() == [four.layer_cycles.tolist()] * 2


def test_layers_off_the_crossbars_are_computed_as_they_are():
    digital = replace(CHIP, digital_macs_per_cycle=7)
    network = Network("one", (Layer.matmul("qk", inner=10, outputs=5, positions=7),))
    model = CostModel(network, digital, DesignSpace((*PRECISION, READS, KEPT_ROWS)))
    less = Design.of({"reads": 4, "kept_rows": "half"}, [1], space=model.space)
    assert model.evaluate(less) == model.baseline


def test_fewer_inputs_take_less_time_on_the_network_on_chip():
    # b has 80 distinct inputs of 8 bits; half its rows need 3 * 4 of them: ceil(96 / 16) cycles.
    noc = replace(CHIP, noc_bits_per_cycle=16, noc_hop_cycles=0)
    model = CostModel(NETWORK, noc, SPACE)
    half = Design.of({"kept_rows": ["all", "half", "all"]}, space=SPACE)
    assert model.evaluate(half).component_cycles.tolist()[5] == [8, 6, 2]


ALL_KNOBS = (*PRECISION, READS, KEPT_ROWS, FREE)
NETWORKS = ("lenet", "mobilenet_v2", "vit_b_32")


@pytest.mark.parametrize("preset", list_presets())
@pytest.mark.parametrize("network", NETWORKS)
def test_presets_cost_the_same_in_any_form_and_order(preset, network):
    """One design, a batch, copies one by one; knobs turned round; and one that costs nothing."""
    chip, network = load_preset(preset), load_network(network)
    try:
        model = CostModel(network, chip, DesignSpace(ALL_KNOBS))
    except NetworkError:  # a transformer on a chip without a digital unit
        assert network.is_matmul.any()
        return
    layers, space = len(network), model.space
    rng = np.random.default_rng(0)
    settings = space.sample(rng, layers, 6)
    copies = rng.integers(1, 9, (6, layers))
    if chip.weight_loading == "time-multiplexed":
        copies = np.ones_like(copies)
    energies = chip.energy is not None
    batch = model.evaluate_batch(settings, copies, with_energy=energies)
    turned = CostModel(network, chip, DesignSpace(ALL_KNOBS[::-1]))
    fewer = CostModel(network, chip, DesignSpace(ALL_KNOBS[:-1]))
    assert turned.baseline == fewer.baseline == CostModel(network, chip).baseline
    for row in range(6):
        design = Design(space, settings[row], copies[row])
        report = model.evaluate(design)
        assert turned.evaluate(Design(turned.space, settings[row, :, ::-1], copies[row])) == report
        assert fewer.evaluate(Design(fewer.space, settings[row, :, :-1], copies[row])) == report
        assert (batch.tiles[row], batch.latency_cycles[row]) == (
            report.tiles,
            report.latency_cycles,
        )
        assert batch.bottleneck_cycles[row] == report.bottleneck_cycles
        cycles = model.layer_cycles(settings[row], copies[row])
        assert cycles.tolist() == report.layer_cycles.tolist()
        if energies:
            assert batch.energy_fj[row] == report.energy_fj
            one_by_one = model.copies_energy_fj(settings[row], copies[row, :, None])
            assert [int(e[0]) for e in one_by_one] == report.layer_energy_fj.tolist()


def test_the_row_groups_of_the_plain_chip_do_not_depend_on_knobs_of_columns():
    """Only widths of weights share a diagonal: else a knob would change the plain chip's cost."""
    chip = replace(CHIP, crossbar_rows=16, crossbar_columns=16, slice_placement="packed")
    network = Network("one", (Layer.conv1d("depthwise", 8, 16, 2, 4, groups=8),))

    def halve(computation, labels):
        kept = np.where(labels == "half", computation.columns // 2, computation.columns)
        return replace(computation, columns=kept)

    columns = Knob("kept_columns", ("half", "all"), "all", effect=halve)
    with_columns = CostModel(network, chip, DesignSpace((*PRECISION, columns)))
    assert with_columns.baseline == CostModel(network, chip).baseline
    half = Design.of({"kept_columns": "half"}, [1], space=with_columns.space)
    assert with_columns.evaluate(half).tiles < with_columns.baseline.tiles
