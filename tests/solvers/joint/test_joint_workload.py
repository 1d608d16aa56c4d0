"""Several networks on one chip: against every design of small tasks, and against themselves."""

import dataclasses
import math

import numpy as np
import pytest
from joint_tasks import (
    OBJECTIVES,
    PENALTIES,
    best_of_all,
    random_networks,
    random_problem,
    random_workload,
    rephrased,
    together,
)

from lrmp.errors import InfeasibleAccuracyError, InfeasibleBudgetError, SolverError
from lrmp.solvers.joint import branch as joint_branch
from lrmp.solvers.joint import combination, sharing
from lrmp.solvers.joint import enumeration as joint_enumeration
from lrmp.solvers.joint import sum as joint_sum
from lrmp.solvers.joint.accuracy_terms import AccuracyTerms
from lrmp.solvers.joint.problem import JointProblem, evaluate_joint
from lrmp.solvers.joint.solve import solve_joint

SMOOTH = ("points", "steep", "saturating", "nothing", "everything")
JUMPS = ("steps", "plateau", "limit")
PROVEN = 1e-9
ROUNDING = 1e-11  # of the largest term: where sums jump, a bound may take them to be smaller


def check_against_all_designs(problem):
    """Value and bound enclose the best of all designs; a gap is due to a sum on a jump."""
    best = best_of_all(problem)
    if best == -math.inf:
        with pytest.raises(InfeasibleAccuracyError, match=r"^Expected some design within the"):
            solve_joint(problem)
        return "forbidden"
    optimum = solve_joint(problem)
    assert optimum.value <= best + 1e-12 * (1 + abs(best))
    assert optimum.bound >= best
    if optimum.gap <= PROVEN:
        assert optimum.value == pytest.approx(best, abs=PROVEN)
        return "proven"
    favoured = dataclasses.replace(problem, accuracy=tuple(map(rounded_down, problem.accuracy)))
    assert optimum.bound <= best_of_all(favoured) + PROVEN
    return "bounded"


def rounded_down(accuracy):
    less = ROUNDING * np.abs(accuracy.terms).max()
    return dataclasses.replace(accuracy, penalty=lambda sums: accuracy.penalty(sums - less))


@pytest.mark.long
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("pair", [("points", "steep"), ("saturating", "everything")], ids=str)
@pytest.mark.parametrize("networks", [2, 3])
def test_no_design_is_better(networks, pair, objective):
    for seed in range(3):
        problem = random_workload([seed, 21], objective, pair, networks, "any")
        assert check_against_all_designs(problem) == "proven"


@pytest.mark.long
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("jump", JUMPS)
def test_no_design_is_better_where_penalties_jump(jump, objective):
    for seed in range(4):
        check_against_all_designs(random_workload([seed, 22], objective, (jump, "points")))


@pytest.mark.slow
def test_no_design_is_better_on_three_thousand_tasks():
    seen = {"proven": 0, "bounded": 0, "forbidden": 0}
    for seed in range(3000):
        seen[check_against_all_designs(random_workload(seed))] += 1
    assert sum(seen.values()) == 3000
    assert seen["bounded"] <= 300
    assert seen["forbidden"] <= 150


@pytest.mark.long
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_bounds_hold_where_little_memory_is_used(objective, monkeypatch):
    monkeypatch.setattr(joint_branch, "FEW_PARTIAL_DESIGNS", 1)
    monkeypatch.setattr(joint_sum, "FIRST_LIST", 2)
    monkeypatch.setattr(joint_sum, "MOST_BRANCHES", 2)
    monkeypatch.setattr(joint_enumeration, "UNCOMPARED", 0)
    monkeypatch.setattr(combination, "MOST_PAIRS", 2)
    monkeypatch.setattr(combination, "PAIRS_AT_A_TIME", 1)
    monkeypatch.setattr(sharing, "MOST_TABULATED", 20)
    solved = 0
    for seed in range(12):
        problem = random_workload([seed, 23], objective, SMOOTH, table="any")
        best = best_of_all(problem)
        try:
            cut_off = solve_joint(problem)
        except SolverError:
            continue
        solved += 1
        assert cut_off.value <= best + PROVEN
        assert cut_off.bound >= best
    assert solved >= 4


