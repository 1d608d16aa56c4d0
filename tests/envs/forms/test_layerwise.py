"""The environment's arguments, errors, text and documentation."""

import dataclasses
import doctest
import re

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

import lrmp.envs.forms.layerwise
from lrmp.envs import CUSTOM_ID, TASKS, LayerwiseEnv, list_tasks, load_task
from lrmp.errors import InfeasibleBudgetError, LRMPError, SolverError, TaskError
from lrmp.hardware.space.design import Design

NEEDS_RESET = r"Expected reset\(\) before step\(\): no episode is running\."


def test_step_before_reset_is_refused():
    with pytest.raises(gym.error.ResetNeeded, match=NEEDS_RESET):
        LayerwiseEnv("LRMP-Digits-v0").step([0.5, 0.5])


def test_made_env_refuses_a_step_before_reset():
    with pytest.raises(gym.error.ResetNeeded):
        gym.make("LRMP-Digits-v0").step(np.array([0.5, 0.5], np.float32))


def test_step_after_the_end_is_refused_until_reset(play, random_actions):
    env = LayerwiseEnv("LRMP-ResNet18-v0")
    actions = random_actions(env, 0)
    play(env, actions)
    for _ in range(2):
        with pytest.raises(gym.error.ResetNeeded, match=NEEDS_RESET):
            env.step(actions[0])
    env.reset()
    assert env.step(actions[0])[2] is False


@pytest.mark.parametrize("make", [LayerwiseEnv, gym.make])
def test_unknown_reward_is_refused_at_once(make):
    with pytest.raises(
        TaskError,
        match=r"Expected reward to be one of lrmp, .*; got 'lrpm'\. Did you mean 'lrmp'\?",
    ):
        make("LRMP-Digits-v0", reward="lrpm")


def test_unknown_solver_is_refused_at_once():
    with pytest.raises(SolverError, match="Expected solver to be one of ilp, exact; got 'ipl'"):
        LayerwiseEnv("LRMP-Digits-v0", solver="ipl")


def test_unknown_task_is_refused_with_the_nearest():
    with pytest.raises(
        TaskError,
        match=r"Expected task to be one of .*; got 'LRMP-Resnet18-v0'\. "
        r"Did you mean 'LRMP-ResNet18-v0'\?",
    ):
        LayerwiseEnv("LRMP-Resnet18-v0")


def test_reset_options_are_refused():
    env = LayerwiseEnv("LRMP-Digits-v0")
    with pytest.raises(TaskError, match=r"Expected no reset options, got \['budget', 'chip'\]\."):
        env.reset(options={"chip": 1, "budget": 2})
    assert env.reset(options={})[1]["layer"] == -1


def test_spaces_are_the_same_objects_over_episodes(play, random_actions):
    env = LayerwiseEnv("LRMP-Digits-v0")
    observation_space, action_space = env.observation_space, env.action_space
    play(env, random_actions(env, 0))
    assert env.observation_space is observation_space
    assert env.action_space is action_space


def test_outcome_belongs_to_the_finished_episode(play, random_actions):
    env = LayerwiseEnv("LRMP-ResNet18-v0")
    assert env.outcome is None
    *_, (_, reward, _, _, info) = play(env, random_actions(env, 0))
    for name in ("weight_bits", "activation_bits"):
        assert info[f"design_{name}"].tolist() == env.outcome.design[name].tolist()
    assert info["replication"].tolist() == env.outcome.design.replication.tolist()
    assert info["gain"] == env.outcome.gain
    assert env.outcome.reward() == reward
    env.reset()
    assert env.outcome is None


def test_custom_task_is_played_directly_and_through_make(play):
    task = dataclasses.replace(load_task("LRMP-ResNet18-v0"), id="Custom", budget=1200)
    actions = np.full((21, 2), 3)
    direct = LayerwiseEnv(task, discrete=True)
    made = gym.make("LRMP-ResNet18-v0", task=task, discrete=True)
    plain = gym.make("LRMP-ResNet18-v0", discrete=True)
    assert direct.task is task
    assert made.unwrapped.task == task
    episode = play(direct, actions)
    assert data_equivalence(play(made, actions), episode, exact=True)
    assert made.unwrapped.outcome.report.tiles <= 1200
    assert episode[-1][4]["gain"] < play(plain, actions)[-1][4]["gain"]


