"""RLlib's PPO with spawned workers: ``python -m lrmp.baselines.clients.train_rllib``.

Ray pins one version of Gymnasium, so ``pip install "lrmp[rllib,plot]"`` goes into an environment of
its own. Trains every seed, single and multi-agent, and adds its curve to ``--out``/rllib.csv or
rllib_multi_agent.csv; what is there already is not repeated. Then draws them.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.tune.registry import register_env

from lrmp.baselines.clients.learning_curves import LearningCurves
from lrmp.envs.task.task import load_task

BLOCK = 32  # episodes, which the reported returns are means of


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
        .environment(f"lrmp:{load_task(env_id).id}", env_config={"discrete": True, "dense": True})
        .env_runners(num_env_runners=workers, num_envs_per_env_runner=envs_per_worker)
        .training(
            lr=1e-3, gamma=1.0, train_batch_size_per_learner=672, minibatch_size=672, num_epochs=10
        )
        .reporting(metrics_num_episodes_for_smoothing=BLOCK)
        .debugging(seed=seed)
    )
    return run(config, iterations, workers)


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


def main() -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env-id", default="LRMP-ResNet18-v0")
    parser.add_argument("--multi-agent-task", default="LRMP-LeNet-v0")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 1..SEEDS")
    parser.add_argument("--iterations", type=int, default=40)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs"))
    options = parser.parse_args()

    def single(seed: int) -> NDArray[np.float64]:
        returns = train(
            options.env_id, seed=seed, iterations=options.iterations, workers=options.workers
        )
        return np.repeat(returns, BLOCK)  # an iteration is a block

    def multi(seed: int) -> NDArray[np.float64]:
        returns = train_multi_agent(
            options.multi_agent_task,
            seed=seed,
            iterations=options.iterations // 2,
            workers=options.workers,
        )
        # An iteration is 64 episodes, of which the later half is reported.
        return np.repeat(returns, 2 * BLOCK)

    curves = LearningCurves(options.out / "rllib.csv")
    curves.complete("PPO of RLlib, dense", options.seeds, single)
    curves.plot(options.out / "rllib.png", options.env_id)
    # The sum of difference rewards is not the design's reward: its optimum is another.
    layers = LearningCurves(options.out / "rllib_multi_agent.csv", block=2 * BLOCK)
    layers.complete("PPO of RLlib, a policy for all layers", options.seeds, multi)
    layers.plot(
        options.out / "rllib_multi_agent.png", options.multi_agent_task, lowest=1.0, optimum=False
    )
    for agent, returns in (curves.last_returns() | layers.last_returns()).items():
        print(agent, *(f"{value:.3f}" for value in returns))


if __name__ == "__main__":
    main()
