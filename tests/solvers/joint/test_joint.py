"""The joint optimum against every design of small tasks, tried, and against itself rephrased."""

import dataclasses
import math

import numpy as np
import pytest
from joint_tasks import OBJECTIVES, PENALTIES, TABLES, best_of_all, random_problem, rephrased

from lrmp.envs.procedural.generator import draw_task
from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.errors import InfeasibleAccuracyError, InfeasibleBudgetError, SolverError
from lrmp.solvers import solve_exact
from lrmp.solvers.joint import branch as joint_branch
from lrmp.solvers.joint import enumeration as joint_enumeration
from lrmp.solvers.joint import sum as joint_sum
from lrmp.solvers.joint.problem import evaluate_joint
from lrmp.solvers.joint.solve import solve_joint

SMOOTH = [name for name in PENALTIES if name not in ("steps", "limit", "plateau")]
PROVEN = 1e-9
SEEDS = 12
HARD = 61471788933320018734264384060875742748572440327446449826131699349783937568456


def check_against_all_designs(problem, smooth):
    """Value and bound enclose the best of all designs; where nothing jumps they meet it."""
    best = best_of_all(problem)
    if best == -math.inf:
        # A design may lie on the limit to within the rounding of floats; then no error is due.
        with pytest.raises(InfeasibleAccuracyError, match=r"^Expected some design within the"):
            solve_joint(problem)
        return "forbidden"
    optimum = solve_joint(problem)
    assert optimum.value <= best + 1e-12 * (1 + abs(best))
    assert optimum.bound >= best
    if smooth or optimum.gap <= PROVEN:
        assert optimum.gap <= PROVEN
        assert optimum.value == pytest.approx(best, abs=PROVEN)
    return "proven" if optimum.gap <= PROVEN else "bounded"


@pytest.mark.long
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_no_design_is_better(penalty, objective, table):
    base = 1000 * (
        list(PENALTIES).index(penalty)
        + 100 * (OBJECTIVES.index(objective) + 10 * TABLES.index(table))
    )
    for seed in range(base, base + 2):
        check_against_all_designs(
            random_problem(seed, objective, penalty, table),
            # On a nearly flat table the rounding of sums is as good as a jump.
            smooth=penalty in SMOOTH and table != "nearly flat",
        )


@pytest.mark.slow
def test_no_design_is_better_on_five_thousand_tasks():
    seen = {"proven": 0, "bounded": 0, "forbidden": 0}
    for seed in range(5000):
        seen[check_against_all_designs(random_problem(seed), smooth=False)] += 1
    assert sum(seen.values()) == 5000
    assert seen["bounded"] <= 250  # where a sum of terms lies on a jump of the penalty


@pytest.mark.long
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_bounds_hold_where_few_partial_designs_are_kept(penalty, objective, monkeypatch):
    monkeypatch.setattr(joint_branch, "FEW_PARTIAL_DESIGNS", 1)
    monkeypatch.setattr(joint_sum, "FIRST_LIST", 2)
    monkeypatch.setattr(joint_enumeration, "UNCOMPARED", 0)
    monkeypatch.setattr(joint_sum, "MOST_BRANCHES", 2)
    for seed in range(SEEDS):
        problem = random_problem([seed, 1], objective, penalty, "any")
        best = best_of_all(problem)
        try:
            cut_off = solve_joint(problem)
        except SolverError:
            continue
        assert cut_off.value <= best + 1e-9
        assert cut_off.bound >= best


def test_bounds_hold_where_the_work_is_over(monkeypatch):
    monkeypatch.setattr(joint_branch, "FEW_PARTIAL_DESIGNS", 1)
    monkeypatch.setattr(joint_sum, "FIRST_LIST", 2)
    monkeypatch.setattr(joint_enumeration, "UNCOMPARED", 0)
    monkeypatch.setattr(joint_sum, "MOST_WORK", 20)
    cut_off = 0
    for seed in range(40):
        problem = random_problem([seed, 5], "latency", "points", "any")
        best = best_of_all(problem)
        try:
            found = solve_joint(problem)
        except SolverError:
            continue
        assert found.value <= best + 1e-9
        assert found.bound >= best
        cut_off += found.bound > found.value + 1e-6
    assert cut_off


@pytest.mark.long
def test_what_dividing_does_not_part_longer_lists_do():
    """One of some 300 drawn networks: within a ten-thousandth of its best lie 37,000 designs."""
    task = draw_task("test", HARD, "latency")
    optimum = table_optimum(task)
    assert optimum.bound - optimum.value < 1e-12
    assert sum("options of 42 layers" in line for line in optimum.log) <= 10


