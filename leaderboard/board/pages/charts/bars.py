"""Bars by category, on a logarithmic scale: layers differ by orders of magnitude."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lrmp.leaderboard.board.pages.charts.scale import Tick, scale_over

LEFT, TOP, BOTTOM, HEIGHT = 96, 16, 104, 320
LEAST_WIDTH, PER_CATEGORY = 480, 22


@dataclass(frozen=True)
class Bar:
    """A bar.

    Attributes:
        x: Left edge.
        y: Upper edge.
        width: Of it.
        height: Of it.
        colour: Class of the style sheet.
        title: What it says.
    """

    x: float
    y: float
    width: float
    height: float
    colour: str
    title: str


@dataclass(frozen=True)
class Bars:
    """A chart.

    Attributes:
        title: What it shows.
        width: Of the drawing.
        height: Of the drawing.
        bottom: Where bars stand.
        left: Where the axis is.
        ticks: Of the axis.
        bars: All of them.
        names: Of the categories, with their places.
        legend: Names of the series with their colours.
    """

    title: str
    width: float
    height: float
    bottom: float
    left: float
    ticks: list[Tick]
    bars: list[Bar]
    names: list[tuple[float, str]]
    legend: list[tuple[str, str]]


def draw_bars(
    title: str, names: Sequence[str], series: Sequence[tuple[str, Sequence[int]]]
) -> Bars:
    """Draw bars side by side.

    Args:
        title: What they show.
        names: Of the categories.
        series: Names, and a value for every category; 0 has no bar.

    Returns:
        The chart.
    """
    width = max(LEAST_WIDTH, LEFT + 16 + PER_CATEGORY * len(names))
    values = [float(value) for _, row in series for value in row if value > 0] or [1.0]
    floor = 10.0 ** math.floor(math.log10(min(values)))
    bottom = HEIGHT - BOTTOM
    up = scale_over([floor, max(values)], bottom, TOP, is_log=True)
    step = (width - LEFT - 16) / len(names)
    thick = 0.8 * step / len(series)
    bars = []
    for place, (label, row) in enumerate(series):
        for index, (name, value) in enumerate(zip(names, row, strict=True)):
            if value > 0:
                x, y = LEFT + index * step + 0.1 * step + place * thick, up(float(value))
                colour = "quiet" if place == 0 else "s0"
                bars.append(
                    Bar(
                        round(x, 1),
                        y,
                        round(thick, 1),
                        round(max(bottom - y, 1.0), 1),
                        colour,
                        f"{name}, {label}: {value:,}",
                    )
                )
    places = [(round(LEFT + (i + 0.5) * step, 1), name) for i, name in enumerate(names)]
    legend = [(label, "quiet" if i == 0 else "s0") for i, (label, _) in enumerate(series)]
    return Bars(title, width, HEIGHT, bottom, LEFT, up.ticks(), bars, places, legend)
