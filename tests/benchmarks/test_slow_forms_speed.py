"""Forms that ask the oracle, or run a network, at every step; beside the oracle alone."""

import gymnasium as gym
import numpy as np
import pytest

from lrmp.envs import load_task
from lrmp.envs.task.environment_id import environment_id
from lrmp.solvers import ReplicationProblem, solve_exact

STEPS = 60
TASKS = [f"LRMP-{name}-v0" for name in ("LeNet", "ResNet18", "ResNet50", "ResNet18-Energy")]
FORMS = {
    "refinement": ("Refine", {}),
    "one-shot": ("OneShot", {}),
    "layer-wise, dense": ("", {"dense": True}),
}


def played(task_id, form, settings):
    """An environment, actions for it, and the problems that its oracle solves on the way."""
    env = gym.make(environment_id(task_id, form), **settings)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(STEPS)]
    return env, actions


def walk(env, actions):
    env.reset(seed=0)
    for action in actions:
        *_, terminated, _, _ = env.step(action)
        if terminated:
            env.reset()


def problems_on_the_way(env, actions, monkeypatch):
    """What ``env`` asks the oracle, recorded from the calls themselves."""
    asked = []
    task = env.unwrapped.task
    pose = task.poser

    def recorded(settings):
        asked.append(np.array(settings))
        return pose(settings)

    monkeypatch.setitem(task.__dict__, "poser", recorded)
    walk(env, actions)
    monkeypatch.undo()
    parts = task.budget, task.objective
    return [ReplicationProblem.of(task.cost_model, settings, *parts) for settings in asked]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("task_id", TASKS)
def test_steps(benchmark, task_id, form):
    benchmark.group = f"{STEPS} oracle calls: {task_id}, {form}"
    env, actions = played(task_id, *FORMS[form])
    benchmark(walk, env, actions)
    benchmark.extra_info["steps_per_s"] = STEPS / benchmark.stats.stats.median


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("task_id", TASKS)
def test_the_oracle_alone(benchmark, task_id, form, monkeypatch):
    benchmark.group = f"{STEPS} oracle calls: {task_id}, {form}"
    problems = problems_on_the_way(*played(task_id, *FORMS[form]), monkeypatch)
    assert len(problems) == STEPS
    answers = benchmark(lambda: [solve_exact(problem) for problem in problems])
    assert all(answer.proven_optimal for answer in answers)


@pytest.mark.parametrize("form", ["Refine", "", "OneShot"])
def test_digits(benchmark, form):
    """With a model of its own for every round, which remembers nothing of the rounds before."""
    benchmark.group = f"20 steps on the digits network, {form or 'layer-wise'}"

    def fresh():
        task = load_task("LRMP-Digits-v0").with_tenant()
        env = gym.make(environment_id("LRMP-Digits-v0", form), task=task)
        env.action_space.seed(0)
        return (env, [env.action_space.sample() for _ in range(20)]), {}

    benchmark.pedantic(walk, setup=fresh, rounds=3)
    benchmark.extra_info["steps_per_s"] = 20 / benchmark.stats.stats.median


def test_one_design_of_the_digits_network(benchmark):
    benchmark.group = "20 steps on the digits network, designs that share nothing"
    task = load_task("LRMP-Digits-v0")
    rng = np.random.default_rng(0)

    def fresh():
        model = task.with_tenant().accuracy
        settings = task.space.sample(rng, len(task.network), 20)
        return (settings, np.ones((20, len(task.network)), np.int64)), {"model": model}

    benchmark.pedantic(
        lambda settings, copies, model: model.drops(settings, copies), setup=fresh, rounds=3
    )
