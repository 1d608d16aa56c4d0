"""Chip and settings together: one scale for all chips, and the proof over them."""

import math

import numpy as np
import pytest

from lrmp.envs import evaluate_settings, stored_optimum
from lrmp.envs.scoring.reward import STEEP
from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.envs.variant_choice.chip_problem import ChipProblem
from lrmp.envs.variant_choice.optimum import (
    VariantOptimum,
    optimal_design,
    stored_variant_optimum,
)
from lrmp.envs.variant_choice.problem import VariantProblem, load_problem
from lrmp.envs.variant_choice.problem_ids import CHIP_PROBLEMS
from lrmp.envs.variant_choice.proof import prove_optimum
from lrmp.errors import TaskError
from lrmp.hardware.families.chip import AREA_PARTS, CHIP_SPACE, area_um2

pytestmark = pytest.mark.long

LENET = load_problem("LRMP-LeNet-Chip-v0")
EDAP = load_problem("LRMP-LeNet-Chip-EDAP-v0")
IDS = pytest.mark.parametrize("problem_id", CHIP_PROBLEMS)


def some(objective, every, kind=ChipProblem):
    """A problem of few chips: of some geometries all areas, and LRMP's."""
    problem = kind(f"some-{objective}-{every}", "lenet", objective)
    chips = problem.variants
    geometries = sorted({tuple(chip[:4]) for chip in chips.tolist()})[::every]
    plain = tuple(CHIP_SPACE.plain[:4].tolist())
    kept = [tuple(chip[:4]) in (*geometries, plain) for chip in chips.tolist()]
    problem.__dict__["variants"] = chips[kept]
    return problem


@IDS
def test_every_chip_holds_the_plain_design_in_its_share_of_the_area(problem_id):
    problem = load_problem(problem_id)
    for number in range(0, len(problem.variants), 7):
        task = problem.task(number)
        share = int(CHIP_SPACE.decode(problem.variants[number])["area_eighths"])
        area = problem.area_budget_um2 * share // AREA_PARTS
        assert task.cost_model.baseline.tiles <= task.budget
        assert area_um2(task.accelerator, task.budget) <= area
        assert area < area_um2(task.accelerator, task.budget + 1)
        assert task.accuracy.fingerprint == problem.plain_task.accuracy.fingerprint
    left_out = len(CHIP_SPACE.settings) - len(problem.variants)
    assert left_out > 0
    assert problem.number_of(np.array([2, 0, 3, 0, 0])) is None


def test_lrmps_chip_is_one_of_them_and_its_task_is_lrmps():
    assert LENET.task(LENET.plain_variant) is LENET.plain_task
    assert LENET.plain_task.id == "LRMP-LeNet-v0"
    assert LENET.offset(LENET.plain_variant) == 0.0
    assert LENET.area_um2(LENET.plain_variant) == LENET.area_budget_um2


@pytest.mark.parametrize("problem", [LENET, EDAP], ids=lambda problem: problem.objective)
def test_scores_of_all_chips_are_on_one_scale(problem):
    rng = np.random.default_rng(0)
    plain = problem.plain_task
    base = plain.cost_model.baseline
    for number in rng.integers(0, len(problem.variants), 6):
        task = problem.task(number)
        settings = np.full((4, 2), 3)
        outcome = evaluate_settings(task, settings)
        if problem.objective == "edap":
            cost = outcome.report.edp * problem.area_um2(number)
            first = base.edp * problem.area_budget_um2
        else:
            cost, first = outcome.report.latency_cycles, base.latency_cycles
        log_gain = math.log(first / cost)
        if outcome.score is not None:
            assert problem.score(number, outcome) == pytest.approx(log_gain, abs=1e-12)
        excess = task.allowance.excess(outcome.divergence)
        expected = max(log_gain - STEEP * excess, min(log_gain, 0) - 0.5 * excess)
        assert problem.reward(number, outcome) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("objective", ["latency", "edap"])
def test_the_proof_over_chips_is_that_of_all_of_them(objective):
    problem = some(objective, 12)
    every = range(len(problem.variants))
    alone = [table_optimum(problem.task(n)) for n in every]
    values = [found.value + problem.offset(n) for n, found in zip(every, alone, strict=True)]
    lines = []
    found = prove_optimum(problem, lines.append)
    assert found.value == max(values)
    assert found.value <= found.bound
    assert found.gap < 1e-9
    assert found.reward_bound >= found.bound
    for n, best in zip(every, alone, strict=True):
        assert best.reward_bound + problem.offset(n) <= found.reward_bound + 1e-9
    assert found.solved < found.variants == len(problem.variants)
    assert len(lines) == 1 + found.solved
    constants = [
        best.constant.value + problem.offset(n) for n, best in zip(every, alone, strict=True)
    ]
    assert found.constant.value == max(constants)
    assert found.without == alone[problem.plain_variant].value <= found.value


class UnboundedProblem(ChipProblem):
    """One whose kind knows no bounds."""

    search = VariantProblem.search


def test_without_bounds_every_variant_is_solved():
    spared, lines = prove_optimum(some("latency", 24)), []
    found = prove_optimum(some("latency", 24, UnboundedProblem), lines.append)
    assert len(lines) == found.solved == found.variants > spared.solved
    assert (found.value, found.bound, found.variant, found.design) == (
        spared.value,
        pytest.approx(spared.bound, abs=1e-9),
        spared.variant,
        spared.design,
    )


@IDS
def test_stored_optima_are_of_the_problems_as_they_are(problem_id):
    problem, stored = load_problem(problem_id), stored_variant_optimum(problem_id)
    assert stored.problem_fingerprint == problem.fingerprint
    assert stored.gap < 1e-9
    assert stored.is_exact
    number, design = optimal_design(problem, stored)
    outcome = evaluate_settings(problem.task(number), design.settings)
    assert problem.score(number, outcome) == pytest.approx(stored.value, abs=1e-12)
    assert outcome.design.replication.tolist() == design.replication.tolist()
    assert stored.without == pytest.approx(stored_optimum(problem.plain_task).value, abs=1e-12)
    assert stored.without < stored.value  # the superset never loses
    assert VariantOptimum.from_text(stored.to_text()) == stored


def test_one_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(TaskError, match="LRMP-LeNet-Chip-v0"):
        load_problem("LRMP-Lenet-Chip-v0")
    assert load_problem("lrmp:LRMP-LeNet-Chip-OneShot-v0") is LENET
