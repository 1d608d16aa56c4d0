"""Layers that take no less time than their memory, however many copies they have."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from lrmp.errors import SolverError
from lrmp.hardware import Accelerator, CostModel, Design, Layer, Network
from lrmp.hardware.space.precision import PRECISION
from lrmp.solvers.replication.batch import ReplicationBatch
from lrmp.solvers.replication.designs import solve_designs
from lrmp.solvers.replication.exact import solve_exact
from lrmp.solvers.replication.ilp import solve_ilp
from lrmp.solvers.replication.poser import Poser
from lrmp.solvers.replication.problem import ReplicationProblem

CHIP = Accelerator(
    name="toy",
    crossbar_rows=16,
    crossbar_columns=16,
    cell_bits=2,
    dac_bits=1,
    active_rows=16,
    columns_per_adc=2,
    clock_mhz=100,
    output_elements_per_cycle=0,
    slice_placement="packed",
)


def conv(name, rows, columns, positions, inputs):
    return Layer(
        name, "conv2d", rows=rows, columns=columns, positions=positions, input_elements=inputs
    )


def test_by_hand():
    """A layer of 16 x 4 and 10 positions, from 40 inputs, of 8 bits: 8 * 2 cycles a position."""
    network = Network("one", (conv("a", 16, 4, 10, 40),))
    model = CostModel(network, replace(CHIP, memory_bits_per_cycle=16))
    # (40 + 40) * 8 / 16 = 40 cycles of the memory: 4 copies take 3 * 16 = 48, 5 take 2 * 16.
    found = [
        model.evaluate(replace(Design.plain(1), replication=[copies])).component_cycles[:, 0]
        for copies in (1, 4, 5, 10)
    ]
    assert [int(each.sum()) for each in found] == [160, 48, 40, 40]
    assert found[2].tolist() == [8, 32, 0, 0, 0, 0, 0, 0]  # what is waited for counts as input
    assert model.least_cycles(Design.plain(1).settings).tolist() == [40]
    answer = solve_exact(ReplicationProblem.of(model, Design.plain(1).settings, 10, "latency"))
    assert (answer.copies.tolist(), answer.objective_value) == ([5], 40)
    # 4-bit inputs and outputs take half of it, and half the cycles.
    settings = PRECISION.encode({"activation_bits": 4}, ["a"])
    assert model.least_cycles(settings).tolist() == [20]
    # Without a memory costs are what they were.
    plain = CostModel(network, CHIP)
    assert plain.least_cycles(settings) is None
    assert plain.evaluate(replace(Design.plain(1), replication=[10])).latency_cycles == 16


NETWORK = Network(
    "three", (conv("a", 16, 4, 7, 30), conv("b", 20, 9, 5, 60), conv("c", 9, 17, 6, 45))
)


MEMORIES = [{"memory_bits_per_cycle": rate} for rate in (4, 16, 33, 64, 1000)] + [
    {"off_chip_bits_per_cycle": rate, "buffer_bits": 700, "memory_bits_per_cycle": 40}
    for rate in (9, 30, 80)
]


@pytest.mark.parametrize("memory", MEMORIES, ids=lambda memory: "-".join(map(str, memory.values())))
@pytest.mark.parametrize("objective", ["latency", "throughput", "throughput_then_latency"])
def test_copies_are_optimal(memory, objective):
    """Beside the ILP and an enumeration of all copies."""
    model = CostModel(NETWORK, replace(CHIP, **memory))
    rng = np.random.default_rng(next(iter(memory.values())))
    for _ in range(6):
        settings = rng.integers(0, 7, (3, 2))
        tiles = model.tiles_per_copy(settings)
        budget = int(tiles.sum() * rng.uniform(1, 4))
        problem = ReplicationProblem.of(model, settings, budget, objective)
        everything = [
            np.array(copies)
            for copies in product(range(1, 8), range(1, 6), range(1, 7))
            if (tiles * copies).sum() <= budget
        ]
        cycles = [model.layer_cycles(settings, copies) for copies in everything]
        latency = min(int(each.sum()) for each in cycles)
        shared = model.shared_cycles(settings)
        shared = 0 if shared is None else int(shared.sum())
        interval = min(max(int(each.max()), shared) for each in cycles)
        both = min((max(int(each.max()), shared), int(each.sum())) for each in cycles)
        answer, ilp = solve_exact(problem), solve_ilp(problem)
        assert answer.objective_value == ilp.objective_value
        assert answer.copies.tolist() == ilp.copies.tolist()
        found = model.layer_cycles(settings, answer.copies)
        assert problem.layer_cycles(answer.copies).tolist() == found.tolist()
        if objective == "latency":
            assert int(found.sum()) == answer.objective_value == latency
        else:
            assert max(int(found.max()), shared) == problem.interval(answer.copies) == interval
        if objective == "throughput_then_latency":
            assert (interval, int(found.sum())) == both


@pytest.mark.parametrize("objective", ["latency", "throughput"])
def test_many_designs_at_once(objective):
    model = CostModel(NETWORK, replace(CHIP, memory_bits_per_cycle=20))
    settings = np.random.default_rng(0).integers(0, 7, (20, 3, 2))
    pose = Poser(model, 60, objective)
    found = solve_designs(pose, settings)
    with pytest.raises(SolverError, match="Expected layers that wait for no memory"):
        ReplicationBatch.of(model, settings, 60, objective)
    alone = [solve_exact(pose(each)) for each in settings]
    assert found.objective_values == [each.objective_value for each in alone]
    assert found.copies.tolist() == [each.copies.tolist() for each in alone]


def test_several_networks_in_a_round():
    model = CostModel(NETWORK, replace(CHIP, memory_bits_per_cycle=16))
    settings = Design.plain(3).settings
    one = ReplicationProblem.of(model, settings, 100, "latency")
    both = ReplicationProblem.together([one, one], [1, 2])
    assert both.least_cycles.tolist() == [*one.least_cycles, *(2 * one.least_cycles)]
    shared = replace(one, shared_cycles=[1, 2, 30])
    assert ReplicationProblem.together([one, shared], [1, 2]).interval_at_least == 66
    with pytest.raises(SolverError, match="without layers that wait for a memory"):
        replace(one, objective="weighted_throughput", networks=(3,))
