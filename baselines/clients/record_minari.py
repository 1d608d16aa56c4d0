"""A Minari data set near the best design: ``python -m lrmp.baselines.clients.record_minari``.

Every layer has the setting of the task's proven optimum or, with a probability, random ones. Minari
keeps data sets where ``MINARI_DATASETS_PATH`` says, else in the home directory.
"""

import argparse

import gymnasium as gym
import minari
import numpy as np

from lrmp import __version__
from lrmp.envs.task.optimum import stored_optimum
from lrmp.envs.task.task import load_task
from lrmp.errors import RunError


def record(
    dataset_id: str, env_id: str, *, episodes: int, noise: float, seed: int
) -> minari.MinariDataset:
    """Record episodes.

    Args:
        dataset_id: Of the new data set, such as ``"lrmp/resnet18/noisy-v0"``.
        env_id: A layer-wise environment whose optimum is known.
        episodes: How many, at least 1.
        noise: Probability that a layer gets a random setting; 1 for a random agent.
        seed: Fixes the actions.

    Returns:
        The data set; ``minari.load_dataset(dataset_id)`` loads it again.

    Raises:
        RunError: If an argument is out of range or the optimum is not known.
        TaskError: If there is no such task.
    """
    task = load_task(env_id)
    optimum = stored_optimum(task)
    if optimum is None:
        raise RunError(f"Expected a task whose optimum is stored, got {env_id!r}.")
    if episodes < 1 or not 0 <= noise <= 1:
        raise RunError(
            "Expected at least 1 episode and noise from 0 to 1, "
            f"got {episodes} episodes and noise {noise}."
        )
    best = optimum.design.settings
    rng = np.random.default_rng(seed)
    env = gym.make(f"lrmp:{task.id}", discrete="flat")  # d3rlpy takes no MultiDiscrete
    collector = minari.DataCollector(env, record_infos=True)
    for episode in range(episodes):
        collector.reset(seed=seed + episode)
        random = rng.integers(0, task.space.sizes, best.shape)
        played = np.where(rng.random((len(best), 1)) < noise, random, best)
        for action in np.ravel_multi_index(tuple(played.T), task.space.sizes):
            collector.step(action)
    dataset = collector.create_dataset(
        dataset_id=dataset_id,
        eval_env=env.spec,
        algorithm_name=f"proven optimum, each layer random with probability {noise:g}",
        description=f"{episodes} episodes of {task.id}, seed {seed}",
        requirements=[f"lrmp=={__version__}"],
    )
    collector.close()
    return dataset


def main() -> None:
    """Record from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset-id", default="lrmp/resnet18/noisy-v0")
    parser.add_argument("--env-id", default="LRMP-ResNet18-v0")
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--noise", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    dataset = record(
        options.dataset_id,
        options.env_id,
        episodes=options.episodes,
        noise=options.noise,
        seed=options.seed,
    )
    print(f"{dataset.id}: {dataset.total_episodes} episodes, {dataset.total_steps} steps")


if __name__ == "__main__":
    main()
