"""Settings of TD3."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lrmp.baselines.running.command import check_counts
from lrmp.envs.task.custom_task import TaskLike
from lrmp.errors import RunError


@dataclass(frozen=True)
class Args:
    """TD3 for rewards that come at the end."""

    env_id: TaskLike = "LRMP-ResNet18-v0"
    """id of the environment, in any form, or a task file (.toml)"""
    seed: int = 1
    """seed of the run: initial weights, exploration and replay"""
    evaluations: int = 600
    """designs to try, a multiple of NUM_ENVS"""
    runs_dir: Path = Path("runs")
    """where the run directory is made: RUNS_DIR/ENV_ID__td3__SEED"""

    # Parts that can be switched off
    twin_critics: bool = True
    """two critics, of which the lower value counts"""
    policy_delay: int = 2
    """updates of the critics per update of the actor"""
    target_noise: float = 0.2
    """spread of the noise on bootstrapped targets' actions, cut at 2.5 times that; 0 for none"""
    n_steps: int = 0
    """steps after which a critic's value stands for the rest; 0 for the return of the episode"""
    compress_rewards: bool = True
    """learn rewards below zero through -ln(1 - r)"""
    exploration: Literal["few", "all"] = "few"
    """few decisions of an episode; or all, first at random, then with HAQ's decaying spread"""
    first_action: float = 0.0
    """what the untrained policy answers"""
    inverted_gradients: bool = True
    """scale slopes by the room that is left for the action, not by the squashing"""

    # Algorithm specific arguments
    num_envs: int = 10
    """episodes side by side"""
    updates_per_episode: int = 5
    """updates of the critics"""
    actor_learning_rate: float = 1e-3
    """Adam's first learning rate of the actor; it falls linearly to zero"""
    critic_learning_rate: float = 1e-3
    """Adam's learning rate of the critics"""
    hidden: int = 64
    """width of the hidden layers"""
    batch_size: int = 128
    """transitions per update"""
    buffer_episodes: int = 600
    """episodes that the replay buffer holds"""
    warmup_episodes: int = 20
    """first episodes, without learning"""
    explored: float = 0.1
    """share of the decisions that explore, if few do"""
    sigma: float = 0.6
    """their first spread"""
    last_sigma: float = 0.2
    """their last spread; it falls linearly"""
    tau: float = 0.01
    """share of the new weights in the target networks at every update"""
    checkpoint_every: int = 10
    """iterations between checkpoints"""

    def __post_init__(self) -> None:
        check_counts(
            self.seed,
            evaluations=self.evaluations,
            policy_delay=self.policy_delay,
            num_envs=self.num_envs,
            updates_per_episode=self.updates_per_episode,
            hidden=self.hidden,
            batch_size=self.batch_size,
            buffer_episodes=self.buffer_episodes,
            checkpoint_every=self.checkpoint_every,
        )
        if self.evaluations % self.num_envs:
            raise RunError(
                f"Expected evaluations to be a multiple of num_envs ({self.num_envs}), got "
                f"{self.evaluations}."
            )
        if self.n_steps < 0:
            raise RunError(f"Expected n_steps of at least 0, got {self.n_steps}.")
        for name in ("sigma", "last_sigma"):
            if not getattr(self, name) > 0:
                raise RunError(f"Expected {name} above 0, got {getattr(self, name)}.")
        if not -1 < self.first_action < 1:
            raise RunError(f"Expected first_action between -1 and 1, got {self.first_action}.")
