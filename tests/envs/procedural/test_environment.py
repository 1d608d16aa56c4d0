"""The environments that play drawn tasks."""

import doctest
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence

import lrmp.envs.procedural.environment
import lrmp.envs.procedural.generator
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs import list_tasks, load_task
from lrmp.envs.procedural.environment import ProceduralEnv, ProceduralOneShotEnv
from lrmp.envs.procedural.features import transfer_features
from lrmp.envs.procedural.most_layers import MAX_LAYERS
from lrmp.errors import ActionError, TaskError

FORMS = pytest.mark.parametrize("form", [ProceduralEnv, ProceduralOneShotEnv])

IDS = pytest.mark.parametrize("env_id", ["LRMP-Procedural-v0", "LRMP-Procedural-OneShot-v0"])


@IDS
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("discrete", [False, True])
def test_check_env_finds_nothing(env_id, discrete):
    check_env(gym.make(env_id, discrete=discrete).unwrapped)


def episode(env, seed=None, options=None):
    transitions = [env.reset(seed=seed, options=options)]
    env.action_space.seed(3)
    while len(transitions) == 1 or not transitions[-1][2]:
        transitions.append(env.step(env.action_space.sample()))
        assert transitions[-1][0] in env.observation_space
    return transitions


@IDS
def test_seed_decides_all_tasks_that_follow(env_id):
    one, two = gym.make(env_id), gym.make(env_id)
    episodes = [[episode(env, 5), episode(env), episode(env)] for env in (one, two)]
    assert data_equivalence(*episodes, exact=True)
    numbers = [transitions[0][1]["instance"] for transitions in episodes[0]]
    assert len(set(numbers)) == 3
    again = episode(two, options={"instance": numbers[1]})
    assert data_equivalence(again, episodes[0][1], exact=True)


def test_observation_shows_the_network_and_the_layer_to_decide():
    env = gym.make("LRMP-Procedural-v0")
    transitions = episode(env, 1)
    count = len(env.unwrapped.task.network)
    assert len(transitions) == count + 1
    features = transfer_features(env.unwrapped.task)
    for step, (observation, *_) in enumerate(transitions):
        layer = min(step, count - 1)
        assert observation["mask"].tolist() == [1] * count + [0] * (MAX_LAYERS - count)
        assert np.array_equal(observation["layers"][:count], features)
        assert not observation["layers"][count:].any()
        assert observation["layer"] == layer
        assert np.array_equal(observation["current"], features[layer])


def test_rewards_are_those_of_the_task_itself():
    env = gym.make("LRMP-Procedural-v0", discrete=True)
    *_, (_, reward, _, _, info) = episode(env, 2)
    settings = env.unwrapped.outcome.design.settings
    one_shot = gym.make("LRMP-Procedural-OneShot-v0", discrete=True)
    one_shot.reset(options={"instance": env.reset(seed=2)[1]["instance"]})
    action = np.full(2 * MAX_LAYERS, 6)
    action[: settings.size] = settings.ravel()
    assert one_shot.step(action)[1] == reward
    assert info["gain"] > 0


def test_bits_in_infos_have_room_for_the_largest_network():
    """Gymnasium's vector environments stack infos, and every episode has another network."""
    env = gym.make("LRMP-Procedural-OneShot-v0")
    counts = set()
    for number in range(3):
        *_, (_, _, _, _, info) = episode(env, options={"instance": number})
        count = info["num_layers"]
        assert count == len(env.unwrapped.task.network)
        for key in ("weight_bits", "activation_bits"):
            assert info[key].shape == (MAX_LAYERS,)
            design = env.unwrapped.outcome.design
            assert info[key][:count].tolist() == design[key].tolist()
            assert not info[key][count:].any()
        counts.add(count)
    assert len(counts) == 3


@pytest.mark.long
@IDS
def test_pictures_of_all_networks_have_one_size(env_id):
    env = gym.make(env_id, render_mode="rgb_array")
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) "):
        env.unwrapped.render()
    frames = []
    for number in range(2):
        env.reset(options={"instance": number})
        start = env.render()
        env.step(env.action_space.sample())
        frames += [start, env.render()]
        assert (frames[-1] != start).any()
    assert {frame.shape for frame in frames} == {(600, 1600, 3)}
    assert (frames[0] != frames[2]).any()
    env.reset(options={"instance": 0})
    assert np.array_equal(env.render(), frames[0])
    clone = pickle.loads(pickle.dumps(env))
    assert np.array_equal(clone.render(), frames[0])


