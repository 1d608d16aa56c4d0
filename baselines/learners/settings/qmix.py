"""Settings of VDN and QMIX."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from lrmp.baselines.running.command import check_counts
from lrmp.envs.task.custom_task import TaskLike
from lrmp.errors import RunError, unknown_name

Mixer = Literal["vdn", "qmix"]


@dataclass(frozen=True)
class Args:
    """Value decomposition, an agent per layer."""

    env_id: TaskLike = "LRMP-ResNet18-v0"
    """id of the environment, in any form, or a task file (.toml); played in its multi-agent form"""
    seed: int = 1
    """seed of the run: initial weights, exploration and replay"""
    evaluations: int = 600
    """designs that the agents choose, a multiple of NUM_ENVS * ROUNDS"""
    mixer: Mixer = "qmix"
    """how agents' values make the team's: vdn adds them, qmix has a monotone network"""
    rounds: int = 1
    """how often all layers choose in an episode, knowing the design before"""
    runs_dir: Path = Path("runs")
    """where the run directory is made: RUNS_DIR/ENV_ID__MIXER__SEED"""

    # Algorithm specific arguments
    num_envs: int = 10
    """episodes side by side, which one iteration plays"""
    identities: bool = True
    """show every agent also who it is"""
    learning_rate: float = 3e-3
    """Adam's first learning rate; it falls linearly to zero"""
    gamma: float = 1.0
    """discount"""
    updates: int = 10
    """updates per iteration"""
    batch_size: int = 64
    """team transitions per update"""
    buffer_size: int = 5000
    """team transitions kept"""
    target_every: int = 20
    """iterations between copies to the target network"""
    last_epsilon: float = 0.05
    """chance of random values at the end; it falls linearly from 1"""
    exploration: float = 0.8
    """share of the run after which the chance stays"""
    max_gradient: float = 10.0
    """largest norm of a gradient"""
    checkpoint_every: int = 50
    """iterations between checkpoints"""

    def __post_init__(self) -> None:
        check_counts(
            self.seed,
            evaluations=self.evaluations,
            rounds=self.rounds,
            num_envs=self.num_envs,
            updates=self.updates,
            batch_size=self.batch_size,
            buffer_size=self.buffer_size,
            target_every=self.target_every,
            checkpoint_every=self.checkpoint_every,
        )
        if self.mixer not in get_args(Mixer):
            raise RunError(unknown_name("mixer", self.mixer, get_args(Mixer)))
        for name in ("last_epsilon", "exploration"):
            if not 0 <= getattr(self, name) <= 1:
                raise RunError(f"Expected {name} from 0 to 1, got {getattr(self, name)}.")
        if self.evaluations % (self.num_envs * self.rounds):
            raise RunError(
                f"Expected evaluations to be a multiple of num_envs * rounds "
                f"({self.num_envs * self.rounds}), got {self.evaluations}."
            )

    def epsilon(self, done: float) -> float:
        """Return the chance of random values.

        Args:
            done: Share of the run that is over.
        """
        left = 1 - done / self.exploration if done < self.exploration else 0.0
        return self.last_epsilon + left * (1 - self.last_epsilon)
