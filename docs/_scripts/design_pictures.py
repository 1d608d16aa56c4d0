"""Pictures of designs for the task cards: SVG that stands in the page and follows its colours.

The floor plan is the one that the hosted board draws. Nothing is stored: the build draws all.
"""

from collections.abc import Iterator, Sequence
from html import escape

from lrmp.envs import Optimum, Task
from lrmp.leaderboard.board.pages.charts.floor_plan import draw_floor_plan

ROW, HEAD, GAP = 18, 14, 10  # heights in pixels
NAMES, BAND = 118, 720  # widths of the names of rows, and of a band of layers
LEAST_CELL, PER_LETTER = 24, 6.2
SHADES = 6  # of cells in site.css, from c0, the least value, to c5


def design_picture(task: Task, optimum: Optimum) -> str:
    """Draw a design layer by layer.

    Args:
        task: What it is a design of.
        optimum: Holds the design.

    Returns:
        A table of values, in stronger colours the higher they are in their knob; as HTML.
    """
    design = optimum.design
    rows = []
    for knob in task.space:
        values = [str(value) for value in design[knob.name].tolist()]
        places = design.settings[:, task.space.place(knob.name)].tolist()
        shades = [_shade(place, len(knob.values)) for place in places]
        rows.append((knob.name.replace("_", " "), values, shades))
    copies = design.replication.tolist()
    most = max(count.bit_length() for count in copies)
    shades = [_shade(count.bit_length(), most + 1) for count in copies]
    rows.append(("copies", [str(count) for count in copies], shades))
    names = [layer.name for layer in task.network.layers]
    return _figure(
        "".join(_bands(names, rows)),
        "The proven best design, a column per layer; the stronger its colour, the larger a value.",
    )


def _shade(place: int, of: int) -> int:
    return min(SHADES - 1, place * SHADES // max(of, 1))


def _bands(names: Sequence[str], rows: Sequence[tuple[str, list[str], list[int]]]) -> Iterator[str]:
    """Write bands of layers below each other, as many layers in each as fit."""
    longest = max(len(value) for _, values, _ in rows for value in values)
    cell = max(LEAST_CELL, round(PER_LETTER * longest) + 8)
    per_band = max(1, (BAND - NAMES) // cell)
    bands = range(0, len(names), per_band)
    high = HEAD + ROW * len(rows)
    width = NAMES + cell * min(per_band, len(names))
    total = (high + GAP) * len(bands)
    yield f'<svg class="design" viewBox="0 0 {width} {total}" style="max-width:{width}px" '
    yield f'role="img" aria-label="Settings and copies of {len(names)} layers">'
    for band, first in enumerate(bands):
        top = band * (high + GAP)
        shown = range(first, min(first + per_band, len(names)))
        for place, layer in enumerate(shown):
            middle = NAMES + cell * (place + 0.5)
            yield f'<text class="head" x="{middle:g}" y="{top + 10}">{layer + 1}'
            yield f"<title>{escape(names[layer])}</title></text>"
        for line, (title, values, shades) in enumerate(rows):
            y = top + HEAD + ROW * line
            yield f'<text class="name" x="{NAMES - 6}" y="{y + 13}">{escape(title)}</text>'
            for place, layer in enumerate(shown):
                x, shade = NAMES + cell * place, shades[layer]
                value, name = escape(values[layer]), escape(names[layer])
                size = f'width="{cell - 1}" height="{ROW - 1}"'
                yield f'<rect class="c{shade}" x="{x}" y="{y}" {size}>'
                yield f"<title>{name}: {escape(title)} {value}</title></rect>"
                yield f'<text class="t{shade}" x="{x + (cell - 1) / 2:g}" y="{y + 13}">'
                yield f"{value}</text>"
    yield "</svg>"


def floor_plan_picture(task: Task, optimum: Optimum) -> str:
    """Draw what the tiles hold.

    Args:
        task: What the optimum is one of.
        optimum: Holds the design.

    Returns:
        HTML; empty where layers take turns on the tiles, or there are too many to draw.
    """
    if task.accelerator.is_time_multiplexed:
        return ""
    design = optimum.design
    names = [layer.name for layer in task.network.layers]
    per_copy = task.cost_model.tiles_per_copy(design.settings).tolist()
    plan = draw_floor_plan(names, per_copy, design.replication.tolist(), task.budget)
    if plan is None:
        return ""
    strips = "".join(
        f'<rect class="{strip.colour}" x="{strip.x}" y="{strip.y}" width="{strip.width}" '
        f'height="0.92"><title>{escape(strip.title)}</title></rect>'
        for strip in plan.strips
    )
    label = f"{plan.used:,} of {plan.budget:,} tiles are held"
    view = f"-0.5 -0.5 {plan.columns + 1} {plan.rows + 1}"
    return _figure(
        f'<svg class="plan" viewBox="{view}" role="img" aria-label="{label}">{strips}</svg>',
        f"The chip: {label}, filled layer after layer from the upper left. A colour is a layer, "
        "lighter and darker are its copies, grey is free. It shows how much room everything takes "
        "and is no optimised placement.",
    )


def _figure(svg: str, caption: str) -> str:
    return f'<figure class="drawn">{svg}<figcaption>{caption}</figcaption></figure>\n'
