"""Environments whose first step chooses the chip."""

import doctest
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence

import lrmp.envs.variant_choice.chip_environment
from lrmp.envs import evaluate_settings
from lrmp.envs.variant_choice.optimum import optimal_design, stored_variant_optimum
from lrmp.envs.variant_choice.problem import load_problem
from lrmp.envs.variant_choice.problem_ids import CHIP_PROBLEMS
from lrmp.errors import ActionError, TaskError
from lrmp.hardware.families.chip import CHIP_SPACE

LAYERWISE, ONE_SHOT = "LRMP-LeNet-Chip-v0", "LRMP-LeNet-Chip-OneShot-v0"
IDS = pytest.mark.parametrize("env_id", [LAYERWISE, ONE_SHOT])


@IDS
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("discrete", [False, True])
def test_check_env_finds_nothing(env_id, discrete):
    check_env(gym.make(env_id, discrete=discrete).unwrapped)


@pytest.mark.parametrize("problem_id", CHIP_PROBLEMS)
def test_every_problem_has_both_forms(problem_id):
    layers = len(load_problem(problem_id).plain_task.network)
    assert gym.spec(problem_id).max_episode_steps == layers + 1
    assert gym.spec(problem_id.replace("-v0", "-OneShot-v0")).max_episode_steps == 2


def play(env, chip, settings):
    """Play the layer-wise form; after the first step the chip's places are arbitrary."""
    steps = [env.reset()]
    other = np.zeros(len(CHIP_SPACE), int)
    for layer, setting in enumerate(settings):
        steps.append(env.step(np.concatenate([chip if layer == 0 else other, setting])))
    return steps


@pytest.mark.parametrize("number", [0, 40, 90])
def test_the_first_step_chooses_the_chip_and_the_others_do_not(number):
    problem = load_problem(LAYERWISE)
    env = gym.make(LAYERWISE, discrete=True).unwrapped
    settings = np.array([[4, 5], [3, 3], [2, 4], [5, 6]])
    *_, last = play(env, problem.variants[number], settings)
    outcome = evaluate_settings(problem.task(number), settings)
    _, reward, terminated, truncated, info = last
    assert (terminated, truncated) == (True, False)
    assert reward == problem.reward(number, outcome)
    assert info["score"] == (problem.score(number, outcome) or 0)
    values = CHIP_SPACE.numbers(problem.variants[number][None])
    assert all(info[f"chip_{name}"] == value[0] for name, value in values.items())
    assert info["chip_mm2"] == problem.area_um2(number) / 1e6
    assert env.outcome.design.settings.tolist() == settings.tolist()
    one_shot = gym.make(ONE_SHOT, discrete=True).unwrapped
    one_shot.reset()
    whole = np.concatenate([problem.variants[number], settings.ravel()])
    assert one_shot.step(whole)[1] == reward


def test_the_proven_best_is_played():
    stored = stored_variant_optimum(LAYERWISE)
    problem = load_problem(LAYERWISE)
    number, design = optimal_design(problem, stored)
    env = gym.make(LAYERWISE, discrete=True).unwrapped
    info = play(env, problem.variants[number], design.settings)[-1][4]
    assert info["score"] == pytest.approx(info["optimum"], abs=1e-12)
    assert info["optimum"] == stored.value
    assert info["optimum_without"] == stored.without < info["optimum"]


def test_no_random_design_is_above_the_bound():
    env = gym.make(ONE_SHOT, discrete=True)
    env.action_space.seed(0)
    for _ in range(60):
        env.reset()
        _, reward, _, _, info = env.step(env.action_space.sample())
        assert max(reward, info["score"]) <= info["optimum_bound"]


def test_a_chip_that_does_not_hold_the_plain_design_counts_as_the_nearest():
    problem = load_problem(LAYERWISE)
    env = gym.make(ONE_SHOT, discrete=True).unwrapped
    env.reset()
    too_large = np.array([2, 0, 3, 0, 2])
    assert problem.number_of(too_large) is None
    env.step(np.concatenate([too_large, [6] * 8]))
    distances = np.abs(problem.variants - too_large).sum(axis=1)
    assert distances[env.variant] == distances.min() > 0


@IDS
def test_infos_have_the_same_keys_shapes_and_types_at_every_step(env_id):
    env = gym.make(env_id, discrete=True)
    infos = [env.reset()[1]]
    ended = False
    while not ended:
        _, _, ended, _, info = env.step(env.action_space.sample())
        infos.append(info)
    first = {key: (np.shape(value), value.dtype) for key, value in infos[0].items()}
    for info in infos:
        assert {key: (np.shape(value), value.dtype) for key, value in info.items()} == first
    assert [bool(info["finished"]) for info in infos] == [False] * (len(infos) - 1) + [True]


@IDS
def test_episodes_come_again_and_survive_pickling(env_id):
    one, two = gym.make(env_id), gym.make(env_id)
    one.action_space.seed(1)
    actions = [one.action_space.sample() for _ in range(4 if env_id == LAYERWISE else 1)]
    runs = [[env.reset(), *(env.step(action) for action in actions)] for env in (one, two)]
    assert data_equivalence(*runs, exact=True)
    one.reset()
    clone = pickle.loads(pickle.dumps(one))
    assert data_equivalence(one.step(actions[0]), clone.step(actions[0]), exact=True)


@IDS
def test_vectors_of_them_are_gymnasiums_own(env_id):
    envs = gym.make_vec(env_id, 2, discrete=True)
    envs.reset(seed=0)
    envs.action_space.seed(0)
    for _ in range(6):
        observations = envs.step(envs.action_space.sample())[0]
    assert observations in envs.observation_space


@IDS
@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_they_are_shown_as_the_task_of_their_chip(env_id, mode):
    env = gym.make(env_id, render_mode=mode)
    env.reset()
    before = env.render()
    env.step(-np.ones(env.action_space.shape, np.float32))
    after = env.render()
    if mode == "ansi":
        assert before.startswith("LRMP-LeNet-v0: 0 of 4")
        assert after.startswith("LRMP-LeNet-Chip-v0:side64-cell")
    else:
        assert before.shape == after.shape
        assert (before != after).any()


@IDS
def test_wrong_use_is_refused(env_id):
    env = gym.make(env_id).unwrapped
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) before step"):
        env.step(env.action_space.sample())
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) before render"):
        env.view()
    with pytest.raises(TaskError, match=r"Expected no reset options, got \['chip'\]"):
        env.reset(options={"chip": 1})
    env.reset()
    for wrong in ([0.5], np.full(env.action_space.shape, 2.0), [[0], [0, 0]]):
        with pytest.raises(ActionError, match="Expected an action in Box"):
            env.step(wrong)
    with pytest.raises(TaskError, match='Expected discrete to be False or True, got "flat"'):
        gym.make(env_id, discrete="flat")
    with pytest.raises(TaskError, match="Expected reward to be one of"):
        gym.make(env_id, reward="speed")


def test_docstring_examples():
    found = doctest.testmod(lrmp.envs.variant_choice.chip_environment)
    assert found.attempted > 0
    assert found.failed == 0
