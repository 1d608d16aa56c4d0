"""A picture of the chip: which tiles hold which copy of which layer."""

from dataclasses import dataclass
from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lrmp.errors import DesignError, InfeasibleBudgetError
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design import Design
from lrmp.plotting.design_plot import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_TILES = 30_000  # more squares than this could not be told apart
FREE_COLOUR, FREE_EDGE, LINE_COLOUR = "#EFEFEF", "#C8C8C8", "#222222"
#: Paul Tol's "light" scheme, taken in turn along the layers in an order that keeps neighbours apart
#: under each kind of colour blindness, as a test measures; numbers tell layers of one colour apart.
LAYER_COLOURS = (
    "#77AADD",
    "#EE8866",
    "#99DDFF",
    "#EEDD88",
    "#44BB99",
    "#BBCC33",
    "#FFAABB",
)
#: Outlines of networks that share the chip, after Paul Tol's "bright" scheme.
NETWORK_COLOURS = ("#AA3377", "#228833", "#4477AA", "#EE6677", "#CCBB44", "#66CCEE")
FREE = -1
GAP = 0.5  # between cores, in tiles
MAP_RATIO = 1.25  # width / height
SMALL_MAP, LARGE_MAP, LARGE_CHIP = 7.0, 9.5, 3000  # widths in inches, and from how many tiles
MOST_LINES = 54  # of the list of layers in one column
SMALLEST_NUMBER, LARGEST_NUMBER = 4.5, 11.0  # font sizes


@dataclass(frozen=True, eq=False)
class _Placement:
    """What every tile of the chip holds, and its place in the drawing.

    Places are cells of a grid in which the gaps between cores are rows and columns, too.

    Attributes:
        layer: Index of the layer, shape (T,); FREE where there is none.
        copy: Number of the copy, counted over all layers, shape (T,); FREE where there is none.
        core: Index of the core, shape (T,).
        column: Column of the grid, shape (T,).
        row: Row of the grid, shape (T,).
        x: Left edges of the columns in tiles, and the right edge of the last.
        y: Upper edges of the rows in tiles, and the lower edge of the last.
    """

    layer: IntArray
    copy: IntArray
    core: IntArray
    column: IntArray
    row: IntArray
    x: NDArray[np.float64]
    y: NDArray[np.float64]


def plot_floor_plan(cost_model: CostModel, design: Design, budget: int | None = None) -> "Figure":
    """Draw which tiles hold which copy of which layer.

    The tiles are filled layer after layer and copy after copy along a snake through the cores, and
    through the tiles of a core: a sketch of how much room everything takes, not a placement that
    was optimised.

    Args:
        cost_model: Network of L layers, and chip.
        design: Bits and copies.
        budget: Tiles on the chip; None for those that the design holds.

    Returns:
        One square per tile in the colour of its layer, grey if it is free, an outline around every
        copy, the layer's number, and a list of the layers with their copies and tiles. Where
        several networks share the chip, a thick coloured outline goes around the tiles of each.

    Raises:
        DesignError: If the design does not fit the network, holds no tiles, has too many to be
            drawn, or its layers take turns on the tiles.
        InfeasibleBudgetError: If the design does not fit the budget.
        MissingExtraError: If matplotlib is not installed.
    """
    network, chip = cost_model.network, cost_model.accelerator
    if chip.is_time_multiplexed:
        raise DesignError(
            f"Expected a chip that holds all layers at the same time for a floor plan, got "
            f"{chip.name!r}, on which they take turns."
        )
    tiles = cost_model.evaluate(design).tiles
    budget = tiles if budget is None else budget
    if tiles > budget:
        raise InfeasibleBudgetError(
            f"Expected a design of at most {budget} tiles, got {tiles}. Raise the budget."
        )
    if not 0 < budget <= MOST_TILES:
        raise DesignError(
            f"Expected from 1 to {MOST_TILES} tiles for a floor plan, got {budget}. Draw the cost "
            "of this design instead."
        )
    per_copy = cost_model.tiles_per_copy(design.settings)
    placement = _place(per_copy, design.replication, budget, chip.tiles_per_core)

    columns = ceil(len(network) / MOST_LINES)
    width = LARGE_MAP if budget > LARGE_CHIP else SMALL_MAP
    tile_pt = 72 * width / placement.x[-1]
    lines = min(MOST_LINES, len(network) + 1)
    height = max(width * placement.y[-1] / placement.x[-1], 0.145 * lines + 0.4) + 0.5
    longest = max(len(layer.name) for layer in network.layers)
    figure = new_figure(width + 0.4 + columns * (0.06 * longest + 1.5), height)
    axes = figure.add_subplot()
    _draw_tiles(axes, placement, tile_pt)
    _number_copies(axes, placement, tile_pt)
    if len(network.sizes) > 1:
        _outline_networks(axes, placement, network, tile_pt)
    axes.set_xlim(-0.3, placement.x[-1] + 0.3)
    axes.set_ylim(placement.y[-1] + 0.3, -0.3)
    axes.set_aspect("equal", anchor="N")
    axes.set_axis_off()
    axes.set_title(
        f"{network.name} on {chip.name}\n{tiles:,} of {budget:,} tiles in "
        f"{placement.core[-1] + 1:,} cores, {int(design.replication.sum()):,} copies of "
        f"{len(network)} layers",
        loc="left",
        fontsize="medium",
    )
    _list_layers(figure, network, design.replication, per_copy, budget - tiles, columns)
    return figure


