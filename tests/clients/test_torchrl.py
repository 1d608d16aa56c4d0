"""TorchRL: the forms' specs are consistent and rollouts are ours."""

import warnings

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("torch", reason='needs pip install "lrmp[torchrl]"')
with warnings.catch_warnings():
    # TorchRL deprecates classes that it defines itself.
    warnings.simplefilter("ignore", DeprecationWarning)
    pytest.importorskip("torchrl", reason='needs pip install "lrmp[torchrl]"')
    import torch
    from torchrl.envs import GymEnv, check_env_specs

ENV = "LRMP-ResNet18-v0"


@pytest.fixture(autouse=True)
def seeds_and_threads_of_their_own():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("env_id", "settings"),
    [
        (ENV, {}),
        (ENV, {"discrete": True, "dense": True}),
        (ENV, {"discrete": True, "categorical_action_encoding": True}),
        ("LRMP-ResNet18-OneShot-v0", {}),
        ("LRMP-LeNet-Refine-v0", {"horizon": 3}),
        (ENV, {"observation": "prefix"}),
        (ENV, {"observation": "graph"}),
    ],
)
def test_specs_are_consistent(env_id, settings):
    check_env_specs(GymEnv(f"lrmp:{env_id}", device="cpu", **settings))


def test_rollout_is_gymnasiums():
    rollout = GymEnv(f"lrmp:{ENV}", device="cpu").rollout(100)
    assert rollout.batch_size == (21,)  # it stops with the episode
    env = gym.make(ENV)
    observation, _ = env.reset()
    for step in rollout:
        assert np.array_equal(step["observation"].numpy(), observation)
        observation, reward, terminated, truncated, _ = env.step(step["action"].numpy())
        assert np.array_equal(step["next", "observation"].numpy(), observation)
        # TorchRL keeps rewards as float32.
        assert step["next", "reward"].item() == np.float32(reward)
        assert step["next", "terminated"].item() is terminated
        assert step["next", "truncated"].item() is truncated
