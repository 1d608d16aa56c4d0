import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

from lrmp.errors import DesignError
from lrmp.hardware import (
    CYCLE_COMPONENTS,
    PRECISION,
    Accelerator,
    CostModel,
    Design,
    DesignSpace,
    Knob,
    Layer,
    Network,
    load_network,
    load_preset,
)
from lrmp.hardware.space.precision import precision

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
BITS = {"weight_bits": [3, 4, 3], "activation_bits": [5, 3, 8]}
SETTINGS = PRECISION.encode(BITS, "abc")


LOOK_UPS = ("tiles_per_copy", "units", "cycles_per_unit", "fixed_cycles")


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
    assert toy.tiles_per_copy(SETTINGS).tolist() == [12, 4, 2]


def test_toy_cycles_per_unit(toy):
    # A unit is a position, and takes ceil(a/2) * ceil(min(K,4)/2) * 2 cycles:
    #   a: ceil(5/2) * ceil(4/2) * 2 = 3 * 2 * 2 = 12
    #   b: ceil(3/2) * ceil(4/2) * 2 = 2 * 2 * 2 = 8
    #   c: ceil(8/2) * ceil(3/2) * 2 = 4 * 2 * 2 = 16
    assert toy.units(SETTINGS).tolist() == [16, 4, 1]
    assert toy.cycles_per_unit(SETTINGS).tolist() == [12, 8, 16]


def test_toy_fixed_cycles(toy):
    # The output path: ceil(P*M/3):   a: ceil(80/3) = 27   b: ceil(12/3) = 4   c: ceil(2/3) = 1
    assert toy.fixed_cycles(SETTINGS).tolist() == [27, 4, 1]


def test_toy_layer_cycles(toy):
    # ceil(P/r) times the cycles per unit, and the output path's 27, 4 and 1.
    # One copy each:           a: 16 * 12 = 192             b: 4 * 8 = 32        c: 1 * 16 = 16
    def layer_cycles(copies):
        return toy.layer_cycles(SETTINGS, copies).tolist()

    assert layer_cycles([1, 1, 1]) == [219, 36, 17]
    assert layer_cycles(1) == toy.layer_cycles(SETTINGS).tolist() == [219, 36, 17]
    # Copies 3, 3, 2:          a: ceil(16/3) = 6, 6*12 = 72  b: ceil(4/3) = 2, 16  c: ceil(1/2) = 1
    assert layer_cycles([3, 3, 2]) == [99, 20, 17]
    # As many as positions:    a: 1 * 12                    b: 1 * 8             c: 1 * 16
    assert layer_cycles([16, 4, 1]) == [39, 12, 17]
    # More change nothing.
    assert layer_cycles([99, 99, 99]) == [39, 12, 17]


def test_toy_without_output_path():
    toy = CostModel(TOY_NETWORK, replace(TOY_CHIP, output_elements_per_cycle=0))
    assert toy.fixed_cycles(SETTINGS).tolist() == [0, 0, 0]


def test_toy_design(toy):
    report = toy.evaluate(Design.of(BITS, [3, 3, 2]))
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


def random_settings(model, *shape, seed=0):
    """Draw settings of shape (..., L, K)."""
    rng = np.random.default_rng(seed)
    return model.space.sample(rng, len(model.network), int(np.prod(shape))).reshape(
        *shape, len(model.network), len(model.space)
    )


def test_settings_and_copies_of_any_shape_equal_single_layers(resnet18):
    layers = len(resnet18.network)
    settings = random_settings(resnet18, 3, 4)
    copies = np.random.default_rng(0).integers(1, 50, (3, 4, layers))
    cycles = resnet18.layer_cycles(settings, copies)
    assert cycles.shape == (3, 4, layers)
    for i in np.ndindex(3, 4):
        assert np.array_equal(cycles[i], resnet18.layer_cycles(settings[i], copies[i]))
    for method in LOOK_UPS:
        found = getattr(resnet18, method)(settings)
        assert found.shape == (3, 4, layers)
        for i in np.ndindex(3, 4):
            assert np.array_equal(found[i], getattr(resnet18, method)(settings[i]))


def test_what_copies_share_in_one_look_up(resnet18):
    settings = random_settings(resnet18, 5)
    costs = resnet18.copy_costs(settings)
    assert costs._fields == ("tiles", "units", "cycles_per_unit", "fixed_cycles")
    for found, method in zip(costs, LOOK_UPS, strict=False):
        assert np.array_equal(found, getattr(resnet18, method)(settings))


def test_one_replication_serves_a_batch_of_settings(resnet18):
    settings = random_settings(resnet18, 5, seed=1)
    copies = np.arange(1, len(resnet18.network) + 1)
    assert np.array_equal(
        resnet18.layer_cycles(settings, copies),
        resnet18.layer_cycles(settings, np.tile(copies, (5, 1))),
    )


