"""Simulated annealing: ``lrmp train annealing --env-id LRMP-ResNet18-v0 --seed 1``.

Metropolis' rule with a geometric schedule (Kirkpatrick et al., Science 220, 1983). A neighbour
differs in one to ``changes`` operands, each by one to ``reach`` bits, so that with two
bits can move from one layer to another in one step. The schedule is stretched over the designs of
the run. The settings are those that were best on tasks that are not scored
(docs/results/tuning/tuning.md).
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.baselines.running.command import check_counts, run_command
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.baselines.searchers.search import Proposals, run_searcher
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.errors import RunError
from lrmp.hardware.space.design import MAX_BITS, MIN_BITS

AGENT = "annealing"


@dataclass(frozen=True)
class Args:
    """Simulated annealing."""

    env_id: TaskLike = "LRMP-ResNet18-v0"
    """id of the environment, in any form, or a task file (.toml)"""
    accuracy: AccuracyKind | None = None
    """run the "network" itself, or look drops up in a "table"; default: as the task does"""
    seed: int = 1
    """seed of the run"""
    evaluations: int = 600
    """designs to score"""
    runs_dir: Path = Path("runs")
    """where the run directory is made: RUNS_DIR/ENV_ID__annealing__SEED"""

    # Algorithm specific arguments
    start_bits: int = 5
    """bits of all operands at the start"""
    hottest: float = 0.01
    """first temperature, in units of the reward"""
    coldest: float = 0.001
    """last temperature"""
    changes: int = 1
    """most operands that change in one step"""
    reach: int = 1
    """most bits by which an operand changes"""

    def __post_init__(self) -> None:
        check_counts(
            self.seed, evaluations=self.evaluations, changes=self.changes, reach=self.reach
        )
        if not MIN_BITS <= self.start_bits <= MAX_BITS:
            raise RunError(
                f"Expected start_bits from {MIN_BITS} to {MAX_BITS}, got {self.start_bits}."
            )
        if not 0 < self.coldest <= self.hottest < math.inf:
            raise RunError(
                f"Expected 0 < coldest <= hottest, got {self.coldest} and {self.hottest}."
            )


def propose(task: TaskLike, args: Args) -> Proposals:
    """Walk from neighbour to neighbour.

    Args:
        task: What is searched.
        args: Settings.

    Yields:
        Bits of one design, shape (1, 2, L).
    """
    task = find_task(task)
    rng = np.random.default_rng(args.seed)
    operands = 2 * len(task.network)
    bits = np.full(operands, args.start_bits)
    (reward,) = yield bits.reshape(1, 2, -1)
    for step in range(1, args.evaluations):
        temperature = args.hottest * (args.coldest / args.hottest) ** (step / args.evaluations)
        neighbour = bits.copy()
        while (neighbour == bits).all():
            count = rng.integers(1, min(args.changes, operands) + 1)
            changed = rng.choice(operands, count, replace=False)
            change = rng.integers(1, args.reach + 1, count) * rng.choice([-1, 1], count)
            neighbour[changed] = np.clip(bits[changed] + change, MIN_BITS, MAX_BITS)
        (new_reward,) = yield neighbour.reshape(1, 2, -1)
        if rng.random() < math.exp(min(0.0, (new_reward - reward) / temperature)):
            bits, reward = neighbour, new_reward


def train(args: Args, *, progress: bool = True) -> RunDirectory:
    """Search one task.

    Args:
        args: Settings.
        progress: Whether to show a progress bar.

    Returns:
        The finished run directory.
    """
    return run_searcher(AGENT, args, propose, args.evaluations, progress=progress)


def main() -> None:
    """Search from the command line."""
    run_command(Args, train)


if __name__ == "__main__":
    main()
