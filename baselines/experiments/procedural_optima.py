"""Find and prove the optima of the published test instances, and store them as lines of JSON.

``python -m lrmp.baselines.experiments.procedural_optima --out envs/procedural/optima`` goes on
where it stopped, and leaves out what is proven of the instances as they are drawn today.
"""

import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import get_args

import numpy as np
from tqdm import tqdm

from lrmp.baselines.running.command import exit_codes
from lrmp.envs.procedural.generator import Draws, draw_task
from lrmp.envs.procedural.published_split import (
    PUBLISHED,
    InstanceOptimum,
    optima_file,
    short_fingerprint,
)
from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.envs.task.optimum import EASY
from lrmp.errors import RunError
from lrmp.growing_file import GrowingFile, read_whole_lines
from lrmp.hardware.cost.cost_report import NETWORK_OBJECTIVES, Objective
from lrmp.whole_file import write_whole

#: What is proven, by what is drawn and objective.
Published = Mapping[tuple[Draws, Objective], list[InstanceOptimum]]
_IDS: dict[Draws, str] = {
    "precision": "`LRMP-Procedural-v0`",
    "spaces": "`LRMP-Procedural-Spaces-v0`",
}
PAGE = """\
# Networks that an agent has never seen

In a fixed task everything is known: the best design of `LRMP-ResNet18-v0` is
[proven](optimum.md), and an agent that finds it has searched, not generalised.
`LRMP-Procedural-v0` and `LRMP-Procedural-OneShot-v0` draw another network, chip, budget and
sensitivities at every reset; [the docstring](../envs/procedural/environment.py) says what is
seen, `lrmp.envs.procedural.generator` what is drawn. Training and test instances have no seed and
no topology in common. Every objective is played: `objective="latency"`, `"throughput"`,
`"energy"` or `"edp"`.

## Knobs that it has never seen

`LRMP-Procedural-Spaces-v0` and `LRMP-Procedural-Spaces-OneShot-v0` draw the design space, too: bits
of weights or of blocks, bits or alignment of inputs, and weights other than 0 per column are knobs
or are not, each with some of its values. They are ids of their own, not an option of the above:
their tasks have other knobs, so actions and observations have other shapes, and no result of one
can stand beside one of the other; the above and its published optima stay as they are. The knobs of
a task sit in the first of 4 slots of 12 values, in any order of names; an agent recognises them by
what every value does in every layer, with the others plain: to tiles, cycles and energy, and to the
accuracy. [The docstring](../envs/procedural/spaces_environment.py) lists these features. The test
split has a quarter of all spaces for itself beside its topologies. The knobs of circulant blocks
and of averaged copies are never drawn: the registered tasks of their families are played through
the same slots, so that a policy meets them for the first time there. How harmful zeros in columns
are is fitted to two measured networks only, and so spreads widely.

## The published splits

The first {published:,} instances of `split="test"`, numbers 0 to {last}, whatever they turned out
to be, of each of the two, as far as they are proven: in order, without any left out. Their optima
ship with lrmp, each proven as [those of the tasks](optimum.md) are, with the best *constant*: one
setting for all layers.

| id | objective | proven | largest gap | constant's share: median, mean | easy | \
constant optimal | reward as exact |
| --- | --- | --- | --- | --- | --- | --- | --- |
{rows}

*Easy* is a constant with {easy:.0%} of the optimum or more. *Reward as exact* counts the
instances in which no design beyond the allowed drop has a higher default reward than the optimum;
in the others one does, just beyond it, by at most {most:.2g}. The ranked score has no such
designs.

## A policy for any knobs

[`SpacePolicy`](../agents/space_policy.py) has no weights for a knob or for the place of a value: it
scores every value by its features, beside those of the layer. `lrmp.baselines.experiments.transfer
--draws spaces` trains one on drawn spaces; [how it does on the tasks of all
families](results/transfer-spaces/transfer.md), two of which turn knobs that it has never seen, and
as a start for searches.

## Scoring a policy

```python
import gymnasium as gym
from lrmp.envs.procedural.evaluation import evaluate_policy

env = gym.make("lrmp:LRMP-Procedural-v0", split="test")
print(evaluate_policy(lambda observation: env.action_space.sample(), env, instances=20))
```

plays an episode of each instance and gives a `SplitScore`. Its `mean` is that of
`(score - constant) / (optimum - constant)`: 1 for the optima, 0 for the best constants. It leaves
out, and counts, instances whose constant is optimal. Where the two are close a design below the
constant weighs heavily, so `pooled` is the same of sums over the instances. A design beyond the
allowed drop scores 0, as the plain one. Without `instances` it plays all {published:,}.
`evaluate_algorithm` takes a function from a task to the settings of its layers instead.

Infos hold `optimum`, `optimum_bound` and `best_constant` of every instance whose optimum is
known; `optima="solved"` solves the others when they are drawn.

Made by

```sh
python -m lrmp.baselines.experiments.procedural_optima --out envs/procedural/optima \\
    --page docs/procedural.md
```

which goes on where it stopped, and solves again what is drawn otherwise today.
"""