def test_an_empty_batch_is_empty(resnet18):
    layers = len(resnet18.network)
    none = np.empty((0, layers, 2), np.int64)
    assert resnet18.tiles_per_copy(none).shape == (0, layers)
    batch = resnet18.evaluate_batch(none, np.empty((0, layers), np.int64), with_energy=True)
    totals = (batch.tiles, batch.latency_cycles, batch.bottleneck_cycles, batch.energy_fj)
    assert [total.shape for total in totals] == [(0,)] * 4


def test_tables_of_the_model_cannot_be_written(resnet18):
    mapping, latency = resnet18.mapping, resnet18.latency
    arrays = [mapping.tiles, mapping.cells, mapping.columns, mapping.driven_rows]
    arrays += [mapping.row_tiles, mapping.row_groups, mapping.conversions_per_column]
    arrays += [mapping.inputs_per_tile, mapping.inputs_per_row_group, mapping.on_crossbars]
    arrays += [latency.units, latency.parts]
    arrays += [latency.unit_cycles, latency.fixed_cycles, latency.round_cycles]
    arrays += [table.values for table in resnet18.one_copy]
    arrays += resnet18.copy_costs(resnet18.space.plain_settings(21))[1:2]  # the same for all
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize("method", LOOK_UPS)
def test_bad_settings_are_refused(resnet18, method):
    look_up = getattr(resnet18, method)
    settings = np.full((2, 21, 2), 6)
    settings[1, 2, 1] = 7
    message = (
        r"Expected a place of 0 to 6 for activation_bits, got 7 for layer 2 \(layer1\.0\.conv2\)"
    )
    with pytest.raises(DesignError, match=message):
        look_up(settings)
    settings[1, 2] = -1, 6
    with pytest.raises(
        DesignError, match=r"of 0 to 6 for weight_bits, got -1 for layer 2 \(layer1"
    ):
        look_up(settings)
    shape = r"integers of shape \(\.\.\., 21, 2\) for the layers and the knobs weight_bits, activ"
    for other in ([[6, 6]] * 20, [6] * 21, 6):
        with pytest.raises(DesignError, match=shape):
            look_up(other)
    with pytest.raises(DesignError, match=r"Expected settings to be integers .* got float64 "):
        look_up(np.full((21, 2), 6.0))


@pytest.mark.parametrize("copies", [0, -2])
def test_copies_below_one_are_refused(resnet18, copies):
    layers = len(resnet18.network)
    replication = [1] * (layers - 1) + [copies]
    with pytest.raises(DesignError, match=rf"Expected replication of at least 1, got {copies}\."):
        resnet18.layer_cycles([[6, 6]] * layers, replication)


def test_copies_of_another_shape_are_refused(resnet18):
    with pytest.raises(
        DesignError, match=r"Expected 21 replication counts, one per layer, got 2\."
    ):
        resnet18.layer_cycles([[6, 6]] * 21, [1, 2])


def test_design_of_another_length_is_refused(resnet18):
    message = r"Expected a design of 21 layers for resnet18, got 5\."
    with pytest.raises(DesignError, match=message):
        resnet18.evaluate(Design.plain(5))


def test_design_of_other_knobs_is_refused(resnet18):
    message = (
        r"Expected a design of the knobs weight_bits, activation_bits, with the values of the cost "
        r"model, got one of "
    )
    with pytest.raises(DesignError, match=message + r"reads\."):
        resnet18.evaluate(Design.plain(21, DesignSpace([Knob("reads", (1, 2), 1)])))
    with pytest.raises(DesignError, match=message + r"weight_bits, activation_bits\."):
        resnet18.evaluate(Design.plain(21, precision(16)))
    # Spaces are compared by what they are.
    twin = DesignSpace(PRECISION.knobs)
    assert resnet18.evaluate(Design.plain(21, twin)) == resnet18.baseline


def test_settings_and_copies_must_broadcast(resnet18):
    settings = np.full((2, 21, 2), 6)
    message = r"Expected settings and replication of shapes that broadcast, got \(2, 21, 2\) and "
    with pytest.raises(DesignError, match=message + r"\(3, 21\)\."):
        resnet18.layer_cycles(settings, [[1] * 21] * 3)
    assert resnet18.layer_cycles(settings, 1).shape == (2, 21)
    assert resnet18.layer_cycles(settings, [1]).shape == (2, 21)
    assert resnet18.layer_cycles(settings[0], [[1] * 21] * 3).shape == (3, 21)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((3, 21, 2), (2, 21)), r"got \(3, 21, 2\) and \(2, 21\)\."),
        (((3, 21, 2), (1, 21)), r"got \(3, 21, 2\) and \(1, 21\)\."),
        (((3, 21, 2), (3, 1)), r"got \(3, 21, 2\) and \(3, 1\)\."),
        (((3, 21, 2), ()), r"got \(3, 21, 2\) and \(\)\."),
        (((21, 2), (21,)), r"got \(21, 2\) and \(21,\)\."),
        (((1, 3, 21, 2), (1, 3, 21)), r"got \(1, 3, 21, 2\) and \(1, 3, 21\)"),
    ],
)
def test_batches_of_other_shapes_are_refused(resnet18, shapes, message):
    settings, copies = (np.full(shape, 2) for shape in shapes)
    start = (
        r"Expected settings of shape \(designs, 21, 2\) and replication of shape \(designs, 21\), "
    )
    with pytest.raises(DesignError, match=start + message):
        resnet18.evaluate_batch(settings, copies)