def test_partial_designs_are_looked_at_a_few_at_a_time(monkeypatch):
    problem = random_problem([7, 1], "latency", "points", "any")
    expected = solve_joint(problem)
    monkeypatch.setattr(joint_enumeration, "AT_A_TIME", 3)
    found = solve_joint(problem)
    assert (found.value, found.bound, found.log) == (expected.value, expected.bound, expected.log)


@pytest.mark.long
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_branches_prove_what_one_list_has_no_room_for(penalty, objective, monkeypatch):
    monkeypatch.setattr(joint_branch, "FEW_PARTIAL_DESIGNS", 1)
    monkeypatch.setattr(joint_sum, "FIRST_LIST", 2)
    monkeypatch.setattr(joint_enumeration, "UNCOMPARED", 0)
    for seed in range(SEEDS):
        check_against_all_designs(
            random_problem([seed, 4], objective, penalty, "any"), smooth=penalty in SMOOTH
        )


def test_bounds_hold_without_a_table_of_the_rest(monkeypatch):
    monkeypatch.setattr(joint_enumeration, "MOST_PLACES", 0)
    for seed in range(60):
        check_against_all_designs(
            random_problem([seed, 2], "latency", "points", "any"), smooth=True
        )


# Rephrased, a task keeps its optimum.


def assert_same_optimum(one, other):
    a, b = solve_joint(one), solve_joint(other)
    assert b.value == pytest.approx(a.value, abs=1e-9)
    assert a.gap <= PROVEN
    assert b.gap <= PROVEN


@pytest.fixture(params=[(o, s) for o in OBJECTIVES for s in range(3)], ids=str)
def problem(request):
    objective, seed = request.param
    return random_problem([seed, 3], objective, "points", "any")


@pytest.mark.long
@pytest.mark.parametrize("unit", [1e-300, 1e-12, 1e-9, 1e-3, 1e6, 1e12, 1e300])
def test_the_unit_of_the_table_does_not_matter(problem, unit):
    scale = np.abs(problem.terms).max()
    plain = rephrased(
        problem,
        terms=problem.terms / scale,
        penalty=lambda sums: problem.accuracy[0].penalty(sums * scale),
    )
    scaled = rephrased(
        plain, terms=plain.terms * unit, penalty=lambda sums: plain.accuracy[0].penalty(sums / unit)
    )
    assert_same_optimum(plain, scaled)


def test_a_shift_of_a_layer_does_not_matter(problem):
    shift = np.abs(problem.terms).max() * np.arange(1, len(problem.terms) + 1) * 1000.0
    shifted = rephrased(
        problem,
        terms=problem.terms + shift[:, None],
        penalty=lambda sums: problem.accuracy[0].penalty(sums - shift.sum()),
    )
    assert_same_optimum(problem, shifted)


def test_the_order_of_settings_does_not_matter(problem):
    order = np.random.default_rng(0).permutation(problem.terms.shape[1])
    permuted = rephrased(
        problem,
        terms=problem.terms[:, order],
        pose=lambda settings, budget: problem.pose(order[settings], budget),
    )
    assert_same_optimum(problem, permuted)


def test_duplicated_settings_do_not_matter(problem):
    count = problem.terms.shape[1]
    doubled = rephrased(
        problem,
        terms=np.concatenate([problem.terms, problem.terms], axis=1),
        pose=lambda settings, budget: problem.pose(settings % count, budget),
    )
    assert_same_optimum(problem, doubled)


@pytest.mark.parametrize("sentinel", [1e3, 8.3e6, 8.5e6, 1e9, 1e300])
def test_settings_that_must_never_be_used_do_not_matter(problem, sentinel):
    count = problem.terms.shape[1]
    scale = np.abs(problem.terms).max()
    never = np.full((len(problem.terms), 2), sentinel)
    problem = rephrased(
        problem,
        terms=problem.terms / scale,
        penalty=lambda sums, penalty=problem.accuracy[0].penalty: penalty(
            np.minimum(sums, 1e200) * scale
        ),
    )
    guarded = rephrased(
        problem,
        terms=np.concatenate([problem.terms, never], axis=1),
        pose=lambda settings, budget: problem.pose(settings % count, budget),
    )
    assert_same_optimum(problem, guarded)


def test_the_order_of_layers_does_not_matter(problem):
    order = np.random.default_rng(0).permutation(len(problem.terms))

    def pose(settings, budget):
        original = np.empty_like(settings)
        original[order] = settings
        posed = problem.pose(original, budget)
        changes = {
            name: getattr(posed, name)[order]
            for name in ("tiles", "units", "cycles_per_unit", "fixed_cycles")
        }
        if posed.energy_fj is not None:
            changes["energy_fj"] = tuple(posed.energy_fj[layer] for layer in order.tolist())
        return dataclasses.replace(posed, **changes)

    assert_same_optimum(problem, rephrased(problem, terms=problem.terms[order], pose=pose))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_flat_rows_leave_the_cost_alone_to_decide(objective):
    for seed in range(SEEDS):
        problem = random_problem([seed, 4], objective, "steep", "flat")
        free = rephrased(problem, penalty=lambda sums: 0.0 * sums)
        optimum = solve_joint(problem)
        paid = float(problem.accuracy[0].penalty(np.array(problem.terms[:, 0].sum())))
        assert optimum.value == pytest.approx(solve_joint(free).value - paid, abs=1e-9)
        assert optimum.gap <= PROVEN


