"""Random and uniform search: what is stored is what the searches find, of tasks as they are."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lrmp.baselines.experiments import reference_scores as reference
from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.task.optimum import stored_optimum
from lrmp.envs.task.task import TASKS, load_task

FOLDER = Path(__file__).parents[3] / "docs" / "results" / "reference"
stored = pytest.mark.skipif(not FOLDER.exists(), reason="the results lie in the repository")


def test_best_scores_are_those_of_the_designs_one_by_one():
    task = load_task("LRMP-LeNet-v0")
    designs = task.space.sample(np.random.default_rng(3), len(task.network), 40)
    scores = [evaluate_settings(task, design).score for design in designs]
    within = [math.nan if score is None else score for score in scores]
    found = reference.best_scores(task, designs, (1, 10, 40))
    for count in (1, 10, 40):
        best = [score for score in within[:count] if not math.isnan(score)]
        assert found[count] == (pytest.approx(max(best), rel=1e-12) if best else None)


def test_tasks_that_run_one_network_share_what_it_remembers():
    model = reference._network_run("digits_cnn")
    shared = load_task("LRMP-Digits-Energy-v0").with_tenant(accuracy_factory=lambda *_: model)
    assert shared.fingerprint == load_task("LRMP-Digits-Energy-v0").fingerprint
    assert shared.accuracy is model is load_task("LRMP-Digits-v0").accuracy


def test_a_searcher_that_ends_keeps_its_score():
    task = load_task("LRMP-MLP-v0")
    plain = np.tile(task.space.plain, (3, len(task.network), 1))
    assert reference.best_scores(task, plain, (2, 100)) == {2: 0.0, 100: 0.0}


def test_no_design_within_the_allowed_drop_is_no_score():
    task = load_task("LRMP-LeNet-v0")
    lowest = np.zeros((1, len(task.network), len(task.space)), dtype=np.int64)
    found = reference.best_scores(task, lowest, (1,))
    assert found == {1: None}
    assert reference.random_text([None, None]) == "none"
    assert reference.random_text([None, 1.0, 1.0, 1.0]).startswith("1.0000 [")


def test_scores_of_an_earlier_definition_are_not_read(tmp_path):
    scores = reference.reference_scores("LRMP-MLP-v0", seeds=(1, 2))
    assert scores.is_current
    earlier = replace(scores, task_fingerprint="0" * 64)
    (tmp_path / reference.SCORES).write_text(f"{earlier.to_line()}\n")
    assert reference.read_reference_scores(tmp_path) == {}
    reference.write_scores(tmp_path, {scores.task: scores})
    assert reference.read_reference_scores(tmp_path) == {scores.task: scores}
    row = (tmp_path / reference.PAGE_FILE).read_text("utf-8")
    assert f"| `LRMP-MLP-v0` | {stored_optimum('LRMP-MLP-v0').value:.4f} | " in row


@stored
def test_stored_scores_are_found_again():
    known = reference.read_reference_scores(FOLDER)
    for task_id in ("LRMP-MLP-v0", "LRMP-LeNet-Prune-v0"):
        again = reference.reference_scores(task_id, seeds=reference.SEEDS[:2])
        kept = known[task_id]
        for count in reference.COUNTS:
            found = [*again.random[count], again.uniform[count]]
            wanted = [*kept.random[count][:2], kept.uniform[count]]
            assert [s or -1 for s in found] == pytest.approx([s or -1 for s in wanted], rel=1e-12)


@stored
def test_every_task_has_scores_between_the_constant_and_the_optimum():
    known = reference.read_reference_scores(FOLDER)
    remedy = "Run python -m lrmp.baselines.experiments.reference_scores"
    assert sorted(known) == sorted(TASKS), remedy
    for task_id, scores in known.items():
        optimum = stored_optimum(task_id)
        last = reference.COUNTS[-1]
        constant = optimum.constant and optimum.constant.value
        assert scores.uniform[last] == pytest.approx(constant, rel=1e-9), task_id
        # None is no design within the allowance; one within it may still cost more than the plain.
        by_count = np.array([scores.random[count] for count in reference.COUNTS], dtype=float)
        by_count = np.nan_to_num(by_count, nan=-np.inf)
        assert by_count.shape[1] == len(reference.SEEDS)
        assert (by_count[1:] >= by_count[:-1]).all()
        assert np.max(by_count) <= optimum.bound


@stored
def test_page_is_made_of_the_file():
    known = reference.read_reference_scores(FOLDER)
    page = (FOLDER / reference.PAGE_FILE).read_text("utf-8")
    ordered = [known[task_id] for task_id in TASKS if task_id in known]
    assert page == reference.format_page(ordered)
    lines = (FOLDER / reference.SCORES).read_text("utf-8").splitlines()
    assert [json.loads(line)["task"] for line in lines] == [scores.task for scores in ordered]
