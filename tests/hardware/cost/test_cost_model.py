import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

from lrmp.errors import DesignError
from lrmp.hardware import (
    CYCLE_COMPONENTS,
    Accelerator,
    CostModel,
    Design,
    Layer,
    Network,
    load_network,
    load_preset,
)

# Every number of the first tests is worked out by hand from these few:
#
#   chip   crossbars of R x C = 4 x 4 cells of c = 2 bits, d = 2 input bits at a time,
#          p = 2 rows at a time, X = 2 columns per ADC, V = 3 output elements per cycle, 100 MHz
#   "a"    3 x 3 convolution, 1 -> 5 channels, 4 x 4 input:   K = 9, M = 5, P = 16
#   "b"    1 x 1 convolution, 5 -> 3 channels, stride 2:      K = 5, M = 3, P = 2 * 2 = 4
#   "c"    linear, 3 -> 2:                                    K = 3, M = 2, P = 1
TOY_CHIP = Accelerator(
    name="toy",
    crossbar_rows=4,
    crossbar_columns=4,
    cell_bits=2,
    dac_bits=2,
    active_rows=2,
    columns_per_adc=2,
    clock_mhz=100,
    output_elements_per_cycle=3,
)
TOY_NETWORK = Network(
    "toy",
    (
        Layer.conv2d("a", 1, 5, kernel_size=3, input_size=4),
        Layer.conv2d("b", 5, 3, kernel_size=1, input_size=4, stride=2),
        Layer.linear("c", 3, 2),
    ),
)
WEIGHT_BITS = [3, 4, 3]
ACTIVATION_BITS = [5, 3, 8]


@pytest.fixture
def toy():
    return CostModel(TOY_NETWORK, TOY_CHIP)


@pytest.fixture
def resnet18():
    return CostModel(load_network("resnet18"), load_preset("lrmp_frontiers_2024"))


def test_toy_shapes():
    assert TOY_NETWORK.rows.tolist() == [9, 5, 3]
    assert TOY_NETWORK.columns.tolist() == [5, 3, 2]
    assert TOY_NETWORK.positions.tolist() == [16, 4, 1]


def test_toy_tiles(toy):
    # ceil(K/4) * ceil(M/4) * ceil(w/2):
    #   a: ceil(9/4) * ceil(5/4) * ceil(3/2) = 3 * 2 * 2 = 12
    #   b: ceil(5/4) * ceil(3/4) * ceil(4/2) = 2 * 1 * 2 = 4
    #   c: ceil(3/4) * ceil(2/4) * ceil(3/2) = 1 * 1 * 2 = 2
    assert toy.tiles_per_copy(WEIGHT_BITS).tolist() == [12, 4, 2]


def test_toy_cycles_per_unit(toy):
    # A unit is a position, and takes ceil(a/2) * ceil(min(K,4)/2) * 2 cycles:
    #   a: ceil(5/2) * ceil(4/2) * 2 = 3 * 2 * 2 = 12
    #   b: ceil(3/2) * ceil(4/2) * 2 = 2 * 2 * 2 = 8
    #   c: ceil(8/2) * ceil(3/2) * 2 = 4 * 2 * 2 = 16
    assert toy.units.tolist() == [16, 4, 1]
    assert toy.cycles_per_unit(ACTIVATION_BITS).tolist() == [12, 8, 16]


def test_toy_fixed_cycles(toy):
    # The output path: ceil(P*M/3):   a: ceil(80/3) = 27   b: ceil(12/3) = 4   c: ceil(2/3) = 1
    assert toy.fixed_cycles(ACTIVATION_BITS).tolist() == [27, 4, 1]


def test_toy_layer_cycles(toy):
    # ceil(P/r) times the cycles per unit, and the output path's 27, 4 and 1.
    # One copy each:           a: 16 * 12 = 192             b: 4 * 8 = 32        c: 1 * 16 = 16
    def layer_cycles(copies):
        return toy.layer_cycles(WEIGHT_BITS, ACTIVATION_BITS, copies).tolist()

    assert layer_cycles([1, 1, 1]) == [219, 36, 17]
    assert layer_cycles(1) == [219, 36, 17]
    # Copies 3, 3, 2:          a: ceil(16/3) = 6, 6*12 = 72  b: ceil(4/3) = 2, 16  c: ceil(1/2) = 1
    assert layer_cycles([3, 3, 2]) == [99, 20, 17]
    # As many as positions:    a: 1 * 12                    b: 1 * 8             c: 1 * 16
    assert layer_cycles([16, 4, 1]) == [39, 12, 17]
    # More change nothing.
    assert layer_cycles([99, 99, 99]) == [39, 12, 17]


def test_toy_without_output_path():
    toy = CostModel(TOY_NETWORK, replace(TOY_CHIP, output_elements_per_cycle=0))
    assert toy.fixed_cycles(ACTIVATION_BITS).tolist() == [0, 0, 0]


