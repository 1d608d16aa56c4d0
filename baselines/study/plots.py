"""The pictures of a study's report."""

from collections.abc import Collection
from pathlib import Path
from textwrap import fill
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
#: Of the best agents: Okabe and Ito's (2008), which colour-blind readers tell apart, without black
#: and the yellow that is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#b8b8b8"
LABEL_HEIGHT = 0.05  # of the axes
ENDINGS = (".png", ".svg", ".pdf")
UNDATED = {
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}  # the same again from the same records


def style(scores: Scores) -> dict[str, dict[str, Any]]:
    """Give the best agents a colour each, and all others the same grey.

    The best are those whose runs of as many designs as were reported and they made end nearest the
    optimum, in the interquartile mean.

    Args:
        scores: Of the study.

    Returns:
        What ``plot`` takes, by agent; the best ones first.
    """

    def gap(agent: str) -> tuple[float, str]:
        reached = [count for count in scores.report_at if count <= scores.reach(agent)]
        matrix = scores.matrix(agent, max(reached, default=scores.reach(agent)))
        return (np.inf if matrix is None else 1 - interquartile_mean(matrix), agent)

    ranked = sorted(scores.agents, key=gap)
    colours = dict(zip(ranked, COLOURS, strict=False))
    return {
        agent: {"color": colours[agent], "lw": 1.8, "zorder": 3}
        if agent in colours
        else {"color": GREY, "lw": 0.8, "zorder": 1}
        for agent in ranked
    }


def plot_gaps(scores: Scores, path: Path) -> None:
    """Draw the gap to the optimum against evaluated designs: pooled tasks, and each of them.

    Args:
        scores: Of the study.
        path: Picture to write.
    """
    figure = new_figure(9, 6)
    axes = figure.subplots()
    styles = style(scores)
    for agent in _best_last(styles, scores.pool[0]):
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
            axes.plot(places, middle, label=agent, **styles[agent])
            if len(gaps[0]) > 1 and styles[agent]["color"] != GREY:
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
    _name_lines(axes)
    _finish(figure, [axes], path, named=True)


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
    styles = style(scores)
    for axes, task in zip(grid, scores.tasks, strict=False):
        for agent in _best_last(styles, scores.agents):
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
    styles = style(scores)
    for axes, count in zip(grid, scores.report_at, strict=True):
        for agent in _best_last(styles, scores.pool[0]):
            matrix = scores.matrix(agent, count)
            if matrix is not None:
                within = performance_profile(matrix, 1 - gaps / 100)
                axes.plot(gaps, within, label=agent, **styles[agent])
        axes.set_xscale("log")
        axes.set_title(f"{count:,} designs", fontsize="medium")
        axes.set_xlabel("gap (%)")
    grid[0].set_ylabel("share of runs within the gap")
    _finish(figure, list(grid), path)


def _best_last(styles: dict[str, dict[str, Any]], agents: Collection[str]) -> list[str]:
    """Order agents so that the best are drawn over the others."""
    return [agent for agent in reversed(styles) if agent in agents]


def _name_lines(axes: Any) -> None:
    """Write the names of coloured lines beside their ends, none over another."""
    ends = {}
    for line in axes.get_lines():
        if line.get_color() in COLOURS:
            ends[line.get_label()] = line  # the last stretch of an agent's
    heights = {}
    for name, line in ends.items():
        display = axes.transData.transform((line.get_xdata()[-1], line.get_ydata()[-1]))
        heights[name] = axes.transAxes.inverted().transform(display)[1]
    free = 0.0
    for name in sorted(heights, key=heights.__getitem__):
        free = max(free, heights[name])
        axes.annotate(
            name,
            (ends[name].get_xdata()[-1], ends[name].get_ydata()[-1]),
            xytext=(1.02, free),
            textcoords="axes fraction",
            color=ends[name].get_color(),
            fontsize="small",
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": ends[name].get_color(), "lw": 0.5},
        )
        free += LABEL_HEIGHT


def _finish(figure: "Figure", grid: list[Any], path: Path, *, named: bool = False) -> None:
    """Tidy up, explain the lines that have no name beside them, and save for screen and print."""
    coloured: dict[str, Any] = {}
    grey: dict[str, Any] = {}
    for axes in grid:
        axes.spines[["top", "right"]].set_visible(False)
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            (grey if handle.get_color() == GREY else coloured).setdefault(label, handle)
    lines = {} if named else dict(reversed(coloured.items()))
    if grey:
        others = fill(f"others: {', '.join(sorted(grey))}", 110 if named else 60)
        lines[others] = next(iter(grey.values()))
    if lines:
        figure.legend(lines.values(), lines, loc="outside lower center", ncols=4, fontsize="small")
    for ending in ENDINGS:
        with replacing(path.with_suffix(ending)) as temporary:
            figure.savefig(temporary, dpi=120, metadata=UNDATED.get(ending))
