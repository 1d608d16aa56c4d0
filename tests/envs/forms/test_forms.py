"""The one-shot and refinement forms: the same tasks, and correct Gymnasium environments."""

import doctest
import json
import pickle
import re
import tracemalloc

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env, data_equivalence

import lrmp.envs.forms.one_shot
import lrmp.envs.forms.refine
from lrmp.envs import TASKS, OneShotEnv, RefineEnv, load_task
from lrmp.envs.task.environment_id import FORMS, environment_id
from lrmp.errors import TaskError

CLASSES = pytest.mark.parametrize("form", [OneShotEnv, RefineEnv], ids=lambda form: form.__name__)


def same(a, b):
    return data_equivalence(a, b, exact=True)


def rollout(env, seed=0, steps=4):
    """Play random actions over several episodes."""
    env.action_space.seed(seed)
    transitions, ended = [env.reset(seed=seed)], False
    for _ in range(steps):
        if ended:
            transitions.append(env.reset())
        transitions.append(env.step(env.action_space.sample()))
        ended = transitions[-1][2]
    return transitions


def test_every_task_has_every_form():
    for task_id in TASKS:
        for form, (module, name) in FORMS.items():
            spec = gym.spec(environment_id(task_id, form))
            assert spec.entry_point == f"lrmp.envs.forms.{module}:{name}Env"
            assert spec.kwargs == {"task": task_id}
            assert spec.reward_threshold == gym.spec(task_id).reward_threshold
    assert environment_id("LRMP-ResNet18-EDP-v0", "Refine") == "LRMP-ResNet18-EDP-Refine-v0"


@pytest.mark.long
@pytest.mark.filterwarnings("error")
def test_form_is_a_correct_environment(form_spec):
    settings = {"horizon": 3} if "Refine" in form_spec.id else {}
    # Drawing takes its time and is the layer-wise form's, which is checked for every task.
    check_env(gym.make(form_spec, **settings).unwrapped, skip_render_check=True)
    one, two = gym.make(form_spec, **settings), gym.make(form_spec, **settings)
    transitions = rollout(one)
    assert same(transitions, rollout(two))
    assert same(transitions, rollout(two)), "an episode must not depend on those before"
    observations = [transition[0] for transition in transitions]
    assert all(np.isfinite(observation).all() for observation in observations)
    assert not any(
        np.shares_memory(a, b) for i, a in enumerate(observations) for b in observations[:i]
    )
    for _, reward, terminated, truncated, _ in (step for step in transitions if len(step) == 5):
        assert type(reward) is float
        assert type(terminated) is bool
        assert truncated is False
    assert any(step[2] is True for step in transitions if len(step) == 5)


def test_spec_survives_json(form_spec):
    text = form_spec.to_json()
    assert json.loads(text)["id"] == form_spec.id
    assert EnvSpec.from_json(text).make().unwrapped.task.id == form_spec.kwargs["task"]


@pytest.mark.parametrize("env_id", ["LRMP-LeNet-Refine-v0", "LRMP-LeNet-OneShot-v0"])
def test_pickle_before_a_step(env_id):
    env = gym.make(env_id)
    env.reset()
    clone = pickle.loads(pickle.dumps(env))
    action = env.action_space.sample()
    assert same(env.step(action), clone.step(action))


@CLASSES
def test_wrong_arguments_are_refused(form):
    with pytest.raises(
        TaskError, match=r"Expected render_mode None, 'ansi' or 'rgb_array'; got 'h"
    ):
        form("LRMP-MLP-v0", render_mode="human")
    with pytest.raises(TaskError, match=r"Expected reward to be one of"):
        form("LRMP-MLP-v0", reward="lrpm")
    env = form("LRMP-MLP-v0")
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) before step\(\)"):
        env.step(env.action_space.sample())
    with pytest.raises(TaskError, match=r"Expected no reset options, got \['chip'\]"):
        env.reset(options={"chip": 1})


@pytest.mark.parametrize("module", [lrmp.envs.forms.one_shot, lrmp.envs.forms.refine])
def test_docstring_examples(module):
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


@CLASSES
def test_documented_arguments_are_the_constructors(form):
    table = form.__doc__.partition("## Arguments")[2].partition(">>>")[0]
    documented = re.findall(r"^ *\| `(\w+)` \|", table, flags=re.MULTILINE)
    assert documented == [name for name in form.__init__.__annotations__ if name != "return"]


@pytest.mark.parametrize("form", FORMS)
def test_environment_takes_less_than_a_megabyte(form):
    env_id = environment_id("LRMP-ResNet101-Predicted-v0", form)
    gym.make(env_id)  # the task itself is shared
    tracemalloc.start()
    envs = [gym.make(env_id) for _ in range(5)]
    for env in envs:
        env.reset(seed=0)
    taken = tracemalloc.get_traced_memory()[0] / len(envs)
    tracemalloc.stop()
    assert taken < 2**20


def test_tasks_of_forms_are_those_of_the_ids():
    assert gym.make("LRMP-MLP-OneShot-v0").unwrapped.task is load_task("LRMP-MLP-v0")
