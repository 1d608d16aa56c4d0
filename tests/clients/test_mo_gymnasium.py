"""MO-Gymnasium: its maker, wrappers and vectors take the multi-objective form as one of theirs."""

import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("mo_gymnasium", reason='needs pip install "lrmp[mo]"')

import mo_gymnasium
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import TransformReward
from mo_gymnasium.wrappers import (
    LinearReward,
    MOClipReward,
    MONormalizeReward,
    MORecordEpisodeStatistics,
)
from mo_gymnasium.wrappers.vector import MORecordEpisodeStatistics as VectorStatistics
from mo_gymnasium.wrappers.vector import MOSyncVectorEnv

from lrmp.envs.registration import MULTI_OBJECTIVE_TASKS
from lrmp.envs.task.environment_id import MULTI_OBJECTIVE, environment_id

ENV = "lrmp:LRMP-ResNet18-MultiObjective-v0"
LAYERS = 21


def make():
    return mo_gymnasium.make(ENV, discrete=True)


def play(env, action=(3, 3)):
    env.reset(seed=0)
    for _ in range(LAYERS):
        step = env.step(np.array(action))
    assert step[2]
    return step


# Theirs check LinearReward, which Gymnasium 1.4 refuses: its infos share their weights.
@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version:UserWarning")
@pytest.mark.parametrize("task_id", MULTI_OBJECTIVE_TASKS)
def test_a_weighted_sum_passes_the_check(task_id):
    env = mo_gymnasium.make(environment_id(task_id, MULTI_OBJECTIVE))
    assert env.unwrapped.reward_space.shape == (3,)
    check_env(TransformReward(env, lambda reward: float(reward.sum())), skip_render_check=True)


def test_prefixed_id_needs_no_import():
    code = f"""
import mo_gymnasium
env = mo_gymnasium.make("{ENV}")
env.reset(seed=0)
print(env.step(env.action_space.sample())[1].shape)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "(3,)\n"


def test_linear_reward_weighs_the_vector():
    vector = play(make())[1]
    _, reward, _, _, info = play(LinearReward(make(), weight=np.array([0.5, 0.3, 0.2])))
    assert reward == pytest.approx(float(vector @ [0.5, 0.3, 0.2]))
    assert info["vector_reward"].tolist() == vector.tolist()


def test_one_objective_is_normalised_or_clipped_and_the_others_stay():
    vector = play(make())[1]
    normalised = MONormalizeReward(make(), idx=0)
    for _ in range(3):
        reward = play(normalised)[1]
    assert reward[0] != vector[0]
    assert reward[1:].tolist() == vector[1:].tolist()
    assert play(make())[1].tolist() == vector.tolist()
    clipped = play(MOClipReward(make(), idx=0, min_r=0.0, max_r=1.0))[1]
    assert clipped.tolist() == [1.0, *vector[1:].tolist()]


def test_statistics_are_the_vector_of_the_design():
    _, vector, _, _, info = play(MORecordEpisodeStatistics(make(), gamma=0.9))
    assert info["episode"]["r"].tolist() == vector.tolist()
    np.testing.assert_allclose(info["episode"]["dr"], vector * 0.9 ** (LAYERS - 1), rtol=1e-6)
    assert info["episode"]["l"] == LAYERS


def test_their_vector_gives_the_numbers_of_ours():
    # Not MOAsyncVectorEnv: that of 1.3.2 does not start on Gymnasium 1.4, whatever the environment.
    ours, theirs = gym.make_vec(ENV, 3, discrete=True), MOSyncVectorEnv([make] * 3)
    assert theirs.reward_space == ours.unwrapped.reward_space
    ours.reset(seed=0)
    theirs.reset(seed=0)
    ours.action_space.seed(1)
    for _ in range(LAYERS + 3):
        actions = ours.action_space.sample()
        for mine, other in zip(ours.step(actions)[:4], theirs.step(actions)[:4], strict=True):
            np.testing.assert_array_equal(mine, other)


def test_statistics_of_our_vector():
    env = VectorStatistics(gym.make_vec(ENV, 2, discrete=True))
    env.reset(seed=0)
    for _ in range(LAYERS):
        _, rewards, _, _, infos = env.step(np.full((2, 2), 3))
    assert infos["episode"]["r"].tolist() == rewards.tolist()
    assert infos["episode"]["r"].shape == (2, 3)
