"""Refinement: solve, run the winners, fit again, until the table holds; nothing is run twice."""

import dataclasses
import json

import numpy as np
import pytest

from lrmp.accuracy.lab.measurement import Measurement
from lrmp.accuracy.lab.table_build import write_table
from lrmp.accuracy.model.sensitivity_table import SensitivityTable
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.accuracy.model.table_fit import fitted_lines, is_plain, is_random
from lrmp.baselines.refinement.optimised_designs import (
    ALLOWANCES,
    OBJECTIVES,
    OptimisedDesign,
    annealed,
    learned,
    near_best,
    proven_best,
)
from lrmp.baselines.refinement.refine import (
    Plan,
    TaskOptimisers,
    judge_designs,
    refine,
    run_optimised,
)
from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.envs.task.custom_task import make_task
from lrmp.errors import AccuracyDataError

pytestmark = pytest.mark.long


PLAN = Plan(random=12, near=4, annealed=20, learnt=20, rounds=2, judged_near=4, judged_random=6)


@pytest.fixture(scope="module")
def table():
    """A table in points whose entries differ by layer: 10 layers of ResNet-8."""
    rng = np.random.default_rng(0)
    falling = 2.0 ** -np.arange(7)
    return TableAccuracy(
        {
            name: rng.uniform(0.05, 0.5, (10, 1)) * falling
            for name in ("weight_bits", "activation_bits")
        },
        "x",
        is_estimate=False,
    )


@pytest.fixture(scope="module")
def task(table):
    return make_task("resnet8", accuracy=table)


def scored(task, found):
    posed = dataclasses.replace(
        task.with_tenant(allowed_drop=found.allowed),
        objective=found.objective,
        budget=round(found.budget * task.budget),
    )
    return posed, evaluate_settings(posed, found.settings)


def test_proven_best_is_the_optimum_of_every_objective_and_allowance(task, table):
    found = list(proven_best(task, table))
    assert [(each.objective, each.allowed) for each in found] == [
        (objective, allowed) for objective in OBJECTIVES for allowed in ALLOWANCES
    ]
    for each in found:
        posed, outcome = scored(task, each)
        assert outcome.score == pytest.approx(table_optimum(posed).value)
        assert each.how == "best"


def test_designs_near_the_best_are_within_the_allowance_different_and_good(task, table):
    found = list(near_best(task, table, 24, np.random.default_rng(0), budgets=(0.7, 1.0)))
    assert len({each.settings.tobytes() for each in found}) == 24
    assert {each.objective for each in found} == set(OBJECTIVES)
    assert {each.allowed for each in found} == set(ALLOWANCES)
    assert {each.budget for each in found} == {0.7, 1.0}
    for each in found:
        posed, outcome = scored(task, each)
        assert outcome.score is not None
        best = table_optimum(posed).value
        assert outcome.score <= best
        assert outcome.score > best - 0.5
    again = list(near_best(task, table, 24, np.random.default_rng(0), budgets=(0.7, 1.0)))
    assert [each.settings.tolist() for each in again] == [each.settings.tolist() for each in found]


@pytest.mark.parametrize(
    "search",
    [
        lambda *args: annealed(*args, 300, (2.0,)),
        lambda *args: learned(*args, 400, "throughput", 2.0),
    ],
    ids=["annealed", "ippo"],
)
def test_searches_by_rewards_find_designs_within_the_allowance(task, table, search):
    found = list(search(task, table, 1))
    assert found
    for each in found:
        _, outcome = scored(task, each)
        assert outcome.score > 0


def test_nothing_is_found_where_nothing_is_allowed(task, table):
    # Even 8 bits everywhere lose more than a ten-thousandth of a point.
    assert not list(proven_best(task, table, (1e-4,)))
    assert not list(near_best(task, table, 2, np.random.default_rng(0), (1e-4,)))


# The loop, on a small untrained network


def measurement(folder, protocol, log):
    return Measurement(protocol.subject(folder), log)


@pytest.fixture(scope="module")
def refined(folder, protocol, tmp_path_factory):
    out = tmp_path_factory.mktemp("refined")
    found = measurement(folder, protocol, out / "log.jsonl")
    found.measure_divergences()
    task = make_task("resnet8", accuracy=found.table())
    table, rounds = refine(found, TaskOptimisers(task), PLAN, "refine")
    judge_designs(found, TaskOptimisers(task), table, PLAN)
    write_table(table, found, out)
    return out, task, table, rounds, found


