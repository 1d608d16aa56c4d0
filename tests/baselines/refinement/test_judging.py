"""Which designs judge a table: the proven best, others near them, and none of an earlier table."""

from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest

from lrmp.accuracy.model.design_result import DesignResult, design_values, settings_of
from lrmp.accuracy.model.drop_map import DropMap
from lrmp.accuracy.model.optimised_fidelity import judge_optimised
from lrmp.accuracy.model.sensitivity_table import SensitivityTable, load_designs, shipped_tables
from lrmp.baselines.refinement.optimised_designs import ALLOWANCES, near_best, proven_best
from lrmp.baselines.refinement.refine import Plan, TaskOptimisers, judge_designs
from lrmp.envs import evaluate_settings, list_tasks, load_task, make_task, stored_optimum
from lrmp.envs.variant_choice.optimum import stored_variant_optimum
from lrmp.envs.variant_choice.problem import load_problem
from lrmp.envs.variant_choice.problem_ids import FILTERS_PROBLEMS
from lrmp.hardware import load_network
from lrmp.hardware.families import FAMILIES
from lrmp.hardware.space.precision import PRECISION

NAMES = tuple(layer.name for layer in load_network("lenet").layers)


@pytest.fixture
def table():
    """Write a table of LeNet whose weights matter more or less than its activations."""

    def write(weights=1.0):
        falling = np.geomspace(1, 1e-3, 7) * np.array([[0.4], [0.3], [0.2], [0.1]])
        terms = {("weight_bits",): weights * falling, ("activation_bits",): falling}
        return SensitivityTable(
            "lenet", "measured", NAMES, PRECISION, terms, DropMap([0, 1], [0, 10], 90), {}
        )

    return write


@pytest.fixture
def task(table):
    return make_task("lenet", accuracy=table().accuracy())


class Bench:
    """In the place of a measurement: every design gives the same result; a log keeps it."""

    space = PRECISION
    result = DesignResult(0.1, 0.01, 100, 90, (1, 2), (3,), (1.0,) * 10)

    def __init__(self):
        self.log = SimpleNamespace(results=[])

    def run_designs(self, split, settings, origins):
        known = self.by_settings(split)
        for one, picked in zip(settings, origins, strict=True):
            if one.tobytes() not in known:
                about = {"design": design_values(one, PRECISION), "split": split}
                self.log.results.append(about | {"origins": picked} | asdict(self.result))
        known = self.by_settings(split)
        return [known[one.tobytes()] for one in settings]

    def measure_designs(self, split, count, seed):
        rng = np.random.default_rng(seed)
        settings = rng.integers(0, 7, (count, len(NAMES), 2))
        return self.run_designs(split, settings, [[{"how": "random"}]] * count)

    def by_settings(self, split):
        lines = [line for line in self.log.results if line["split"] == split]
        settings = settings_of(lines, PRECISION, NAMES)
        return {one.tobytes(): line for one, line in zip(settings, lines, strict=True)}


def judging(bench, split, how):
    """Return the settings of designs that judge."""
    return {
        key
        for key, line in bench.by_settings(split).items()
        if any(each.get("judges") and each["how"] == how for each in line["origins"])
    }


@pytest.mark.long
def test_designs_near_the_best_are_none_of_the_best(task, table):
    accuracy = table().accuracy()
    best = list(proven_best(task, accuracy))
    near = list(near_best(task, accuracy, 20, np.random.default_rng(0), without=best))
    assert len({each.settings.tobytes() for each in near}) == len(near) == 20
    known = {each.settings.tobytes() for each in best}
    assert not known & {each.settings.tobytes() for each in near}
    again = list(near_best(task, accuracy, 20, np.random.default_rng(0)))
    assert known & {each.settings.tobytes() for each in again}  # LeNet is so small that some are
    for each in near:
        drop = accuracy.drop_map(accuracy.sums(each.settings))
        assert drop <= each.allowed
        posed = replace(task, objective=each.objective).with_tenant(allowed_drop=each.allowed)
        winner = next(b for b in best if (b.objective, b.allowed) == (each.objective, each.allowed))
        gain, most = (evaluate_settings(posed, one.settings).gain for one in (each, winner))
        assert gain <= most * (1 + 1e-9)


