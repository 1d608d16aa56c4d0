"""The pictures of a study's report."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lrmp.baselines.study.scores import Scores
from lrmp.baselines.study.statistics import (
    bootstrap_interval,
    interquartile_mean,
    performance_profile,
)
from lrmp.plotting.design_plot import new_figure
from lrmp.whole_file import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 40  # of a curve
RESAMPLES = 400  # of its bands; tables take more
MOST_GAP = 300  # per cent; what is worse is cut off


def style(agents: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Give every agent a line of its own.

    Args:
        agents: All agents of the study.

    Returns:
        Colour and dashes by agent.
    """
    lines = product(("-", "--", ":"), range(10))
    return {
        agent: {"color": f"C{color}", "ls": dashes}
        for agent, (dashes, color) in zip(agents, lines, strict=False)
    }


def plot_gaps(scores: Scores, path: Path) -> None:
    """Draw the gap to the optimum against evaluated designs: pooled tasks, and each of them.

    Args:
        scores: Of the study.
        path: Picture to write.
    """
    figure = new_figure(9, 6)
    axes = figure.subplots()
    styles = style(scores.agents)
    for agent in scores.pool[0]:
        reach = scores.reach(agent)
        counts = {record["evaluations"] for record in scores.records if record["agent"] == agent}
        ends = sorted(count or reach for count in counts)
        for first, last in zip(
            [0, *ends], ends, strict=False
        ):  # a line for the runs of as many designs
            inside = np.unique(np.geomspace(first + 1, last, POINTS).astype(int)).tolist()
            matrices = [(count, scores.matrix(agent, count)) for count in inside]
            whole = [(count, matrix) for count, matrix in matrices if matrix is not None]
            if not whole:
                continue
            places = [count for count, _ in whole]
            gaps = [100 * (1 - matrix) for _, matrix in whole]
            middle = [interquartile_mean(gap) for gap in gaps]
            axes.plot(places, middle, label=agent if first == 0 else None, **styles[agent])
            if len(gaps[0]) > 1:
                bands = [bootstrap_interval(gap, resamples=RESAMPLES) for gap in gaps]
                low, high = zip(*bands, strict=True)
                color = styles[agent]["color"]
                axes.fill_between(places, low, high, color=color, alpha=0.15, linewidth=0)
    for count in scores.report_at:
        axes.axvline(count, color="#dddddd", linewidth=0.8, zorder=0)
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(0, MOST_GAP)
    axes.set_xlabel("evaluated designs")
    axes.set_ylabel("gap to the certified optimum (%)")
    axes.set_title(
        f"{len(scores.pool[1])} tasks: interquartile mean, 95 % interval",
        fontsize="medium",
    )
    _finish(figure, [axes], path)


def plot_tasks(scores: Scores, path: Path) -> None:
    """Draw the gap against evaluated designs task by task.

    Args:
        scores: Of the study.
        path: Picture to write.
    """
    columns = min(4, len(scores.tasks))
    rows = -(-len(scores.tasks) // columns)
    figure = new_figure(4 * columns, 3 * rows + 0.8)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    styles = style(scores.agents)
    for axes, task in zip(grid, scores.tasks, strict=False):
        for agent in scores.agents:
            counts = np.unique(np.geomspace(1, scores.reach(agent), POINTS).astype(int))
            points = [(count, scores.shares(agent, task, int(count))) for count in counts]
            gaps = [(count, 100 * (1 - interquartile_mean(s))) for count, s in points if len(s)]
            if gaps:
                axes.plot(*zip(*gaps, strict=True), label=agent, **styles[agent])
        axes.set_xscale("log")
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(0, MOST_GAP)
        axes.set_title(task, fontsize="small")
    for axes in grid[len(scores.tasks) :]:
        axes.set_axis_off()
    for axes in grid[len(scores.tasks) - columns : len(scores.tasks)]:
        axes.set_xlabel("evaluated designs")
    figure.supylabel("gap to the best known design (%)", fontsize="medium")
    _finish(figure, list(grid[: len(scores.tasks)]), path)


def plot_profiles(scores: Scores, path: Path) -> None:
    """Draw which share of the runs comes how close, at every number of designs reported.

    Args:
        scores: Of the study.
        path: Picture to write.
    """
    panels = len(scores.report_at)
    figure = new_figure(4 * panels, 4.4)
    grid = figure.subplots(1, panels, squeeze=False, sharey=True).ravel()
    gaps = np.geomspace(0.01, 100, 200)
    styles = style(scores.agents)
    for axes, count in zip(grid, scores.report_at, strict=True):
        for agent in scores.pool[0]:
            matrix = scores.matrix(agent, count)
            if matrix is not None:
                within = performance_profile(matrix, 1 - gaps / 100)
                axes.plot(gaps, within, label=agent, **styles[agent])
        axes.set_xscale("log")
        axes.set_title(f"{count:,} designs", fontsize="medium")
        axes.set_xlabel("gap (%)")
    grid[0].set_ylabel("share of runs within the gap")
    _finish(figure, list(grid), path)


def _finish(figure: "Figure", grid: list[Any], path: Path) -> None:
    """Tidy up, explain the lines once, and save."""
    lines: dict[str, Any] = {}
    for axes in grid:
        axes.spines[["top", "right"]].set_visible(False)
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            lines.setdefault(label, handle)
    if lines:
        figure.legend(lines.values(), lines, loc="outside lower center", ncols=5, fontsize="small")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
