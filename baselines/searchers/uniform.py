"""Uniform bits: ``python -m lrmp.baselines.searchers.uniform --env-id LRMP-ResNet18-v0``.

Every layer gets the same bits. By default weights and activations share one width (7 designs);
with ``--pairs`` each has its own (49 designs).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.baselines.running.command import run_command
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.baselines.searchers.search import Proposals, run_searcher
from lrmp.envs.task.custom_task import TaskLike
from lrmp.hardware.space.design import BIT_WIDTHS


@dataclass(frozen=True)
class Args:
    """Best uniform bit width."""

    env_id: TaskLike = "LRMP-ResNet18-v0"
    """id of the environment, in any form, or a task file (.toml)"""
    accuracy: AccuracyKind | None = None
    """run the "network" itself, or look drops up in a "table"; default: as the task does"""
    pairs: bool = False
    """let weights and activations have different widths"""
    runs_dir: Path = Path("runs")
    """where the run directory is made: RUNS_DIR/ENV_ID__uniform__0, or ...__uniform-pairs__0"""


def train(args: Args, *, progress: bool = True) -> RunDirectory:
    """Try every uniform design.

    Args:
        args: Settings.
        progress: Whether to show a progress bar.

    Returns:
        The finished run directory.
    """
    agent = "uniform-pairs" if args.pairs else "uniform"
    widths = [(w, a) for w in BIT_WIDTHS for a in BIT_WIDTHS if args.pairs or w == a]
    return run_searcher(
        agent,
        args,
        lambda task, args: propose(widths, len(task.network)),
        len(widths),
        progress=progress,
    )


def propose(widths: list[tuple[int, int]], layers: int) -> Proposals:
    """Propose uniform designs.

    Args:
        widths: Bits of the weights and of the activations of every design.
        layers: L.

    Yields:
        Bits of all designs at once, shape (len(widths), 2, L).
    """
    yield np.repeat(np.array(widths)[:, :, None], layers, axis=2)


def main() -> None:
    """Search from the command line."""
    run_command(Args, train)


if __name__ == "__main__":
    main()