@pytest.mark.long
def test_best_and_near_designs_judge_on_both_splits(task, table):
    bench = Bench()
    judge_designs(bench, TaskOptimisers(task), table(), Plan(judged_near=10, judged_random=5))
    for split in ("search", "test"):
        best, near = judging(bench, split, "best"), judging(bench, split, "near")
        assert len(near) == 10
        assert not best & near
    best = proven_best(task, table().accuracy())
    assert judging(bench, "test", "best") == {each.settings.tobytes() for each in best}
    found = judge_optimised(table(), bench.log.results)
    assert found.near == 10
    assert found.judged_allowances == list(ALLOWANCES)
    assert not found.seen.any()
    random = [line for line in bench.log.results if {"how": "random"} in line["origins"]]
    assert len(random) == 5


@pytest.mark.long
def test_designs_of_an_earlier_table_judge_no_longer(task, table):
    bench, plan = Bench(), Plan(judged_near=10, judged_random=5)
    judge_designs(bench, TaskOptimisers(task), table(weights=30.0), plan)
    earlier = judging(bench, "test", "best") | judging(bench, "test", "near")
    judge_designs(bench, TaskOptimisers(task), table(), plan)
    fresh = Bench()
    judge_designs(fresh, TaskOptimisers(task), table(), plan)
    for split in ("search", "test"):
        for how in ("best", "near"):
            assert judging(bench, split, how) == judging(fresh, split, how)
    assert earlier - judging(fresh, "test", "best") - judging(fresh, "test", "near")
    before = [line["origins"] for line in bench.log.results]
    judge_designs(bench, TaskOptimisers(task), table(), plan)  # nothing is new
    assert [line["origins"] for line in bench.log.results] == before


@pytest.mark.long
def test_a_design_that_was_fitted_to_judges_too_and_stays_fitted(task, table):
    bench = Bench()
    first = next(iter(proven_best(task, table().accuracy())))
    fitted = [first.origin | {"round": 0}]
    bench.run_designs("search", first.settings[None], [fitted])
    judge_designs(bench, TaskOptimisers(task), table(), Plan(judged_near=10, judged_random=5))
    line = bench.by_settings("search")[first.settings.tobytes()]
    assert line["origins"][0] == fitted[0]
    assert first.origin | {"judges": True} in line["origins"]
    assert judge_optimised(table(), bench.log.results).seen.sum() == 1
    # A random design is not marked because another one is picked.
    drawn = np.array([first.settings, np.zeros_like(first.settings)])
    bench = Bench()
    bench.run_designs("test", drawn, [[{"how": "random"}]] * 2)
    judge_designs(bench, TaskOptimisers(task), table(), Plan(judged_near=10, judged_random=5))
    assert bench.by_settings("test")[drawn[1].tobytes()]["origins"] == [{"how": "random"}]


@pytest.mark.parametrize(
    ("family", "task_id"),
    [
        (family, task_id)
        for family in sorted({family for _, family in shipped_tables()} & FAMILIES.keys())
        for task_id in list_tasks(known_by="table", family=family)
    ],
)
def test_shipped_tables_are_judged_by_the_optima_of_their_tasks(family, task_id):
    task, optimum = load_task(task_id), stored_optimum(task_id)
    wanted = {"how": "best", "objective": task.objective, "allowed": 1.0, "judges": True}
    (line,) = [
        line
        for line in load_designs(task.network.name, family)
        if line["split"] == "test" and any(wanted.items() <= o.items() for o in line["origins"])
    ]
    settings = task.space.encode(line["design"], [layer.name for layer in task.network.layers])
    outcome = evaluate_settings(task, settings)
    assert outcome.score == pytest.approx(optimum.value, rel=1e-9)


@pytest.mark.parametrize("problem_id", FILTERS_PROBLEMS)
def test_tables_of_widths_are_judged_by_the_optima_of_their_problems(problem_id):
    problem, optimum = load_problem(problem_id), stored_variant_optimum(problem_id)
    wanted = {"how": "best", "objective": problem.objective, "allowed": 1.0, "judges": True}
    (line,) = [
        line
        for line in load_designs(problem.network, "filters")
        if line["split"] == "test" and any(wanted.items() <= o.items() for o in line["origins"])
    ]
    whole = problem.tasks.table.space.encode(line["design"], [""] * problem.tasks.table.layers)
    number = problem.number_of(problem.tasks.widths_of(whole))
    outcome = evaluate_settings(problem.task(number), whole[:, :2])
    assert problem.score(number, outcome) == pytest.approx(optimum.value, rel=1e-9)