def test_task_that_allows_no_drop_is_played(play):
    task = dataclasses.replace(load_task("LRMP-Digits-v0"), id="Custom")
    task = task.with_tenant(allowed_drop=0.0)
    env = LayerwiseEnv(task, discrete=True)
    assert task.accuracy.drop(Design.plain(5)) == 0
    number = env.feature_names.index("accuracy_spent")
    spent = [step[0][number] for step in play(env, np.zeros((5, 2), int))]
    assert spent[0] == 0
    assert spent[-1] == 1


def infeasible_env(tiles_below):
    """Return an env whose budget lacks tiles for the last layer at 4 bits, and its actions."""
    task = load_task("LRMP-Digits-v0")
    settings = np.repeat([[0, 0], [2, 2]], [4, 1], axis=0)
    budget = int(task.cost_model.tiles_per_copy(settings).sum()) - tiles_below
    task = dataclasses.replace(task, id="Custom", budget=budget)
    return LayerwiseEnv(task, discrete=True), settings


def test_design_over_the_budget_is_refused_with_both_numbers(play):
    env, actions = infeasible_env(tiles_below=1)
    with pytest.raises(
        InfeasibleBudgetError,
        match=rf"Expected a budget of at least {env.task.budget + 1} tiles .*, "
        rf"got {env.task.budget}\.",
    ):
        play(env, actions)
    feasible, _ = infeasible_env(tiles_below=0)
    assert play(feasible, actions)[-1][2]


def test_design_over_the_budget_leaves_the_episode_alone(play):
    env, actions = infeasible_env(tiles_below=1)
    expected = play(env, [*actions[:-1], [0, 0]])
    with pytest.raises(InfeasibleBudgetError):
        play(env, actions)
    assert env.outcome is None
    assert data_equivalence(env.step([0, 0]), expected[-1], exact=True)
    assert data_equivalence(play(env, [*actions[:-1], [0, 0]]), expected, exact=True)


def test_errors_share_one_base():
    with pytest.raises(LRMPError):
        LayerwiseEnv("no such task")


def test_examples_in_the_docstrings_run():
    result = doctest.testmod(lrmp.envs.forms.layerwise)
    assert result.attempted >= 5
    assert result.failed == 0


def test_documented_arguments_are_the_constructors(spec):
    table = LayerwiseEnv.__doc__.partition("## Arguments")[2].partition(">>>")[0]
    documented = re.findall(r"^ *\| `(\w+)` \|", table, flags=re.MULTILINE)
    annotations = LayerwiseEnv.__init__.__annotations__
    assert documented == [name for name in annotations if name != "return"]


def test_documented_configurations_are_registered_and_every_kind_is():
    text = LayerwiseEnv.__doc__.partition("## Registered Configurations")[2]
    examples = set(re.findall(r"`(LRMP-[\w-]+-v0)`", text)) - {CUSTOM_ID}
    assert examples <= set(TASKS)
    ends = {"", *re.findall(r"`LRMP-\{\.\.\.\}(-\w+)-v0`", text), "-Weighted"}

    def known(*family):
        labels = [task_id.removesuffix("-v0") for task_id in list_tasks("latency", None, *family)]
        return {f"{label}{end}-v0" for label in labels for end in ends}

    assert set(TASKS) <= known()  # families may have fewer objectives than LRMP itself
    alone = {task_id for task_id in known("precision") if "-Weighted" not in task_id}
    assert alone == set(list_tasks(family="precision"))
    shared = re.search(r"`LRMP-Shared-\{(\w+), (\w+)\}-v0`.*?`(-\w+)` and\s+`(-\w+)`", text, re.S)
    *workloads, second, third = shared.groups()
    assert {f"LRMP-Shared-{w}{end}-v0" for w in workloads for end in ("", second, third)} == set(
        list_tasks(family="shared")
    )


@pytest.mark.parametrize("task", ["", 18, ["LRMP-MLP-v0"]])
def test_something_that_is_no_task_is_refused(task):
    with pytest.raises(TaskError, match=r"Expected (task to be one of LRMP|a task: a Task, an id)"):
        LayerwiseEnv(task)