def test_rounds_run_winners_and_fit_the_table_to_them(refined):
    out, _, table, rounds, found = refined
    assert [each.number for each in rounds] == [0, 1]
    assert rounds[0].new == rounds[0].designs > PLAN.near
    lines = fitted_lines(found.log.results)
    optimised = [line for line in lines if not (is_random(line) or is_plain(line))]
    assert sum(map(is_plain, lines)) == 1
    assert len(optimised) == sum(each.new for each in rounds)
    assert {origin["how"] for line in optimised for origin in line["origins"]} >= {"best", "near"}
    provenance = table.provenance
    assert provenance["rounds"] == [dataclasses.asdict(each) for each in rounds]
    assert (provenance["random_designs"], provenance["optimised_designs"]) == (12, len(optimised))
    stored = SensitivityTable.from_text((out / "resnet8.json").read_text())
    assert stored.to_text() == table.to_text()
    shipped = [json.loads(x) for x in (out / "resnet8.measured.jsonl").read_text().splitlines()]
    assert shipped == found.log.results


def test_table_is_judged_by_designs_of_the_test_images(refined):
    _, task, table, _, found = refined
    lines = [line for line in found.designs("test") if not is_random(line)]
    best = list(proven_best(task, table.accuracy()))
    assert len(lines) >= len({each.settings.tobytes() for each in best})
    assert all(origin["judges"] for line in lines for origin in line["origins"])
    assert sum(is_random(line) for line in found.designs("test")) == PLAN.judged_random
    for line in lines:
        assert line["images"] == 48


def test_interrupted_refinement_goes_on_and_ends_the_same(refined, folder, protocol, tmp_path):
    out, task, table, rounds, found = refined
    lines = (out / "log.jsonl").read_text().splitlines(keepends=True)
    log = tmp_path / "log.jsonl"
    log.write_text("".join(lines[: len(lines) - 20])[:-10])  # in a line of the second round
    again = measurement(folder, protocol, log)
    other, others = refine(again, TaskOptimisers(task), PLAN, "refine")
    judge_designs(again, TaskOptimisers(task), other, PLAN)
    assert again.log.results == found.log.results
    assert [dataclasses.replace(each, new=0) for each in others] == [
        dataclasses.replace(each, new=0) for each in rounds
    ]
    assert other.to_text() == dataclasses.replace(table, provenance=other.provenance).to_text()


def test_rounds_of_the_log_are_not_solved_again(refined, folder, protocol, tmp_path):
    out, task, table, rounds, found = refined
    log = tmp_path / "log.jsonl"
    log.write_bytes((out / "log.jsonl").read_bytes())
    again, told = measurement(folder, protocol, log), []
    # Rounds of another plan would run other designs.
    other, others = refine(
        again, TaskOptimisers(task), dataclasses.replace(PLAN, near=9), "refine", told.append
    )
    assert others == told == rounds
    assert again.log.results == found.log.results
    assert other.to_text() == dataclasses.replace(table, provenance=other.provenance).to_text()


def test_damaged_round_of_a_log_is_told(refined, folder, protocol, tmp_path):
    out, task, *_ = refined
    log = tmp_path / "log.jsonl"
    log.write_text((out / "log.jsonl").read_text() + '{"round":{"number":2}}\n')
    expected = r"Expected rounds with number, designs, .* in .*log\.jsonl, got \{'number': 2\}\."
    with pytest.raises(AccuracyDataError, match=expected):
        refine(measurement(folder, protocol, log), TaskOptimisers(task), PLAN, "refine")


def test_design_of_several_optimisers_runs_once(refined):
    *_, found = refined
    settings = np.arange(20).reshape(10, 2) % 7  # which no optimiser comes to
    picked = [
        OptimisedDesign(settings, "best", "latency", 1.0),
        OptimisedDesign(settings, "best", "energy", 2.0),
    ]
    before = len(found.log.results)
    one, other = run_optimised(found, picked, {"round": 9})
    assert one == other
    assert len(found.log.results) == before + 1
    assert [origin["objective"] for origin in found.log.results[-1]["origins"]] == [
        "latency",
        "energy",
    ]


@pytest.mark.parametrize("name", ["random", "near", "rounds", "judged_near", "judged_random"])
def test_plan_of_less_than_nothing_is_refused(name):
    with pytest.raises(AccuracyDataError, match=rf"Expected {name} of at least 0, got -1\."):
        Plan(**{name: -1})
