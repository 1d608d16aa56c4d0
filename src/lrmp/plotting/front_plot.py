"""A picture of what accuracy buys: the gain of the best designs at several limits."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lrmp.plotting.design_plot import new_figure
from lrmp.plotting.knob_panel import COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Of lines; they tell them apart without colours, too.
MARKERS = "osD^vP"


def plot_front(
    fronts: Mapping[str, Sequence[tuple[float, float]]],
    chosen: Mapping[str, tuple[float, float]],
    objective: str,
) -> "Figure":
    """Draw the gain against the drop.

    Args:
        fronts: For every chip pairs of drop in points, by the table, and gain.
        chosen: For every chip the pair of the design that was taken.
        objective: What the gain is of.

    Returns:
        A line per chip, and a ring around each chosen design.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    figure = new_figure(5.5, 3.4)
    axes = figure.add_subplot()
    for number, (name, points) in enumerate(fronts.items()):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        drops, gains = zip(*sorted(points), strict=True) if points else ((), ())
        axes.plot(
            drops, gains, color=colour, marker=marker, markersize=4, linewidth=1.2, label=name
        )
        if name in chosen:
            drop, gain = chosen[name]
            axes.plot([drop], [gain], "o", markersize=10, fillstyle="none", color=colour)
    axes.set_xlabel("accuracy drop by the table (points)")
    axes.set_ylabel(f"{objective} gain (x)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize="small", frameon=False, title="ring: the design taken", title_fontsize=7)
    return figure