@pytest.mark.long
def test_pairs_of_designs_are_looked_at_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(combination, "PAIRS_AT_A_TIME", 3)
    monkeypatch.setattr(combination, "LEAVES", 2)
    for seed in range(6):
        problem = random_workload([seed, 24], "latency", SMOOTH, table="any")
        assert check_against_all_designs(problem) == "proven"


# Rephrased, a workload keeps its optimum.


def assert_same_optimum(one, other, shift=0.0):
    a, b = solve_joint(one), solve_joint(other)
    assert b.value == pytest.approx(a.value + shift, abs=PROVEN)
    assert a.gap <= PROVEN
    assert b.gap <= PROVEN


@pytest.fixture(params=[(o, s) for o in OBJECTIVES for s in range(3)], ids=str)
def networks(request):
    """Draw smooth problems of two or three networks, their rates, and a budget."""
    objective, seed = request.param
    return random_networks([seed, 25], objective, SMOOTH, table="any")


@pytest.mark.long
def test_the_order_of_networks_does_not_matter(networks):
    problems, rates, budget = networks
    assert_same_optimum(
        together(problems, rates, budget=budget),
        together(problems[::-1], rates[::-1], budget=budget),
    )


def test_one_network_is_a_plain_problem(networks):
    problems, _, budget = networks
    plain = dataclasses.replace(problems[0], budget=budget, baseline=10**6)
    alone = solve_joint(together(problems[:1], [1], budget=budget))
    expected = solve_joint(plain)
    assert (alone.value, alone.bound, alone.log) == (expected.value, expected.bound, expected.log)
    assert alone.settings.tolist() == expected.settings.tolist()
    assert alone.copies.tolist() == expected.copies.tolist()


@pytest.mark.long
def test_a_rate_is_a_factor_of_the_costs(networks):
    problems, rates, budget = networks

    def dearer(problem, rate):
        def pose(settings, budget):
            posed = problem.pose(settings, budget)
            energies = posed.energy_fj
            return dataclasses.replace(
                posed,
                cycles_per_unit=rate * posed.cycles_per_unit,
                fixed_cycles=rate * posed.fixed_cycles,
                energy_fj=energies and tuple(rate * layer for layer in energies),
            )

        return dataclasses.replace(problem, pose=pose)

    scaled = [dearer(problem, rate) for problem, rate in zip(problems, rates, strict=True)]
    assert_same_optimum(
        together(problems, rates, budget=budget),
        together(scaled, [1] * len(rates), budget=budget),
    )


@pytest.mark.long
def test_rates_of_a_longer_round_change_nothing_but_the_unit(networks):
    problems, rates, budget = networks
    powers = 2 if problems[0].objective == "edp" else 1
    assert_same_optimum(
        together(problems, rates, budget=budget),
        together(problems, [7 * rate for rate in rates], budget=budget),
        shift=-powers * math.log(7),
    )


def test_a_network_may_be_cut_where_its_terms_weigh_nothing(networks):
    problems, _, budget = networks
    problem = problems[0]
    (accuracy,) = problem.accuracy
    terms = accuracy.terms.copy()
    terms[-1] = 0.0
    whole = dataclasses.replace(rephrased(problem, terms=terms), budget=budget, baseline=10**6)
    parts = (
        dataclasses.replace(accuracy, terms=terms[:-1]),
        AccuracyTerms(terms[-1:], lambda sums: 0.0 * sums),
    )
    assert_same_optimum(whole, dataclasses.replace(whole, accuracy=parts))


@pytest.mark.long
def test_a_network_that_costs_next_to_nothing_takes_its_tiles_alone(networks):
    problems, rates, budget = networks
    objective = problems[0].objective
    settings = problems[0].terms.shape[1]
    plain = random_problem(1, objective, "nothing", layers=2, settings=settings, most_units=1)

    def pose(chosen, budget):
        posed = plain.pose(chosen, budget)
        energies = posed.energy_fj
        return dataclasses.replace(
            posed,
            tiles=np.array([2, 3]),
            cycles_per_unit=np.ones(2, int),
            fixed_cycles=np.zeros(2, int),
            energy_fj=energies and tuple(0 * layer for layer in energies),
        )

    beside = dataclasses.replace(plain, pose=pose)
    both = together([*problems, beside], [*rates, 1], budget=budget + 5, baseline=10**6)
    without = together(problems, rates, budget=budget, baseline=10**6)
    optimum, expected = solve_joint(both), solve_joint(without)
    assert optimum.gap <= PROVEN
    if objective in ("energy", "throughput"):
        assert optimum.value == pytest.approx(expected.value, abs=PROVEN)
    else:  # two cycles more
        cycles = without.pose(expected.settings, budget).layer_cycles(expected.copies).sum()
        assert expected.value - math.log1p(2 / cycles) - PROVEN <= optimum.value < expected.value


