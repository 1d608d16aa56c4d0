"""A picture of a design: bits, copies, and time per layer before and after."""

from typing import TYPE_CHECKING

import numpy as np

from lrmp.errors import MissingExtraError
from lrmp.hardware.space.design import BIT_WIDTHS, MAX_BITS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lrmp.envs.scoring.outcome import Outcome

BEFORE, AFTER, WEIGHTS, ACTIVATIONS = "#b8b8b8", "#1f6f8b", "#1f6f8b", "#e08e45"
READABLE_NAMES = 60  # more layer names than this would overlap


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
        raise MissingExtraError(
            'Expected matplotlib to draw a picture; run pip install "lrmp[plot]".'
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def plot_design(outcome: "Outcome") -> "Figure":
    """Draw a design.

    Args:
        outcome: A finished design of L layers.

    Returns:
        Three panels over the layers: bits, copies, and time before (8-bit baseline, one copy) and
        after.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    task, design, report = outcome.task, outcome.design, outcome.report
    count = len(design)
    figure = new_figure(min(16.0, 4.0 + 0.3 * count), 7.5)
    bits, copies, time = figure.subplots(3, sharex=True)
    x = np.arange(count)

    bits.bar(x - 0.2, design.weight_bits, 0.4, color=WEIGHTS, label="weights")
    bits.bar(x + 0.2, design.activation_bits, 0.4, color=ACTIVATIONS, label="activations")
    bits.axhline(MAX_BITS, color=BEFORE, linewidth=1, linestyle="--", label="baseline")
    bits.set_ylabel("bits")
    bits.set_ylim(0, MAX_BITS + 2.5)  # room for the legend
    bits.set_yticks(BIT_WIDTHS)

    copies.bar(x, design.replication, 0.7, color=AFTER)
    copies.set_yscale("log", base=2)
    copies.set_ylim(bottom=0.8)
    copies.yaxis.set_major_formatter("{x:g}")
    copies.set_ylabel("copies")
    copies.text(
        0.995,
        0.92,
        f"{report.tiles} of {task.budget} tiles",
        transform=copies.transAxes,
        ha="right",
        va="top",
    )

    to_us = 1e6 / report.clock_hz
    baseline = task.cost_model.baseline
    time.bar(x - 0.2, baseline.layer_cycles * to_us, 0.4, color=BEFORE, label="baseline 8/8 bits")
    time.bar(x + 0.2, report.layer_cycles * to_us, 0.4, color=AFTER, label="this design")
    time.set_yscale("log")
    time.set_ylabel("time per layer (µs)")
    for axes in (bits, time):
        axes.legend(loc="upper right", ncols=3, fontsize="small", framealpha=0.9)
    for axes in (bits, copies, time):
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlim(-0.7, count - 0.3)

    if count <= READABLE_NAMES:
        names = [layer.name for layer in task.network.layers]
        time.set_xticks(x, names, rotation=90, fontsize="small")
    else:
        time.set_xlabel("layer")
    figure.suptitle(
        f"{task.id}: {task.objective} gain {outcome.gain:.2f}x, accuracy drop "
        f"{outcome.accuracy_drop:.2f} points, {task.accuracy_label}"
    )
    return figure