def test_toy_design(toy):
    report = toy.evaluate(Design(WEIGHT_BITS, ACTIVATION_BITS, [3, 3, 2]))
    # Tiles: 3 * 12 + 3 * 4 + 2 * 2 = 36 + 12 + 4 = 52.
    assert report.layer_tiles.tolist() == [36, 12, 4]
    assert report.tiles == 52
    # Multiplications 72, 16, 16 (above) and output 27, 4, 1 add up to 99, 20, 17.
    cycles = dict(zip(CYCLE_COMPONENTS, report.component_cycles.tolist(), strict=True))
    assert cycles.pop("mvm") == [72, 16, 16]
    assert cycles.pop("output") == [27, 4, 1]
    assert set(map(tuple, cycles.values())) == {(0, 0, 0)}
    assert report.cycle_breakdown == dict.fromkeys(cycles, 0) | {"mvm": 104, "output": 32}
    assert report.layer_cycles.tolist() == [99, 20, 17]
    # Latency 99 + 20 + 17 = 136 cycles of 10 ns; the slowest layer, a, sets the rate.
    assert report.latency_cycles == 136
    assert report.latency_s == 1.36e-6
    assert report.bottleneck_cycles == 99
    assert report.throughput_per_s == 100e6 / 99


def test_toy_baseline(toy):
    # 8 bits: ceil(8/2) = 4 slices and 4 input steps.
    #   tiles  a: 3 * 2 * 4 = 24   b: 2 * 1 * 4 = 8   c: 1 * 1 * 4 = 4        sum 36
    #   cycles a: 16 * (4 * 2 * 2) = 256, + 27 = 283
    #          b:  4 * (4 * 2 * 2) =  64, +  4 =  68
    #          c:  1 * (4 * 2 * 2) =  16, +  1 =  17                          sum 368
    assert toy.baseline.layer_tiles.tolist() == [24, 8, 4]
    assert toy.baseline.tiles == 36
    assert toy.baseline.layer_cycles.tolist() == [283, 68, 17]
    assert toy.baseline.latency_cycles == 368
    assert toy.baseline.bottleneck_cycles == 283


@pytest.mark.parametrize(
    ("name", "tiles", "cycles"),
    [
        ("resnet18", 1608, 47_735_912),
        ("resnet34", 2968, 69_543_656),
        ("resnet50", 3376, 91_552_104),
        ("resnet101", 5688, 115_222_632),
    ],
)
def test_lrmp_baselines(name, tiles, cycles):
    baseline = CostModel(load_network(name), load_preset("lrmp_frontiers_2024")).baseline
    assert baseline.tiles == tiles
    assert baseline.latency_cycles == cycles
    assert baseline.latency_s == cycles / 192e6


@pytest.mark.parametrize(("name", "cycles"), [("resnet18", 45_251_200), ("resnet101", 98_989_696)])
def test_lrmp_baselines_without_output_path(name, cycles):
    chip = replace(load_preset("lrmp_frontiers_2024"), output_elements_per_cycle=0)
    assert CostModel(load_network(name), chip).baseline.latency_cycles == cycles


def test_digits_baseline_tiles():
    # Slices of 256 x 256: K = 9, 144, 288, 432, 192 need 1 + 1 + 2 + 2 + 1 = 7 crossbars; x 8 bits.
    model = CostModel(load_network("digits_cnn"), load_preset("lrmp_frontiers_2024"))
    assert model.baseline.tiles == 56


def test_bits_and_copies_of_any_shape_equal_single_layers(resnet18):
    layers = len(resnet18.network)
    rng = np.random.default_rng(0)
    bits = rng.integers(2, 9, (3, 4, layers))
    copies = rng.integers(1, 50, (3, 4, layers))
    tiles = resnet18.tiles_per_copy(bits)
    per_unit = resnet18.cycles_per_unit(bits)
    fixed = resnet18.fixed_cycles(bits)
    cycles = resnet18.layer_cycles(bits, bits, copies)
    assert tiles.shape == per_unit.shape == fixed.shape == cycles.shape == (3, 4, layers)
    for i in np.ndindex(3, 4):
        assert np.array_equal(tiles[i], resnet18.tiles_per_copy(bits[i]))
        assert np.array_equal(per_unit[i], resnet18.cycles_per_unit(bits[i]))
        assert np.array_equal(fixed[i], resnet18.fixed_cycles(bits[i]))
        assert np.array_equal(cycles[i], resnet18.layer_cycles(bits[i], bits[i], copies[i]))


def test_one_replication_serves_a_batch_of_bits(resnet18):
    layers = len(resnet18.network)
    bits = np.random.default_rng(1).integers(2, 9, (5, layers))
    copies = np.arange(1, layers + 1)
    assert np.array_equal(
        resnet18.layer_cycles(bits, bits, copies),
        resnet18.layer_cycles(bits, bits, np.tile(copies, (5, 1))),
    )


