"""Random and uniform search: ``python -m lrmp.baselines.experiments.reference_scores``.

Both searches on every registered task, beside the best constant and the optimum: an agent has to be
compared with them before anything is said of it. A row is kept as long as its task is defined as it
was, so that no score of an earlier accuracy table stays.
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from lrmp.accuracy.model.accuracy_model import AccuracyModel
from lrmp.baselines.searchers import random_search, uniform
from lrmp.baselines.study.statistics import bootstrap_interval, interquartile_mean
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.task.optimum import Optimum, stored_optimum
from lrmp.envs.task.task import TASKS, Task, list_tasks, load_task
from lrmp.foreign_file import is_present, read_foreign_text
from lrmp.foreign_text import parse_json
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.whole_file import write_whole

#: Numbers of designs at which scores are told.
COUNTS = (100, 600, 1000)
#: Of the random searches, those of ``lrmp train random --seed``.
SEEDS = tuple(range(1, 11))
BATCH = 50  # designs scored together, which is faster; no score depends on it
SCORES, PAGE_FILE = "scores.jsonl", "scores.md"
NONE = "none"

PAGE = """\
# Best constants, random and uniform scores

What needs no learning, on every registered task. An agent that is no better has learnt nothing.

- *Optimum*: the [proven](../../optimum.md) best score.
- *Best constant*: the score of the best setting for all layers alike, and the setting, its knobs in
  the order of the task.
- *Random*: the best score among so many designs, in which every knob of every layer was drawn from
  its values, all as likely; interquartile mean over {seeds} seeds, with its 95 % interval where
  seeds differ. A seed without a design within the allowed drop counts as 0, the score of the plain
  design. *{none}*: no seed has found one.
- *Uniform*: the best constant among the first {first} settings, in the order of the design space.
  Most spaces have fewer, and within {last} designs every setting of every space is tried, which
  gives the best constant.

| task | optimum | best constant | random at {random} | uniform at {first} |
| --- | --- | --- | {lines} |
{rows}

Scores are `ln(gain)` of designs within the allowed drop. Tasks whose accuracy is *predicted* are
estimates, and are compared with no other.

Made by `python -m lrmp.baselines.experiments.reference_scores`. [The file](scores.jsonl) has the
score of every seed.
"""


@dataclass(frozen=True)
class Args:
    """What is computed, and where it is written."""

    env_ids: tuple[str, ...] = tuple(TASKS)
    """ids of tasks"""
    out: Path = Path("docs") / "results" / "reference"
    """folder for scores.jsonl and scores.md"""


@dataclass(frozen=True)
class ReferenceScores:
    """Best scores on a task after some designs; None where none was within the allowed drop.

    Attributes:
        task: Id.
        task_fingerprint: SHA-256 of the task's definition.
        random: By number of designs, a score for every one of ``SEEDS``.
        uniform: By number of designs.
    """

    task: str
    task_fingerprint: str
    random: dict[int, tuple[float | None, ...]]
    uniform: dict[int, float | None]

    def to_line(self) -> str:
        """Write a line of the file.

        Returns:
            JSON, without a newline.
        """
        return json.dumps(vars(self))

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Read what ``to_line`` wrote.

        Args:
            line: JSON.

        Returns:
            The scores.
        """
        document: dict[str, Any] = parse_json(line)
        return cls(
            document["task"],
            document["task_fingerprint"],
            {int(count): tuple(scores) for count, scores in document["random"].items()},
            {int(count): score for count, score in document["uniform"].items()},
        )

    @property
    def is_current(self) -> bool:
        """Whether the task is still defined as it was."""
        return self.task in TASKS and load_task(self.task).fingerprint == self.task_fingerprint


def best_scores(
    task: Task, designs: IntArray, counts: Sequence[int] = COUNTS
) -> dict[int, float | None]:
    """Follow the best score of a search.

    Args:
        task: What is searched.
        designs: In the order in which they are tried, shape (N, L, K).
        counts: Numbers of designs, rising.

    Returns:
        The best score after each; of a search that ends before, its last.
    """
    best = np.maximum.accumulate(_scores(task, designs[: counts[-1]]))
    found = {count: float(best[min(count, len(best)) - 1]) for count in counts}
    return {count: score if math.isfinite(score) else None for count, score in found.items()}


def _scores(task: Task, designs: IntArray) -> NDArray[np.float64]:
    """Score designs; minus infinity beyond the allowed drop."""
    dynamics, scores = Dynamics(task), np.full(len(designs), -np.inf)
    for first in range(0, len(designs), BATCH):
        found = dynamics.scores(designs[first : first + BATCH])
        best = np.where(found.within_allowance, found.score, -np.inf)
        scores[first : first + BATCH] = best
    return scores


