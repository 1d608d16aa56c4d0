from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from lrmp.errors import DesignError
from lrmp.hardware import CYCLE_COMPONENTS, Accelerator, CostModel, Design, Layer, Network

# Every number is worked out by hand for one layer of K = 10 rows, M = 5 columns and P = 6 positions
# with w = 6 and a = 5 bits on crossbars of R x C = 8 x 8 cells of c = 2 bits, with d = 2 input bits
# at a time, p = 4 active rows and X = 2 columns per ADC. Per position:
#   t = ceil(5/2) = 3 input steps, ceil(8/4) = 2 row groups, 2 row tiles: mvm = 3 * 2 * 2 = 12
CHIP = Accelerator(
    name="toy",
    crossbar_rows=8,
    crossbar_columns=8,
    cell_bits=2,
    dac_bits=2,
    active_rows=4,
    columns_per_adc=2,
    clock_mhz=100,
    output_elements_per_cycle=0,
)
LAYER = Layer("layer", "conv2d", rows=10, columns=5, positions=6, input_elements=35, vector_ops=20)
BITS = {"weight_bits": 6, "activation_bits": 5}
SETTINGS = [[4, 3]]  # their places among 2..8


def model_of(layer, **changes):
    return CostModel(Network("one", (layer,)), replace(CHIP, **changes))


def cycles(layer=LAYER, copies=1, **changes):
    """Return the breakdown of the layer without what takes no time, checked against its sum."""
    model = model_of(layer, **changes)
    report = model.evaluate(Design.of(BITS, [copies]))
    assert sum(report.cycle_breakdown.values()) == report.latency_cycles
    assert model.layer_cycles(SETTINGS, copies) == report.latency_cycles
    return {name: count for name, count in report.cycle_breakdown.items() if count}


def unit(layer=LAYER, **changes):
    """Return the units of work, and the cycles of one and of what copies do not shorten."""
    model = model_of(layer, **changes)
    costs = model.copy_costs(SETTINGS)
    return costs.units.item(), costs.cycles_per_unit.item(), costs.fixed_cycles.item()


def test_multiplication():
    assert unit() == (6, 12, 0)
    assert cycles() == {"mvm": 72}
    # ceil(6/4) = 2 positions for the busiest of 4 copies; 6 copies have one each.
    assert [cycles(copies=r)["mvm"] for r in (2, 4, 5, 6, 9)] == [36, 24, 24, 12, 12]


@pytest.mark.parametrize(
    ("changes", "per_unit"),
    [
        ({"dac_bits": 1}, 5 * 2 * 2),  # 5 input steps
        ({"dac_bits": 5}, 1 * 2 * 2),
        ({"active_rows": 3}, 3 * 3 * 2),  # ceil(8/3) row groups
        ({"active_rows": 8}, 3 * 1 * 2),
        ({"crossbar_rows": 16}, 3 * 3 * 2),  # all 10 rows in one crossbar: ceil(10/4)
        ({"columns_per_adc": 8}, 3 * 2 * 8),  # although M = 5: every ADC steps through all
        ({"weight_encoding": "differential-rows"}, 12),  # 20 rows, 8 in the fullest crossbar
        ({"weight_encoding": "differential-columns"}, 12),
        ({"slice_placement": "packed"}, 12),
        # One row group in one input step: the read, then the conversions.
        ({"read_cycles": 3}, 3 * 2 * (3 + 2)),
        ({"conversion_cycles": 4}, 3 * 2 * (4 * 2)),
        ({"read_cycles": 3, "conversion_cycles": 4}, 3 * 2 * (3 + 4 * 2)),
        ({"conversions_per_cycle": 2}, 3 * 2 * 1),
        ({"columns_per_adc": 7, "conversions_per_cycle": 3}, 3 * 2 * 3),  # ceil(7/3)
        ({"columns_per_adc": 2, "conversions_per_cycle": 9, "read_cycles": 1}, 3 * 2 * (1 + 1)),
    ],
    ids=str,
)
def test_cycles_of_a_position(changes, per_unit):
    assert unit(**changes) == (6, per_unit, 0)


def test_one_dimensional_convolution():
    # Kernel 3, 4 -> 5 channels, (10 + 2 - 3) // 2 + 1 = 5 positions, K = 12: again 8 rows at most.
    layer = Layer.conv1d("conv", 4, 5, kernel_size=3, input_size=10, stride=2)
    assert unit(layer) == (5, 12, 0)
    assert cycles(layer, copies=2) == {"mvm": 3 * 12}