def test_batch_with_a_bad_value_is_refused(resnet18):
    settings, copies = np.full((600, 21, 2), 4), np.full((600, 21), 4)
    settings[599, 3, 0] = 7
    message = (
        r"Expected a place of 0 to 6 for weight_bits, got 7 for layer 3 \(layer1\.1\.conv1\)\."
    )
    with pytest.raises(DesignError, match=message):
        resnet18.evaluate_batch(settings, copies)
    copies[599, 3] = 0
    with pytest.raises(DesignError, match=r"Expected replication of at least 1, got 0\."):
        resnet18.evaluate_batch(settings * 0, copies)


def test_one_copy_of_every_layer_by_the_knobs_that_matter(resnet18):
    tiles, cycles = resnet18.one_copy
    assert (tiles.axes, cycles.axes) == ((0,), (1,))  # weight bits, activation bits
    assert tiles.values.shape == cycles.values.shape == (21, 7)
    for place in range(7):
        uniform = np.full((21, 2), place)
        assert tiles.values[:, place].tolist() == resnet18.tiles_per_copy(uniform).tolist()
        assert cycles.values[:, place].tolist() == resnet18.layer_cycles(uniform).tolist()


def test_one_copy_on_a_time_multiplexed_chip_takes_its_rounds():
    chip = replace(TOY_CHIP, weight_loading="time-multiplexed", tiles=5, write_cycles=50)
    toy = CostModel(TOY_NETWORK, chip)
    tiles, cycles = toy.one_copy
    assert (tiles.axes, cycles.axes) == ((0,), (0, 1))
    for setting in toy.space.settings:
        uniform = np.tile(setting, (3, 1))
        assert cycles.values[:, setting @ (7, 1)].tolist() == toy.layer_cycles(uniform).tolist()


def test_energies_of_copies_need_the_settings_and_counts_of_every_layer(resnet18):
    settings, counts = np.full((21, 2), 6), [np.array([1])] * 21
    message = r"Expected settings of shape \(21, 2\) and as many lists of copies, got "
    with pytest.raises(DesignError, match=message + r"\(21, 2\) and 20\."):
        resnet18.copies_energy_fj(settings, counts[:20])
    with pytest.raises(DesignError, match=message + r"\(1, 21, 2\) and 21\."):
        resnet18.copies_energy_fj(settings[None], counts)


def test_wider_numbers_than_eight_bits():
    # As above, with 16 bits: 8 slices and 8 input steps.
    toy = CostModel(TOY_NETWORK, TOY_CHIP, precision(16))
    wide = np.full((3, 2), 14)
    assert set(toy.space.decode(wide)["weight_bits"]) == {16}
    assert toy.tiles_per_copy(wide).tolist() == [3 * 2 * 8, 2 * 1 * 8, 1 * 1 * 8]
    assert toy.cycles_per_unit(wide).tolist() == [8 * 2 * 2] * 3
    assert toy.baseline == CostModel(TOY_NETWORK, TOY_CHIP).baseline
    with pytest.raises(DesignError, match=r"Expected a place of 0 to 14 for weight_bits, got 15"):
        toy.tiles_per_copy(np.where(np.arange(2) == 0, 15, wide))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_of_the_model_cost_the_same(copied):
    network, chip = load_network("digits_cnn"), load_preset("lrmp_frontiers_2024")
    model = CostModel(network, chip, precision(9))
    twin = copied(model)
    assert (twin.network, twin.accelerator, twin.space) == (network, chip, model.space)
    assert twin.accelerator.provenance == chip.provenance
    assert twin.baseline == model.baseline
    widest = [[7, 7]] * 5
    assert twin.tiles_per_copy(widest).tolist() == model.tiles_per_copy(widest).tolist()


def test_results_do_not_share_memory_with_the_model(resnet18):
    settings = np.full((21, 2), 6)
    for name in LOOK_UPS:
        method = getattr(resnet18, name)
        before = method(settings).tolist()
        method(settings)[:] = 0
        assert method(settings).tolist() == before
    report = resnet18.evaluate(Design.plain(21))
    for array in (report.layer_tiles, report.component_cycles):
        for table in (resnet18.latency.parts, resnet18.mapping.tiles):
            assert not np.shares_memory(array, table)


def test_evaluation_changes_nothing(resnet18):
    design = Design.of({"weight_bits": 8, "activation_bits": 8}, np.full(21, 8))
    first = resnet18.evaluate(design)
    resnet18.evaluate_batch([design.settings], [design.replication], with_energy=True)
    resnet18.copies_energy_fj(design.settings, [np.array([1, 2])] * 21)
    assert resnet18.evaluate(design) == first
