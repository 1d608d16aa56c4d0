"""Environments whose first step chooses how many filters are pruned."""

import doctest

import gymnasium as gym
import numpy as np
import pettingzoo
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, parallel_api_test

import lrmp.envs.forms.multi_agent  # registers the environments
import lrmp.envs.variant_choice.filters_agents
import lrmp.envs.variant_choice.filters_environment
from lrmp.envs import evaluate_settings
from lrmp.envs.variant_choice.optimum import optimal_design, stored_variant_optimum
from lrmp.envs.variant_choice.problem import load_problem
from lrmp.envs.variant_choice.problem_ids import FILTERS_PROBLEMS
from lrmp.errors import ActionError

LAYERWISE, ONE_SHOT = "LRMP-LeNet-Filters-v0", "LRMP-LeNet-Filters-OneShot-v0"
IDS = pytest.mark.parametrize("env_id", [LAYERWISE, ONE_SHOT])


@IDS
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("discrete", [False, True])
def test_check_env_finds_nothing(env_id, discrete):
    check_env(gym.make(env_id, discrete=discrete).unwrapped)


def play(env, widths, settings):
    """Play the layer-wise form; after the first step the places of the widths are arbitrary."""
    steps = [env.reset()]
    for layer, setting in enumerate(settings):
        chosen = widths if layer == 0 else np.zeros(len(widths), int)
        steps.append(env.step(np.concatenate([chosen, setting])))
    return steps


@pytest.mark.parametrize("widths", [[0, 0, 0], [2, 1, 0], [4, 4, 4]])
def test_the_first_step_chooses_the_widths_and_the_others_do_not(widths):
    problem = load_problem(LAYERWISE)
    env = gym.make(LAYERWISE, discrete=True).unwrapped
    settings = np.array([[4, 5], [3, 3], [2, 4], [5, 6]])
    *_, (_, reward, terminated, truncated, info) = play(env, widths, settings)
    number = problem.number_of(np.array(widths))
    outcome = evaluate_settings(problem.task(number), settings)
    assert (terminated, truncated) == (True, False)
    assert reward == problem.reward(number, outcome)
    assert info["score"] == (problem.score(number, outcome) or 0)
    assert info["pruned_filters_conv1"] == (0, 10, 25, 50, 75)[widths[0]]
    one_shot = gym.make(ONE_SHOT, discrete=True).unwrapped
    one_shot.reset()
    assert one_shot.step(np.concatenate([widths, settings.ravel()]))[1] == reward


@pytest.mark.parametrize("problem_id", FILTERS_PROBLEMS)
def test_the_proven_best_is_played(problem_id):
    stored, problem = stored_variant_optimum(problem_id), load_problem(problem_id)
    number, design = optimal_design(problem, stored)
    env = gym.make(problem_id, discrete=True).unwrapped
    assert env.spec.max_episode_steps == len(design) + 1
    info = play(env, problem.setting(number), design.settings)[-1][4]
    assert info["score"] == pytest.approx(info["optimum"], abs=1e-12)
    assert info["optimum"] == stored.value
    assert info["optimum_without"] == stored.without <= info["optimum"]
    assert 0.25**2 < info["weights_left"] <= 1


@IDS
def test_no_random_design_is_above_the_bound(env_id):
    env = gym.make(env_id, discrete=True)
    env.action_space.seed(0)
    for _ in range(30):
        env.reset()
        ended = False
        while not ended:
            _, reward, ended, _, info = env.step(env.action_space.sample())
        assert max(reward, info["score"]) <= info["optimum_bound"]


def test_an_action_out_of_the_space_changes_nothing():
    env = gym.make(LAYERWISE, discrete=True).unwrapped
    env.reset()
    with pytest.raises(ActionError, match=r"MultiDiscrete\(\[5 5 5 7 7\]\)"):
        env.step([5, 0, 0, 0, 0])
    assert env.step([1, 0, 0, 0, 0])[4]["pruned_filters_conv1"] == 10


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_multi_agent_forms_keep_to_the_api_and_score_alike():
    parallel_api_test(pettingzoo.make("parallel", "LRMP/LeNet-Filters-v0"), num_cycles=20)
    api_test(pettingzoo.make("aec", "LRMP/LeNet-Filters-v0"), num_cycles=20)
    agents = pettingzoo.make("parallel", "LRMP/LeNet-Filters-v0", discrete=True)
    agents.reset(seed=0)
    actions = {agent: [3, 4] for agent in agents.agents} | {"widths": [2, 1, 1]}
    _, rewards, *_ = agents.step(actions)
    one_shot = gym.make(ONE_SHOT, discrete=True).unwrapped
    one_shot.reset()
    assert set(rewards.values()) == {one_shot.step([2, 1, 1] + [3, 4] * 4)[1]}


MODULES = lrmp.envs.variant_choice.filters_environment, lrmp.envs.variant_choice.filters_agents


@pytest.mark.parametrize("module", MODULES)
def test_examples_of_the_docstrings(module):
    results = doctest.testmod(module)
    assert results.attempted
    assert not results.failed