def test_depthwise_convolution():
    # 6 blocks of 3 x 1: two on the diagonal of a crossbar, with 4 active rows one after the other.
    layer = Layer.conv1d("depthwise", 6, 6, kernel_size=3, input_size=4, groups=6)
    assert unit(layer) == (4, 3 * 2 * 2, 0)
    assert unit(layer, active_rows=6) == (4, 3 * 1 * 2, 0)  # both at the same time


def test_input_transfer():
    # The 8 inputs of the fuller crossbar: ceil(8*5 / 7) = 6 cycles; the other's 2 come meanwhile.
    assert unit(input_bits_per_cycle=7) == (6, 12 + 6, 0)
    assert cycles(input_bits_per_cycle=7, copies=4) == {"input": 12, "mvm": 24}
    # Two rows per input: 4 inputs, ceil(4*5 / 7) = 3.
    assert unit(input_bits_per_cycle=7, weight_encoding="differential-rows") == (6, 12 + 3, 0)
    # Two blocks of 3 inputs: ceil(6*5 / 7) = 5.
    layer = Layer.conv1d("depthwise", 6, 6, kernel_size=3, input_size=4, groups=6)
    assert cycles(layer, input_bits_per_cycle=7) == {"input": 4 * 5, "mvm": 4 * 12}


@pytest.mark.parametrize(
    ("rows", "levels"), [(8, 0), (9, 1), (16, 1), (17, 2), (32, 2), (33, 3), (64, 3), (65, 4)]
)
def test_accumulation_is_a_tree_over_the_row_tiles(rows, levels):
    layer = replace(LAYER, rows=rows)
    assert cycles(layer, accumulation_cycles=5, copies=2).get("accumulation", 0) == 3 * 5 * levels


def test_copies_share_row_groups():
    # 6 positions x 2 row groups; a group takes 3 * 1 * 2 cycles, its 4 inputs ceil(4*5 / 7) = 3,
    # its sum one level over the 2 row tiles and one to join the groups.
    groups = {"shared_work": "row-groups", "input_bits_per_cycle": 7, "accumulation_cycles": 1}
    assert unit(**groups) == (12, 3 + 6 + 2, 0)
    assert cycles(**groups) == {"input": 12 * 3, "mvm": 12 * 6, "accumulation": 12 * 2}
    # ceil(12/5) = 3
    assert cycles(**groups, copies=5) == {"input": 3 * 3, "mvm": 3 * 6, "accumulation": 3 * 2}


def test_row_groups_of_a_fully_connected_layer_can_be_shared():
    layer = Layer.linear("fc", 10, 5)
    assert [cycles(layer, copies=r)["mvm"] for r in (1, 2, 3)] == [12, 12, 12]
    groups = {"shared_work": "row-groups"}
    assert [cycles(layer, copies=r, **groups)["mvm"] for r in (1, 2, 3)] == [12, 6, 6]


def test_a_single_row_group_needs_no_joining():
    groups = {"shared_work": "row-groups", "active_rows": 8, "accumulation_cycles": 1}
    assert unit(**groups) == (6, 6 + 1, 0)  # the level over the 2 row tiles alone
    groups["weight_encoding"] = "differential-rows"  # 20 rows in 3 row tiles: 2 levels
    assert unit(**groups) == (6, 6 + 2, 0)


def test_row_group_of_differential_rows_has_half_the_inputs():
    # 4 rows are 2 inputs: ceil(2*5 / 7) = 2.
    groups = {"shared_work": "row-groups", "input_bits_per_cycle": 7}
    assert unit(**groups, weight_encoding="differential-rows") == (12, 6 + 2, 0)


def test_shared_output_path_and_vector_unit():
    # ceil(6*5 / 4) = 8 and ceil(20/3) = 7 for the whole layer, whatever its copies.
    shared = {"output_elements_per_cycle": 4, "vector_lanes": 3}
    assert unit(**shared) == (6, 12, 8 + 7)
    assert cycles(**shared) == {"mvm": 72, "output": 8, "vector": 7}
    assert cycles(**shared, copies=6) == {"mvm": 12, "output": 8, "vector": 7}


def test_output_path_and_vector_unit_of_every_copy():
    # Per position ceil(5/4) = 2, and ceil(20/6) = 4 operations in ceil(4/3) = 2.
    own = {"output_elements_per_cycle": 4, "vector_lanes": 3, "output_path": "per-copy"}
    assert unit(**own) == (6, 12 + 2 + 2, 0)
    assert cycles(**own) == {"mvm": 72, "output": 12, "vector": 12}
    assert cycles(**own, copies=4) == {"mvm": 24, "output": 4, "vector": 4}


