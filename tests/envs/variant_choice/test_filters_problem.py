"""Widths and bits: what a width costs, the proof over all, and how a design is scored."""

import math
from dataclasses import replace

import numpy as np
import pytest

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs import evaluate_settings, load_task
from lrmp.envs.scoring.reward import STEEP
from lrmp.envs.scoring.table_optimum import joint_problem
from lrmp.envs.variant_choice.filter_search import WidthSearch
from lrmp.envs.variant_choice.filters_problem import FiltersProblem
from lrmp.envs.variant_choice.optimum import stored_variant_optimum
from lrmp.envs.variant_choice.problem import load_problem
from lrmp.envs.variant_choice.problem_ids import FILTERS_PROBLEMS
from lrmp.envs.variant_choice.proof import prove_optimum
from lrmp.errors import InfeasibleAccuracyError, SolverError, TaskError
from lrmp.hardware import PRECISION, CostModel, Design, load_network, load_preset
from lrmp.hardware.space.pruned_inputs import PRUNED_INPUTS
from lrmp.solvers.joint.solve import solve_joint

pytestmark = pytest.mark.long

LENET = "LRMP-LeNet-Filters-v0"
PROBLEMS = pytest.mark.parametrize("problem_id", FILTERS_PROBLEMS)


@pytest.fixture
def problem():
    return load_problem(LENET)


@PROBLEMS
def test_the_whole_network_is_lrmps_own_task_but_for_the_table(problem_id):
    problem = load_problem(problem_id)
    own = load_task(problem_id.replace("-Filters", ""))
    plain = problem.task(problem.plain_variant)
    assert plain.network == own.network
    assert (plain.budget, plain.objective, plain.space) == (own.budget, own.objective, own.space)
    assert plain.accelerator == own.accelerator
    assert problem.offset(problem.plain_variant) == 0


@PROBLEMS
def test_numbers_and_widths_are_told_apart(problem_id):
    problem = load_problem(problem_id)
    assert problem.count == len(PRUNED_INPUTS) ** len(problem.space)
    rng = np.random.default_rng(0)
    for number in [0, problem.count - 1, *rng.integers(0, problem.count, 9).tolist()]:
        assert problem.number_of(problem.setting(number)) == number
        assert problem.nearest(problem.setting(number)) == number
    assert problem.setting(problem.plain_variant).tolist() == problem.space.plain.tolist()


def test_a_width_by_hand(problem):
    """A quarter of 20, half of 50 and nothing of 500 filters, on crossbars of 256 x 256 cells."""
    number = problem.number_of(np.array([2, 3, 0]))
    task = problem.task(number)
    assert [(layer.rows, layer.columns) for layer in task.network.layers] == [
        (25, 15), (15 * 25, 25), (25 * 16, 500), (500, 10)
    ]  # fmt: skip
    # Eight slices of 1 bit, each in crossbars of its own.
    tiles = CostModel(task.network, load_preset("lrmp_frontiers_2024")).baseline.layer_tiles
    assert tiles.tolist() == [8, 8 * 2, 8 * 2 * 2, 8 * 2]
    assert task.budget == problem.plain_task.budget
    kept = 25 * 15 + 375 * 25 + 400 * 500 + 5000
    assert problem.info(number)["weights_left"] == kept / (500 + 25000 + 400000 + 5000)


def test_the_table_of_a_width_is_that_of_the_whole_with_its_filters_lost(problem):
    table = problem.tasks.table
    rng = np.random.default_rng(1)
    for number in rng.integers(0, problem.count, 12):
        task = problem.task(int(number))
        settings = rng.integers(0, 7, (4, 2))
        lost = problem.tasks.by_layer(problem.setting(int(number)))
        whole = np.column_stack([settings, lost])
        assert task.accuracy.sums(settings) == pytest.approx(table.sums(whole), rel=1e-12)
        assert task.accuracy.drop_map == table.drop_map
        assert problem.tasks.widths_of(whole).tolist() == problem.setting(int(number)).tolist()


def test_a_score_is_the_gain_over_the_whole_plain_network(problem):
    base = problem.plain_task.baseline_report.latency_cycles
    rng = np.random.default_rng(2)
    for number in rng.integers(0, problem.count, 8).tolist():
        outcome = evaluate_settings(problem.task(number), rng.integers(0, 7, (4, 2)))
        log_gain = math.log(base / outcome.report.latency_cycles)
        if outcome.score is not None:
            assert problem.score(number, outcome) == pytest.approx(log_gain, abs=1e-12)
        excess = problem.task(number).allowance.excess(outcome.divergence)
        expected = max(log_gain - STEEP * excess, min(log_gain, 0) - 0.5 * excess)
        assert problem.reward(number, outcome) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("network", ["lenet", "resnet20"])
