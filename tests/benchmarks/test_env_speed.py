"""Steps of the scalar environment, beside as many of CartPole's through the same wrappers."""

import gymnasium as gym
import numpy as np
import pytest

import lrmp  # noqa: F401  registers the environments

LAYERS = 21  # of ResNet-18: steps per episode


def lrmp_run():
    env = gym.make("LRMP-ResNet18-v0")
    actions = np.random.default_rng(0).random((LAYERS, 2), dtype=np.float32)
    return env, list(actions)


def cartpole_run():
    # Pushing left and right in turn keeps the pole up for all the steps.
    return gym.make("CartPole-v1"), [0, 1] * LAYERS


runs = pytest.mark.parametrize("run", [lrmp_run, cartpole_run])


def walk(env, actions):
    for action in actions:
        terminated = env.step(action)[2]
    return terminated


@runs
def test_whole_episode(benchmark, run):
    benchmark.group = f"reset and {LAYERS} steps; for lrmp a whole episode with its oracle call"
    env, actions = run()

    def episode():
        env.reset(seed=0)
        return walk(env, actions[:LAYERS])

    assert benchmark(episode) == (run is lrmp_run)


@runs
def test_steps_without_the_last(benchmark, run):
    benchmark.group = f"{LAYERS - 1} steps; for lrmp an episode without its oracle call"
    env, actions = run()

    def reset():
        env.reset(seed=0)
        return (env, actions[: LAYERS - 1]), {}

    assert not benchmark.pedantic(walk, setup=reset, rounds=200, warmup_rounds=5)
