"""Steps of the environments, beside as many of CartPole's through the same wrappers."""

import gymnasium as gym
import numpy as np
import pytest

from lrmp.envs.task.environment_id import environment_id

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


EPISODES = 256


def lrmp_vector():
    env = gym.make_vec("LRMP-ResNet18-v0", EPISODES, autoreset_mode="SameStep")
    rng = np.random.default_rng(0)
    return env, [rng.random((EPISODES, 2), dtype=np.float32) for _ in range(LAYERS)]


def cartpole_vector():
    env = gym.make_vec("CartPole-v1", EPISODES)
    return env, [np.full(EPISODES, step % 2) for step in range(LAYERS)]


@pytest.mark.parametrize("run", [lrmp_vector, cartpole_vector])
def test_vector_env(benchmark, run):
    benchmark.group = f"{LAYERS} steps of {EPISODES} episodes; for lrmp with all oracle calls"
    env, actions = run()
    env.reset(seed=0)

    def episodes():
        for action in actions:
            terminated = env.step(action)[2]
        return terminated.all()

    assert benchmark(episodes) == (run is lrmp_vector)
    benchmark.extra_info["steps_per_s"] = EPISODES * LAYERS / benchmark.stats.stats.median


@pytest.mark.parametrize("form", ["", "OneShot", "Refine"])
def test_making_an_environment(benchmark, form):
    benchmark.group = "gym.make of LRMP-ResNet101-Predicted-v0"
    env_id = environment_id("LRMP-ResNet101-Predicted-v0", form)
    env = benchmark(gym.make, env_id)
    assert env.spec.id == env_id
