"""A reward at every step."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

from lrmp.envs.scoring.reward import REWARDS


def same(a, b):
    return data_equivalence(a, b, exact=True)


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize("task_id", ["LRMP-ResNet20-v0", "LRMP-MLP-EDP-v0", "LRMP-Digits-v0"])
def test_dense_rewards_sum_to_the_sparse_one(task_id, reward, play, random_actions):
    sparse = gym.make(task_id, reward=reward)
    dense = gym.make(task_id, reward=reward, dense=True)
    actions = random_actions(sparse, 4)
    one, other = play(sparse, actions), play(dense, actions)
    assert [step[1] for step in one[:-1]] == [0.0] * len(actions)
    assert sum(step[1] for step in other) == pytest.approx(one[-1][1], rel=1e-12)
    assert same([step[0] for step in one], [step[0] for step in other])
    assert same(other[-1][4], one[-1][4])


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