def _place(per_copy: IntArray, copies: IntArray, budget: int, per_core: int) -> _Placement:
    """Fill the tiles in order and lay them out."""
    layer_of_copy = np.repeat(np.arange(len(copies)), copies)
    copy = np.repeat(np.arange(len(layer_of_copy)), per_copy[layer_of_copy])
    free = np.full(budget - len(copy), FREE)
    core, index = np.divmod(np.arange(budget), per_core)
    wide, high = _core_shape(per_core)
    gap = GAP if per_core > 1 else 0.0
    cores = int(core[-1]) + 1
    across = min(cores, ceil(sqrt(cores * MAP_RATIO * (high + gap) / (wide + gap))))

    core_row, core_column = np.divmod(core, across)
    column, row = np.divmod(index, high)
    # A snake: every second row of cores is filled backwards, and along it every second column of
    # tiles upwards, so that tiles that follow each other are neighbours.
    along = core_column * wide + column
    row = np.where(along % 2, high - 1 - row, row)
    backwards = core_row % 2 == 1
    column = np.where(backwards, wide - 1 - column, column)
    core_column = np.where(backwards, across - 1 - core_column, core_column)
    return _Placement(
        layer=np.concatenate([layer_of_copy[copy], free]),
        copy=np.concatenate([copy, free]),
        core=core,
        column=column + core_column * (wide + 1),
        row=row + core_row * (high + 1),
        x=_edges(across, wide, gap),
        y=_edges(ceil(cores / across), high, gap),
    )


def _edges(cores: int, tiles: int, gap: float) -> NDArray[np.float64]:
    """List the edges of tiles and gaps along one side of the chip."""
    sizes = np.tile([1.0] * tiles + [gap], cores)[:-1]
    return np.concatenate([[0.0], np.cumsum(sizes)])


def _core_shape(tiles: int) -> tuple[int, int]:
    """Choose columns and rows of a core: few empty places, at most twice as wide as high."""
    shapes = [(ceil(tiles / rows), rows) for rows in range(1, tiles + 1)]
    wide = [(c, r) for c, r in shapes if r <= c <= 2 * r] or [(tiles, 1)]
    return min(wide, key=lambda shape: (shape[0] * shape[1], shape[0] - shape[1]))


