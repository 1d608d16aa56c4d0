"""Panels that show the settings of layers: which knobs share one, its scale and its bars."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BEFORE = "#b8b8b8"  # the plain chip
#: Of knobs, in turn: told apart, and from ``BEFORE``, under each kind of colour blindness, as a
#: test measures.
COLOURS = ("#1f6f8b", "#e08e45", "#332288", "#56B4E9", "#661100")
BARS_WIDTH = 0.8


def knob_panels(space: DesignSpace) -> list[tuple[Knob, ...]]:
    """Put knobs together that share a scale.

    Args:
        space: The knobs.

    Returns:
        For every panel its knobs: integers of the same unit, in the order of the space; a knob of
        labels or without a unit has its own.
    """
    panels: list[list[Knob]] = []
    for knob in space:
        alike = [
            panel
            for panel in panels
            if knob.unit and panel[0].unit == knob.unit and not knob.is_label
        ]
        if alike:
            alike[0].append(knob)
        else:
            panels.append([knob])
    return [tuple(panel) for panel in panels]


def bar_places(count: int) -> list[tuple[float, float]]:
    """Say where bars side by side stand.

    Args:
        count: Bars per layer.

    Returns:
        Of each its middle, from that of the layer, and its width.
    """
    width = BARS_WIDTH / count
    return [((place - (count - 1) / 2) * width, width) for place in range(count)]


def bar_heights(knob: Knob, places: IntArray) -> NDArray[np.float64]:
    """Say how high bars are.

    Args:
        knob: Which.
        places: Of values, any shape.

    Returns:
        The values; of labels their numbers, from 1.
    """
    if knob.is_label:
        return places.astype(np.float64) + 1
    heights: NDArray[np.float64] = knob.decode(places).astype(np.float64)
    return heights


def draw_scale(axes: "Axes", knobs: tuple[Knob, ...]) -> None:
    """Draw scale and plain values of a panel.

    Args:
        axes: The panel.
        knobs: Those that share it.
    """
    ticks = sorted({float(h) for k in knobs for h in bar_heights(k, np.arange(len(k)))})
    for plain in sorted({float(bar_heights(k, np.array(k.plain_index))) for k in knobs}):
        axes.axhline(plain, color=BEFORE, linewidth=1, linestyle="--")
    room = 0.3 * ticks[-1]  # for the legend
    axes.set_ylim(min(0.0, ticks[0]), ticks[-1] + room)
    axes.set_yticks(ticks, list(knobs[0].values) if knobs[0].is_label else None)  # type: ignore[arg-type]
    axes.set_ylabel(knobs[0].unit or words(knobs[0]))


def words(knob: Knob) -> str:
    """Return the name of a knob as a legend has it.

    Args:
        knob: Which.

    Returns:
        Such as ``"weight bits"``.
    """
    return knob.name.replace("_", " ")
