"""Settings of the policy gradient over sets of layers."""

from dataclasses import dataclass
from pathlib import Path

from lrmp.baselines.running.command import check_counts
from lrmp.envs.task.custom_task import TaskLike
from lrmp.errors import RunError


@dataclass(frozen=True)
class Args:
    """Policy gradient over all layers at once."""

    env_id: TaskLike = "LRMP-ResNet18-v0"
    """id of the environment, in any form, or a task file (.toml); its accuracy is a table"""
    seed: int = 1
    """seed of the run: initial weights and designs"""
    evaluations: int = 600
    """designs to try, a multiple of DESIGNS"""
    start: Path | None = None
    """policy to start from, as lrmp.baselines.experiments.transfer writes it; without one, from
    scratch. For a trained policy, and 10,000 designs, take --designs 20 --learning-rate 3e-4
    --entropy 0.02"""
    runs_dir: Path = Path("runs")
    """where the run directory is made: RUNS_DIR/ENV_ID__AGENT__SEED, AGENT being policy-gradient,
    or policy-gradient-pretrained with START"""

    # Algorithm specific arguments
    designs: int = 10
    """designs per iteration"""
    learning_rate: float = 3e-3
    """Adam's first learning rate; it falls linearly to zero"""
    entropy: float = 0.02
    """first weight of the entropy; it falls linearly to zero"""
    max_gradient: float = 0.5
    """largest norm of a gradient"""
    checkpoint_every: int = 25
    """iterations between checkpoints"""

    def __post_init__(self) -> None:
        check_counts(
            self.seed,
            evaluations=self.evaluations,
            designs=self.designs - 1,
            checkpoint_every=self.checkpoint_every,
        )
        if self.evaluations % self.designs:
            raise RunError(
                f"Expected evaluations to be a multiple of designs ({self.designs}), got "
                f"{self.evaluations}."
            )

    @property
    def agent(self) -> str:
        """Name under which the run is ranked."""
        return "policy-gradient" + ("-pretrained" if self.start else "")