@IDS
def test_text_shows_the_task_of_the_episode(env_id):
    env = gym.make(env_id, render_mode="ansi")
    for number in range(2):
        env.reset(options={"instance": number})
        assert env.render().startswith(f"LRMP-Procedural-train-{number}: ")
    transitions = episode(env, options={"instance": 1})
    count = len(env.unwrapped.task.network)
    title, *layers, _, drop, reward = env.render().splitlines()
    assert title.endswith(("chosen", f"{count} of {count} layers decided"))
    assert len(layers) == count
    assert drop.startswith(f"accuracy drop {transitions[-1][4]['accuracy_drop']:.2f} points")
    assert reward == f"reward {transitions[-1][1]:.4f}"


def test_without_a_mode_nothing_is_rendered():
    env = ProceduralEnv()
    env.reset()
    assert env.render() is None


def test_registered_tasks_are_played_through_the_same_observations():
    own = list_tasks(family="precision")
    tables = [name for name in own if isinstance(load_task(name).accuracy, TableAccuracy)]
    env = gym.make("LRMP-Procedural-OneShot-v0", tasks=tables, discrete=True)
    for number, task_id in enumerate(tables):
        env.reset(options={"instance": number})
        assert env.unwrapped.task.id == task_id
        _, reward, _, _, info = env.step(np.full(2 * MAX_LAYERS, 6))
        assert (reward, info["gain"]) == (0, 1)


def test_few_instances_come_again():
    env = gym.make("LRMP-Procedural-OneShot-v0", instances=2)
    numbers = {env.reset(seed=seed)[1]["instance"] for seed in range(12)}
    assert numbers == {0, 1}


@IDS
def test_pickle(env_id):
    env = gym.make(env_id)
    env.reset(seed=4)
    clone = pickle.loads(pickle.dumps(env))
    action = env.action_space.sample()
    assert data_equivalence(env.step(action), clone.step(action), exact=True)
    assert data_equivalence(env.reset(), clone.reset(), exact=True)


@FORMS
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "dev"}, r"Expected split to be one of test, train; got 'dev'"),
        ({"instances": 0}, r"Expected instances of 1 to 2147483648, got 0"),
        ({"objective": "speed"}, r"Expected objective to be one of"),
        ({"tasks": ["LRMP-Digits-v0"]}, r"Expected tasks whose accuracy is a table, got LRMP-Dig"),
        ({"tasks": []}, r"Expected at least one task, got none"),
        ({"render_mode": "human"}, r"Expected render_mode None, 'ansi' or 'rgb_array'; got 'human"),
    ],
)
def test_wrong_arguments_are_refused(form, settings, message):
    with pytest.raises(TaskError, match=message):
        form(**settings)


@FORMS
def test_wrong_use_is_refused(form):
    env = form(instances=3)
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) first"):
        env.step(env.action_space.sample())
    with pytest.raises(TaskError, match=r"Expected no reset option but instance, got \['chip'\]"):
        env.reset(options={"chip": 1})
    with pytest.raises(TaskError, match=r"Expected an instance of 0 to 2, got 3"):
        env.reset(options={"instance": 3})
    env.reset()
    with pytest.raises(ActionError, match=r"Expected an action"):
        env.step([2.0] * env.action_space.shape[0])
    for wrong in ([0.5], [[0.5], [0.5, 0.5]]):
        with pytest.raises(ActionError, match=r"Expected an action"):
            env.step(wrong)


def test_refused_reset_leaves_the_episode_as_it_was():
    env = ProceduralEnv(discrete=True, instances=3)
    env.reset(seed=0)
    env.step([1, 2])
    with pytest.raises(TaskError, match="Expected an instance of 0 to 2, got 3"):
        env.reset(options={"instance": 3})
    assert env.step([1, 2])[0]["layer"] == 2


def test_docstring_examples():
    found = doctest.testmod(lrmp.envs.procedural.environment)
    assert found.attempted > 0
    assert found.failed == 0
