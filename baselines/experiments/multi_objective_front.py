"""Fronts of three objectives: ``python -m lrmp.baselines.experiments.multi_objective_front``.

What designs attain of latency, energy and accuracy, and a proven bound on what any could.
"""

import heapq
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from lrmp.baselines.running.command import exit_codes
from lrmp.envs.registration import MULTI_OBJECTIVE_TASKS
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.front import Front
from lrmp.envs.scoring.hypervolume import hypervolume
from lrmp.envs.scoring.objectives import objective_vectors, reference_point
from lrmp.envs.scoring.table_optimum import chosen_settings, joint_problem
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.task import load_task
from lrmp.errors import RunError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.trade_off import TradeOff
from lrmp.whole_file import write_whole

SHARES = 25  # of the energy in weighted sums with cycles
LEVELS = 16  # limits on accuracy at which the prices of a sum are found
PARTS = 2000  # of every axis of the bounded volume
ROUNDS = 40  # of the search around the best designs
CHILDREN = 4000  # of a round
MOST_CHANGES = 2  # of knobs, in a child
SEED = 1
STORED = 500  # designs
METHOD = (
    f"bound: linear relaxation for {SHARES} weights of latency and energy at {LEVELS} limits on "
    f"divergence, any copies; designs: those of its prices and {ROUNDS} rounds of {CHILDREN} "
    f"changed ones, of which the {STORED} that add most are kept"
)

Floats = NDArray[np.float64]


@dataclass
class Args:
    """Which fronts to compute, and where to write them."""

    out: Path
    """folder for one JSON file per task; lrmp keeps its own in envs/fronts"""
    env_ids: tuple[str, ...] = field(default_factory=lambda: MULTI_OBJECTIVE_TASKS)
    """tasks; all with a multi-objective environment by default"""


class Archive(NamedTuple):
    """Designs of which none beats another.

    Attributes:
        settings: Shape (N, L, K).
        vectors: Their objectives, shape (N, 3).
    """

    settings: IntArray
    vectors: Floats


def find_front(task: TaskLike, *, progress: bool = True) -> Front:
    """Find designs that attain much of all objectives, and bound what any designs attain.

    Args:
        task: One with an accuracy table and a chip with energies.
        progress: Whether to show a progress bar.

    Returns:
        The front: its hypervolume is that of the environment's own vectors.

    Raises:
        TaskError: If the accuracy is no table, or the allowed drop gives no reference point.
        PresetError: If the chip gives no energies.
        RunError: If the bound does not hold.
    """
    task = find_task(task)
    reference, baseline = reference_point(task), task.baseline_report
    bound = TradeOff(
        joint_problem(replace(task, objective="edp")),
        (int(baseline.cost("latency")), int(baseline.cost("energy"))),
        -float(reference[2]),
    )
    with tqdm(total=SHARES + ROUNDS, desc=task.id, disable=not progress or None) as bar:
        for share in np.linspace(0.0, 1.0, SHARES).tolist():
            bound.weigh([share], LEVELS)
            bar.update()
        most = bound.volume(PARTS)
        numbers = bound.settings(LEVELS)
        archive = search(
            task, np.array([chosen_settings(task, each) for each in numbers]), reference, bar
        )
    best = keep_most(archive, reference, STORED)
    attained = hypervolume(best.vectors, reference)
    if attained > most:
        raise RunError(
            f"Expected no designs of {task.id} beyond the bound {most!r}, got some of hypervolume "
            f"{attained!r}: a fault of the solver. Please report the task."
        )
    return Front(
        task=task.id,
        task_fingerprint=task.fingerprint,
        reference=tuple(reference.tolist()),
        hypervolume=attained,
        bound=most,
        method=METHOD,
        settings=best.settings,
    )


