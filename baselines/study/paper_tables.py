"""The pooled gaps of a study as a table for a paper (LaTeX) and for other programs (CSV)."""

import csv
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lrmp.baselines.study.scores import Scores
from lrmp.baselines.study.statistics import bootstrap_interval, interquartile_mean
from lrmp.whole_file import write_whole

RESAMPLES = 2_000
#: What TeX takes for a command.
_ESCAPES = {"_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#"}


class PooledGap(NamedTuple):
    """How far an agent's best designs are from the certified optima, over tasks and seeds.

    Attributes:
        agent: Its name.
        evaluations: Designs that it had evaluated.
        seeds: Runs for each task.
        gap: Interquartile mean in per cent of the optimal score.
        low: Lower end of its 95 % bootstrap interval; ``gap`` where there is one seed.
        high: Upper end.
    """

    agent: str
    evaluations: int
    seeds: int
    gap: float
    low: float
    high: float


def pooled_gaps(scores: Scores) -> list[PooledGap]:
    """Compute the gaps of all agents that ran on all pooled tasks.

    Args:
        scores: Of the study.

    Returns:
        A row for each agent and reported number of designs that it reached.
    """
    rows = []
    for agent in scores.pool[0]:
        for count in scores.report_at:
            matrix = scores.matrix(agent, count)
            if matrix is None:
                continue
            gaps = 100 * (1 - matrix)
            middle = interquartile_mean(gaps)
            ends = bootstrap_interval(gaps, resamples=RESAMPLES) if len(gaps) > 1 else (middle,) * 2
            rows.append(PooledGap(agent, count, len(gaps), middle, *map(float, ends)))
    return rows


def write_paper_tables(scores: Scores, out: Path) -> None:
    """Write ``gaps.csv`` and ``gaps.tex``.

    Args:
        scores: Of the study.
        out: A folder.
    """
    rows = pooled_gaps(scores)
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(PooledGap._fields)
    writer.writerows(
        (*row[:3], *(f"{value:.4f}" for value in (row.gap, row.low, row.high))) for row in rows
    )
    write_whole(out / "gaps.csv", table.getvalue())
    write_whole(out / "gaps.tex", _latex(rows))


def _latex(rows: list[PooledGap]) -> str:
    counts = sorted({row.evaluations for row in rows})
    cells = {(row.agent, row.evaluations): row for row in rows}
    agents = sorted(
        {row.agent for row in rows},
        key=lambda agent: [cells[agent, n].gap if (agent, n) in cells else np.inf for n in counts],
    )
    best = {n: min(cells[agent, n].gap for agent in agents if (agent, n) in cells) for n in counts}

    def cell(agent: str, count: int) -> str:
        row = cells.get((agent, count))
        if row is None:
            return "--"
        text = f"{row.gap:.2f}"
        text = rf"\textbf{{{text}}}" if row.gap == best[count] else text
        return text if row.seeds == 1 else rf"{text} {{\scriptsize[{row.low:.2f}, {row.high:.2f}]}}"

    lines = [
        "% Gap to the certified optimum in per cent: interquartile mean, 95 % bootstrap interval.",
        "% Needs the package booktabs.",
        rf"\begin{{tabular}}{{l{'r' * len(counts)}}}",
        r"\toprule",
        " & ".join(["agent", *(f"{count:,}" for count in counts)]) + r" \\",
        r"\midrule",
        *(
            " & ".join([_escaped(agent), *(cell(agent, count) for count in counts)]) + r" \\"
            for agent in agents
        ),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _escaped(name: str) -> str:
    return "".join(_ESCAPES.get(letter, letter) for letter in name)
