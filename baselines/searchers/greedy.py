"""Greedy by sensitivity: ``python -m lrmp.baselines.searchers.greedy --env-id LRMP-ResNet18-v0``.

From 8 bits everywhere, the change of one operand of one layer that gains most score per accuracy
spent is made, again and again, until nothing that fits the allowed drop gains. What a change spends
is looked up in the task's table, which costs no design; what it gains is scored, copies and all,
and costs one. A change may go down to any width that needs fewer tiles (weights) or cycles
(activations) than the next wider one.

Gains are scored lazily (Minoux, Optimization Techniques, 1978): only the few changes that promised
most per accuracy are scored anew, and the leader is made if it is among them. Gains here may also
grow, so that this is an approximation; with a large ``rescored`` every change is scored before
every step. The default was best on tasks that are not scored (docs/results/tuning/tuning.md).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lrmp.baselines.running.command import check_counts, run_command
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.baselines.searchers.additive_table import additive_table
from lrmp.baselines.searchers.search import Proposals, run_searcher
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.hardware.space.design import MAX_BITS, MIN_BITS

AGENT = "greedy"
NEEDS_TABLE = True
FREE = 1e-12  # accuracy that changes spend at least, so that free ones come first


@dataclass(frozen=True)
class Args:
    """Greedy by sensitivity."""

    env_id: TaskLike = "LRMP-ResNet18-v0"
    """id of the environment, in any form, or a task file (.toml); its accuracy must be a table"""
    evaluations: int = 600
    """most designs to score; the search ends when no change gains"""
    rescored: int = 4
    """changes that are scored anew at a time"""
    runs_dir: Path = Path("runs")
    """where the run directory is made: RUNS_DIR/ENV_ID__greedy__0"""

    def __post_init__(self) -> None:
        check_counts(0, evaluations=self.evaluations, rescored=self.rescored)


def propose(task: TaskLike, args: Args) -> Proposals:
    """Go down from 8 bits.

    Args:
        task: What is searched.
        args: Settings.

    Yields:
        Bits of the changes to score, shape (B, 2, L).
    """
    task = find_task(task)
    table, dynamics = additive_table(task), Dynamics(task)
    entries = np.stack([table.weight_table, table.activation_table])
    needs = np.stack([dynamics.tiles, dynamics.cycles])
    # Change i sets an operand (0 weights, 1 activations) of a layer to MIN_BITS + step.
    operand, layer, step = np.nonzero(np.diff(needs, axis=2) > 0)
    gain, score_after = np.full((2, len(step)), np.inf)
    fresh = np.zeros(len(step), dtype=bool)  # scored from the present design

    bits = np.full(needs.shape[:2], MAX_BITS)
    allowance = table.drop_map.threshold(task.allowed_drop) - entries[:, :, -1].sum()
    (score,) = yield bits[None]
    while True:
        step_now = bits[operand, layer] - MIN_BITS
        price = entries[operand, layer, step] - entries[operand, layer, step_now]
        possible = (step < step_now) & (price <= allowance)
        if not (possible & ((gain > 0) | ~fresh)).any():
            return
        rate = np.where(possible, gain / np.maximum(price, FREE), -np.inf)
        leader = int(rate.argmax())
        if fresh[leader] and gain[leader] > 0:
            bits = bits.copy()
            bits[operand[leader], layer[leader]] = MIN_BITS + step[leader]
            score, allowance = score_after[leader], allowance - price[leader]
            fresh[:] = False
            continue
        # The most promising ones; at first, and when none that is fresh gains, all of them.
        stale = np.flatnonzero(possible & ~fresh)
        if gain[leader] < np.inf and gain[leader] > 0:
            stale = stale[np.argsort(-rate[stale], kind="stable")[: args.rescored]]
        designs = np.repeat(bits[None], len(stale), axis=0)
        designs[np.arange(len(stale)), operand[stale], layer[stale]] = MIN_BITS + step[stale]
        score_after[stale] = yield designs
        gain[stale], fresh[stale] = score_after[stale] - score, True


def train(args: Args, *, progress: bool = True) -> RunDirectory:
    """Search one task.

    Args:
        args: Settings.
        progress: Whether to show a progress bar.

    Returns:
        The finished run directory.

    Raises:
        RunError: If the accuracy of the task is no table.
    """
    return run_searcher(
        AGENT, args, propose, args.evaluations, progress=progress, needs_table=NEEDS_TABLE
    )


def main() -> None:
    """Search from the command line."""
    run_command(Args, train)


if __name__ == "__main__":
    main()
