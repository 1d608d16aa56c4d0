"""How plots show what knobs are worth: the proven best with them and without."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colours of the two.
WITH, WITHOUT = "#1f6f8b", "#e08e45"


def draw_gains(
    axes: "Axes",
    drops: Sequence[float],
    with_knobs: tuple[str, Sequence[float]],
    without_knobs: tuple[str, Sequence[float]],
) -> None:
    """Draw gains against the allowed drop.

    Args:
        axes: Of the panel.
        drops: In points.
        with_knobs: Label, and a gain for every drop.
        without_knobs: Likewise.
    """
    for (label, gains), style, color in (
        (with_knobs, "o-", WITH),
        (without_knobs, "s--", WITHOUT),
    ):
        axes.plot(drops, gains, style, color=color, label=label)
    axes.set_xscale("log")
    axes.set_xticks(drops, [f"{drop:g}" for drop in drops])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
