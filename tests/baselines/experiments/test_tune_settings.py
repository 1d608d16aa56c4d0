import json
import tomllib

import gymnasium as gym
import pytest

pytest.importorskip("cma")
pytest.importorskip("pymoo")
pytest.importorskip("torch")

from lrmp.baselines.experiments import tune_settings
from lrmp.baselines.experiments.tune_settings import GRIDS, Sample
from lrmp.envs.task.task import TASKS
from lrmp.errors import RunError
from lrmp.studies import study_path

NOT_IN_THE_STUDY = {"policy-gradient"}  # which has the one that was trained before


@pytest.mark.parametrize("agent", GRIDS)
def test_what_is_used_was_among_what_was_tried(agent):
    grid = GRIDS[agent]
    assert grid.used() in grid.combinations()


@pytest.mark.parametrize("agent", sorted(GRIDS.keys() - NOT_IN_THE_STUDY))
def test_the_study_uses_what_was_chosen(agent):
    settings = tomllib.loads(study_path("lrmp").read_text("utf-8"))["agents"][agent].get(
        "settings", {}
    )
    grid = GRIDS[agent]
    assert settings == {**grid.fixed, **(grid.chosen or {})}


def small(tmp_path):
    grids = {"greedy": GRIDS["greedy"]._replace(evaluations=3, sample=Sample((4, 6), 1))}
    return tune_settings.Args(tmp_path, agents=("greedy",)), grids | {"ppo": GRIDS["ppo"]}


def test_finished_tuning_is_not_repeated_and_unfinished_agents_are_not_shown(tmp_path):
    args, grids = small(tmp_path)
    page = tune_settings.tune(args, grids)
    assert page.count("(chosen)") == page.count("## ") == 1
    assert "instances 2 of 4 to 6 layers" in page
    lines = (tmp_path / "tuning.jsonl").read_text().splitlines()
    assert len(lines) == len(GRIDS["greedy"].combinations())
    # What was run is taken from the file: a better score there leads the table.
    last = json.loads(lines[-1])
    lines[-1] = json.dumps(last | {"score": 1e6})
    (tmp_path / "tuning.jsonl").write_text("\n".join(lines) + "\n")
    leader = tune_settings.tune(args, grids).split("| --- |\n")[1].splitlines()[0]
    assert leader.startswith(f"| {last['settings']['rescored']} | 1.0000")
    assert (tmp_path / "tuning.jsonl").read_text().splitlines() == lines


@pytest.mark.long
def test_a_torn_line_is_run_again(tmp_path):
    args, grids = small(tmp_path)
    page = tune_settings.tune(args, grids)
    whole = (tmp_path / "tuning.jsonl").read_text()
    (tmp_path / "tuning.jsonl").write_text(whole[:-10])
    assert tune_settings.tune(args, grids) == page
    assert sorted((tmp_path / "tuning.jsonl").read_text().splitlines()) == sorted(
        whole.splitlines()
    )


def test_unknown_agents_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(RunError, match=r"Expected agent .*greedy.* got 'gredy'"):
        tune_settings.tune(tune_settings.Args(tmp_path / "out", agents=("gredy",)))
    assert not (tmp_path / "out").exists()


def test_learners_train_on_an_instance_and_nothing_is_registered():
    before = [*TASKS, *gym.registry]
    run = tune_settings.Run("ppo", '{"epochs": 1}', instance=7, evaluations=20)
    score = tune_settings.best_score("ppo", run)
    assert score == tune_settings.best_score("ppo", run)  # a seed fixes the run
    # The first iteration is the same.
    assert score <= tune_settings.best_score("ppo", run._replace(evaluations=200))
    assert [*TASKS, *gym.registry] == before
