"""Stable-Baselines3's PPO, TD3 and DDPG: ``python -m lrmp.baselines.clients.train_sb3``.

Trains every algorithm on every seed and adds a curve each to ``--out``/sb3.csv; what is there
already is not repeated. Then draws them, sb3.png.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import DDPG, PPO, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import VecEnv

from lrmp.baselines.clients.learning_curves import LearningCurves
from lrmp.baselines.running.command import check_counts
from lrmp.envs.task.task import load_task

Algorithm = Literal["ppo", "td3", "ddpg"]
Returns = NDArray[np.float64]


@dataclass(frozen=True)
class Args:
    """Train agents of Stable-Baselines3."""

    env_id: str = "LRMP-ResNet18-v0"
    """id of a layer-wise environment"""
    algorithms: tuple[Algorithm, ...] = ("ppo", "td3")
    """which"""
    seeds: int = 5
    """seeds 1..SEEDS"""
    ppo_episodes: int = 1920
    """episodes of a run of PPO"""
    td3_episodes: int = 320
    """episodes of a run of TD3 or DDPG, which replay every step"""
    out: Path = Path("runs")
    """folder of sb3.csv and sb3.png"""

    def __post_init__(self) -> None:
        check_counts(
            0, seeds=self.seeds, ppo_episodes=self.ppo_episodes, td3_episodes=self.td3_episodes
        )


def train_ppo(
    env_id: str,
    *,
    seed: int,
    episodes: int,
    dense: bool = False,
    features: Sequence[str] | None = None,
    num_envs: int = 32,
) -> tuple[BaseAlgorithm, Returns]:
    """Train PPO on discrete actions.

    Args:
        env_id: A layer-wise environment.
        seed: Fixes the run.
        episodes: Rounded up to whole rollouts, an episode of every environment each.
        dense: Whether every step is rewarded.
        features: What of the observation is seen; None for all.
        num_envs: Episodes side by side.

    Returns:
        The agent, and the return of every episode in order.
    """
    task = load_task(env_id)
    # The lrmp: prefix registers the ids in worker processes, too: SubprocVecEnv works as well.
    envs = make_vec_env(
        f"lrmp:{task.id}",
        num_envs,
        seed=seed,
        env_kwargs={"discrete": True, "dense": dense, "features": features},
    )
    layers = len(task.network)
    # A rollout is one episode of every environment; one batch of all is fastest. What an episode
    # earns comes at its end, so returns are not discounted.
    agent = PPO(
        "MlpPolicy",
        envs,
        n_steps=layers,
        batch_size=layers * num_envs,
        learning_rate=2e-3,
        gamma=1.0,
        seed=seed,
        device="cpu",
    )
    agent.learn(episodes * layers)
    return agent, _returns_of(envs)


def train_td3(
    env_id: str, *, seed: int, episodes: int, algorithm: type[TD3] = TD3
) -> tuple[BaseAlgorithm, Returns]:
    """Train TD3, or DDPG, on continuous actions and dense rewards.

    Args:
        env_id: A layer-wise environment.
        seed: Fixes the run.
        episodes: The first 20 are random.
        algorithm: ``TD3`` or ``DDPG``.

    Returns:
        The agent, and the return of every episode in order.
    """
    task = load_task(env_id)
    envs = make_vec_env(f"lrmp:{task.id}", 1, seed=seed, env_kwargs={"dense": True})
    layers, knobs = len(task.network), len(task.space)
    # At SB3's own rate of 1e-3 the actor runs into a corner of the action space and stays there.
    agent = algorithm(
        "MlpPolicy",
        envs,
        learning_rate=1e-4,
        gamma=1.0,
        learning_starts=20 * layers,
        train_freq=(1, "episode"),
        action_noise=NormalActionNoise(np.zeros(knobs), np.full(knobs, 0.1)),  # SB3 acts in -1..1
        policy_kwargs={"net_arch": [64, 64]},
        seed=seed,
        device="cpu",
    )
    agent.learn(episodes * layers)
    return agent, _returns_of(envs)


def _returns_of(envs: VecEnv) -> Returns:
    """Return what SB3's monitors noted, in the order in which the episodes ended."""
    returns: Returns = np.array(envs.env_method("get_episode_rewards")).T.reshape(-1)
    return returns


def run(args: Args) -> dict[str, list[float]]:
    """Train what is missing, and draw the curves.

    Args:
        args: Settings.

    Returns:
        Agent -> mean return of the last 160 episodes of every seed.

    Raises:
        TaskError: If there is no such task.
    """
    load_task(args.env_id)
    torch.set_num_threads(1)
    curves = LearningCurves(args.out / "sb3.csv")

    def train(seed: int, name: Algorithm) -> Returns:
        if name == "ppo":
            return train_ppo(args.env_id, seed=seed, episodes=args.ppo_episodes)[1]
        algorithm = TD3 if name == "td3" else DDPG
        return train_td3(args.env_id, seed=seed, episodes=args.td3_episodes, algorithm=algorithm)[1]

    for name in args.algorithms:
        agent = name.upper() + ("" if name == "ppo" else ", dense")
        curves.complete(agent, args.seeds, partial(train, name=name))
    curves.plot(args.out / "sb3.png", args.env_id)
    return curves.last_returns()


def main() -> None:
    """Train from the command line."""
    import tyro

    args = tyro.cli(Args)
    for agent, returns in run(args).items():
        print(agent, *(f"{value:.3f}" for value in returns))
    print(f"curves: {args.out / 'sb3.png'}")


if __name__ == "__main__":
    main()
