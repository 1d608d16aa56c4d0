"""A picture of a design: settings, copies, and time per layer before and after."""

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from lrmp.errors import MissingExtraError
from lrmp.plotting.knob_panel import (
    BEFORE,
    COLOURS,
    bar_heights,
    bar_places,
    draw_scale,
    knob_panels,
    words,
)
from lrmp.plotting.layer_names import name_layers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lrmp.envs.scoring.outcome import Outcome

AFTER = "#1f6f8b"
EACH_NAMED = 6  # copies; up to here every number has its tick


def new_figure(width: float, height: float) -> "Figure":
    """Make an empty figure that no window system is asked for.

    Args:
        width: Inches.
        height: Inches.

    Returns:
        The figure; ``savefig`` picks the format by the file's ending.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError.of("matplotlib", "to draw a picture", "plot") from error
    return Figure(figsize=(width, height), layout="constrained")


def plot_design(outcome: "Outcome", title: str | None = None) -> "Figure":
    """Draw a design.

    Args:
        outcome: A finished design of L layers.
        title: Above all; None for the task's id, gain and drop.

    Returns:
        Panels over the layers: the knobs, copies, and time before (plain chip, one copy) and after.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    task, design, report = outcome.task, outcome.design, outcome.report
    count = len(design)
    shown = knob_panels(task.space)
    inches = min(16.0, 4.0 + 0.3 * count)
    figure = new_figure(inches, 2.5 * (len(shown) + 2))
    *panels, copies, time = figure.subplots(len(shown) + 2, sharex=True)
    x = np.arange(count)

    colours = iter(cycle(COLOURS))
    for axes, knobs in zip(panels, shown, strict=True):
        draw_scale(axes, knobs)
        for knob, (offset, width) in zip(knobs, bar_places(len(knobs)), strict=True):
            heights = bar_heights(knob, design.settings[:, task.space.place(knob.name)])
            axes.bar(x + offset, heights, width, color=next(colours), label=words(knob))

    copies.bar(x, design.replication, 0.7, color=AFTER)
    copies.set_yscale("log", base=2)
    copies.set_ylim(bottom=0.8)
    if (
        most := int(design.replication.max())
    ) <= EACH_NAMED:  # powers of 2 would leave bars between
        copies.set_yticks(range(1, most + 1))
    copies.yaxis.set_major_formatter("{x:g}")
    copies.set_ylabel("copies")
    copies.text(
        0.995,
        0.92,
        f"{report.tiles_text(task.budget)} tiles",
        transform=copies.transAxes,
        ha="right",
        va="top",
    )

    to_us = 1e6 / report.clock_hz
    baseline = task.baseline_report
    before = "plain chip" if task.baseline is None else "baseline"
    time.bar(x - 0.2, baseline.layer_cycles * to_us, 0.4, color=BEFORE, label=before)
    time.bar(x + 0.2, report.layer_cycles * to_us, 0.4, color=AFTER, label="this design")
    time.set_yscale("log")
    time.set_ylabel("time per layer (µs)")
    for axes in (*panels, time):
        axes.legend(loc="upper right", ncols=3, fontsize="small", framealpha=0.9)
    for axes in (*panels, copies, time):
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlim(-0.7, count - 0.3)

    name_layers(time, [layer.name for layer in task.network.layers], 72 * inches)
    figure.suptitle(
        title
        or f"{task.id}: {task.objective} gain {outcome.gain:.2f}x, accuracy drop "
        f"{outcome.accuracy_drop:.2f} points, {task.accuracy_label}"
    )
    return figure
