"""Simulated annealing: ``lrmp train annealing --env-id LRMP-ResNet18-v0 --seed 1``.

Metropolis' rule with a geometric schedule (Kirkpatrick et al., Science 220, 1983). A neighbour
differs in one to ``changes`` knobs of layers, each by one to ``reach`` values, so that with two
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
from lrmp.baselines.searchers.variables import Variables
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.errors import RunError

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
    start: float = 0.5
    """where all knobs start: 0 for the first value, 1 for the last; 0.5 is 5 of 2 to 8 bits"""
    hottest: float = 0.03
    """first temperature, in units of the reward"""
    coldest: float = 0.001
    """last temperature"""
    changes: int = 1
    """most knobs of layers that change in one step"""
    reach: int = 2
    """most values by which a knob changes"""

    def __post_init__(self) -> None:
        check_counts(
            self.seed, evaluations=self.evaluations, changes=self.changes, reach=self.reach
        )
        if not 0 <= self.start <= 1:
            raise RunError(f"Expected start from 0 to 1, got {self.start}.")
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
        One design, shape (1, L, K).
    """
    task = find_task(task)
    rng = np.random.default_rng(args.seed)
    variables = Variables(task.space, len(task.network))
    here = np.rint(variables.between(args.start)).astype(np.int64)
    (reward,) = yield variables.settings(here[None])
    for step in range(1, args.evaluations):
        temperature = args.hottest * (args.coldest / args.hottest) ** (step / args.evaluations)
        neighbour = here.copy()
        while (neighbour == here).all():
            count = rng.integers(1, min(args.changes, len(variables)) + 1)
            changed = rng.choice(len(variables), count, replace=False)
            change = rng.integers(1, args.reach + 1, count) * rng.choice([-1, 1], count)
            neighbour[changed] = np.clip(here[changed] + change, 0, variables.counts[changed] - 1)
        (new_reward,) = yield variables.settings(neighbour[None])
        if rng.random() < math.exp(min(0.0, (new_reward - reward) / temperature)):
            here, reward = neighbour, new_reward


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
