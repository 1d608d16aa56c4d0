"""The stored optima belong to the tasks as they are, and are what they claim to be."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

from lrmp.envs import (
    TASKS,
    Optimum,
    evaluate,
    evaluate_settings,
    load_task,
    make_task,
    stored_optimum,
)
from lrmp.errors import DesignError, TaskError
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import weight_bits

every_task = pytest.mark.parametrize("task_id", TASKS)


def test_every_task_has_an_optimum():
    assert [task_id for task_id in TASKS if stored_optimum(task_id) is None] == []


@every_task
def test_the_optimum_is_that_of_the_present_definition(task_id):
    optimum = stored_optimum(task_id)
    assert optimum.task == task_id
    assert optimum.task_fingerprint == load_task(task_id).fingerprint, (
        "the task has changed: run python -m lrmp.baselines.experiments.optimum --out envs/optima"
    )


@every_task
def test_the_stored_design_has_the_stored_return(task_id):
    optimum = stored_optimum(task_id)
    design = optimum.design
    values = {name: design[name] for name in design.space.names}
    outcome = evaluate(load_task(task_id), **values)
    assert outcome.score == outcome.reward() == optimum.value
    assert outcome.design == design
    assert outcome.replication.proven_optimal


@every_task
def test_the_proven_gap_is_at_most_a_tenth_of_a_percent(task_id):
    optimum = stored_optimum(task_id)
    assert 0 <= optimum.gap <= 1e-3


@every_task
def test_the_optimum_is_the_reward_threshold(task_id):
    optimum = stored_optimum(task_id)
    assert gym.spec(task_id).reward_threshold == optimum.value
    env = gym.make(task_id, discrete=True)
    env.reset(seed=0)
    for setting in optimum.design.settings:
        reward, terminated = env.step(setting)[1:3]
    assert terminated
    assert reward == optimum.value


@every_task
def test_the_reward_has_the_same_optimum(task_id):
    optimum = stored_optimum(task_id)
    assert optimum.is_exact
    assert optimum.reward_bound >= optimum.value


@pytest.mark.long
@every_task
def test_the_best_constant_is_the_best_of_all(task_id):
    optimum, task = stored_optimum(task_id), load_task(task_id)
    designs = task.space.uniform(len(task.network))
    fitting = task.cost_model.copy_costs(designs).tiles.sum(axis=1) <= task.budget
    outcomes = [evaluate_settings(task, settings) for settings in designs[fitting]]
    scores = [outcome.score for outcome in outcomes if outcome.score is not None]
    assert max(scores) == optimum.constant.value
    places = [task.space[name].encode(value) for name, value in optimum.constant.setting.items()]
    best = task.space.nearest(np.tile(places, (len(task.network), 1)))
    assert evaluate_settings(task, best).score == optimum.constant.value


@pytest.mark.long
@every_task
def test_no_random_or_uniform_design_exceeds_the_bound(task_id):
    task, bound = load_task(task_id), stored_optimum(task_id).reward_bound
    layers = len(task.network)
    rng = np.random.default_rng(0)
    uniform = task.space.uniform(layers)
    for settings in (*task.space.sample(rng, layers, 20), *uniform):
        if task.cost_model.copy_costs(settings).tiles.sum() <= task.budget:
            assert evaluate_settings(task, settings).reward() <= bound


def test_text_and_optimum_are_the_same():
    optimum = stored_optimum("LRMP-Digits-v0")
    assert Optimum.from_text(optimum.to_text()) == optimum


@pytest.mark.parametrize("name", ["LRMP-LeNet-v0", "lrmp:LRMP-LeNet-OneShot-v0", "LRMP/LeNet-v0"])
def test_the_optimum_of_a_task_and_of_its_ids_is_the_same(name):
    task = load_task("LRMP-LeNet-v0")
    assert stored_optimum(name) is stored_optimum(task) is stored_optimum(replace(task))


def test_a_task_without_an_optimum_has_none():
    task = load_task("LRMP-LeNet-v0")
    assert stored_optimum(replace(task, budget=task.budget + 1)) is None
    assert stored_optimum(make_task("lenet", budget=300)) is None


def test_the_optimum_of_no_task_is_refused():
    with pytest.raises(TaskError, match=r"Expected task to be one of LRMP-LeNet-v0, .*LeNt-v0'"):
        stored_optimum("LRMP-LeNt-v0")


def test_normalised_score_is_1_at_the_optimum_and_0_at_the_best_constant():
    optimum = stored_optimum("LRMP-ResNet18-v0")
    assert optimum.normalised(optimum.value) == 1
    assert optimum.normalised(optimum.constant.value) == 0
    assert optimum.normalised(0.0) < 0
    assert replace(optimum, constant=None).normalised(0.5) == 0.5 / optimum.value


def test_no_score_is_normalised_where_nothing_beats_the_best_constant():
    optimum = stored_optimum("LRMP-MLP-v0")
    assert optimum.constant.value == optimum.value
    with pytest.raises(
        TaskError, match=r"Expected an optimum above 1\.00.*constant.* got 1\.00\d+\. Compare"
    ):
        optimum.normalised(0.5)


def test_a_task_is_easy_where_a_constant_nearly_solves_it():
    easy = {task_id for task_id in TASKS if stored_optimum(task_id).is_easy}
    assert "LRMP-MLP-v0" in easy
    assert "LRMP-ResNet18-v0" not in easy


def test_an_optimum_is_of_its_own_design_space():
    task = load_task("LRMP-LeNet-v0")
    space = DesignSpace((weight_bits(),))
    assert stored_optimum(replace(task, space=space)) is None
    text = stored_optimum(task).to_text()
    with pytest.raises(
        DesignError, match="to be one of replication, weight_bits; got 'activation_b"
    ):
        Optimum.from_text(text, space)
