"""Lines and dots over two axes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lrmp.leaderboard.board.pages.charts.scale import Scale, Tick, scale_over

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 28, 16, 48
COLOURS = 7  # that the style sheet has

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """Values of one thing.

    Attributes:
        name: What it is.
        points: In the order of x.
        kind: ``"line"``, ``"steps"`` (a value holds until the next one) or ``"dots"``.
        quiet: Whether it is a reference, drawn in grey.
        dots: Whether a line has dots, too.
    """

    name: str
    points: Sequence[Point]
    kind: str = "line"
    quiet: bool = False
    dots: bool = False


@dataclass(frozen=True)
class Drawn:
    """A series as it is drawn.

    Attributes:
        name: What it is.
        colour: Class of the style sheet.
        path: Of the line; empty for dots alone.
        dots: Coordinates and texts.
        points: The values.
    """

    name: str
    colour: str
    path: str
    dots: list[tuple[float, float, str]]
    points: Sequence[Point]


@dataclass(frozen=True)
class XYChart:
    """A chart.

    Attributes:
        title: What it shows; read to those who do not see it.
        x_label: Of the axis.
        y_label: Of the axis.
        x_ticks: Marks.
        y_ticks: Marks.
        series: In the order of the legend.
        levels: Horizontal references: coordinate and text.
        verticals: Vertical references: coordinate and text.
    """

    title: str
    x_label: str
    y_label: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    series: list[Drawn]
    levels: list[tuple[float, str]] = field(default_factory=list)
    verticals: list[tuple[float, str]] = field(default_factory=list)
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def draw_xy(
    title: str,
    x_label: str,
    y_label: str,
    series: Sequence[Series],
    *,
    x_log: bool = False,
    y_zero: bool = False,
    levels: Sequence[tuple[float, str]] = (),
    verticals: Sequence[tuple[float, str]] = (),
    shown_x: Sequence[float] = (),
) -> XYChart | None:
    """Draw series.

    Args:
        title: What it shows.
        x_label: Of the axis.
        y_label: Of the axis.
        series: What is shown.
        x_log: Whether the x axis is logarithmic.
        y_zero: Whether the y axis begins at 0.
        levels: Values of y to mark, with texts.
        verticals: Values of x to mark, with texts.
        shown_x: Values of x that the axis has to show, too.

    Returns:
        The chart; None if there is no value.
    """
    points = [point for each in series for point in each.points]
    if not points:
        return None
    xs = [*(x for x, _ in points), *(x for x, _ in verticals), *shown_x]
    ys = [y for _, y in points] + [y for y, _ in levels]
    across = scale_over(xs, LEFT, WIDTH - RIGHT, is_log=x_log)
    up = scale_over(ys, HEIGHT - BOTTOM, TOP, zero=y_zero)
    drawn, colour = [], 0
    for each in series:
        drawn.append(_drawn(each, "quiet" if each.quiet else f"s{colour % COLOURS}", across, up))
        colour += not each.quiet
    return XYChart(
        title,
        x_label,
        y_label,
        across.ticks(),
        up.ticks(),
        drawn,
        [(up(value), text) for value, text in levels],
        [(across(value), text) for value, text in verticals],
    )


def _drawn(series: Series, colour: str, across: Scale, up: Scale) -> Drawn:
    places = [(across(x), up(y)) for x, y in series.points]
    path = ""
    if series.kind == "line" and places:
        path = "M" + " L".join(f"{x} {y}" for x, y in places)
    elif series.kind == "steps" and places:
        path = f"M{places[0][0]} {places[0][1]}"
        path += "".join(f" H{x} V{y}" for x, y in places[1:])
        path += f" H{across.end}"
    dots = []
    if series.kind == "dots" or series.dots:
        dots = [
            (x, y, f"{series.name}: {vx:,.6g}, {vy:,.6g}")
            for (x, y), (vx, vy) in zip(places, series.points, strict=True)
        ]
    return Drawn(series.name, colour, path, dots, series.points)