@cache
def _network_run(name: str) -> AccuracyModel:
    """Share what runs a network: it remembers drops, and all objectives try the same designs."""
    tasks = map(load_task, list_tasks(known_by="network"))
    return next(task.accuracy for task in tasks if task.network.name == name)


def reference_scores(task_id: str, seeds: Sequence[int] = SEEDS) -> ReferenceScores:
    """Search a task at random and uniformly.

    Args:
        task_id: Of a registered task.
        seeds: Of the random searches.

    Returns:
        The scores.
    """
    task = load_task(task_id)
    if task.accuracy.kind == "network":
        model = _network_run(task.network.name)
        task = task.with_tenant(accuracy_factory=lambda *_: model)
    drawn = [best_scores(task, _drawn(task, seed)) for seed in seeds]
    return ReferenceScores(
        task.id,
        task.fingerprint,
        {count: tuple(run[count] for run in drawn) for count in COUNTS},
        best_scores(task, next(uniform.propose(task))),
    )


def _drawn(task: Task, seed: int) -> IntArray:
    """Draw the designs that ``lrmp train random`` tries."""
    batches = random_search.propose(task.space, len(task.network), seed)
    return np.concatenate([*islice(batches, math.ceil(COUNTS[-1] / random_search.BATCH))])


def read_reference_scores(folder: Path) -> dict[str, ReferenceScores]:
    """Read the scores of tasks that are still defined as they were.

    Args:
        folder: That ``compute`` wrote to.

    Returns:
        The scores by id of the task.
    """
    path = folder / SCORES
    if not is_present(path):
        return {}
    lines = map(ReferenceScores.from_line, read_foreign_text(path).splitlines())
    return {scores.task: scores for scores in lines if scores.is_current}


def compute(args: Args) -> None:
    """Compute what is missing or of an earlier definition, and write it.

    Args:
        args: Settings.
    """
    args.out.mkdir(parents=True, exist_ok=True)
    found = read_reference_scores(args.out)
    for task_id in tqdm(args.env_ids, unit="task", disable=None):
        if task_id not in found:
            found[task_id] = reference_scores(task_id)
            write_scores(args.out, found)
    write_scores(args.out, found)


def write_scores(folder: Path, found: dict[str, ReferenceScores]) -> None:
    """Write file and page.

    Args:
        folder: Where to.
        found: By id of the task.
    """
    ordered = [found[task_id] for task_id in TASKS if task_id in found]
    text = "".join(f"{scores.to_line()}\n" for scores in ordered)
    write_whole(folder / SCORES, text)
    write_whole(folder / PAGE_FILE, format_page(ordered))


def format_page(found: Iterable[ReferenceScores]) -> str:
    """Write the page.

    Args:
        found: In the order of the tasks.

    Returns:
        Markdown.
    """
    return PAGE.format(
        seeds=len(SEEDS),
        none=NONE,
        first=COUNTS[0],
        last=f"{COUNTS[-1]:,}",
        random=" | ".join(f"{count:,}" for count in COUNTS),
        lines=" | ".join(["---"] * (len(COUNTS) + 1)),
        rows="\n".join(f"| {' | '.join(_cells(scores))} |" for scores in found),
    )


def _cells(scores: ReferenceScores) -> Iterator[str]:
    optimum = stored_optimum(scores.task)
    yield f"`{scores.task}`"
    yield NONE if optimum is None else f"{optimum.value:.4f}"
    yield NONE if optimum is None else constant_text(optimum)
    yield from (random_text(scores.random[count]) for count in COUNTS)
    yield score_or_none(scores.uniform[COUNTS[0]])


def constant_text(optimum: Optimum) -> str:
    """Say what the best constant is.

    Args:
        optimum: Of the task.

    Returns:
        Its score and setting.
    """
    if optimum.constant is None:
        return NONE
    setting = "/".join(map(str, optimum.constant.setting.values()))
    return f"{optimum.constant.value:.4f} (`{setting}`)"


def random_text(scores: Sequence[float | None]) -> str:
    """Say what random search reached.

    Args:
        scores: Of the seeds, at least two.

    Returns:
        Interquartile mean and its interval; of these a seed without a score has 0.
    """
    if all(score is None for score in scores):
        return NONE
    known = [score or 0.0 for score in scores]
    middle = f"{interquartile_mean(known):.4f}"
    if len(set(known)) == 1:
        return middle
    low, high = bootstrap_interval(known)
    return f"{middle} [{low:.4f}, {high:.4f}]"


def score_or_none(score: float | None) -> str:
    """Write a score.

    Args:
        score: None if there is none.

    Returns:
        Four digits, or a word.
    """
    return NONE if score is None else f"{score:.4f}"


def main() -> None:
    """Compute from the command line."""
    import tyro

    compute(tyro.cli(Args))


if __name__ == "__main__":
    main()
