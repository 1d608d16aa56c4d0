"""The batch form must return what the single form does, design by design."""

import numpy as np
import pytest

from lrmp.errors import InfeasibleBudgetError, SolverError
from lrmp.hardware import CostModel, load_network, load_preset
from lrmp.solvers import ReplicationBatch, ReplicationProblem, solve_batch, solve_exact

objectives = pytest.mark.parametrize("objective", ["latency", "throughput"])
GOOD = {
    "tiles": [[3, 1], [2, 2]],
    "units": [10, 4],
    "cycles_per_unit": [[5, 7], [4, 4]],
    "fixed_cycles": [[2, 0], [0, 0]],
    "budget": 12,
    "objective": "latency",
}


def batch_of(network, count, objective, seed=0):
    model = CostModel(load_network(network), load_preset("lrmp_frontiers_2024"))
    drawn = model.space.sample(np.random.default_rng(seed), len(model.network), count)
    return ReplicationBatch.of(model, drawn, model.baseline.tiles, objective)


def check(batch):
    copies = solve_batch(batch)
    values = batch.objective_values(copies)
    for index in range(len(batch)):
        single = solve_exact(batch.problem(index))
        assert copies[index].tolist() == single.copies.tolist(), batch.problem(index)
        assert values[index] == single.objective_value


@objectives
@pytest.mark.parametrize(
    ("network", "count"), [("digits_cnn", 300), ("resnet18", 150), ("resnet101", 8)]
)
def test_networks_get_the_copies_of_the_single_form(network, count, objective):
    check(batch_of(network, count, objective))


@objectives
@pytest.mark.parametrize("seed", range(40))
def test_random_batches_get_the_copies_of_the_single_form(seed, objective):
    rng = np.random.default_rng(seed)
    layers, count = int(rng.integers(1, 9)), int(rng.integers(1, 30))
    kinds = rng.integers(0, layers, layers)  # alike layers: ties
    off_chip = rng.random(layers) < 0.1
    tiles = np.where(off_chip, 0, rng.integers(1, 9, (count, layers)))
    check(
        ReplicationBatch(
            tiles[:, kinds],
            np.where(off_chip, 1, rng.integers(1, 60, layers))[kinds],
            rng.integers(1, 9, (count, layers))[:, kinds],
            rng.integers(0, 40, (count, layers)) * int(rng.integers(0, 2)),
            int(tiles[:, kinds].sum(axis=1).max() + rng.integers(0, 5 ** rng.integers(0, 5))),
            objective,
            least_interval=int(rng.integers(0, 600)) * int(rng.integers(0, 2)),
        )
    )


def test_numbers_too_large_for_the_vectorised_form_are_solved_all_the_same():
    check(
        ReplicationBatch(
            [[3, 2, 1]] * 3,
            [9, 8, 7],
            [[2**52 + 1, 2**51, 2**50 + 3]] * 3,
            [[0, 1, 2]] * 3,
            20,
            "latency",
        )
    )


@objectives
@pytest.mark.parametrize("preset", ["puma_asplos_2019", "pimcomp_2023"])
def test_transformers_get_the_copies_of_the_single_form(preset, objective):
    model = CostModel(load_network("vit_b_32"), load_preset(preset))
    drawn = model.space.sample(np.random.default_rng(0), len(model.network), 6)
    batch = ReplicationBatch.of(model, drawn, model.baseline.tiles, objective)
    check(batch)
    posed = ReplicationProblem.of(model, drawn[1], model.baseline.tiles, objective)
    assert batch.problem(1) == posed
    if objective == "throughput":
        assert (batch.objective_values(solve_batch(batch)) >= model.least_interval).all()


@pytest.mark.parametrize("shape", [(0, 5, 2), (5, 2)], ids=str)
def test_a_batch_of_nothing_or_of_one_is_refused(shape):
    model = CostModel(load_network("digits_cnn"), load_preset("lrmp_frontiers_2024"))
    message = rf"Expected tiles of shape \(B, L\), .*, got \({', ?'.join(map(str, shape[:-1]))},?\)"
    with pytest.raises(SolverError, match=message):
        ReplicationBatch.of(model, np.zeros(shape, np.int64), 56, "latency")


def test_the_interval_has_a_floor():
    # Layer cycles with copies 3, 3 are 22 and 14; with 1, 2 they are 40 and 8.
    batch = ReplicationBatch(**(GOOD | {"objective": "throughput", "least_interval": 30}))
    assert batch.objective_values(np.array([[3, 3], [1, 2]])).tolist() == [30, 40]
    # 30 cycles are reached by 2 copies of the first layers; more would be idle.
    assert solve_batch(batch).tolist() == [[2, 1], [2, 1]]


def test_a_batch_is_its_problems():
    batch = ReplicationBatch(**GOOD)
    assert len(batch) == 2
    assert batch.problem(1).cycles_per_unit.tolist() == [4, 4]
    assert batch.objective_values(np.array([[3, 3], [1, 2]])).tolist() == [36, 48]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"objective": "edp"}, SolverError, r"one of latency, throughput; got 'edp'\."),
        ({"tiles": [3, 1]}, SolverError, r"tiles of shape \(B, L\), .*, got \(2,\) beside \(2,\)"),
        ({"units": [10]}, SolverError, r"units of shape \(L,\), .*, got \(1,\) beside \(2, 2\)"),
        ({"units": [10, 0]}, SolverError, r"units of at least 1, got 0\."),
        ({"tiles": [[3, 0], [1, 1]]}, SolverError, r"tiles of at least 1 for a layer of more"),
        ({"cycles_per_unit": [[5, 7]]}, SolverError, r"cycles_per_unit of shape \(B, L\)"),
        ({"fixed_cycles": [[2, 0], [0, -1]]}, SolverError, r"fixed_cycles of at least 0, got -1"),
        ({"least_interval": -1}, SolverError, r"least_interval of at least 0, got -1\."),
        ({"least_interval": 2**61}, SolverError, r"total cycles, .*, got 2\.31e\+18"),
        ({"budget": 3}, InfeasibleBudgetError, r"at least 4 tiles .*, got 3\."),
        ({"budget": 1.5}, SolverError, r"budget to be integers"),
        (
            {"fixed_cycles": [[2, 0], [0, 2**61]]},
            SolverError,
            r"total cycles, tiles of all useful copies and budget below 2\*\*61, got 2\.31e\+18",
        ),
    ],
)
def test_malformed_batch_is_refused(changes, error, message):
    with pytest.raises(error, match="Expected .*" + message):
        ReplicationBatch(**(GOOD | changes))