def _draw_tiles(axes: "Axes", placement: _Placement, tile_pt: float) -> None:
    from matplotlib.collections import LineCollection, PolyCollection

    copy_at, layer_at = _with_gaps(placement)
    places = np.stack([placement.row, placement.column], axis=1)
    colours = [_colour(layer) for layer in placement.layer.tolist()]
    tiles = PolyCollection(
        _rectangles(placement, places),
        facecolors=colours,
        edgecolors=[FREE_EDGE if layer == FREE else "white" for layer in placement.layer.tolist()],
        linewidths=min(0.8, 0.04 * tile_pt),
    )
    is_tile = np.zeros(copy_at.shape, dtype=bool)
    is_tile[placement.row, placement.column] = True
    bridged = np.argwhere((copy_at >= 0) & ~is_tile)
    bridges = PolyCollection(
        _rectangles(placement, bridged),
        facecolors=[_colour(int(layer_at[row, column])) for row, column in bridged],
        alpha=0.45,  # so that the cores can still be seen
        linewidths=0,
    )
    outlines = LineCollection(
        _outlines(placement, copy_at),
        colors=LINE_COLOUR,
        linewidths=min(1.2, 0.11 * tile_pt),
        capstyle="projecting",
    )
    for collection in (tiles, bridges, outlines):
        axes.add_collection(collection)


def _outline_networks(
    axes: "Axes", placement: _Placement, network: Network, tile_pt: float
) -> None:
    """Draw a line around the tiles of every network."""
    from matplotlib.collections import LineCollection

    _, layer_at = _with_gaps(placement)
    owners = np.append(_owners(network), FREE)  # FREE is the last
    network_at = owners[layer_at]
    for number in range(len(network.sizes)):
        mine = np.where(network_at == number, number, FREE)
        axes.add_collection(
            LineCollection(
                _outlines(placement, mine),
                colors=_network_colour(number),
                linewidths=float(np.clip(0.3 * tile_pt, 1.0, 3.0)),
                capstyle="projecting",
            )
        )


def _owners(network: Network) -> IntArray:
    """Number the network of every layer."""
    return np.repeat(np.arange(len(network.sizes)), network.sizes)


def _network_colour(number: int) -> str:
    return NETWORK_COLOURS[number % len(NETWORK_COLOURS)]


def _colour(layer: int) -> str:
    return FREE_COLOUR if layer == FREE else LAYER_COLOURS[layer % len(LAYER_COLOURS)]


def _with_gaps(placement: _Placement) -> tuple[IntArray, IntArray]:
    """Lay copies and layers out in the grid; a copy on both sides of a gap fills it."""
    shape = (len(placement.y) - 1, len(placement.x) - 1)
    copy_at, layer_at = np.full(shape, FREE), np.full(shape, FREE)
    copy_at[placement.row, placement.column] = placement.copy
    layer_at[placement.row, placement.column] = placement.layer
    for array in (copy_at, copy_at.T):  # gaps between columns of cores, then between rows
        layers = layer_at if array is copy_at else layer_at.T
        left, middle, right = array[:, :-2], array[:, 1:-1], array[:, 2:]
        fill = (middle == FREE) & (left == right) & (left != FREE)
        middle[fill] = left[fill]
        layers[:, 1:-1][fill] = layers[:, :-2][fill]
    return copy_at, layer_at


def _rectangles(placement: _Placement, places: NDArray[np.int64]) -> list[NDArray[np.float64]]:
    """Return the corners of cells of the grid given by row and column."""
    x, y = placement.x, placement.y
    return [
        np.array([(x[c], y[r]), (x[c + 1], y[r]), (x[c + 1], y[r + 1]), (x[c], y[r + 1])])
        for r, c in places.tolist()
    ]


def _outlines(placement: _Placement, copy_at: IntArray) -> list[list[tuple[float, float]]]:
    """List the sides on which a copy ends."""
    x, y = placement.x, placement.y
    around = np.pad(copy_at, 1, constant_values=FREE)
    above, below, left, right = (
        around[:-1, 1:-1],
        around[1:, 1:-1],
        around[1:-1, :-1],
        around[1:-1, 1:],
    )
    rows = np.argwhere(above != below).tolist()
    columns = np.argwhere(left != right).tolist()
    return [
        *([(x[c], y[r]), (x[c + 1], y[r])] for r, c in rows),
        *([(x[c], y[r]), (x[c], y[r + 1])] for r, c in columns),
    ]


