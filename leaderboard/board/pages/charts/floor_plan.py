"""The tiles of a chip, and what they hold."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lrmp.leaderboard.board.pages.charts.xy_chart import COLOURS

MOST_TILES = 20_000  # more could not be told apart
RATIO = 2.0  # width / height


@dataclass(frozen=True)
class Strip:
    """Tiles side by side that hold the same copy.

    Attributes:
        x: Left edge, in tiles.
        y: Row.
        width: How many tiles.
        colour: Class of the style sheet.
        title: What they hold.
    """

    x: int
    y: int
    width: int
    colour: str
    title: str


@dataclass(frozen=True)
class FloorPlan:
    """A chip.

    Attributes:
        columns: Tiles side by side.
        rows: Of tiles.
        strips: What they hold, free ones included.
        used: Tiles that hold something.
        budget: Tiles of the chip.
    """

    columns: int
    rows: int
    strips: list[Strip]
    used: int
    budget: int


def draw_floor_plan(
    names: Sequence[str], per_copy: Sequence[int], copies: Sequence[int], budget: int
) -> FloorPlan | None:
    """Fill the tiles layer after layer, copy after copy, row after row: a sketch of the room.

    Args:
        names: Of the layers.
        per_copy: Tiles of one copy of every layer.
        copies: Of every layer.
        budget: Tiles of the chip.

    Returns:
        The plan; None where there are too many tiles to draw, or more held than there are.
    """
    used = sum(tiles * count for tiles, count in zip(per_copy, copies, strict=True))
    if not 0 < budget <= MOST_TILES or used > budget:
        return None
    columns = math.ceil(math.sqrt(budget * RATIO))
    strips: list[Strip] = []
    at = 0
    for layer, (name, tiles, count) in enumerate(zip(names, per_copy, copies, strict=True)):
        for copy in range(count):
            title = f"{name}, copy {copy + 1} of {count}: {tiles} tiles"
            shade = "b" if copy % 2 else "a"
            strips += _strips(at, tiles, columns, f"s{layer % COLOURS} {shade}", title)
            at += tiles
    strips += _strips(at, budget - at, columns, "free", f"{budget - at} free tiles")
    return FloorPlan(columns, math.ceil(budget / columns), strips, used, budget)


def _strips(at: int, tiles: int, columns: int, colour: str, title: str) -> list[Strip]:
    strips = []
    while tiles > 0:
        row, column = divmod(at, columns)
        width = min(tiles, columns - column)
        strips.append(Strip(column, row, width, colour, title))
        at, tiles = at + width, tiles - width
    return strips
