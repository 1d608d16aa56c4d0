"""Chosen bits become a design, a cost, a drop and a score."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

from lrmp.envs import evaluate, evaluate_settings, load_task
from lrmp.envs.scoring.design_info import design_info
from lrmp.errors import DesignError, InfeasibleBudgetError, SolverError

BITS = [[8, 4, 3, 4, 6], [8, 5, 4, 4, 7]]
SETTINGS = np.array(BITS).T - 2


@pytest.fixture(params=["LRMP-Digits-v0", "LRMP-Digits-Throughput-v0"])
def digits(request):
    return load_task(request.param)


@pytest.mark.parametrize("solver", ["exact", "ilp"])
def test_digits_by_both_solvers(digits, solver, by_hand):
    outcome = evaluate(digits, weight_bits=BITS[0], activation_bits=BITS[1], solver=solver)
    assert outcome.task is digits
    assert outcome.design["weight_bits"].tolist() == BITS[0]
    assert outcome.design["activation_bits"].tolist() == BITS[1]
    assert outcome.design.replication.tolist() == outcome.replication.copies.tolist()
    tiles, cycles = by_hand(digits, *BITS, outcome.design.replication)
    _, plain = by_hand(digits, [8] * 5, [8] * 5, [1] * 5)
    assert outcome.report.layer_tiles.tolist() == tiles
    assert outcome.report.layer_cycles.tolist() == cycles
    assert sum(tiles) <= digits.budget
    total = sum if digits.objective == "latency" else max
    assert outcome.replication.objective_value == total(cycles)
    assert outcome.replication.proven_optimal
    assert outcome.gain == pytest.approx(total(plain) / total(cycles), rel=1e-12)

    one_copy, _ = by_hand(digits, *BITS, [1] * 5)
    spare = digits.budget - sum(one_copy)
    best = min(
        total(by_hand(digits, *BITS, copies)[1])
        for copies in itertools.product(*(range(1, 2 + spare // t) for t in one_copy))
        if sum(by_hand(digits, *BITS, copies)[0]) <= digits.budget
    )
    assert total(cycles) == best


def test_drop_is_measured_on_the_design(digits):
    outcome = evaluate(digits, weight_bits=BITS[0], activation_bits=BITS[1])
    assert outcome.accuracy_drop == digits.accuracy.drop(outcome.design)


def test_divergence_already_known_is_taken_as_given(digits):
    rough = np.zeros((5, 2), int)
    assert evaluate_settings(digits, rough).accuracy_drop > 20
    for known in (12.5, 0.0):
        outcome = evaluate_settings(digits, rough, divergence=known)
        assert outcome.divergence == outcome.accuracy_drop == known


def test_drop_is_that_of_the_divergence():
    task = load_task("LRMP-ResNet18-v0")
    outcome = evaluate(task, weight_bits=4, activation_bits=4)
    assert outcome.divergence == task.accuracy.sums(outcome.design.settings)
    assert outcome.accuracy_drop == task.accuracy.drop(outcome.design) != outcome.divergence


def test_only_designs_within_the_allowance_have_a_score(digits):
    within = evaluate_settings(digits, SETTINGS, divergence=1.0)
    assert (within.excess, within.score) == (0.0, math.log(within.gain))
    beyond = evaluate_settings(digits, SETTINGS, divergence=math.nextafter(1.0, 2.0))
    assert beyond.excess > 0
    assert beyond.score is None
    assert design_info(beyond)["score"] == 0.0
    assert not design_info(beyond)["within_allowance"]


def test_reward_by_name(digits):
    outcome = evaluate_settings(digits, SETTINGS, divergence=3.0)
    assert outcome.gain > 1
    assert outcome.excess == pytest.approx(math.log(3))
    assert outcome.reward() == outcome.reward("lrmp") == pytest.approx(-0.5 * math.log(3))
    assert outcome.reward("haq") == pytest.approx(-0.3)
    assert outcome.reward("cim-aq") == pytest.approx(-20)
    tolerant = dataclasses.replace(digits, id="Custom").with_tenant(allowed_drop=2.999)
    same = evaluate_settings(tolerant, SETTINGS, divergence=3.0)
    assert same.reward() == pytest.approx(math.log(outcome.gain) - 100 * math.log(3 / 2.999))


@pytest.mark.parametrize("solver", ["exact", "ilp"])
def test_budget_below_one_copy_is_refused_with_both_numbers(digits, solver):
    task = dataclasses.replace(digits, id="Custom", budget=55)
    with pytest.raises(
        InfeasibleBudgetError,
        match=r"Expected a budget of at least 56 tiles for one copy of every layer, got 55\. "
        r"Choose smaller settings or raise the budget\.",
    ):
        evaluate(task, solver=solver)


def test_larger_budget_is_never_slower(digits):
    cycles = []
    for budget in range(32, 92, 5):
        task = dataclasses.replace(digits, id="Custom", budget=budget)
        outcome = evaluate_settings(task, SETTINGS, divergence=0.0)
        cycles.append(outcome.report.cost(digits.objective))
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[0] > cycles[-1]


@pytest.mark.parametrize(
    ("weight_bits", "activation_bits", "message"),
    [
        ([8] * 4, [8] * 5, "Expected 5 weight_bits, one per layer, got 4"),
        ([8] * 5, [8] * 6, "Expected 5 activation_bits, one per layer, got 6"),
        ([9, 8, 8, 8, 8], [8] * 5, "Expected weight_bits between 2 and 8, got 9 for layer 0"),
        ([8] * 5, [8, 8, 1, 8, 8], "Expected activation_bits between 2 and 8, got 1 for layer 2"),
        ([8.0] * 5, [8] * 5, "Expected weight_bits to be integers of at most 64 bits, got float64"),
    ],
)
def test_bits_of_no_design_are_refused(digits, weight_bits, activation_bits, message):
    with pytest.raises(DesignError, match=message):
        evaluate(digits, weight_bits=weight_bits, activation_bits=activation_bits)


def test_unknown_solver_is_refused(digits):
    with pytest.raises(SolverError, match="Expected solver to be one of exact, ilp; got 'cplex'"):
        evaluate(digits, weight_bits=BITS[0], activation_bits=BITS[1], solver="cplex")
