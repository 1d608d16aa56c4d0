"""Certificates of the joint optimum where the rounding of floats decides, or numbers are large."""

import dataclasses
import math
import tracemalloc

import numpy as np
import pytest
from joint_tasks import OBJECTIVES, best_of_all, random_problem

from lrmp.errors import SolverError
from lrmp.solvers import ReplicationProblem, useful_copies
from lrmp.solvers.joint.accuracy_terms import AccuracyTerms
from lrmp.solvers.joint.problem import JointProblem
from lrmp.solvers.joint.solve import solve_joint
from lrmp.solvers.joint.terms import JointTerms


def plain_problem(terms, penalty, *, cycles=None, tiles=None, units=None, energy=1, **given):
    """Pose a problem of few numbers: one unit, tile and cycle per layer unless told otherwise."""
    terms = np.asarray(terms, dtype=float)
    layers, settings = terms.shape
    ones = np.ones((layers, settings), dtype=np.int64)
    cycles, tiles = (ones if given_ is None else np.array(given_) for given_ in (cycles, tiles))
    units = ones[:, 0] if units is None else np.array(units)
    rows = np.arange(layers)
    given = {"objective": "latency", "budget": 4 * layers, "baseline": 10**6} | given

    def pose(chosen, budget):
        energies = tuple(np.full(len(useful_copies(u)), energy) for u in units.tolist())
        return ReplicationProblem(
            tiles=tiles[rows, chosen],
            units=units,
            cycles_per_unit=cycles[rows, chosen],
            fixed_cycles=0 * rows,
            budget=budget,
            objective=given["objective"],
            energy_fj=energies if given["objective"] in ("energy", "edp") else None,
        )

    return JointProblem(pose=pose, accuracy=(AccuracyTerms(terms, penalty),), **given)


def points(sums):
    return np.maximum(0.0, sums)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_bounds_hold_where_the_least_terms_are_added_to_less_than_their_sum(objective):
    terms = np.array([[970.8], [67.60000000000001], [117.1], [-1224.3]])
    rounded = float(terms[:, 0].sum())
    assert rounded < math.fsum(terms[:, 0].tolist())
    problem = plain_problem(
        terms,
        lambda sums: np.where(sums <= rounded, 0.0, 30.0),
        cycles=[[29], [45], [24], [13]],
        units=[1, 2, 3, 1],
        objective=objective,
    )
    optimum = solve_joint(problem)
    assert optimum.value == pytest.approx(best_of_all(problem), abs=1e-9)
    assert optimum.value <= optimum.bound


@pytest.mark.long
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_bounds_hold_where_a_sum_lies_on_a_jump(objective):
    for seed in range(150):
        rng = np.random.default_rng([seed, 11])
        layers = int(rng.integers(3, 6))
        shape = layers, int(rng.integers(2, 4))
        shifts = np.round(rng.normal(0, 10.0 ** rng.integers(-1, 9), (layers, 1)), 2)
        terms = np.round(rng.gamma(0.5, 1.0, shape), 2) + shifts
        limit = float(terms[np.arange(layers), rng.integers(0, shape[1], layers)].sum())
        problem = plain_problem(
            terms,
            lambda sums, limit=limit: np.where(sums <= limit, 0.0, 5.0),
            cycles=rng.integers(1, 50, shape),
            tiles=rng.integers(1, 6, shape),
            objective=objective,
            budget=6 * layers,
        )
        assert solve_joint(problem).bound >= best_of_all(problem), seed


def test_whatever_order_units_are_added_in_they_are_no_more_than_the_most():
    for seed in range(50):
        rng = np.random.default_rng([seed, 12])
        excess = rng.uniform(0.6, 0.95, (400, 2)) * (0, 1)
        terms = JointTerms(plain_problem(excess, lambda sums: np.minimum(sums, 0.95)), 0, math.inf)
        units = terms.units.max(axis=1)
        assert units.sum() > 2.0**53
        for order in (units, units[::-1], np.sort(units)):
            assert np.cumsum(order)[-1] <= terms.most


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("budget", [2**62, 2**63, 10**30])
def test_budgets_beyond_64_bits_are_refused(objective, budget):
    with pytest.raises(SolverError, match=r"a budget below 2\*\*62 tiles, got \d+\. Give one"):
        plain_problem([[1.0]], points, objective=objective, budget=budget)


def test_a_budget_that_is_never_used_up_takes_no_memory():
    problem = plain_problem(
        [[0.0, 1.0], [0.0, 1.0]], points, cycles=[[9, 1], [9, 2]], units=[3, 3], budget=10**8
    )
    tracemalloc.start()
    optimum = solve_joint(problem)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert optimum.value == pytest.approx(best_of_all(dataclasses.replace(problem, budget=20)))
    assert peak < 2**26


@pytest.mark.parametrize("objective", ["latency", "energy", "edp"])
def test_costs_of_too_many_orders_of_magnitude_are_refused(objective):
    problem = plain_problem(
        [[0.0, 1.0]], points, cycles=[[1, 2**58]], objective=objective, baseline=10**20
    )
    if objective == "energy":  # the same whatever the cycles
        assert solve_joint(problem).gap < 1e-9
        return
    with pytest.raises(SolverError, match=r"less than a factor of 2\*\*50, got some of 2\.88e\+17"):
        solve_joint(problem)


def test_terms_whose_sum_is_no_float_are_refused():
    with pytest.raises(SolverError, match=r"sum is at most 1e\+307, got 2e\+307\. Give them a lar"):
        plain_problem([[0.0, 1e307], [0.0, 1e307]], points)
    with pytest.raises(SolverError, match=r"sum is at most 1e\+307, got inf\. Give them a larger"):
        plain_problem([[0.0, 1.7e308], [0.0, -1.7e308]], points)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("pay", [300.0, 599.0, 601.0, 1190.0, 1e5])
def test_what_the_budget_makes_every_design_pay_is_no_obstacle(pay, objective):
    problem = plain_problem(
        [[pay / 2, 0.0], [pay / 2 + 0.5, 0.0]],
        points,
        cycles=[[10, 10], [20, 20]],
        tiles=[[1, 2], [1, 2]],
        units=[4, 4],
        objective=objective,
        budget=2,
    )
    optimum = solve_joint(problem)
    assert optimum.value == pytest.approx(best_of_all(problem), rel=1e-12)
    assert optimum.gap <= 1e-13 * pay + 1e-11


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_tight_budgets_are_proven(objective):
    for seed in range(12):
        problem = random_problem([seed, 13], objective, "steep", "any")
        for more in range(3):
            budget = int(problem.tiles.min(axis=1).sum()) + more
            tight = dataclasses.replace(problem, budget=budget)
            optimum = solve_joint(tight)
            assert optimum.value == pytest.approx(best_of_all(tight), abs=1e-9)
            assert optimum.gap <= 1e-9
