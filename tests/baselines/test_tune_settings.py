import json
import tomllib
from pathlib import Path

import gymnasium as gym
import pytest

pytest.importorskip("cma")
pytest.importorskip("pymoo")
pytest.importorskip("torch")

from lrmp.baselines import tune_settings
from lrmp.envs.task import TASKS


@pytest.mark.parametrize("agent", tune_settings.GRIDS)
def test_what_is_used_was_among_what_was_tried(agent):
    grid = tune_settings.GRIDS[agent]
    assert grid.used() in grid.combinations()


STUDY = Path(__file__).parents[2] / "studies" / "lrmp.toml"


@pytest.mark.skipif(not STUDY.exists(), reason="studies/ lies in the repository alone")
@pytest.mark.parametrize("agent", tune_settings.GRIDS)
def test_the_study_uses_what_was_chosen(agent):
    settings = tomllib.loads(STUDY.read_text("utf-8"))["agents"][agent].get("settings", {})
    grid = tune_settings.GRIDS[agent]
    assert settings == {**grid.fixed, **(grid.chosen or {})}


def test_finished_tuning_is_not_repeated_and_unfinished_agents_are_not_shown(tmp_path):
    args = tune_settings.Args(tmp_path, agents=("greedy",), instances=1, designs=3)
    page = tune_settings.tune(args)
    assert page.count("(chosen)") == page.count("## ") == 1
    lines = (tmp_path / "tuning.jsonl").read_text().splitlines()
    assert len(lines) == len(tune_settings.GRIDS["greedy"].combinations())
    # What was run is taken from the file: a better reward there leads the table.
    last = json.loads(lines[-1])
    lines[-1] = json.dumps(last | {"reward": 1e6})
    (tmp_path / "tuning.jsonl").write_text("\n".join(lines) + "\n")
    leader = tune_settings.tune(args).split("| --- |\n")[1].splitlines()[0]
    assert leader.startswith(f"| {last['settings']['rescored']} | 1.0000")
    assert (tmp_path / "tuning.jsonl").read_text().splitlines() == lines


def test_learners_train_on_an_instance_that_is_registered_for_as_long():
    run = tune_settings.Run("ppo", '{"epochs": 1}', instance=7, designs=20)
    reward = tune_settings.best_reward(run)
    assert reward == tune_settings.best_reward(run)  # a seed fixes the run
    assert reward <= tune_settings.best_reward(run._replace(designs=200))
    assert not [name for name in (*TASKS, *gym.registry) if "Procedural-train" in name]
