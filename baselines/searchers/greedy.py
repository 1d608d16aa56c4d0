"""Greedy by sensitivity: ``python -m lrmp.baselines.searchers.greedy --env-id LRMP-ResNet18-v0``.

From the plain setting everywhere, the change of one knob of one layer that gains most score per
accuracy spent is made, again and again, until nothing that fits the allowed drop gains. What a
change spends is looked up in the task's table, which costs no design; what it gains is scored,
copies and all, and costs one. A change leads away from the plain value, to any value that needs
fewer tiles or cycles than the next one on the way; of a knob that needs neither, to any value.

Gains are scored lazily (Minoux, Optimization Techniques, 1978): only the few changes that promised
most per accuracy are scored anew, and the leader is made if it is among them. Gains here may also
grow, so that this is an approximation; with a large ``rescored`` every change is scored before
every step. The default was best on tasks that are not scored (docs/results/tuning/tuning.md).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.baselines.running.command import check_counts, run_command
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.baselines.searchers.search import Proposals, run_searcher
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.task.additive_table import additive_table
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.hardware.frozen_arrays import IntArray

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
    """Leave the plain design, change by change.

    Args:
        task: What is searched.
        args: Settings.

    Yields:
        Designs with the changes to score, shape (B, L, K).
    """
    task = find_task(task)
    table, dynamics = additive_table(task), Dynamics(task)
    layer, knob, place, side = changes(dynamics)
    gain, score_after = np.full((2, len(place)), np.inf)
    fresh = np.zeros(len(place), dtype=bool)  # scored from the present design

    design, every = dynamics.plain.copy(), np.arange(len(place))
    allowance = table.drop_map.threshold(task.allowed_drop) - float(table.sums(design))
    (score,) = yield design[None]
    price = prices(table, design, layer, knob, place)
    while True:
        possible = (side * (place - design[layer, knob]) > 0) & (price <= allowance)
        if not (possible & ((gain > 0) | ~fresh)).any():
            return
        rate = np.where(possible, gain / np.maximum(price, FREE), -np.inf)
        leader = int(rate.argmax())
        if fresh[leader] and gain[leader] > 0:
            design = design.copy()
            design[layer[leader], knob[leader]] = place[leader]
            score, allowance = score_after[leader], allowance - price[leader]
            price = prices(table, design, layer, knob, place)
            fresh[:] = False
            continue
        # The most promising ones; at first, and when none that is fresh gains, all of them.
        stale = np.flatnonzero(possible & ~fresh)
        if gain[leader] < np.inf and gain[leader] > 0:
            stale = stale[np.argsort(-rate[stale], kind="stable")[: args.rescored]]
        designs = np.repeat(design[None], len(stale), axis=0)
        designs[every[: len(stale)], layer[stale], knob[stale]] = place[stale]
        score_after[stale] = yield designs
        gain[stale], fresh[stale] = score_after[stale] - score, True


def prices(
    table: TableAccuracy, design: IntArray, layer: IntArray, knob: IntArray, place: IntArray
) -> NDArray[np.float64]:
    """Look up what changes of a design spend.

    Args:
        table: Of the task.
        design: Settings, shape (L, K).
        layer: Of every change, shape (N,).
        knob: Likewise.
        place: Of the new value, likewise.

    Returns:
        What the sum of terms rises by, shape (N,).
    """
    settings = design[layer]
    before = table.term_values(settings, layer)
    settings[np.arange(len(layer)), knob] = place
    after = table.term_values(settings, layer)
    spent: NDArray[np.float64] = np.sum(
        [new - old for new, old in zip(after, before, strict=True)], axis=0
    )
    return spent


def changes(dynamics: Dynamics) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """List the changes that may save something.

    Args:
        dynamics: Of the task.

    Returns:
        Of every change the layer, the knob, the place of the new value, and on which side of the
        plain value it lies, -1 or 1; each of shape (N,).
    """
    space, plain = dynamics.space, dynamics.plain
    found = []
    for knob, size in enumerate(space.sizes):
        turned = np.repeat(plain[None], size, axis=0)
        turned[:, :, knob] = np.arange(size)[:, None]
        needs = np.stack(dynamics.amounts(np.arange(len(plain)), turned))
        idle = bool((needs == needs[:, :1]).all())
        for layer in range(len(plain)):
            values = space.choices(layer)[knob]
            start = int(np.searchsorted(values, plain[layer, knob]))
            for rank, place in enumerate(values.tolist()):
                side = int(np.sign(rank - start))
                saves = needs[:, place, layer] < needs[:, values[rank - side], layer]
                if side and (idle or saves.any()):
                    found.append((layer, knob, place, side))
    layers, knobs, places, sides = np.array(found, dtype=np.int64).reshape(-1, 4).T
    return layers, knobs, places, sides


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
