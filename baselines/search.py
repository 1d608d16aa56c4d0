"""Score a list of designs and keep the best: what every search without learning does."""

import time
from collections.abc import Iterable, Sequence

from numpy.typing import ArrayLike
from tqdm import tqdm

from lrmp.baselines.run_directory import RunDirectory
from lrmp.envs.outcome import Outcome, evaluate_bits
from lrmp.envs.record import Record
from lrmp.envs.task import load_task

Bits = tuple[ArrayLike, ArrayLike]


def search(
    run: RunDirectory,
    task_id: str,
    agent: str,
    seed: int,
    designs: Iterable[Bits],
    count: int,
    *,
    progress: bool = True,
) -> RunDirectory:
    """Score designs and write the best to the run directory.

    Args:
        run: An open run directory; one that is finished is left as it is.
        task_id: Id of the task.
        agent: Name under which the run is ranked.
        seed: Seed of the run.
        designs: Weight and activation bits, each of shape (L,).
        count: How many designs there are, at least one.
        progress: Whether to show a progress bar.

    Returns:
        The finished run directory.
    """
    if run.finished:
        return run
    started = time.perf_counter()
    task = load_task(task_id)
    best: Outcome | None = None
    episodes: list[Sequence[float]] = []
    bar = tqdm(
        designs,
        total=count,
        desc=f"{agent} {task_id} seed {seed}",
        unit="design",
        disable=not progress,
    )
    for weight_bits, activation_bits in bar:
        outcome = evaluate_bits(task, weight_bits, activation_bits)
        episodes.append((outcome.reward(), outcome.speedup, outcome.accuracy_drop))
        if best is None or outcome.reward() > best.reward():
            best = outcome
            bar.set_postfix(best=f"{best.reward():.3f}")
    assert best is not None
    record = Record.of(
        best,
        agent=agent,
        seed=seed,
        evaluated_designs=len(episodes),
        env_steps=0,
        wall_time_s=time.perf_counter() - started,
    )
    run.finish(record, episodes)
    return run
