"""Steps of the environments, beside as many of CartPole's through the same wrappers."""

import gymnasium as gym
import numpy as np
import pytest

from lrmp.envs.task.environment_id import environment_id

LAYERS = 21  # of ResNet-18: steps per episode


def lrmp_run():
    env = gym.make("LRMP-ResNet18-v0")
    actions = np.random.default_rng(0).uniform(-1, 1, (LAYERS, 2)).astype(np.float32)
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


@pytest.mark.parametrize("mode", ["sync", "vector_entry_point"])
@pytest.mark.parametrize("env_id", ["LRMP-Procedural-v0", "LRMP-Procedural-OneShot-v0"])
@pytest.mark.parametrize("instances", [None, 128])
def test_steps_of_drawn_tasks_side_by_side(benchmark, env_id, instances, mode):
    benchmark.group = f"a step of 64 episodes, {env_id}, {instances or 'all'} instances"
    envs = gym.make_vec(env_id, 64, mode, instances=instances)
    envs.reset(seed=0)
    actions = envs.action_space.sample()
    benchmark.pedantic(envs.step, (actions,), rounds=40, warmup_rounds=20)
    envs.close()
