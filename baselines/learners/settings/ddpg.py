"""Settings of DDPG: HAQ's."""

from dataclasses import dataclass
from pathlib import Path

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.baselines.running.command import check_counts
from lrmp.envs.task.custom_task import TaskLike
from lrmp.errors import RunError


@dataclass(frozen=True)
class Args:
    """DDPG with HAQ's settings."""

    env_id: TaskLike = "LRMP-ResNet18-v0"
    """id of the environment, in any form, or a task file (.toml)"""
    accuracy: AccuracyKind | None = None
    """run the "network" itself, or look drops up in a "table"; default: as the task does"""
    seed: int = 1
    """seed of the run: initial weights, exploration and replay"""
    evaluations: int = 600
    """designs to try"""
    runs_dir: Path = Path("runs")
    """where the run directory is made: RUNS_DIR/ENV_ID__ddpg__SEED"""

    # Algorithm specific arguments
    actor_learning_rate: float = 1e-4
    """Adam's learning rate of the actor"""
    critic_learning_rate: float = 1e-3
    """Adam's learning rate of the critic"""
    gamma: float = 1.0
    """discount"""
    tau: float = 0.01
    """share of the new weights in the target networks at every update"""
    batch_size: int = 64
    """transitions per update"""
    buffer_episodes: int = 128
    """episodes that the replay buffer holds"""
    warmup_episodes: int = 20
    """first episodes, with uniformly random actions and no learning"""
    sigma: float = 1.0
    """spread of the exploration after the warm-up"""
    sigma_decay: float = 0.99
    """factor on the spread per episode"""
    reward_scale: float = 0.1
    """factor on the rewards that are learned from; HAQ's reward has it built in"""
    baseline_decay: float = 0.5
    """weight of the past in the moving average of batch rewards"""
    checkpoint_every: int = 25
    """episodes between checkpoints"""

    def __post_init__(self) -> None:
        check_counts(
            self.seed,
            evaluations=self.evaluations,
            batch_size=self.batch_size,
            buffer_episodes=self.buffer_episodes,
            checkpoint_every=self.checkpoint_every,
        )
        if not self.sigma > 0:
            raise RunError(f"Expected sigma above 0, got {self.sigma}.")
