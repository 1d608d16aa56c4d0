"""The multi-objective form: layer-wise episodes whose reward is the vector of the design."""

import doctest
import inspect
import re

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode

import lrmp.envs.forms.multi_objective
from lrmp.envs import evaluate_settings, list_tasks, load_task, make_task
from lrmp.envs.forms.multi_objective import MultiObjectiveEnv
from lrmp.envs.forms.multi_objective_vector import MultiObjectiveVectorEnv
from lrmp.envs.registration import MULTI_OBJECTIVE_TASKS
from lrmp.envs.scoring.objectives import reference_point
from lrmp.envs.task.environment_id import MULTI_OBJECTIVE, environment_id
from lrmp.errors import PresetError, TaskError

ENV = "LRMP-LeNet-MultiObjective-v0"
MODES = pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)


def test_one_environment_per_network_with_a_table():
    own = set(list_tasks(family="precision"))
    networks = [load_task(name).network.name for name in MULTI_OBJECTIVE_TASKS if name in own]
    assert len(networks) == len(set(networks)) == 11
    for task_id in MULTI_OBJECTIVE_TASKS:
        env_id = environment_id(task_id, MULTI_OBJECTIVE)
        assert load_task(env_id) is load_task(task_id)
        assert EnvSpec.from_json(gym.spec(env_id).to_json()).make().unwrapped.task.id == task_id


@pytest.mark.parametrize("task_id", MULTI_OBJECTIVE_TASKS)
def test_rewards_are_the_numbers_of_the_design(task_id, random_actions):
    env = gym.make(environment_id(task_id, MULTI_OBJECTIVE), discrete=True)
    task, space = env.unwrapped.task, env.unwrapped.reward_space
    actions = random_actions(env, 1)
    env.reset(seed=0)
    rewards = []
    for action in actions:
        _, reward, terminated, _, _ = env.step(action)
        assert space.contains(reward)
        rewards.append(reward)
    assert terminated
    assert not np.any(rewards[:-1])
    outcome = evaluate_settings(task, actions)
    baseline = task.cost_model.baseline
    expected = [
        np.log(outcome.gain),
        np.log(baseline.energy_j / outcome.report.energy_j),
        -outcome.divergence,
    ]
    np.testing.assert_allclose(rewards[-1], expected, rtol=1e-6)


@MODES
def test_vector_env_equals_scalar_ones(mode):
    count, seen = 3, 0
    vector = gym.make_vec(ENV, count, autoreset_mode=mode)
    scalars = [gym.make(ENV).unwrapped for _ in range(count)]
    assert vector.unwrapped.reward_space == scalars[0].reward_space
    vector.action_space.seed(3)
    observations, _ = vector.reset(seed=0)
    expected = [env.reset()[0] for env in scalars]
    np.testing.assert_array_equal(observations, expected)
    resetting = np.zeros(count, dtype=bool)
    for _ in range(11):
        actions = vector.action_space.sample()
        observations, rewards, terminated, truncated, _ = vector.step(actions)
        assert rewards.shape == (count, 3)
        assert rewards.dtype == np.float32
        for row, env in enumerate(scalars):
            if resetting[row]:
                step = env.reset()[0], np.zeros(3), False, False
            else:
                step = env.step(actions[row])
            np.testing.assert_array_equal(rewards[row], step[1])
            assert (terminated[row], truncated[row]) == step[2:4]
            seen += bool(step[2])
            shown = step[0]
            if step[2] and mode == AutoresetMode.SAME_STEP:
                shown = env.reset()[0]
            np.testing.assert_array_equal(observations[row], shown)
        resetting = terminated & (mode == AutoresetMode.NEXT_STEP)
        if terminated.any() and mode == AutoresetMode.DISABLED:
            vector.reset(options={"reset_mask": terminated})
            for env in scalars:
                env.reset()
    assert seen >= 2 * count


def test_own_knobs_have_objectives(own_task):
    settings = {"task": own_task, "discrete": True}
    env = gym.make("LRMP-Custom-MultiObjective-v0", **settings)
    vector = gym.make_vec("LRMP-Custom-MultiObjective-v0", 2, **settings)
    env.reset(seed=0)
    vector.reset(seed=0)
    action = np.array([3, 4, 1, 1])
    for _ in own_task.network.layers:
        _, reward, _, _, _ = env.step(action)
        _, rewards, _, _, _ = vector.step(np.array([action, action]))
    assert reward[2] < 0
    np.testing.assert_array_equal(rewards, [reward, reward])


@pytest.mark.filterwarnings("error")
def test_rewards_are_new_at_every_step():
    env, vector = gym.make(ENV), gym.make_vec(ENV, 2)
    env.reset(seed=0)
    vector.reset(seed=0)
    for _ in range(2):  # wrappers of MO-Gymnasium write into what they get
        for reward in (env.step([0.5, 0.5])[1], vector.step(np.full((2, 2), 0.5))[1]):
            assert not reward.any()
            reward[...] = 7.0


@pytest.mark.parametrize("form", [MultiObjectiveEnv, MultiObjectiveVectorEnv])
def test_what_has_no_objectives_is_refused(form):
    with pytest.raises(TaskError, match=r"Expected a task whose accuracy is a table, got LRMP-Dig"):
        form(task="LRMP-Digits-v0")
    without = make_task("lenet", "pimcomp_2023", budget=10_000)
    with pytest.raises(PresetError, match=r"to give the energy of its events, got none"):
        form(task=without)
    for argument in ("dense", "reward", "solver"):
        with pytest.raises(TypeError, match=argument):
            form(task="LRMP-MLP-v0", **{argument: True})


@pytest.mark.parametrize("allowed", [0.0, 10.0])
def test_an_allowed_drop_without_a_reference_point_is_refused(allowed):
    with pytest.raises(TaskError, match=r"10-fold is more than the plain design loses"):
        reference_point(make_task("resnet8", allowed_drop=allowed))


def test_reference_point_is_where_ten_times_the_allowed_drop_is_lost():
    task = make_task("resnet8", allowed_drop=0.5)
    latency, energy, accuracy = reference_point(task)
    assert latency == energy == 0
    assert task.accuracy.drop_map(-accuracy) == pytest.approx(5.0)


def test_docstring_examples():
    found = doctest.testmod(lrmp.envs.forms.multi_objective)
    assert found.attempted > 0
    assert found.failed == 0


def test_documented_arguments_are_the_constructors():
    table = MultiObjectiveEnv.__doc__.partition("## Arguments")[2]
    documented = re.findall(r"^ *\| `(\w+)` \|", table, flags=re.MULTILINE)
    assert documented == list(inspect.signature(MultiObjectiveEnv).parameters)