def test_vector_operations_are_shared_with_the_row_groups():
    # Every row group sends its 5 sums; ceil(20 / 12) = 2 operations are its share.
    own = {"output_elements_per_cycle": 4, "vector_lanes": 1, "output_path": "per-copy"}
    assert unit(**own, shared_work="row-groups") == (12, 6 + 2 + 2, 0)


@pytest.mark.parametrize(
    ("changes", "per_unit", "filling"),
    [
        # Stages: input ceil(40/b), mvm 12 (+ 1 per level), output ceil(5/V), vector ceil(4/lanes).
        ({}, {"mvm": 12}, {}),
        ({"input_bits_per_cycle": 7}, {"mvm": 12}, {"input": 6}),
        ({"input_bits_per_cycle": 4}, {"mvm": 12}, {"input": 10}),
        # The input's 20 hide the 12: 8 are left of them, the others start 12 later.
        ({"input_bits_per_cycle": 2}, {"input": 8, "mvm": 12}, {"input": 12}),
        (
            {"input_bits_per_cycle": 2, "accumulation_cycles": 3},
            {"input": 5, "mvm": 12, "accumulation": 3},
            {"input": 15},
        ),
        (
            {"output_elements_per_cycle": 1, "vector_lanes": 1, "columns_per_adc": 1},
            {"mvm": 6},
            {"output": 5, "vector": 4},
        ),
        (
            {"output_elements_per_cycle": 1, "vector_lanes": 1, "dac_bits": 8, "active_rows": 8},
            {"mvm": 2, "output": 3},
            {"output": 2, "vector": 4},
        ),
        (
            {"input_bits_per_cycle": 10, "vector_lanes": 1, "dac_bits": 8, "columns_per_adc": 1},
            {"mvm": 2, "input": 2},
            {"input": 2, "vector": 4},
        ),
    ],
    ids=str,
)
def test_overlapping_positions_take_the_slowest_stage(changes, per_unit, filling):
    changes = {"overlap": "positions", "output_path": "per-copy", **changes}
    for copies, share in [(1, 6), (2, 3), (4, 2), (6, 1)]:
        expected = {name: share * count for name, count in per_unit.items()}
        for name, count in filling.items():
            expected[name] = expected.get(name, 0) + count
        assert cycles(copies=copies, **changes) == expected
    assert unit(**changes) == (6, sum(per_unit.values()), sum(filling.values()))


def simulate(stages, units):
    """Run units through stages one by one: a stage starts when its unit and the stage are ready."""
    free = [0] * len(stages)
    for _ in range(units):
        ready = 0
        for stage, count in enumerate(stages):
            ready = free[stage] = max(ready, free[stage]) + count
    return ready


