"""Random search: ``lrmp train random --env-id LRMP-ResNet18-v0 --seed 1``.

Every knob of every layer is drawn from its values, all as likely, which is what uniformly random
actions give.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.baselines.running.command import check_counts, run_command
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.baselines.searchers.search import Proposals, run_searcher
from lrmp.envs.task.custom_task import TaskLike
from lrmp.hardware.space.design_space import DesignSpace

AGENT = "random"
BATCH = 50  # designs scored together, which is faster; the draws do not depend on it


@dataclass(frozen=True)
class Args:
    """Random search."""

    env_id: TaskLike = "LRMP-ResNet18-v0"
    """id of the environment, in any form, or a task file (.toml)"""
    accuracy: AccuracyKind | None = None
    """run the "network" itself, or look drops up in a "table"; default: as the task does"""
    seed: int = 1
    """seed of the run"""
    evaluations: int = 600
    """designs to try"""
    runs_dir: Path = Path("runs")
    """where the run directory is made: RUNS_DIR/ENV_ID__random__SEED"""

    def __post_init__(self) -> None:
        check_counts(self.seed, evaluations=self.evaluations)


def train(args: Args, *, progress: bool = True) -> RunDirectory:
    """Try random designs.

    Args:
        args: Settings.
        progress: Whether to show a progress bar.

    Returns:
        The finished run directory.
    """
    return run_searcher(
        AGENT,
        args,
        lambda task, args: propose(task.space, len(task.network), args.seed),
        args.evaluations,
        progress=progress,
    )


def propose(space: DesignSpace, layers: int, seed: int) -> Proposals:
    """Draw designs without end.

    Args:
        space: The knobs.
        layers: L.
        seed: Fixes the designs.

    Yields:
        Designs, shape (BATCH, L, K).
    """
    rng = np.random.default_rng(seed)
    while True:
        yield space.sample(rng, layers, BATCH)


def main() -> None:
    """Search from the command line."""
    run_command(Args, train)


if __name__ == "__main__":
    main()
