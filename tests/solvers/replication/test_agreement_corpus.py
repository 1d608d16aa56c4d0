"""A corpus of random problems of every size: both back ends must agree to the integer.

Set AGREEMENT_INSTANCES for another number of instances per objective; the energy-delay product,
which takes CP-SAT many programs, gets a quarter of it.
"""

import os
from itertools import count

import numpy as np
import pytest

from lrmp.errors import InfeasibleBudgetError, SolverError
from lrmp.solvers import ReplicationProblem, solve_exact, solve_ilp, useful_copies

INSTANCES = int(os.environ.get("AGREEMENT_INSTANCES", "40"))
OBJECTIVES = ("latency", "throughput", "throughput_then_latency", "energy", "edp")
PROVABLE = 24  # layers; CP-SAT may need more than its limit for larger random problems
LIMIT = 0.3  # deterministic seconds for each of those


def random_problem(rng, objective):
    """Draw 1..200 layers, mostly few, and a budget from none to spare to more than enough."""
    layers = int(np.exp(rng.uniform(0, np.log(200))))
    kinds = rng.integers(0, layers, layers) if rng.random() < 0.4 else np.arange(layers)
    sizes = rng.choice([3, 30, 1000])
    tiles = rng.integers(1, rng.choice([2, 5, 60]), layers, endpoint=True)[kinds]
    units = rng.integers(1, sizes, layers, endpoint=True)[kinds]
    cycles = rng.integers(1, rng.choice([1, 9, 500]), layers, endpoint=True)[kinds]
    fixed = rng.integers(0, 99, layers) * int(rng.integers(0, 2))
    off_chip = (rng.random(layers) < 0.05)[kinds]
    tiles, units = np.where(off_chip, 0, tiles), np.where(off_chip, 1, units)
    spare = int(rng.choice([0, 1, 0.1, 1, 10, 10**6]) * tiles.sum() * rng.random())
    extra = {}
    if objective in ("energy", "edp"):
        highest = int(rng.choice([3, 10**4, 10**12]))
        tables = {}
        for kind, total in zip(kinds.tolist(), units.tolist(), strict=True):
            if (kind, total) not in tables:
                tables[kind, total] = rng.integers(0, highest, len(useful_copies(total)))
        extra["energy_fj"] = [
            tables[key] for key in zip(kinds.tolist(), units.tolist(), strict=True)
        ]
    if rng.random() < 0.2:
        extra["most_copies"] = rng.integers(1, rng.choice([1, 5, 99]), layers, endpoint=True)
    if rng.random() < 0.1:
        extra["tied"] = rng.integers(0, layers, layers)
    if objective in ("latency", "energy", "edp") and rng.random() < 0.2:
        slowest = int((units * cycles + fixed).max())
        extra["max_layer_cycles"] = int(rng.integers((cycles + fixed).max(), slowest + 1))
    return ReplicationProblem(
        tiles, units, cycles, fixed, int(tiles.sum()) + spare, objective, **extra
    )


def problems(objective, instances):
    rng = np.random.default_rng(OBJECTIVES.index(objective))
    found = 0
    for attempt in count():
        assert attempt < 3 * instances + 100
        try:
            problem = random_problem(rng, objective)
        except (InfeasibleBudgetError, SolverError) as error:
            if "max_layer_cycles" not in str(error) and "layers of at most" not in str(error):
                raise
            continue
        yield problem
        found += 1
        if found == instances:
            return


@pytest.mark.long
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_both_back_ends_agree(objective):
    proven, instances = 0, INSTANCES // 4 if objective == "edp" else INSTANCES
    for problem in problems(objective, instances):
        exact = solve_exact(problem)
        assert exact.proven_optimal
        assert exact.lower_bound == exact.objective_value
        small = len(problem) <= PROVABLE
        try:
            ilp = solve_ilp(problem, 30.0 if small else LIMIT)
        except SolverError as error:
            if "Expected CP-SAT to find copies" not in str(error) or small:
                raise
            continue
        assert ilp.lower_bound <= exact.objective_value <= ilp.objective_value, problem
        if ilp.proven_optimal:
            assert ilp.objective_value == exact.objective_value, problem
            assert ilp.copies.tolist() == exact.copies.tolist(), problem
            own = solve_ilp(problem, 30.0 if small else LIMIT, canonical=False)
            assert problem.objective_value(own.copies) == exact.objective_value
            # CP-SAT's own copies come no earlier in the canonical order.
            assert problem.tiles_of(own.copies.tolist()) >= problem.tiles_of(exact.copies.tolist())
            proven += 1
    assert proven >= 0.7 * instances
