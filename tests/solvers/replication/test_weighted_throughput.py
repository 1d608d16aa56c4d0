"""Weighted throughput of networks that share a chip: against all copies, and CP-SAT."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from lrmp.errors import SolverError
from lrmp.hardware import CostModel, load_network, load_preset
from lrmp.solvers.replication.exact import solve_exact
from lrmp.solvers.replication.ilp import solve_ilp
from lrmp.solvers.replication.problem import ReplicationProblem


def random_problem(seed):
    rng = np.random.default_rng(seed)
    sizes = tuple(rng.integers(1, 3, size=rng.integers(1, 4)).tolist())
    layers = sum(sizes)
    tiles = rng.integers(1, 4, layers)
    return ReplicationProblem(
        tiles=tiles,
        units=rng.integers(1, 7, layers),
        cycles_per_unit=rng.integers(1, 9, layers),
        fixed_cycles=rng.integers(0, 5, layers),
        budget=int(tiles.sum() + rng.integers(0, 12)),
        objective="weighted_throughput",
        networks=sizes,
    )


@pytest.mark.parametrize("seed", range(60))
def test_no_copies_are_better(seed):
    problem = random_problem(seed)
    best = min(
        problem.objective_value(np.array(copies))
        for copies in product(*(range(1, units + 1) for units in problem.units))
        if (problem.tiles * copies).sum() <= problem.budget
    )
    found = solve_exact(problem)
    assert found.objective_value == best
    assert found.proven_optimal


@pytest.mark.parametrize("seed", range(0, 60, 6))
def test_the_integer_program_agrees(seed):
    problem = random_problem(seed)
    exact, ilp = solve_exact(problem), solve_ilp(problem)
    assert ilp.proven_optimal
    assert ilp.objective_value == exact.objective_value
    assert ilp.copies.tolist() == exact.copies.tolist()
    own = solve_ilp(problem, canonical=False)
    assert own.objective_value == own.lower_bound == exact.objective_value


def test_of_one_network_it_is_throughput():
    for seed in range(20):
        problem = replace(random_problem(seed), networks=None)
        plain = replace(problem, objective="throughput")
        copies = solve_exact(plain).copies
        assert solve_exact(problem).copies.tolist() == copies.tolist()


def test_by_hand():
    """Two networks of one layer: 12 units of 10 cycles, and 4 of 10; a tile a copy, 5 tiles.

    With r and s copies a round takes ceil(12 / r) and ceil(4 / s) tens of cycles. r + s = 5:
    (1, 4): 1/12 + 1; (2, 3): 1/6 + 1/2; (3, 2): 1/4 + 1/2; (4, 1): 1/3 + 1/4. The first is most,
    13/12 in ten cycles, so the mean interval is 2 * 12/13 * 10 cycles.
    """
    problem = ReplicationProblem(
        np.array([1, 1]),
        np.array([12, 4]),
        np.array([10, 10]),
        np.array([0, 0]),
        5,
        "weighted_throughput",
        networks=(1, 1),
    )
    found = solve_exact(problem)
    assert found.copies.tolist() == [1, 4]
    assert found.objective_value == pytest.approx(240 / 13 * 1e9, rel=1e-9)
    fair = solve_exact(replace(problem, objective="throughput"))
    assert fair.copies.tolist() == [3, 1]  # 40 cycles each; the fifth tile is of no use


def test_what_cannot_be_is_refused():
    problem = random_problem(3)
    for change in (
        {"least_interval": 1},
        {"most_copies": problem.units},
        {"tied": np.zeros(len(problem), dtype=int)},
        {"max_layer_cycles": 10**6},
    ):
        with pytest.raises(SolverError, match="weighted throughput without limits on copies"):
            replace(problem, **change)
    for networks in ((len(problem), 0), (len(problem) + 1,), ()):
        with pytest.raises(SolverError, match=f"share out {len(problem)} layers, at least 1"):
            replace(problem, networks=networks)
    in_turns = CostModel(load_network("mlp"), load_preset("cim_aq_date_2026"))
    plain = in_turns.space.plain_settings(3)
    with pytest.raises(SolverError, match="weights are stationary for weighted throughput, got"):
        ReplicationProblem.of(in_turns, plain, 500, "weighted_throughput")