@dataclass(frozen=True)
class Args:
    """Which optima to find, and where to write them."""

    out: Path
    """folder for test-OBJECTIVE.jsonl and spaces-test-OBJECTIVE.jsonl; lrmp keeps its own in
    envs/procedural/optima"""
    objectives: tuple[Objective, ...] = ("latency", "throughput", "energy", "edp")
    """what the instances minimise, one file each"""
    draws: tuple[Draws, ...] = ("precision", "spaces")
    """whether spaces are drawn, too: one file each"""
    instances: int = PUBLISHED
    """how many of the test split, from number 0 on"""
    workers: int = os.cpu_count() or 1
    """processes that solve at the same time"""
    page: Path | None = None
    """also write a page about what is stored to this Markdown file"""


def solve_instance(
    objective: Objective, draws: Draws, number: int, known: str | None
) -> InstanceOptimum | None:
    """Solve a test instance.

    Args:
        objective: What it minimises.
        draws: Whether its space is drawn, too.
        number: Of the instance.
        known: Short fingerprint of what is solved already.

    Returns:
        What is proven of it; None if that is known.
    """
    task = draw_task("test", number, objective, draws)
    if short_fingerprint(task) == known:
        return None
    return InstanceOptimum.of(number, task, table_optimum(task))


def compute(args: Args, *, progress: bool = True) -> None:
    """Solve instances that are missing or were drawn otherwise when they were solved.

    Args:
        args: Settings.
        progress: Whether to show a progress bar on stderr.

    Raises:
        RunError: If there are less than one worker or instance, or more than are published.
    """
    if args.workers < 1:
        raise RunError(f"Expected at least one worker, got {args.workers}.")
    if not 1 <= args.instances <= PUBLISHED:
        raise RunError(f"Expected 1 to {PUBLISHED} instances, got {args.instances}.")
    args.out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        try:
            for draws in args.draws:
                for objective in args.objectives:
                    _compute(args, objective, draws, pool, progress)
        except BaseException:  # a failure, or Ctrl-C: what has not begun never does
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if args.page is not None:
        optima: Published = {
            (draws, objective): [*map(InstanceOptimum.from_line, read_whole_lines(path))]
            for draws in get_args(Draws)
            for objective in NETWORK_OBJECTIVES
            if (path := args.out / optima_file(objective, draws)).exists()
        }
        write_whole(args.page, format_page(optima))


def format_page(optima: Published) -> str:
    """Write the page.

    Args:
        optima: What is proven, by draws and objective.

    Returns:
        Markdown.
    """
    rows = []
    for (draws, objective), found in optima.items():
        if found:
            shares = [optimum.constant_share for optimum in found]
            rows.append(
                f"| {_IDS[draws]} | {objective} | {len(found):,} | "
                f"{max(o.gap for o in found):.1e} | "
                f"{np.median(shares):.3f}, {np.mean(shares):.3f} | "
                f"{sum(o.is_easy for o in found)} | "
                f"{sum(o.value <= o.constant_value for o in found)} | "
                f"{sum(o.is_exact for o in found)} |"
            )
    beyond = [
        o.reward_bound - o.value for found in optima.values() for o in found if not o.is_exact
    ]
    return PAGE.format(
        published=PUBLISHED,
        last=PUBLISHED - 1,
        rows="\n".join(rows),
        easy=EASY,
        most=max(beyond, default=0.0),
    )


def _compute(
    args: Args, objective: Objective, draws: Draws, pool: ProcessPoolExecutor, progress: bool
) -> None:
    path = args.out / optima_file(objective, draws)
    known = {
        found.instance: found for found in map(InstanceOptimum.from_line, read_whole_lines(path))
    }
    numbers = range(args.instances)
    prints = [known[n].fingerprint if n in known else None for n in numbers]
    bar = tqdm(
        pool.map(partial(solve_instance, objective, draws), numbers, prints),
        total=len(numbers),
        desc=f"optima, {draws}, {objective}",
        unit="instance",
        disable=not progress or None,
    )
    with GrowingFile(path) as file:
        for number, found in zip(numbers, bar, strict=True):
            if found is not None:
                known[number] = found
                file.add(found.to_line())
    # In order, and without what was solved before an instance changed.
    write_whole(path, "".join(f"{known[number].to_line()}\n" for number in sorted(known)))


def main() -> None:
    """Compute from the command line."""
    import tyro

    with exit_codes():
        compute(tyro.cli(Args))


if __name__ == "__main__":
    main()