def test_an_empty_batch_is_empty(resnet18):
    none = np.empty((0, len(resnet18.network)), np.int64)
    assert resnet18.tiles_per_copy(none).shape == none.shape
    batch = resnet18.evaluate_batch(none, none, none, with_energy=True)
    totals = (batch.tiles, batch.latency_cycles, batch.bottleneck_cycles, batch.energy_fj)
    assert [total.shape for total in totals] == [(0,)] * 4


def test_tables_of_the_model_cannot_be_written(resnet18):
    mapping, latency, energy = resnet18.mapping, resnet18.latency, resnet18.energy
    arrays = [mapping.tiles, mapping.cells, mapping.columns, mapping.driven_rows]
    arrays += [mapping.row_tiles, mapping.row_groups, mapping.conversions_per_column]
    arrays += [
        mapping.inputs_per_tile,
        mapping.inputs_per_row_group,
        mapping.on_crossbars,
        resnet18.units,
        latency.parts,
    ]
    arrays += [latency.unit_cycles, latency.fixed_cycles, latency.round_cycles, energy.base_fj]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize(
    ("method", "field"),
    [
        ("tiles_per_copy", "weight_bits"),
        ("cycles_per_unit", "activation_bits"),
        ("fixed_cycles", "activation_bits"),
    ],
)
def test_bad_bits_are_refused_by_name(resnet18, method, field):
    evaluate = getattr(resnet18, method)
    layers = len(resnet18.network)
    bits = np.full((2, layers), 8)
    bits[1, 2] = 9
    message = rf"Expected {field} between 2 and 8, got 9 for layer 2 \(layer1\.0\.conv2\)\."
    with pytest.raises(DesignError, match=message):
        evaluate(bits)
    with pytest.raises(DesignError, match=rf"Expected 21 {field}, one per layer, got 20\."):
        evaluate([8] * 20)
    with pytest.raises(
        DesignError, match=rf"Expected 21 {field}, one per layer, got a single numb"
    ):
        evaluate(8)
    with pytest.raises(DesignError, match=rf"Expected {field} to be integers .* got float64 "):
        evaluate(np.full(layers, 8.0))


@pytest.mark.parametrize("copies", [0, -2])
def test_copies_below_one_are_refused(resnet18, copies):
    layers = len(resnet18.network)
    replication = [1] * (layers - 1) + [copies]
    with pytest.raises(DesignError, match=rf"Expected replication of at least 1, got {copies}\."):
        resnet18.layer_cycles([8] * layers, [8] * layers, replication)


def test_copies_of_another_shape_are_refused(resnet18):
    with pytest.raises(
        DesignError, match=r"Expected 21 replication counts, one per layer, got 2\."
    ):
        resnet18.layer_cycles([8] * 21, [8] * 21, [1, 2])


def test_design_of_another_length_is_refused(resnet18):
    message = r"Expected a design of 21 layers for resnet18, got 5\."
    with pytest.raises(DesignError, match=message):
        resnet18.evaluate(Design.uniform(5, 8, 8))


def test_bits_and_copies_must_broadcast(resnet18):
    bits = [[8] * 21] * 2
    message = r"Expected weight_bits, activation_bits and replication of shapes that broadcast, got"
    with pytest.raises(DesignError, match=message + r" \(2, 21\), \(21,\), \(3, 21\)\."):
        resnet18.layer_cycles(bits, bits[0], [[1] * 21] * 3)
    assert resnet18.layer_cycles(bits, bits[0], 1).shape == (2, 21)
    assert resnet18.layer_cycles(bits[0], bits, [1]).shape == (2, 21)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((3, 21), (2, 21), (3, 21)), r"got \(3, 21\), \(2, 21\) and \(3, 21\)\."),
        (((3, 21), (3, 21), (1, 21)), r"got \(3, 21\), \(3, 21\) and \(1, 21\)\."),
        (((3, 21), (3, 21), (3, 1)), r"got \(3, 21\), \(3, 21\) and \(3, 1\)\."),
        (((3, 21), (3, 21), ()), r"got \(3, 21\), \(3, 21\) and \(\)\."),
        (((21,), (21,), (21,)), r"got \(21,\), \(21,\) and \(21,\)\."),
        (((1, 3, 21), (1, 3, 21), (1, 3, 21)), r"got \(1, 3, 21\)"),
        (((3, 20), (3, 20), (3, 20)), r"got \(3, 20\), \(3, 20\) and \(3, 20\)\."),
        (((), (), ()), r"got \(\), \(\) and \(\)\."),
    ],
)
def test_batches_of_other_shapes_are_refused(resnet18, shapes, message):
    arrays = [np.full(shape, 2) for shape in shapes]
    start = r"Expected weight_bits, activation_bits and replication of one shape \(designs, 21\), "
    with pytest.raises(DesignError, match=start + message):
        resnet18.evaluate_batch(*arrays)