@pytest.mark.parametrize("positions", [1, 3, 24])
@pytest.mark.parametrize("input_cycles", [0, 10, 40])
@pytest.mark.parametrize("output_cycles", [0, 20])
@pytest.mark.parametrize("vector_cycles", [0, 30])
def test_overlap_equals_a_simulated_pipeline(positions, input_cycles, output_cycles, vector_cycles):
    # 8 inputs of 5 bits, 20 outputs and 30 operations per position, and rates that give the cycles.
    layer = replace(LAYER, columns=20, positions=positions, vector_ops=30 * positions)
    amounts = {"input_bits_per_cycle": 40, "output_elements_per_cycle": 20, "vector_lanes": 30}
    wanted = (input_cycles, output_cycles, vector_cycles)
    rates = {
        key: amount // count if count else 0
        for (key, amount), count in zip(amounts.items(), wanted, strict=True)
    }
    stages = (input_cycles, 12 + 1, output_cycles, vector_cycles)
    chip = {"output_path": "per-copy", "accumulation_cycles": 1} | rates
    for copies in (1, 2, 5):
        busiest = -(-positions // copies)
        overlapped = cycles(layer, copies, overlap="positions", **chip)
        assert sum(overlapped.values()) == simulate(stages, busiest)
        assert sum(cycles(layer, copies, **chip).values()) == busiest * sum(stages)


def test_shared_output_path_does_not_overlap():
    shared = {"output_elements_per_cycle": 4, "vector_lanes": 3, "input_bits_per_cycle": 7}
    expected = {"input": 6, "mvm": 72, "output": 8, "vector": 7}
    assert cycles(**shared, overlap="positions") == expected


def test_transfer_over_the_network_on_chip():
    # ceil(35*5 / 16) = 11 cycles, and 2 hops of 3; copies listen at the same time.
    noc = {"noc_bits_per_cycle": 16, "noc_hop_cycles": 3, "tiles": 36, "tiles_per_core": 4}
    assert cycles(**noc) == {"mvm": 72, "noc": 11 + 2 * 3}
    assert cycles(**noc, copies=6) == {"mvm": 12, "noc": 17}
    assert cycles(**noc | {"noc_bits_per_cycle": 0}) == {"mvm": 72}


@pytest.mark.parametrize(
    ("tiles", "tiles_per_core", "side"),
    [
        (0, 1, 1),
        (1, 1, 1),
        (4, 1, 2),
        (5, 1, 3),
        (9, 1, 3),
        (10, 1, 4),
        (48, 3, 4),
        (49, 3, 5),
        (5688, 24, 16),  # LRMP's chip has 237 cores
    ],
)
def test_hops_are_the_mean_distance_in_a_square_mesh(tiles, tiles_per_core, side):
    cores = list(product(range(side), repeat=2))
    distances = [abs(a - c) + abs(b - d) for (a, b), (c, d) in product(cores, repeat=2)]
    chip = replace(CHIP, tiles=tiles, tiles_per_core=tiles_per_core)
    assert chip.noc_hops == max(1, -(-sum(distances) // len(distances)))


def test_matmul_on_the_digital_unit():
    # 2 heads of 4 x 3 outputs over 10 inputs: 2*4*3*10 = 240 multiply-accumulates in ceil(240/7).
    layer = Layer.matmul("qk", inner=10, outputs=3, positions=4, heads=2, vector_ops=24)
    digital = {"digital_macs_per_cycle": 7}
    assert unit(layer, **digital) == (1, 35, 0)
    assert cycles(layer, **digital) == cycles(layer, copies=9, **digital) == {"digital": 35}
    # Its output path and vector unit are the layer's in any case, 24 outputs and operations.
    for path in ("shared", "per-copy"):
        after = {"output_path": path, "output_elements_per_cycle": 5, "vector_lanes": 4}
        expected = {"digital": 35, "output": 5, "vector": 6}
        assert cycles(layer, **digital, **after, overlap="positions") == expected
    assert cycles(layer, **digital, noc_bits_per_cycle=8)["noc"] == 2 * 4 * 10 * 5 / 8


def test_rewritten_matmul():
    # One write of 50 cycles, of all crossbars and copies at the same time; then like weights.
    layer = Layer.matmul("qk", inner=10, outputs=5, positions=6)
    rewrite = {"dynamic_matmul": "rewrite", "write_cycles": 50}
    assert unit(layer, **rewrite) == (6, 12, 50)
    assert cycles(layer, **rewrite) == {"mvm": 72, "write": 50}
    assert cycles(layer, **rewrite, copies=3) == {"mvm": 24, "write": 50}
    # Weights are written before the first inference.
    assert cycles(**rewrite) == {"mvm": 72}


def test_time_steps_follow_each_other():
    # 7 steps of K = 4 + 6, M = 4 * 6 gates: copies find nothing to share but row groups.
    layer = Layer.lstm("lstm", input_size=4, hidden_size=6, time_steps=7)
    assert unit(layer) == (1, 7 * 12, 0)
    assert cycles(layer) == cycles(layer, copies=7) == {"mvm": 84}
    assert unit(layer, shared_work="row-groups") == (2, 7 * 6, 0)
    assert cycles(layer, copies=2, shared_work="row-groups") == {"mvm": 42}


def test_time_steps_do_not_overlap():
    # Input ceil(8*5 / 10) = 4, output ceil(24/6) = 4, vector 9 * 6 operations in ceil(54/20) = 3:
    # 4 + 12 + 4 + 3 cycles in each of 7 steps, since each needs the last one's result.
    layer = Layer.lstm("lstm", input_size=4, hidden_size=6, time_steps=7)
    stages = {
        "input_bits_per_cycle": 10,
        "output_elements_per_cycle": 6,
        "vector_lanes": 20,
        "output_path": "per-copy",
    }
    expected = {"input": 28, "mvm": 84, "output": 28, "vector": 21}
    assert cycles(layer, **stages) == expected
    assert cycles(layer, **stages, overlap="positions") == expected


def test_copies_share_the_positions_within_a_time_step():
    # 2 steps of 3 positions: 2 copies take 2 turns in each step.
    layer = replace(LAYER, kind="recurrent", time_steps=2)
    assert unit(layer) == (3, 2 * 12, 0)
    assert [cycles(layer, copies=r)["mvm"] for r in (1, 2, 3, 6)] == [72, 48, 24, 24]
    # The overlap is filled in each step: 2 * (3 * 12 + 6).
    assert cycles(layer, input_bits_per_cycle=7, overlap="positions") == {"input": 12, "mvm": 72}


TURNS = {"weight_loading": "time-multiplexed", "write_cycles": 50}


@pytest.mark.parametrize(
    ("tiles", "rounds"), [(1, 6), (2, 3), (3, 2), (4, 2), (5, 2), (6, 1), (7, 1)]
)
def test_time_multiplexed_rounds(tiles, rounds):
    # The layer's 6 crossbars take turns on the tiles: write, and all 6 positions of 12 cycles.
    assert cycles(**TURNS, tiles=tiles) == {"mvm": rounds * 72, "write": rounds * 50}
    report = model_of(LAYER, **TURNS, tiles=tiles).evaluate(Design.of(BITS, [1]))
    assert report.tiles == 6
    assert not report.pipelined


def test_copies_on_a_time_multiplexed_chip():
    # Two copies of 6 crossbars fit 12 tiles: one round, 3 positions each.
    assert cycles(**TURNS, tiles=12, copies=2) == {"mvm": 36, "write": 50}
    message = (
        r"Expected all copies of layer 0 \(layer\) to fit the 11 tiles of the time-multiplexed "
        r"chip 'toy'\. Take fewer copies\."
    )
    model = model_of(LAYER, **TURNS, tiles=11)
    with pytest.raises(DesignError, match=message):
        model.evaluate(Design.of(BITS, [2]))
    with pytest.raises(DesignError, match=message):
        model.layer_cycles(SETTINGS, [2])
    with pytest.raises(DesignError, match=message):
        model.evaluate_batch([SETTINGS], [[2]])
    with pytest.raises(DesignError, match=message):
        model.copies_energy_fj(SETTINGS, [np.array([1, 2])])


def test_layer_whose_copies_do_not_fit_is_named():
    fits = replace(LAYER, name="fits", rows=8)  # 1 x 1 crossbars for each of 3 slices
    network = Network("three", (fits, replace(LAYER, name="too many"), replace(fits, name="last")))
    model = CostModel(network, replace(CHIP, **TURNS, tiles=9))
    with pytest.raises(DesignError, match=r"all copies of layer 1 \(too many\) to fit the 9 tiles"):
        model.evaluate_batch([SETTINGS * 3] * 2, [[3, 1, 1], [3, 2, 1]])


def test_every_round_fills_the_pipeline_but_output_and_transfer_count_once():
    # 2 rounds on 3 tiles. Input 6 cycles, filled once per round; output ceil(30/4) = 8; NoC 11.
    stages = {"input_bits_per_cycle": 7, "output_elements_per_cycle": 4, "noc_bits_per_cycle": 16}
    assert cycles(**TURNS, **stages, tiles=3, overlap="positions") == {
        "input": 2 * 6,
        "mvm": 2 * 72,
        "output": 8,
        "noc": 11,
        "write": 2 * 50,
    }


def test_digital_matmul_on_a_time_multiplexed_chip_is_not_written():
    layer = Layer.matmul("qk", inner=10, outputs=3, positions=4)
    assert cycles(layer, **TURNS, tiles=1, digital_macs_per_cycle=120) == {"digital": 1}


def test_stationary_weights_have_no_rounds():
    layer = replace(LAYER, kind="matmul")
    model = model_of(layer, dynamic_matmul="rewrite", write_cycles=50)
    assert model.latency.rounds is None
    assert not model.latency.round_cycles.any()
    assert model.fixed_cycles(SETTINGS).tolist() == [50]


def test_parts_are_those_of_the_components():
    model = model_of(LAYER, **TURNS, tiles=3, output_elements_per_cycle=4)
    unit_, round_, fixed = (
        dict(zip(CYCLE_COMPONENTS, part[:, 0].tolist(), strict=True))
        for part in model.latency.parts[:, :, 0, BITS["activation_bits"] - 2]
    )
    nothing = dict.fromkeys(CYCLE_COMPONENTS, 0)
    assert unit_ == nothing | {"mvm": 12}
    assert round_ == nothing | {"write": 50}
    assert fixed == nothing | {"output": 8}
