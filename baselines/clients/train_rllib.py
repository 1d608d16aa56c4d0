"""RLlib's PPO on the multi-agent form: layers that share a policy, on difference rewards.

Ray pins one version of Gymnasium, so ``pip install "lrmp[rllib]"`` goes into an environment of its
own.
"""

from typing import Any

import ray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.tune.registry import register_env

BLOCK = 32  # episodes, which the reported returns are means of


def make_multi_agent(settings: dict[str, Any]) -> ParallelPettingZooEnv:
    """Build the multi-agent form of a task; workers call it.

    Args:
        settings: Arguments of `lrmp.envs.forms.multi_agent.parallel_env`.

    Returns:
        RLlib's view of it.
    """
    from lrmp.envs.forms.multi_agent import parallel_env

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
        .learners(num_learners=1)  # not in this process, whose hash seed is given
        .multi_agent(policies={"layer"}, policy_mapping_fn=lambda *_, **__: "layer")
        .training(
            lr=1e-3, gamma=1.0, train_batch_size_per_learner=64, minibatch_size=64, num_epochs=10
        )
        .reporting(metrics_num_episodes_for_smoothing=BLOCK)
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
    ray.init(
        address="local",  # not the cluster of somebody else on this machine
        num_cpus=workers + 2,
        include_dashboard=False,
        log_to_driver=False,
        # RLlib keeps agents' names in sets, whose order decides what is sampled and learnt first.
        runtime_env={"env_vars": {"PYTHONHASHSEED": "0"}},
    )
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