def test_what_every_design_pays_is_no_obstacle():
    for seed in range(SEEDS):
        problem = random_problem([seed, 5], "latency", "points", "falling")
        dear = rephrased(problem, penalty=lambda sums, p=problem: p.accuracy[0].penalty(sums) + 5e4)
        plain, paying = solve_joint(problem), solve_joint(dear)
        assert paying.value == pytest.approx(plain.value - 5e4, abs=1e-8)
        assert paying.bound >= paying.value
        assert paying.gap <= 1e-8  # of numbers of 5e4


# Tasks of the registry.


@pytest.mark.parametrize("task_id", ["LRMP-ResNet18-v0", "LRMP-ResNet18-Throughput-v0"])
def test_no_neighbour_of_an_optimum_is_better(task_id):
    from lrmp.envs import load_task, stored_optimum
    from lrmp.envs.scoring.table_optimum import chosen_settings, joint_problem

    problem, optimum = joint_problem(load_task(task_id)), stored_optimum(task_id)
    rng = np.random.default_rng(0)
    best = optimum.design.settings @ (7, 1)
    assert (chosen_settings(task_id, best) == optimum.design.settings).all()
    for _ in range(300):
        settings = best.copy()
        changed = rng.integers(0, len(settings), int(rng.integers(1, 4)))
        settings[changed] = rng.integers(0, 49, len(changed))
        try:
            value, _ = evaluate_joint(problem, settings)
        except InfeasibleBudgetError:
            continue
        assert value <= optimum.bound


def test_the_design_and_its_value_belong_together():
    problem = random_problem(1, "latency", "points", "falling")
    optimum = solve_joint(problem)
    assert evaluate_joint(problem, optimum.settings)[0] == optimum.value
    posed = problem.pose(optimum.settings, problem.budget)
    assert solve_exact(posed).copies.tolist() == optimum.copies.tolist()
    assert optimum.gap == pytest.approx(math.expm1(optimum.bound - optimum.value))


def test_the_log_is_told_line_by_line():
    told = []
    optimum = solve_joint(random_problem(0, "latency", "points", "falling"), told.append)
    assert tuple(told) == optimum.log
    assert "penalised cost of at least" in optimum.log[0]
    assert optimum.log[-1].startswith("best return ")


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_budget_for_nothing_is_infeasible(objective):
    problem = rephrased(random_problem(0, objective), budget=0)
    with pytest.raises(
        InfeasibleBudgetError, match=r"Expected a budget .* in its smallest setting, got 0 tiles"
    ):
        solve_joint(problem)


def test_a_limit_that_no_design_keeps_is_infeasible():
    problem = random_problem(0, "latency")
    forbidding = rephrased(problem, penalty=lambda sums: np.full(np.shape(sums), np.inf))
    with pytest.raises(InfeasibleAccuracyError, match=r"is forbidden\. Allow a larger drop\."):
        solve_joint(forbidding)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_limit_that_no_design_within_the_budget_keeps_is_infeasible(objective):
    problem = random_problem(7, objective, "nothing", "any")
    tiles = np.stack([posed.tiles for posed in problem.uniform], axis=1)
    smallest = tiles == tiles.min(axis=1, keepdims=True)
    tight = rephrased(
        problem,
        budget=int(tiles.min(axis=1).sum()),
        terms=smallest.astype(float),
        penalty=lambda sums: np.where(sums > len(tiles) - 0.5, np.inf, 0.0),
    )
    assert (~smallest).any(axis=1).all()  # every layer has a larger setting, which would do
    with pytest.raises(InfeasibleAccuracyError, match=r"Raise the budget or allow a larger drop"):
        solve_joint(tight)


def test_terms_that_are_no_numbers_are_refused():
    problem = random_problem(0)
    with pytest.raises(SolverError, match=r"finite accuracy terms .* with 1 others"):
        rephrased(
            problem,
            terms=np.where(
                np.arange(problem.terms.size) == 0, np.nan, problem.terms.ravel()
            ).reshape(problem.terms.shape),
        )


def test_an_objective_of_two_parts_is_refused():
    problem = rephrased(random_problem(0, "latency"), objective="throughput_then_latency")
    with pytest.raises(
        SolverError, match=r"edp or weighted_throughput, got throughput_then_latency"
    ):
        solve_joint(problem)