@pytest.mark.parametrize("objective", ["latency", "throughput", "energy"])
def test_narrower_is_never_more_expensive(network, objective):
    """What the bounds of the proof rest on: in every layer, whatever its bits and copies."""
    tasks = FiltersProblem("narrower", network, objective).tasks
    groups, layers = len(tasks.space), tasks.table.layers
    rng = np.random.default_rng(3)
    for _ in range(12):
        wide = rng.integers(0, 5, groups)
        narrow = np.maximum(wide, rng.integers(0, 5, groups))
        settings, copies = rng.integers(0, 7, (layers, 2)), rng.integers(1, 9, layers)
        less, more = (
            tasks.task(widths).cost_model.evaluate(Design(PRECISION, settings, copies))
            for widths in (narrow, wide)
        )
        for name in ("layer_tiles", "layer_cycles", "layer_energy_fj"):
            assert (getattr(less, name) <= getattr(more, name)).all(), name
        assert less.cost(objective) <= more.cost(objective)
        best = [evaluate_settings(tasks.task(widths), settings) for widths in (narrow, wide)]
        costs = [outcome.report.cost(objective) for outcome in best]
        assert costs[0] <= costs[1]


def test_branching_starts_from_values_that_are_allowed(problem):
    values = [np.array([3, 4]), np.array([2]), np.array([1])]
    found = WidthSearch(problem.tasks, STEEP, values).run()
    assert found.widths.tolist() in ([3, 2, 1], [4, 2, 1])
    with pytest.raises(SolverError, match="at least one share of filters for every group"):
        WidthSearch(problem.tasks, STEEP, [np.array([], int)] * 3)


def test_where_less_than_all_filters_lose_less_the_bound_still_holds(problem):
    """A measured table may say that the network is better off without some filters."""
    table = problem.tasks.table
    terms = {axes: values.copy() for axes, values in table.terms.items()}
    terms[(PRUNED_INPUTS.name,)][1] = [0.3, 0.05, 0.2, 0.0, 0.3]
    odd = TableAccuracy(
        terms,
        "odd",
        is_estimate=False,
        drop_map=table.drop_map,
        space=table.space,
        exponent=table.exponent,
    )
    tasks = replace(problem.tasks, table=odd)
    found = WidthSearch(tasks, STEEP).run()
    values = []
    for widths in tasks.space.settings:
        task = tasks.task(widths)
        values.append(solve_joint(joint_problem(task, STEEP)).value + tasks.offset(task))
    assert found.value == max(values) <= found.bound


def test_a_chip_too_small_for_the_whole_network_holds_a_narrower_one(problem):
    tasks = replace(problem.tasks, share=0.2)
    values = [np.array([4])] * 3
    assert WidthSearch(tasks, STEEP, values).run().widths.tolist() == [4, 4, 4]
    assert WidthSearch(tasks, STEEP, [np.array([0])] * 3).descend().settings is None


@pytest.mark.parametrize(
    ("objective", "allowed", "steep"),
    [("latency", 1.0, math.inf), ("throughput", 2.0, math.inf), ("energy", 1.0, STEEP)],
)
def test_branching_finds_what_all_widths_one_by_one_do(objective, allowed, steep):
    tasks = replace(FiltersProblem(LENET, "lenet", objective).tasks, allowed_drop=allowed)
    found = WidthSearch(tasks, steep).run()
    values = {}
    for widths in tasks.space.settings:
        task = tasks.task(widths)
        try:
            best = solve_joint(joint_problem(task, steep))
        except InfeasibleAccuracyError:
            continue
        values[tuple(widths.tolist())] = best.value + tasks.offset(task)
    assert found.value == max(values.values())
    assert values[tuple(found.widths.tolist())] == found.value
    assert found.value <= found.bound < found.value + 1e-9
    assert found.solved < len(tasks.space.settings)


def test_where_nothing_is_allowed_that_is_said():
    tasks = replace(load_problem(LENET).tasks, allowed_drop=0.0)
    with pytest.raises(InfeasibleAccuracyError, match="Expected some widths and bits of lenet"):
        WidthSearch(tasks).run()


@PROBLEMS
def test_stored_optima_are_of_todays_problems(problem_id):
    stored, problem = stored_variant_optimum(problem_id), load_problem(problem_id)
    assert stored.problem_fingerprint == problem.fingerprint
    assert stored.without <= stored.value <= stored.bound < stored.value + 1e-9
    assert stored.constant.value < stored.value
    assert stored.reward_bound >= stored.bound


@pytest.mark.parametrize("problem_id", [each for each in FILTERS_PROBLEMS if "LeNet" in each])
def test_the_proof_is_repeated(problem_id):
    lines, stored = [], stored_variant_optimum(problem_id)
    found = prove_optimum(problem_id, lines.append)
    assert found == stored
    assert lines[-1] == f"{problem_id}: {found.value:.9f} proven, {found.solved} problems solved"


def test_an_unknown_problem_is_refused():
    with pytest.raises(TaskError, match="LRMP-LeNet-Filters-v0"):
        load_problem("LRMP-LeNet-Filter-v0")


def test_groups_are_those_of_the_network():
    assert load_problem(LENET).space.names == tuple(
        f"pruned_filters_{layer.name}" for layer in load_network("lenet").layers[:-1]
    )
