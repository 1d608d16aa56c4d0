import subprocess
import sys

import numpy as np
import pytest

from lrmp.envs import load_task
from lrmp.envs.task.optimum import stored_optimum
from lrmp.errors import SolverError
from lrmp.hardware import CostModel, load_network, load_preset
from lrmp.solvers import ReplicationProblem, solve_ilp, solve_replication
from lrmp.solvers.replication import ilp
from lrmp.solvers.replication.exact import solve_exact
from lrmp.solvers.replication.problem import useful_copies

objectives = pytest.mark.parametrize("objective", ["latency", "throughput"])


def mixed_resnet18(seed, objective):
    model = CostModel(load_network("resnet18"), load_preset("lrmp_frontiers_2024"))
    drawn = model.space.sample(np.random.default_rng(seed), len(model.network))
    return ReplicationProblem.of(model, drawn, model.baseline.tiles, objective)


def hard_problem(objective):
    """Twenty layers for which finding copies and proving them optimal take CP-SAT unlike time."""
    rng = np.random.default_rng(0)
    tiles = rng.integers(50, 100, 20)
    return ReplicationProblem(
        tiles,
        rng.integers(50, 400, 20),
        rng.integers(10**6, 2 * 10**6, 20),
        [0] * 20,
        6 * int(tiles.sum()),
        objective,
    )


@objectives
@pytest.mark.parametrize("seed", range(2))
def test_the_same_problem_gives_the_same_copies(objective, seed):
    problem = mixed_resnet18(seed, objective)
    assert solve_ilp(problem) == solve_ilp(problem)


@objectives
def test_an_equal_problem_with_many_optima_gives_the_same_copies(objective):
    def tied():
        return ReplicationProblem([2] * 8, [12] * 8, [5] * 8, [0] * 8, 22, objective)

    assert solve_ilp(tied()) == solve_ilp(tied())


@objectives
def test_a_limit_too_short_for_any_copies_says_so(objective):
    message = (
        r"Expected CP-SAT to find copies within 1e-09 deterministic seconds, got UNKNOWN\. "
        r"Raise deterministic_limit\."
    )
    with pytest.raises(SolverError, match=message):
        solve_ilp(mixed_resnet18(0, objective), deterministic_limit=1e-9)


@pytest.mark.long
@objectives
def test_whatever_the_limit_nothing_false_is_claimed(objective):
    problem = hard_problem(objective)
    optimum = solve_replication(problem).objective_value
    outcomes = []
    limit = 0.004  # too short; in steps of a tenth up to a proof, past answers without one
    while "proven" not in outcomes:
        try:
            answer = solve_ilp(problem, deterministic_limit=limit)
        except SolverError:
            outcomes.append("none")
        else:
            assert answer.lower_bound <= optimum <= answer.objective_value
            assert answer.objective_value == problem.objective_value(answer.copies)
            assert answer.proven_optimal == (answer.lower_bound == answer.objective_value)
            outcomes.append("proven" if answer.proven_optimal else "unproven")
        limit *= 1.1
        assert limit < 10
    assert set(outcomes) == {"none", "unproven", "proven"}


@objectives
def test_bounds_beyond_the_precision_of_floats_stay_exact(objective):
    # The optimum lies above 2**53, where floats skip integers; problems allow up to 2**62.
    problem = ReplicationProblem(
        [1, 1], [7, 5], [2**57 + 12345, 2**56 + 999], [3, 2**58 + 1], 9, objective
    )
    answer = solve_ilp(problem)
    optimum = solve_replication(problem).objective_value
    assert (answer.objective_value, answer.lower_bound) == (optimum, optimum)
    assert answer.proven_optimal


def test_ortools_is_loaded_by_the_first_ilp_only():
    code = """
import sys
from lrmp.solvers import ReplicationProblem, solve_replication
problem = ReplicationProblem([1], [4], [1], [0], 3, "latency")
solve_replication(problem)
assert "ortools.sat.python.cp_model" not in sys.modules
solve_replication(problem, "ilp")
assert "ortools.sat.python.cp_model" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_weighted_sums_that_64_bits_do_not_hold_refuse_no_honest_product(monkeypatch):
    # The proven best bits, whose layers have 907 useful copies: some sums of all are beyond 2**62.
    task = load_task("LRMP-ResNet18-Block-EDP-v0")
    settings = stored_optimum(task).design.settings
    problem = ReplicationProblem.of(task.cost_model, settings, task.budget, "edp")
    refused, minimise = [], ilp._minimise

    def watched(**options):
        try:
            return minimise(**options)
        except SolverError as error:
            refused.append(error)
            raise

    monkeypatch.setattr(ilp, "_minimise", watched)
    found, exact = solve_ilp(problem, canonical=False), solve_exact(problem)
    assert len(refused) == 1
    assert found.objective_value == exact.objective_value
    assert exact.proven_optimal


def test_costs_that_64_bits_do_not_hold_together_are_named():
    # Two layers whose energy falls with every copy, from 2**60 on.
    units = [3000, 5000]
    energy = tuple(2**60 - np.arange(len(useful_copies(each))) * 2**52 for each in units)
    budget, ones = 900, [1, 1]
    problem = ReplicationProblem(ones, units, ones, ones, budget, "energy", energy_fj=energy)
    message = (
        r"Expected options whose costs CP-SAT can add up, below 4611686018427387904 together, got"
    )
    with pytest.raises(SolverError, match=message):
        solve_ilp(problem)
    assert solve_exact(problem).proven_optimal
