"""Stable-Baselines3: the forms pass its checker and train in its vectors."""

import re
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason='needs pip install "lrmp[sb3]"')

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import SubprocVecEnv

from lrmp.envs import evaluate_settings, load_task
from lrmp.envs.scoring.best_constant import best_constant

ENV = "LRMP-ResNet18-v0"
PAGE = Path(__file__).parents[2] / "docs" / "for-rl.md"


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


def test_checker_has_nothing_to_say_of_boxes():
    check_env(gym.make(f"lrmp:{ENV}"))  # its warnings are errors here


def test_spawned_workers_know_the_prefixed_id():
    envs = make_vec_env(
        f"lrmp:{ENV}",
        2,
        vec_env_cls=SubprocVecEnv,
        vec_env_kwargs={"start_method": "spawn"},
    )
    envs.reset()
    for _ in range(21):
        observations, rewards, dones, infos = envs.step(np.full((2, 2), 0.55, np.float32))
    envs.close()
    assert dones.all()
    outcome = evaluate_settings(load_task(ENV), np.full((21, 2), 5))  # 7 bits everywhere
    assert outcome.score == pytest.approx(rewards[0], abs=1e-6)
    # The vector resets by itself: what ended is in the info.
    assert not np.array_equal(infos[0]["terminal_observation"], observations[0])
    assert not infos[0]["TimeLimit.truncated"]


@pytest.mark.parametrize("env_id", ["LRMP-Procedural-v0", "LRMP-Procedural-OneShot-v0"])
def test_vectors_of_procedural_ids_train_and_are_shown(env_id):
    envs = make_vec_env(f"lrmp:{env_id}", 2, seed=1)  # asks for pixels
    PPO("MultiInputPolicy", envs, n_steps=64, batch_size=64, n_epochs=1, seed=1).learn(128)
    assert envs.render(mode="rgb_array").shape == (2 * 600, 1600, 3)


@pytest.mark.parametrize("env_id", [ENV, "LRMP-LeNet-Refine-v0", "LRMP-Procedural-v0"])
def test_graphs_train(env_id):
    env = gym.make(f"lrmp:{env_id}", observation="graph")
    agent = PPO("MultiInputPolicy", env, n_steps=64, batch_size=64, n_epochs=1, seed=1)
    assert agent.learn(128).num_timesteps == 128


@pytest.mark.skipif(not PAGE.exists(), reason="the page lies in the repository")
def test_the_page_for_rl_learns(capsys):
    (code,) = re.findall(
        r"^<!-- learn -->\n```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S
    )
    exec(compile(code, PAGE.name, "exec"), {})
    score = float(re.fullmatch(r"score ([\d.]+)\n", capsys.readouterr().out)[1])
    assert score > best_constant(ENV).value + 0.02