@pytest.mark.long
def test_a_tighter_limit_of_one_network_is_never_better(networks):
    problems, rates, budget = networks
    before = math.inf
    (accuracy,) = problems[0].accuracy
    least, most = accuracy.terms.min(axis=1).sum(), accuracy.terms.max(axis=1).sum()
    for share in (0.9, 0.5, 0.1):
        limit = least + share * (most - least)
        limited = rephrased(
            problems[0], penalty=lambda sums, limit=limit: np.where(sums <= limit, 0.0, np.inf)
        )
        try:
            optimum = solve_joint(together([limited, *problems[1:]], rates, budget=budget))
        except InfeasibleAccuracyError:
            break
        assert optimum.value <= before + PROVEN
        before = optimum.bound


# Penalties and errors.


def test_penalties_add_up():
    for seed in range(20):
        problem = random_workload([seed, 26], penalties=SMOOTH)
        rng = np.random.default_rng(seed)
        layers, settings = problem.terms.shape
        chosen = rng.integers(0, settings, layers)
        posed = problem.pose(chosen, 10**6)
        roomy = dataclasses.replace(problem, budget=10**6)
        value, copies = evaluate_joint(roomy, chosen)
        parts = zip(problem.accuracy, problem.layers, strict=True)
        paid = sum(
            float(a.penalty(a.terms[np.arange(len(a.terms)), chosen[mine]].sum()))
            for a, mine in parts
        )
        gain = problem.baseline / posed.objective_value(copies)
        assert value == pytest.approx(math.log(gain) - paid, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_limit_that_one_network_cannot_keep_is_infeasible(objective):
    problems, rates, budget = random_networks([0, 27], objective, ("nothing",))
    forbidding = rephrased(problems[1], penalty=lambda sums: np.full(np.shape(sums), np.inf))
    with pytest.raises(InfeasibleAccuracyError, match=r"is forbidden\. Allow a larger drop\."):
        solve_joint(together([problems[0], forbidding], rates[:2], budget=budget))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_limits_that_networks_cannot_keep_together_are_infeasible(objective):
    """Either network fits in its larger, accurate setting; both do not."""
    problems = []
    for seed in range(2):
        plain = random_problem([seed, 28], objective, "nothing", layers=1, settings=2, most_units=1)

        def pose(settings, budget, plain=plain):
            posed = plain.pose(settings, budget)
            return dataclasses.replace(posed, tiles=np.array([3, 5])[settings])

        exact = rephrased(
            plain,
            terms=np.array([[1.0, 0.0]]),
            penalty=lambda sums: np.where(sums < 0.5, 0.0, np.inf),
        )
        problems.append(dataclasses.replace(exact, pose=pose))
    enough = solve_joint(together(problems, [1, 1], budget=10))
    assert enough.settings.tolist() == [1, 1]
    with pytest.raises(InfeasibleAccuracyError, match=r"Raise the budget or allow a larger drop"):
        solve_joint(together(problems, [1, 1], budget=9))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_budget_for_one_of_two_networks_is_infeasible(objective):
    problems, rates, _ = random_networks([0, 29], objective, ("nothing",), 2)
    enough = int(problems[0].tiles.min(axis=1).sum())
    with pytest.raises(InfeasibleBudgetError, match=r"in its smallest setting, got \d+ tiles"):
        solve_joint(together(problems, rates, budget=enough))


def test_networks_of_different_settings_are_refused():
    two = AccuracyTerms(np.zeros((1, 2)), PENALTIES["nothing"])
    three = AccuracyTerms(np.zeros((1, 3)), PENALTIES["nothing"])
    for accuracy, got in (((two, three), r"\[2, 3\]"), ((), r"\[\]")):
        with pytest.raises(SolverError, match=rf"same number of settings, got {got}\. Give set"):
            JointProblem(lambda settings, budget: None, 9, "latency", 1, accuracy)