def test_batch_with_a_bad_value_is_refused(resnet18):
    good = np.full((600, 21), 4)
    for field, value, message in [
        (0, 9, r"Expected weight_bits between 2 and 8, got 9 for layer 3 \(layer1\.1\.conv1\)\."),
        (1, 1, r"Expected activation_bits between 2 and 8, got 1 for layer 3"),
        (2, 0, r"Expected replication of at least 1, got 0\."),
    ]:
        arrays = [good, good, good]
        arrays[field] = good.copy()
        arrays[field][599, 3] = value
        with pytest.raises(DesignError, match=message):
            resnet18.evaluate_batch(*arrays)


def test_table_takes_one_number_of_copies_for_all_or_one_per_layer(resnet18):
    assert np.array_equal(resnet18.table(3).cycles, resnet18.table([3] * 21).cycles)
    assert np.array_equal(resnet18.table().tiles, resnet18.table(1).tiles)
    message = r"Expected one replication count per layer or for all, got shape \(2, 21\)\."
    with pytest.raises(DesignError, match=message):
        resnet18.table([[1] * 21] * 2)
    with pytest.raises(DesignError, match=r"Expected 21 replication counts, .* got 3\."):
        resnet18.table([1, 2, 3])
    with pytest.raises(DesignError, match=r"Expected replication of at least 1, got 0\."):
        resnet18.table(0)


def test_tables_cannot_be_written(resnet18):
    table = resnet18.table()
    for array in (table.tiles, table.cycles, table.energy_fj):
        assert array.shape == (7, 7, 21)
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0, 0] = 1


def test_energies_of_copies_need_the_bits_and_counts_of_every_layer(resnet18):
    bits, counts = [8] * 21, [np.array([1])] * 21
    message = r"Expected weight_bits and activation_bits of shape \(21,\) and as many lists of cop"
    for arguments in ((bits, bits, counts[:20]), (bits, [bits], counts), ([bits], bits, counts)):
        with pytest.raises(DesignError, match=message):
            resnet18.copies_energy_fj(*arguments)


def test_wider_numbers_than_those_of_designs_can_be_tabulated():
    # As above, with 16 bits: 8 slices and 8 input steps.
    toy = CostModel(TOY_NETWORK, TOY_CHIP, max_bits=16)
    assert toy.tiles_per_copy([16] * 3).tolist() == [3 * 2 * 8, 2 * 1 * 8, 1 * 1 * 8]
    assert toy.cycles_per_unit([16] * 3).tolist() == [8 * 2 * 2] * 3
    assert toy.table().tiles.shape == (15, 15, 3)
    assert toy.baseline == CostModel(TOY_NETWORK, TOY_CHIP).baseline
    with pytest.raises(DesignError, match=r"Expected weight_bits between 2 and 16, got 17"):
        toy.tiles_per_copy([16, 17, 16])


@pytest.mark.parametrize("max_bits", [7, 1, 0, -1])
def test_tables_reach_the_bits_of_designs(max_bits):
    with pytest.raises(DesignError, match=rf"Expected max_bits of at least 8, got {max_bits}\."):
        CostModel(TOY_NETWORK, TOY_CHIP, max_bits)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_of_the_model_cost_the_same(copied):
    model = CostModel(load_network("digits_cnn"), load_preset("lrmp_frontiers_2024"), max_bits=9)
    twin = copied(model)
    assert (twin.network, twin.accelerator) == (model.network, model.accelerator)
    assert twin.accelerator.provenance == model.accelerator.provenance
    assert twin.baseline == model.baseline
    assert twin.tiles_per_copy([9] * 5).tolist() == model.tiles_per_copy([9] * 5).tolist()


def test_results_do_not_share_memory_with_the_model(resnet18):
    bits = np.full(21, 8)
    for name in ("tiles_per_copy", "cycles_per_unit", "fixed_cycles"):
        method = getattr(resnet18, name)
        before = method(bits).tolist()
        method(bits)[:] = 0
        assert method(bits).tolist() == before
    report = resnet18.evaluate(Design(bits, bits, bits))
    for array in (report.layer_tiles, report.component_cycles, report.component_energy_fj):
        assert not np.shares_memory(array, resnet18.latency.parts)
        assert not np.shares_memory(array, resnet18.energy.base_fj)


def test_evaluation_changes_nothing(resnet18):
    bits = np.full(21, 8)
    design = Design(bits, bits, bits)
    first = resnet18.evaluate(design)
    resnet18.evaluate_batch([bits], [bits], [bits], with_energy=True)
    resnet18.table(5)
    assert resnet18.evaluate(design) == first
