"""Scores on the task cards: of searches that need no learning, and of every study's agents."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from lrmp.baselines.experiments.reference_scores import (
    COUNTS,
    ReferenceScores,
    random_text,
    read_reference_scores,
    score_or_none,
)
from lrmp.baselines.study.planned_run import task_label
from lrmp.baselines.study.results import RESULTS
from lrmp.baselines.study.runner import PLAN
from lrmp.baselines.study.scores import Scores
from lrmp.envs import Optimum, Task

STUDIES = Path(__file__).parents[1] / "results"
NOT_RUN = "not run yet"


def score_table(task: Task, optimum: Optimum | None) -> str:
    """Write what searches and agents reach.

    Args:
        task: Of the card.
        optimum: Its proven optimum.

    Returns:
        Markdown.
    """
    rows = [*_reference_rows(task), *_study_rows(task)]
    lines = [
        f"| | {' | '.join(f'{count:,} designs' for count in COUNTS)} |",
        f"| --- |{' --- |' * len(COUNTS)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    if optimum is not None:
        constant = "none" if optimum.constant is None else f"{optimum.constant.value:.4f}"
        lines += [
            f"| best constant | {constant} |{' |' * (len(COUNTS) - 1)}",
            f"| proven optimum | {optimum.value:.4f} |{' |' * (len(COUNTS) - 1)}",
        ]
    text = (
        "The best score within the allowed drop after so many evaluated designs: interquartile "
        "mean over seeds, with its 95 % interval. *none*: no design within the allowed drop was "
        "found. [How random and uniform search were run](../results/reference/scores.md)."
    )
    if len(rows) == 2:
        text += (
            " No stored study has run on this task as it is defined today; its agents are "
            f"*{NOT_RUN}*."
        )
    return "\n".join([text, "", *lines])


@cache
def _reference() -> dict[str, ReferenceScores]:
    return read_reference_scores(STUDIES / "reference")


def _reference_rows(task: Task) -> Iterator[list[str]]:
    found = _reference().get(task.id)
    if found is None or found.task_fingerprint != task.fingerprint:
        yield ["random", *[NOT_RUN] * len(COUNTS)]
        yield ["uniform", *[NOT_RUN] * len(COUNTS)]
        return
    yield ["random", *(random_text(found.random[count]) for count in COUNTS)]
    yield ["uniform", *(score_or_none(found.uniform[count]) for count in COUNTS)]


@cache
def _studies() -> list[tuple[str, Scores]]:
    folders = sorted(path.parent for path in STUDIES.glob(f"*/{RESULTS}"))
    return [(each.name, Scores.read(each)) for each in folders if (each / PLAN).is_file()]


def _study_rows(task: Task) -> Iterator[list[str]]:
    for study, scores in _studies():
        records = tuple(
            record
            for record in scores.records
            if record["task_fingerprint"] == task.fingerprint and not record["accuracy"]
        )
        today = replace(scores, records=records)
        label = task_label(task.id, "")
        for agent in today.agents:
            if agent in ("random", "uniform"):
                continue
            cells = []
            for count in COUNTS:
                shares = today.shares(agent, label, count)
                reached = (shares * today.best_known[label]).tolist()
                cells.append(_reached(reached))
            yield [f"{agent} ([{study}](../results/{study}/report.md))", *cells]


def _reached(scores: list[float]) -> str:
    """Write what seeds reached; shares of runs without a design count as 0."""
    if not scores:
        return NOT_RUN
    if len(scores) == 1:
        return score_or_none(scores[0] or None)
    return random_text([score or None for score in scores])