def search(task: TaskLike, first: IntArray, reference: Floats, bar: "tqdm[Any]") -> Archive:
    """Change designs that none beats in one or two places, again and again.

    Args:
        task: What is searched.
        first: Designs to begin with, shape (N, L, K).
        reference: Designs that are not above it in every objective are of no use, shape (3,).
        bar: Updated after every round.

    Returns:
        What no design found beats.
    """
    task = find_task(task)
    rng, dynamics = np.random.default_rng(SEED), Dynamics(task)
    seen: set[bytes] = set()
    archive = Archive(first[:0], np.empty((0, 3)))
    found = first
    for turn in range(ROUNDS + 1):
        fresh = [design for design in found if design.tobytes() not in seen]
        seen.update(design.tobytes() for design in fresh)
        if fresh:
            settings = np.array(fresh)
            tiles = task.cost_model.tiles_per_copy(settings).sum(axis=1)
            settings = settings[tiles <= task.budget]
            copies = dynamics.scores(settings).replication
            archive = _unbeaten(
                Archive(
                    np.concatenate([archive.settings, settings]),
                    np.concatenate([archive.vectors, objective_vectors(task, settings, copies)]),
                ),
                reference,
            )
        if turn == ROUNDS or not len(archive.settings):
            break
        found = task.space.nearest(_changed(archive.settings, task.space.sizes, rng))
        bar.update()
    return archive


def keep_most(archive: Archive, reference: Floats, count: int) -> Archive:
    """Keep the designs that add most to the hypervolume, one after the other.

    Args:
        archive: Designs.
        reference: Where the hypervolume starts, shape (3,).
        count: The most to keep.

    Returns:
        The designs kept, the one that adds most first.
    """
    vectors, kept = archive.vectors, list[int]()
    alone = np.prod(np.maximum(vectors - reference, 0.0), axis=1)
    # Designs add less the more are kept: one that still adds most when looked at anew does so.
    adds = [(-volume, design) for design, volume in enumerate(alone.tolist())]
    heapq.heapify(adds)
    volume = 0.0
    while adds and len(kept) < count:
        _, design = heapq.heappop(adds)
        added = hypervolume(vectors[[*kept, design]], reference) - volume
        if adds and -added > adds[0][0]:
            heapq.heappush(adds, (-added, design))
            continue
        kept.append(design)
        volume += added
    return Archive(archive.settings[kept], vectors[kept])


def _unbeaten(archive: Archive, reference: Floats) -> Archive:
    """Leave out designs that another one equals or beats in every objective, or that are no use."""
    above = np.flatnonzero((archive.vectors > reference).all(axis=1))
    vectors = archive.vectors[above]
    kept, stairs = [], list[tuple[float, float]]()  # by rising latency and falling energy gain
    for design in np.lexsort((-vectors[:, 1], -vectors[:, 0], -vectors[:, 2])).tolist():
        latency, energy, _ = vectors[design].tolist()
        right = bisect_left(stairs, (latency,))
        if right < len(stairs) and stairs[right][1] >= energy:
            continue
        left = right
        while left > 0 and stairs[left - 1][1] <= energy:
            left -= 1
        stairs[left:right] = [(latency, energy)]
        kept.append(design)
    return Archive(archive.settings[above[kept]], vectors[kept])


def _changed(designs: IntArray, sizes: tuple[int, ...], rng: np.random.Generator) -> IntArray:
    """Change designs drawn at random by a step of one knob or a few, shape (CHILDREN, L, K)."""
    changed: IntArray = designs[rng.integers(len(designs), size=CHILDREN)]
    _, layers, knobs = changed.shape
    every, changes = np.arange(CHILDREN), rng.integers(1, MOST_CHANGES + 1, CHILDREN)
    for change in range(MOST_CHANGES):
        layer, knob = rng.integers(layers, size=CHILDREN), rng.integers(knobs, size=CHILDREN)
        step = rng.choice([-1, 1], CHILDREN) * (change < changes)
        places = changed[every, layer, knob] + step
        changed[every, layer, knob] = np.clip(places, 0, np.array(sizes)[knob] - 1)
    return changed


def compute(args: Args) -> None:
    """Compute fronts that are missing or belong to an earlier definition of their task.

    Args:
        args: Settings.
    """
    args.out.mkdir(parents=True, exist_ok=True)
    for task_id in args.env_ids:
        task = load_task(task_id)
        path = args.out / f"{task.id}.json"
        if path.exists():
            earlier = Front.from_text(path.read_text("utf-8"), task)
            if (earlier.task_fingerprint, earlier.method) == (task.fingerprint, METHOD):
                print(f"{task.id}: {path} is up to date")
                continue
        front = find_front(task)
        write_whole(path, front.to_text(task.space))
        print(f"{front}: {path}", flush=True)


def main() -> None:
    """Compute from the command line."""
    import tyro

    with exit_codes():
        compute(tyro.cli(Args))


if __name__ == "__main__":
    main()
