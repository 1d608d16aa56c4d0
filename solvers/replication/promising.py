"""Options that may lower the product of two sums; the others are dropped before it is looked for.

The linear relaxation of a weighted sum bounds all solutions by a line, and rounds to one of them. A
better one lies below the hyperbola of its product and above the lines, so that its weighted sums
have bounds from above, too: an option that costs more than the gap between them is in no solution
that is as good (Pisinger, European Journal of Operational Research 83(2), 1995).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.choices import Choices

Floats = NDArray[np.float64]
MARGIN = 1e-9  # of weighted sums in floats, whose rounding takes a thousandth of it
TURN = 1.1  # of chords, to pass a little below the ends of the hyperbola


@dataclass(frozen=True)
class _Line:
    """All solutions have ``steepness * x + y >= bound``.

    Attributes:
        steepness: Of the line.
        bound: From the relaxation.
        reduced: What options add to the weighted sum beyond the bound, at least, shape (N,).
        options: A solution, shape (B,).
    """

    steepness: float
    bound: float
    reduced: Floats
    options: IntArray


def promising(choices: Choices) -> Choices:
    """Drop options that are in no solution of the least product of cycles and energy.

    Args:
        choices: Of a problem with energies.

    Returns:
        The options of all best solutions, and few others.
    """
    assert choices.energy_fj is not None
    first = choices.start[:-1]
    cycles, energy = choices.cycles.astype(float), choices.energy_fj.astype(float)
    tiles = choices.tiles - choices.tiles[first][choices.block]
    free = choices.problem.budget - int(choices.tiles[first].sum())
    least_energy = float(np.minimum.reduceat(energy, first).sum())
    fixed = float(choices.fixed_cycles)
    least_cycles = float(np.minimum.reduceat(cycles, first).sum()) + fixed
    likely_cycles = _likely_cycles(choices, tiles, free) + fixed
    if not min(least_energy, least_cycles, likely_cycles) > 0:
        return choices

    # Both sums in parts: x of the cycles that are likely, y of the least energy.
    x, y, fixed_x = cycles / likely_cycles, energy / least_energy, fixed / likely_cycles
    lines, product, at = [], np.inf, 1.0
    low, high = least_cycles / likely_cycles, np.inf  # x on the hyperbola, above all lines
    for towards in (None, "low", "high"):
        # The tangent at the product that is likely best, then chords from it to both ends.
        steepness = 1.0
        if towards is not None:
            end = low if towards == "low" else high
            tilt = at / end
            tilt = max(1 + TURN * (tilt - 1), tilt / 2)
            steepness = tilt * product / at**2
        line = _line(choices, tiles, steepness * x + y, free, steepness, steepness * fixed_x)
        lines.append(line)
        sums = choices.cycles_and_energy(line.options)
        own_x, own_y = sums[0] / likely_cycles, sums[1] / least_energy
        if own_x * own_y < product:
            product, at, high = own_x * own_y, own_x, min(high, own_x * own_y)
        low, high = _above(lines, product, low, high)
    keep = tiles <= free
    for line in lines:
        most = max(line.steepness * end + product / end for end in (low, high))
        keep &= line.reduced <= most * (1 + MARGIN) - line.bound
    return choices.only(keep)


def _above(lines: list[_Line], product: float, low: float, high: float) -> tuple[float, float]:
    """Cut off the ends of a hyperbola that are below lines.

    Args:
        lines: A few.
        product: x times y on the hyperbola.
        low: The least x.
        high: The largest x.

    Returns:
        Both anew.
    """
    for line in lines:
        under = line.bound**2 - 4 * line.steepness * product
        if line.bound <= 0 or under <= 0:
            continue
        right = (line.bound + under**0.5) / (2 * line.steepness)
        left = product / (line.steepness * right)  # the difference of the two would cancel
        if left <= low < right:
            low = min(right, high)
        if left < high <= right:
            high = max(left, low)
    return low * (1 - MARGIN), high * (1 + MARGIN)


def _line(
    choices: Choices, tiles: IntArray, costs: Floats, free: int, steepness: float, fixed: float
) -> _Line:
    """Bound a weighted sum, that of ``costs`` and something fixed."""
    options, price = _relaxation(choices, tiles, costs, free)
    reduced = costs + price * tiles
    least = np.minimum.reduceat(reduced, choices.start[:-1])
    bound = float(least.sum()) - price * free + fixed
    bound -= MARGIN * (abs(bound) + price * free)
    return _Line(steepness, bound, reduced - least[choices.block], options)


def _likely_cycles(choices: Choices, tiles: IntArray, free: int) -> float:
    """Guess the cycles of good copies, those of which copies spare none left out.

    Were copies divisible, layers that halve their time with twice the copies would share the tiles
    in proportion to the root of time and tiles.
    """
    more = np.flatnonzero(np.diff(choices.start) > 1)
    at = choices.start[more]
    of_one = tiles[at + 1].astype(float)
    roots = np.sqrt(choices.cycles[at] * of_one).sum()
    return float(roots * roots / max(free + of_one.sum(), 1.0))


def _relaxation(
    choices: Choices, tiles: IntArray, costs: Floats, free: int
) -> tuple[IntArray, float]:
    """Solve the linear relaxation about, and round it down, with the best single change after that.

    Returns:
        Options that fit, shape (B,), and what a tile is worth.
    """
    first, block = choices.start[:-1], choices.block
    # Where energies hardly differ the hulls of weighted sums are about those of the cycles.
    tried = np.arange(len(block))
    if choices.steps is not None:
        tried = np.sort(np.concatenate([first, choices.steps[1]]))
    before, after, slopes = _hulls(block, tiles, costs, tried)
    order = np.argsort(-slopes, kind="stable")
    filled = np.cumsum((tiles[after] - tiles[before])[order])
    whole = int(np.searchsorted(filled, free, side="right"))
    options, taken = first.copy(), after[order[:whole]]
    options[block[taken]] = taken  # the last step of a block wins
    left = free - int(tiles[options].sum())
    change = costs - costs[options][block]
    change[tiles - tiles[options][block] > left] = 0.0
    best = int(change.argmin())
    if change[best] < 0:
        options[block[best]] = best
    return options, float(slopes[order[whole]]) if whole < len(order) else 0.0


def _hulls(
    block: IntArray, tiles: IntArray, costs: Floats, tried: IntArray
) -> tuple[IntArray, IntArray, Floats]:
    """Walk the lower convex hulls of all blocks at once, over some of their options.

    Options that are above their neighbours' chord, or no cheaper than the one before, are no
    vertices; they are dropped until there are none.

    Returns:
        Steps, ascending: options before and after, and costs saved per tile, which fall strictly
        from step to step of a block.
    """
    while True:
        before, after = tried[:-1], tried[1:]
        inside = block[before] == block[after]
        spare = (costs[before] - costs[after]) / np.maximum(tiles[after] - tiles[before], 1)
        into = np.where(inside, spare, np.inf)
        onward = np.append(np.where(inside, spare, -np.inf)[1:], -np.inf)
        vertices = (into > 0) & (into > onward)
        if vertices.all():
            return before[inside], after[inside], spare[inside]
        tried = np.concatenate([tried[:1], after[vertices]])
