"""RLlib's PPO with spawned workers: ``python -m lrmp.baselines.clients.train_rllib``.

Ray pins one version of Gymnasium, so ``pip install "lrmp[rllib]"`` goes into an environment of its
own.
"""

import argparse
from typing import Any

import ray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.tune.registry import register_env


def train(
    env_id: str, *, seed: int, iterations: int, workers: int = 1, envs_per_worker: int = 8
) -> list[float]:
    """Train PPO on discrete actions and dense rewards.

    Args:
        env_id: A layer-wise environment.
        seed: Seed of the run. Episodes arrive as workers finish them, so that runs of several
            workers may differ.
        iterations: Rollouts, and the updates from each.
        workers: Processes that play.
        envs_per_worker: Episodes side by side in each.

    Returns:
        Mean return of the episodes that ended lately, after every iteration.
    """
    config = (
        PPOConfig()
        # A worker is a new process: the lrmp: prefix is what registers the ids there.
        .environment(f"lrmp:{env_id}", env_config={"discrete": True, "dense": True})
        .env_runners(num_env_runners=workers, num_envs_per_env_runner=envs_per_worker)
        .training(
            lr=1e-3, gamma=1.0, train_batch_size_per_learner=672, minibatch_size=672, num_epochs=10
        )
        .reporting(metrics_num_episodes_for_smoothing=32)
        .debugging(seed=seed)
    )
    return run(config, iterations, workers)


def make_multi_agent(settings: dict[str, Any]) -> ParallelPettingZooEnv:
    """Build the multi-agent form of a task; workers call it.

    Args:
        settings: Arguments of `lrmp.envs.multi_agent.parallel_env`.

    Returns:
        RLlib's view of it.
    """
    from lrmp.envs.multi_agent import parallel_env

    return ParallelPettingZooEnv(parallel_env(**settings))


def train_multi_agent(task_id: str, *, seed: int, iterations: int, workers: int = 1) -> list[float]:
    """Train one policy that all layers share, by PPO on difference rewards.

    Args:
        task_id: Id of a task.
        seed: Seed of the run.
        iterations: Rollouts, and the updates from each.
        workers: Processes that play.

    Returns:
        Mean over episodes of the sum of the layers' rewards, after every iteration.
    """
    register_env("lrmp-multi-agent", make_multi_agent)
    settings = {"task": task_id, "discrete": True, "credit": "difference"}
    config = (
        PPOConfig()
        .environment("lrmp-multi-agent", env_config=settings)
        .env_runners(num_env_runners=workers)
        .multi_agent(policies={"layer"}, policy_mapping_fn=lambda *_, **__: "layer")
        .training(
            lr=1e-3, gamma=1.0, train_batch_size_per_learner=64, minibatch_size=64, num_epochs=10
        )
        .reporting(metrics_num_episodes_for_smoothing=32)
        .debugging(seed=seed)
    )
    return run(config, iterations, workers)


def run(config: PPOConfig, iterations: int, workers: int) -> list[float]:
    """Train on a local Ray.

    Args:
        config: What to train.
        iterations: Rollouts, and the updates from each.
        workers: Processes that play.

    Returns:
        Mean return of the episodes that ended lately, after every iteration.
    """
    ray.init(num_cpus=workers + 1, include_dashboard=False, log_to_driver=False)
    try:
        algorithm = config.build_algo()
        returns = [
            float(algorithm.train()["env_runners"]["episode_return_mean"])
            for _ in range(iterations)
        ]
        algorithm.stop()
    finally:
        ray.shutdown()
    return returns


def main() -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env-id", default="LRMP-ResNet18-v1")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--iterations", type=int, default=40)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    returns = train(
        options.env_id, seed=options.seed, iterations=options.iterations, workers=options.workers
    )
    print(f"mean return: {returns[0]:.3f} after the first iteration, {returns[-1]:.3f} at the end")


if __name__ == "__main__":
    main()
