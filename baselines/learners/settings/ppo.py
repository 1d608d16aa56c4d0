"""Settings of PPO."""

from dataclasses import dataclass
from pathlib import Path

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.baselines.running.command import check_counts
from lrmp.envs.task.custom_task import TaskLike
from lrmp.errors import RunError


@dataclass(frozen=True)
class Args:
    """PPO on the vector environment."""

    env_id: TaskLike = "LRMP-ResNet18-v0"
    """id of the environment, in any form, or a task file (.toml)"""
    accuracy: AccuracyKind | None = None
    """run the "network" itself, or look drops up in a "table"; default: as the task does"""
    seed: int = 1
    """seed of the run: initial weights, exploration and minibatches"""
    evaluations: int = 600
    """designs to try, a multiple of NUM_ENVS"""
    runs_dir: Path = Path("runs")
    """where the run directory is made: RUNS_DIR/ENV_ID__ppo__SEED"""

    # Algorithm specific arguments
    num_envs: int = 20
    """episodes side by side, which one iteration learns from; for 10,240 designs in the time of
    600, take --num-envs 256 --epochs 1 --minibatches 8 --hidden 64 --entropy 0.01"""
    learning_rate: float = 3e-3
    """Adam's first learning rate; it falls linearly to zero; with 1e-3 and an entropy of 0.01 the
    best design is found later, and the policy is not lost afterwards"""
    gamma: float = 1.0
    """discount"""
    gae_lambda: float = 0.95
    """trace of the advantage estimate"""
    epochs: int = 10
    """passes over the steps of an iteration"""
    minibatches: int = 4
    """parts of a pass"""
    hidden: int = 128
    """width of the hidden layers"""
    clip: float = 0.4
    """how far the ratio of new to old probabilities counts"""
    entropy: float = 0.0
    """first weight of the entropy; it falls linearly to zero"""
    value_weight: float = 0.5
    """weight of the value loss"""
    max_gradient: float = 0.5
    """largest norm of a gradient"""
    checkpoint_every: int = 25
    """iterations between checkpoints"""

    def __post_init__(self) -> None:
        check_counts(
            self.seed,
            evaluations=self.evaluations,
            num_envs=self.num_envs,
            epochs=self.epochs,
            minibatches=self.minibatches,
            hidden=self.hidden,
            checkpoint_every=self.checkpoint_every,
        )
        if self.evaluations % self.num_envs:
            raise RunError(
                f"Expected evaluations to be a multiple of num_envs ({self.num_envs}), got "
                f"{self.evaluations}."
            )
