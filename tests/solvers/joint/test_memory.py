"""The best designs of chips whose layers wait for their memory, beside all designs."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from lrmp.envs import evaluate, make_task
from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.envs.task.workload import Workload
from lrmp.errors import SolverError
from lrmp.hardware import Accelerator, CostModel, Layer, Network
from lrmp.solvers.joint.two_budgets import choose_within_two

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
NETWORK = Network(
    "two",
    (
        Layer("a", "conv2d", rows=16, columns=4, positions=7, input_elements=30),
        Layer.linear("b", 20, 9),
    ),
)
BITS = [2, 4, 8]
SPACE = {
    "knobs": [
        {"name": name, "values": BITS, "plain": 8} for name in ("weight_bits", "activation_bits")
    ]
}


MEMORIES = [{"memory_bits_per_cycle": 8}, {"memory_bits_per_cycle": 40}] + [
    {"off_chip_bits_per_cycle": rate, "buffer_bits": size, "memory_bits_per_cycle": 5 * (size > 0)}
    for rate, size in ((4, 0), (9, 0), (9, 200), (30, 90))
]


@pytest.mark.parametrize("memory", MEMORIES, ids=lambda memory: "-".join(map(str, memory.values())))
@pytest.mark.parametrize("objective", ["latency", "throughput"])
def test_the_optimum_is_the_best_of_all(objective, memory):
    task = make_task(
        NETWORK,
        replace(CHIP, **memory),
        budget=20,
        objective=objective,
        accuracy={
            "weight_bits": {"a": [2, 0.7, 0], "b": [1, 0.3, 0]},
            "activation_bits": {"*": [1.5, 0.4, 0]},
            "provenance": "made up",
        },
        allowed_drop=2.0,
        space=SPACE,
    )
    best = max(
        outcome.score
        for bits in product(BITS, repeat=4)
        if (
            outcome := evaluate(
                task, {"weight_bits": np.array(bits[:2]), "activation_bits": np.array(bits[2:])}
            )
        ).score
        is not None
    )
    assert table_optimum(task).value == pytest.approx(best)


@pytest.mark.parametrize("seed", range(6))
def test_settings_that_share_the_memory_are_the_best_of_all(seed):
    """Where few activation bits keep the limit, tiles and traffic are both short."""
    rng = np.random.default_rng(seed)
    layers = [
        Layer(
            name,
            "conv2d",
            rows=int(rng.integers(9, 30)),
            columns=int(rng.integers(3, 12)),
            positions=int(rng.integers(4, 9)),
            input_elements=int(rng.integers(20, 60)),
        )
        for name in "abc"
    ]
    terms = {
        knob: {name: [*sorted(rng.uniform(0, 2, 2), reverse=True), 0] for name in "abc"}
        for knob in ("weight_bits", "activation_bits")
    }
    chip = replace(CHIP, off_chip_bits_per_cycle=int(rng.integers(10, 40)))
    plain = int(CostModel(Network("n", tuple(layers)), chip).baseline.tiles)
    task = make_task(
        Network("three", tuple(layers)),
        chip,
        budget=int(plain * rng.uniform(1.5, 4)),
        objective="throughput",
        accuracy=terms | {"provenance": "made up"},
        allowed_drop=2.0,
        space=SPACE,
    )
    outcomes = [
        evaluate(task, {"weight_bits": np.array(bits[:3]), "activation_bits": np.array(bits[3:])})
        for bits in product(BITS, repeat=6)
    ]
    best = max(outcome.score for outcome in outcomes if outcome.score is not None)
    found = table_optimum(task)
    assert found.value == pytest.approx(best)
    assert found.bound == pytest.approx(best)


def test_two_capacities_are_those_of_an_enumeration():
    """Of CP-SAT alone: every choice of three layers."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        costs, first, second = rng.integers(0, 9, (3, 3, 4))
        allowed = rng.random((3, 4)) < 0.8
        limits = int(rng.integers(3, 20)), int(rng.integers(3, 20))
        rows = np.arange(3)
        sums = [
            int(costs[rows, choice].sum())
            for choice in map(np.array, product(range(4), repeat=3))
            if allowed[rows, choice].all()
            and first[rows, choice].sum() <= limits[0]
            and second[rows, choice].sum() <= limits[1]
        ]
        found = choose_within_two(costs, allowed, (first, limits[0]), (second, limits[1]))
        assert (found is None) == (not sums)
        if found is not None:
            assert int(costs[rows, found].sum()) == min(sums)


def test_several_networks_that_share_the_memory_are_refused():
    one = make_task(
        NETWORK,
        replace(CHIP, off_chip_bits_per_cycle=9),
        budget=60,
        objective="throughput",
        accuracy={
            "weight_bits": {"*": [1, 0.3, 0]},
            "activation_bits": {"*": [1, 0.3, 0]},
            "provenance": "made up",
        },
        allowed_drop=2.0,
        space=SPACE,
    )
    both = replace(one, workload=Workload((*one.workload, *one.workload)))
    with pytest.raises(SolverError, match="Expected one network on a chip whose layers share off_"):
        table_optimum(both)
