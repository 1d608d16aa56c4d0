"""Suites name registered environments that are worth learning."""

import gymnasium as gym
import pytest

import lrmp
from lrmp.envs import evaluate_settings, load_task, stored_optimum

TASKS = [env_id for env_id in lrmp.suites["default"] if "Procedural" not in env_id]


def test_the_default_suite_is_registered_without_repetition():
    suite = lrmp.suites["default"]
    assert len(set(suite)) == len(suite) >= 9
    assert set(suite) <= set(gym.registry)


@pytest.mark.parametrize("task_id", TASKS)
def test_no_task_of_the_default_suite_is_easy_or_an_estimate(task_id):
    optimum, task = stored_optimum(task_id), load_task(task_id)
    assert not optimum.is_easy
    assert optimum.is_exact
    assert not task.accuracy.is_estimate


@pytest.mark.parametrize("task_id", TASKS)
def test_an_edp_twin_has_nearly_the_optimum_of_latency(task_id):
    twin = f"{task_id.removesuffix('-v0')}-EDP-v0"
    if "Energy" in task_id:
        pytest.skip("the latency task's twin is tried")
    optimum = stored_optimum(twin)
    settings = stored_optimum(task_id).design.settings
    outcome = evaluate_settings(load_task(twin), settings)
    assert outcome.score >= 0.9 * optimum.value


def test_a_suite_cannot_be_changed():
    with pytest.raises(TypeError):
        lrmp.suites["default"] = ()
