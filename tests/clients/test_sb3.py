"""Stable-Baselines3: the forms pass its checker, and PPO and TD3 learn."""

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason='needs pip install "lrmp[sb3]"')

import torch
from stable_baselines3 import DDPG, PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import SubprocVecEnv

from lrmp.baselines.clients.train_sb3 import train_ppo, train_td3

ENV = "LRMP-ResNet18-v0"


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    "env_id", [ENV, "LRMP-ResNet18-OneShot-v0", "LRMP-ResNet18-Refine-v0", "LRMP-LeNet-v0"]
)
def test_checker_finds_nothing(env_id):
    settings = {} if "Refine" in env_id else {"discrete": True}
    check_env(gym.make(f"lrmp:{env_id}", **settings))


def test_checker_recommends_symmetric_boxes_and_rescaling_makes_them():
    env = gym.make(f"lrmp:{ENV}")
    with pytest.warns(UserWarning, match="symmetric and normalized Box action space") as warned:
        check_env(env)
    assert len(warned) == 1
    check_env(gym.wrappers.RescaleAction(env, -1, 1))


def test_spawned_workers_know_the_prefixed_id():
    envs = make_vec_env(
        f"lrmp:{ENV}",
        2,
        vec_env_cls=SubprocVecEnv,
        vec_env_kwargs={"start_method": "spawn"},
    )
    envs.reset()
    for _ in range(21):
        observations, rewards, dones, infos = envs.step(np.full((2, 2), 0.6, np.float32))
    envs.close()
    assert dones.all()
    assert rewards[0] == pytest.approx(1.4197725, abs=1e-6)  # 6 bits everywhere
    # The vector resets by itself: what ended is in the info.
    assert not np.array_equal(infos[0]["terminal_observation"], observations[0])
    assert not infos[0]["TimeLimit.truncated"]


@pytest.mark.parametrize("env_id", ["LRMP-Procedural-v0", "LRMP-Procedural-OneShot-v0"])
def test_vectors_of_procedural_ids_train_and_are_shown(env_id):
    envs = make_vec_env(f"lrmp:{env_id}", 2, seed=1)  # asks for pixels
    PPO("MultiInputPolicy", envs, n_steps=64, batch_size=64, n_epochs=1, seed=1).learn(128)
    assert envs.render(mode="rgb_array").shape == (2 * 600, 1600, 3)


def test_ppo_learns():
    # Random designs return -52 on average; this seed ends near 0.
    _, returns = train_ppo(ENV, seed=1, episodes=800)
    assert returns[:32].mean() < -40
    assert returns[-160:].mean() > -5


def test_same_seed_same_returns():
    one, two = (train_ppo(ENV, seed=3, episodes=64)[1] for _ in range(2))
    assert np.array_equal(one, two)
    assert len(np.unique(one)) > 32


@pytest.mark.parametrize("algorithm", ["TD3", "DDPG"])
def test_actor_critics_learn(algorithm):
    # An untrained actor answers 5 bits everywhere, which returns -2.1; 8 bits return 0.
    settings = {"algorithm": DDPG} if algorithm == "DDPG" else {}
    _, returns = train_td3(ENV, seed=1, episodes=200, **settings)
    assert returns[:20].mean() < -40
    assert returns[-20:].mean() > 0
