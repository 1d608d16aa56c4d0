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
from lrmp.errors import ActionError, TaskError

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


@pytest.mark.parametrize("task_id", ["LRMP-ResNet18-v0", "LRMP-LeNet-EDP-v0", "LRMP-Digits-v0"])
@pytest.mark.parametrize("discrete", [False, True])
def test_one_shot_scores_as_layer_by_layer(task_id, discrete, play, random_actions):
    layerwise = gym.make(task_id, discrete=discrete)
    actions = random_actions(layerwise, 3)
    *_, (_, reward, _, _, info) = play(layerwise, actions)
    one_shot = gym.make(environment_id(task_id, "OneShot"), discrete=discrete)
    one_shot.reset()
    _, other_reward, terminated, _, other = one_shot.step(actions.reshape(-1))
    assert terminated
    assert other_reward == reward
    bits = info["design"]["weight_bits"], info["design"]["activation_bits"]
    assert same((other.pop("weight_bits"), other.pop("activation_bits")), bits)
    for key in ("weight_bits", "activation_bits"):
        info.pop(key)
    assert other == info


@pytest.mark.parametrize("reward", ["lrmp", "haq", "cim-aq"])
@pytest.mark.parametrize("task_id", ["LRMP-ResNet20-v0", "LRMP-MLP-EDP-v0", "LRMP-Digits-v0"])
def test_dense_rewards_sum_to_the_sparse_one(task_id, reward, play, random_actions):
    sparse = gym.make(task_id, reward=reward)
    dense = gym.make(task_id, reward=reward, dense=True)
    actions = random_actions(sparse, 4)
    one, other = play(sparse, actions), play(dense, actions)
    assert [step[1] for step in one[:-1]] == [0.0] * len(actions)
    assert sum(step[1] for step in other) == pytest.approx(one[-1][1], rel=1e-12)
    assert same([step[0] for step in one], [step[0] for step in other])
    assert other[-1][4] == one[-1][4]


def test_dense_reward_is_what_the_layer_changes(play, random_actions):
    env = gym.make("LRMP-LeNet-v0", dense=True)
    actions = random_actions(env, 5)
    transitions = play(env, actions)
    bits, before = np.full((4, 2), 8), 0.0
    for layer, (_, reward, _, _, info) in enumerate(transitions[1:]):
        bits[layer] = info["weight_bits"], info["activation_bits"]
        score = env.unwrapped.dynamics.outcome(bits - 2).reward()
        assert reward == pytest.approx(score - before, rel=1e-12)
        before = score


def test_refinement_changes_one_bit_and_is_scored_at_once():
    env = gym.make("LRMP-LeNet-Refine-v0", horizon=6)
    observation, info = env.reset()
    names = env.unwrapped.feature_names
    assert names[:2] == ("weight_bits_0", "activation_bits_0")
    assert names[-5:] == ("tiles", "accuracy_spent", "cycles", "bottleneck", "steps_left")
    assert observation[:8].tolist() == [1.0] * 8
    # Nothing but taking bits away is possible at 8 bits.
    assert info["action_mask"].tolist() == [1] + [1, 0] * 8
    expected = np.full((4, 2), 8)
    total = 0.0
    moves = [(1, (0, 0, -1)), (15, (3, 1, -1)), (1, (0, 0, -1)), (2, (0, 0, 1)), (0, None)]
    for step, (action, change) in enumerate(moves, start=1):
        observation, reward, terminated, _, info = env.step(action)
        if change:
            layer, operand, by = change
            expected[layer, operand] += by
        total += reward
        assert observation[:8] == pytest.approx((expected.ravel() - 2) / 6)
        assert observation[-1] == pytest.approx((6 - step) / 6)
        assert info["action_possible"] is True
        outcome = env.unwrapped.dynamics.outcome(expected - 2)
        assert total == pytest.approx(outcome.reward(), rel=1e-12)
        assert info["gain"] == outcome.gain
        assert not terminated
    assert reward == 0
    mask = env.unwrapped.action_masks()
    assert mask.dtype == bool
    assert mask.tolist() == info["action_mask"].tolist()
    _, reward, terminated, _, info = env.step(8)  # layer 1 has 8 activation bits already
    assert info["action_possible"] is False
    assert reward == 0
    assert terminated
    assert np.stack([info["weight_bits"], info["activation_bits"]], 1).tolist() == expected.tolist()
    assert info["design"] == outcome.design
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) before step\(\)"):
        env.unwrapped.step(0)


def test_refinement_reaches_the_farthest_design_by_default():
    env = gym.make("LRMP-MLP-Refine-v0")
    env.reset()
    down = [1 + 4 * layer + operand for layer in range(3) for operand in (0, 2) for _ in range(6)]
    for action in down:
        _, _, terminated, _, info = env.step(action)
    assert terminated
    assert info["weight_bits"].tolist() == info["activation_bits"].tolist() == [2, 2, 2]


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


def test_wrong_horizon_is_refused():
    with pytest.raises(TaskError, match=r"Expected horizon of at least 1 step, got 0\."):
        RefineEnv("LRMP-MLP-v0", horizon=0)


@pytest.mark.parametrize("action", [[0.5] * 5, [0.5] * 5 + [1.1], [np.nan] * 6, [[0], [0, 1]]])
def test_wrong_one_shot_actions_are_refused(action):
    env = OneShotEnv("LRMP-MLP-v0")
    env.reset()
    with pytest.raises(ActionError, match=r"Expected an action in Box\(0\.0, 1\.0, \(6,\)"):
        env.step(action)
    assert env.step([0.5] * 6)[2]


@pytest.mark.parametrize("action", [-1, 13, 0.5, np.array([1, 2])])
def test_wrong_refinements_are_refused(action):
    env = RefineEnv("LRMP-MLP-v0")
    env.reset()
    with pytest.raises(ActionError, match=r"Expected an action in Discrete\(13\), got"):
        env.step(action)


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
