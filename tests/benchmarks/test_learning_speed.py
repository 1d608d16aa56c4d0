"""Whole training loops on ResNet-18, beside the environment alone.

What is wanted on two idle cores: PPO with 256 episodes side by side at 20,000 steps/s or more
(``steps_per_s``), and 600 designs of DDPG within two minutes (``seconds_per_600_designs``).
"""

from itertools import count

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("torch")

from lrmp.baselines.learners import ddpg, ppo, td3

TASK, LAYERS, EPISODES = "LRMP-ResNet18-v0", 21, 512


def train(module, tmp_path, **changes):
    """Return a function that trains afresh."""
    folders = count()

    def run():
        args = module.Args(env_id=TASK, runs_dir=tmp_path / str(next(folders)), **changes)
        return module.train(args, progress=False).rewards()

    return run


@pytest.mark.parametrize(("num_envs", "epochs"), [(20, 10), (256, 10), (256, 4)])
def test_ppo(benchmark, num_envs, epochs, tmp_path):
    benchmark.group = "steps of ResNet-18: PPO's whole loop, and 256 environments alone"
    episodes = EPISODES // num_envs * num_envs
    run = train(ppo, tmp_path, num_envs=num_envs, evaluations=episodes, epochs=epochs)
    assert len(benchmark.pedantic(run, rounds=3, warmup_rounds=1)) == episodes
    benchmark.extra_info["steps_per_s"] = episodes * LAYERS / benchmark.stats.stats.median


def test_environments_alone(benchmark):
    benchmark.group = "steps of ResNet-18: PPO's whole loop, and 256 environments alone"
    env = gym.make_vec(TASK, 256, discrete=True, autoreset_mode="SameStep")
    rng = np.random.default_rng(0)
    actions = rng.integers(0, 7, (EPISODES // 256 * LAYERS, 256, 2))
    env.reset(seed=0)

    def walk():
        for action in actions:
            terminated = env.step(action)[2]
        return terminated.all()

    assert benchmark.pedantic(walk, rounds=3, warmup_rounds=1)
    benchmark.extra_info["steps_per_s"] = EPISODES * LAYERS / benchmark.stats.stats.median


@pytest.mark.parametrize(("module", "learning"), [(ddpg, 20), (td3, 30)], ids=["ddpg", "td3"])
def test_agents_that_learn_from_a_buffer(benchmark, module, learning, tmp_path):
    benchmark.group = "40 designs of ResNet-18, after 20 or 30 of which is learned"
    run = train(module, tmp_path, evaluations=40)
    assert len(benchmark.pedantic(run, rounds=1)) == 40
    # Designs without learning take next to nothing.
    seconds = benchmark.stats.stats.median * (560 + learning) / learning
    benchmark.extra_info["seconds_per_600_designs"] = seconds
