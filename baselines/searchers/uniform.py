"""Uniform settings: ``python -m lrmp.baselines.searchers.uniform --env-id LRMP-ResNet18-v0``.

Every layer gets the same setting: all settings of the task's knobs are tried (49 designs for bits
of weights and activations). A layer that may not have one gets the nearest that it may have.
"""

from dataclasses import dataclass
from pathlib import Path

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.baselines.running.command import run_command
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.baselines.searchers.search import Proposals, run_searcher
from lrmp.envs.task.custom_task import TaskLike, find_task

AGENT = "uniform"


@dataclass(frozen=True)
class Args:
    """Best uniform setting."""

    env_id: TaskLike = "LRMP-ResNet18-v0"
    """id of the environment, in any form, or a task file (.toml)"""
    accuracy: AccuracyKind | None = None
    """run the "network" itself, or look drops up in a "table"; default: as the task does"""
    runs_dir: Path = Path("runs")
    """where the run directory is made: RUNS_DIR/ENV_ID__uniform__0"""


def train(args: Args, *, progress: bool = True) -> RunDirectory:
    """Try every uniform design.

    Args:
        args: Settings.
        progress: Whether to show a progress bar.

    Returns:
        The finished run directory.
    """
    count = len(find_task(args.env_id).space.settings)
    return run_searcher(AGENT, args, lambda task, args: propose(task), count, progress=progress)


def propose(task: TaskLike) -> Proposals:
    """Propose uniform designs.

    Args:
        task: What is searched.

    Yields:
        All designs at once, shape (S, L, K); those that do not fit the budget are left out.
    """
    task = find_task(task)
    designs = task.space.uniform(len(task.network))
    fits = task.cost_model.tiles_at_once(designs) <= task.budget
    yield designs[fits] if fits.any() else designs  # that none fits is told when they are scored


def main() -> None:
    """Search from the command line."""
    run_command(Args, train)


if __name__ == "__main__":
    main()