def _number_copies(axes: "Axes", placement: _Placement, tile_pt: float) -> None:
    """Write the layer's number into every copy, where the copy has most tiles in one core."""
    from matplotlib.patheffects import withStroke

    numbered = set()
    held = placement.copy[placement.copy != FREE]
    starts = np.flatnonzero(np.diff(held, prepend=FREE))
    for tiles in np.split(np.arange(len(held)), starts[1:]):
        cores, counts = np.unique(placement.core[tiles], return_counts=True)
        chunk = tiles[placement.core[tiles] == cores[np.argmax(counts)]]
        layer = int(placement.layer[chunk[0]])
        number = str(layer + 1)
        left, right, top, bottom = _room(
            placement.x[placement.column[chunk]], placement.y[placement.row[chunk]], len(number)
        )
        size = tile_pt * _font_size(right - left, bottom - top, len(number))
        if layer in numbered and size < SMALLEST_NUMBER:
            continue
        numbered.add(layer)
        size = float(np.clip(size, SMALLEST_NUMBER, LARGEST_NUMBER))
        axes.text(
            (left + right) / 2,
            (top + bottom) / 2,
            number,
            ha="center",
            va="center",
            fontsize=size,
            path_effects=[withStroke(linewidth=0.2 * size, foreground="white", alpha=0.7)],
        )


def _font_size(width: float, height: float, digits: int) -> float:
    """Return the size of digits that fit; one is 0.64 times as wide as its size, 0.73 as high."""
    return min(0.95 * width / digits, 0.6 * height)


def _room(
    x: NDArray[np.float64], y: NDArray[np.float64], digits: int
) -> tuple[float, float, float, float]:
    """Find the rectangle of tiles with the most room for a number.

    Args:
        x: Left edges of tiles in one core, shape (T,).
        y: Their upper edges, shape (T,).
        digits: Of the number.

    Returns:
        Its left, right, upper and lower edge.
    """
    grid = np.zeros((int(np.ptp(y)) + 1, int(np.ptp(x)) + 1), dtype=bool)
    grid[np.rint(y - y.min()).astype(int), np.rint(x - x.min()).astype(int)] = True
    best, room = (0.0, 0), (0, 1, 0, 1)
    for top in range(grid.shape[0]):
        full = np.ones(grid.shape[1], dtype=bool)
        for bottom in range(top, grid.shape[0]):
            full &= grid[bottom]
            edges = np.flatnonzero(np.diff(np.concatenate([[False], full, [False]])))
            for left, right in edges.reshape(-1, 2).tolist():
                width, height = right - left, bottom + 1 - top
                # Among equals the largest, so that the number sits in the middle of the copy.
                rank = _font_size(width, height, digits), width * height
                if rank > best:
                    best, room = rank, (left, right, top, bottom + 1)
    left, right, top, bottom = room
    return x.min() + left, x.min() + right, y.min() + top, y.min() + bottom


def _list_layers(
    figure: "Figure",
    network: Network,
    copies: IntArray,
    per_copy: IntArray,
    free: int,
    columns: int,
) -> None:
    from matplotlib.patches import Patch

    longest = max(len(layer.name) for layer in network.layers)
    owners, several = _owners(network), len(network.sizes) > 1
    handles = []
    for index, layer in enumerate(network.layers):
        held = f"{copies[index]:>3} x {per_copy[index]}" if per_copy[index] else "no tiles"
        label = f"{index + 1:>3} {layer.name:<{longest}} {held}"
        colour = LAYER_COLOURS[index % len(LAYER_COLOURS)] if per_copy[index] else "none"
        edge = _network_colour(int(owners[index])) if several else None
        handles.append(Patch(facecolor=colour, edgecolor=edge, label=label))
    if free:
        handles.append(
            Patch(
                facecolor=FREE_COLOUR,
                edgecolor=FREE_EDGE,
                label=f"    {'free':<{longest}} {free:>7}",
            )
        )
    figure.legend(
        handles=handles,
        title="layer: copies x tiles",
        loc="outside right upper",
        ncols=columns,
        prop={"family": "DejaVu Sans Mono", "size": 7},
        title_fontsize=8,
        frameon=False,
        handlelength=1.2,
        columnspacing=1.0,
    )
