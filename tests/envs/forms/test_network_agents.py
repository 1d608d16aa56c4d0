"""An agent per network of a shared chip."""

import warnings

import numpy as np
import pettingzoo
import pytest
from gymnasium.utils.env_checker import data_equivalence
from pettingzoo.test import api_test, parallel_api_test

import lrmp.envs.forms.multi_agent  # noqa: F401  registers
from lrmp.envs import evaluate_settings, load_task
from lrmp.envs.forms.network_agents import parallel_env
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.errors import ActionError, TaskError

EDGE = "LRMP-Shared-Edge-v0"
SIZES = {"network_0": 10, "network_1": 4, "network_2": 3}
SETTINGS = pytest.mark.parametrize(
    "settings",
    [{}, {"discrete": True, "rounds": 2, "credit": "difference"}, {"discrete": "flat"}],
    ids=["box", "discrete", "flat"],
)


@SETTINGS
def test_pettingzoo_finds_nothing(settings):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(observation space sizes|different shapes).*")
        warnings.filterwarnings("ignore", message=".*Action space for each agent probably.*")
        name = "LRMP/Shared-Edge-PerNetwork-v0"
        parallel_api_test(pettingzoo.make("parallel", name, **settings), num_cycles=5)
        api_test(pettingzoo.make("aec", name, **settings), num_cycles=5)


@SETTINGS
def test_episodes_are_the_same_again(settings):
    def play():
        env = parallel_env(EDGE, **settings)
        transitions = [env.reset(seed=3)]
        for agent in env.agents:
            env.action_space(agent).seed(5)
        while env.agents:
            actions = {agent: env.action_space(agent).sample() for agent in env.agents}
            transitions.append(env.step(actions))
        return transitions

    assert data_equivalence(play(), play(), exact=True)


def test_the_team_is_rewarded_with_the_whole_design():
    env, task = parallel_env(EDGE, discrete=True), load_task(EDGE)
    env.reset(seed=0)
    chosen = task.space.sample(np.random.default_rng(0), 17)
    actions = {
        agent: chosen[own].ravel()
        for agent, own in zip(env.agents, task.workload.layers, strict=True)
    }
    _, rewards, terminations, truncations, infos = env.step(actions)
    outcome = evaluate_settings(task, chosen)
    assert set(rewards.values()) == {outcome.reward()}
    assert all(terminations.values())
    assert not any(truncations.values())
    for number, (agent, own) in enumerate(zip(SIZES, task.workload.layers, strict=True)):
        info = infos[agent]
        assert info["weight_bits"].tolist() == outcome.design["weight_bits"][own].tolist()
        assert info["network_drop"] == outcome.accuracy_drops[number]
        assert info["accuracy_drop"] == max(outcome.accuracy_drops)
        assert info["gain"] == outcome.gain
        assert info["replication"].tolist() == outcome.design.replication.tolist()
    assert env.outcome == outcome


def test_credit_is_what_the_team_loses_with_the_network_plain():
    env, task = parallel_env(EDGE, discrete=True, credit="difference"), load_task(EDGE)
    env.reset()
    chosen = task.space.sample(np.random.default_rng(1), 17)
    actions = {
        agent: chosen[own].ravel()
        for agent, own in zip(env.agents, task.workload.layers, strict=True)
    }
    _, rewards, *_, infos = env.step(actions)
    team = evaluate_settings(task, chosen).reward()
    for agent, own in zip(SIZES, task.workload.layers, strict=True):
        without = chosen.copy()
        without[own] = task.space.plain
        expected = team - evaluate_settings(task, without).reward()
        assert rewards[agent] == pytest.approx(expected, rel=1e-12)
        assert infos[agent]["team_reward"] == team


def test_agents_see_their_own_network_and_how_all_stand():
    env = parallel_env(EDGE, discrete=True, rounds=2)
    env.reset()
    actions = {agent: [3, 5] * count for agent, count in SIZES.items()}
    observations, *_ = env.step(actions)
    dynamics = Dynamics(EDGE)
    settings = np.tile([3, 5], (17, 1))
    totals = [float(total[0]) for total in dynamics.design_totals(settings[None])]
    for agent, count in SIZES.items():
        shown = observations[agent]
        assert env.observation_space(agent).contains(shown)
        expected = [3 / 6, 5 / 6] * count + [*totals, 0.5]
        assert shown == pytest.approx(expected, abs=1e-6)
        names = env.feature_names[agent]
        assert len(names) == len(shown)
        assert names[-4:] == ("accuracy_spent_2", "cycles", "bottleneck", "rounds_left")
        table = env.describe_observation()[agent]
        assert [element.name for element in table] == list(names)
    shares = [names.index(f"accuracy_spent_{network}") for network in range(3)]
    assert len({float(shown[share]) for share in shares}) == 3
    assert env.state().shape == env.state_space.shape == (2 * 17 + 7,)


def test_masks_are_those_of_the_networks():
    env = parallel_env(EDGE, discrete="flat")
    masks = env.action_masks()
    assert {agent: mask.size for agent, mask in masks.items()} == {
        agent: 49 * count for agent, count in SIZES.items()
    }
    assert all(mask.all() for mask in masks.values())


def test_one_network_is_a_team_of_one():
    env = parallel_env("LRMP-LeNet-v0", discrete=True)
    env.reset()
    _, rewards, *_ = env.step({"network_0": [4, 4] * 4})
    assert rewards == {"network_0": evaluate_settings("LRMP-LeNet-v0", np.full((4, 2), 4)).reward()}


def test_wrong_actions_are_refused_and_change_nothing():
    env = parallel_env(EDGE, discrete=True)
    env.reset()
    good = {agent: [4, 4] * count for agent, count in SIZES.items()}
    for bad in ([4, 4], [7, 4] + [4, 4] * 9, [[1], [2, 3]], [0.5] * 20):
        with pytest.raises(ActionError, match=r"Expected an action of network_0 in MultiDiscrete"):
            env.step(good | {"network_0": bad})
    with pytest.raises(ActionError, match="exactly the agents network_0 to network_2"):
        env.step({"network_0": good["network_0"]})
    with pytest.raises(TaskError, match=r"Expected agent .*got 'network_9'"):
        env.action_space("network_9")
    assert env.agents == [*SIZES]
    env.step(good)
    assert env.agents == []


def test_it_is_drawn():
    env = parallel_env(EDGE, render_mode="ansi")
    env.reset()
    assert "2:mlp/fc3" not in env.render()
    env.step({agent: env.action_space(agent).sample() for agent in env.agents})
    assert "2:mlp/fc3" in env.render()
