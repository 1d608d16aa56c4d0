"""Tiles shared by networks so that what they pay for their accuracy together is least.

Every layer has options of tiles and accuracy. For every number of tiles the least accuracy that a
network gives up within them follows layer by layer, and so what it pays; what all pay follows
network by network. Tiles are counted in their greatest common divisor. Where tables of so many
places would not fit in memory they are counted in a larger unit: rounded down for the bound and up
for the design.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.floats import ROUNDING, Floats
from lrmp.solvers.joint.terms import JointTerms

MOST_TABULATED = 2**24  # layers times places
NEVER = 2**62  # units of what does not fit; one layer's more still fits into 64 bits


@dataclass(frozen=True)
class Needs:
    """What a network's layers can choose.

    Attributes:
        tiles: Of every layer's options, ascending, shape (n,) each.
        units: Accuracy that they give up, falling, likewise.
        terms: What the units stand for.
    """

    tiles: list[IntArray]
    units: list[IntArray]
    terms: JointTerms


def share_tiles(networks: Sequence[Needs], budget: int) -> tuple[float, list[int]]:
    """Find what networks pay least within a budget.

    Args:
        networks: At least two.
        budget: At least the tiles of the first options.

    Returns:
        What all choices within the budget pay at least; and options of all layers that pay it, or
        not much more if tiles had to be rounded.
    """
    steps = [[tiles - tiles[0] for tiles in needs.tiles] for needs in networks]
    layers = [step for network in steps for step in network]
    spare = budget - int(sum(tiles[0] for needs in networks for tiles in needs.tiles))
    spare = min(spare, int(sum(step[-1] for step in layers)))
    grain = max(1, int(np.gcd.reduce(np.concatenate(layers))))
    coarse = (len(layers) + len(networks)) * (spare // grain) // MOST_TABULATED + 1
    grain *= coarse
    sizes = [[step // grain for step in network] for network in steps]
    paid, options = _share(networks, sizes, spare // grain + 1)
    if coarse > 1:
        sizes = [[-(-step // grain) for step in network] for network in steps]
        _, options = _share(networks, sizes, spare // grain + 1)
    return paid * (1 - 8 * ROUNDING), options


def _share(
    networks: Sequence[Needs], sizes: list[list[IntArray]], places: int
) -> tuple[float, list[int]]:
    """Find what networks pay least, with options of given sizes, and what they choose."""
    tables = [
        _least_units(network, needs.units, places)
        for network, needs in zip(sizes, networks, strict=True)
    ]
    paid = [
        needs.terms.paid(table[-1].astype(float))
        for needs, table in zip(networks, tables, strict=True)
    ]
    together = [paid[0]]  # of the first networks, by places
    for mine in paid[1:-1]:
        total = np.full(places, np.inf)
        for place in _falls(mine):
            after = together[-1][: places - place] + mine[place]
            np.minimum(total[place:], after, out=total[place:])
        together.append(total)
    sums = together[-1] + paid[-1][::-1]
    left = int(sums.argmin())
    least = float(sums[left])
    given = [places - 1 - left]
    for (before, total), mine in zip(
        reversed(list(pairwise(together))), reversed(paid[1:-1]), strict=True
    ):
        falls = np.array([place for place in _falls(mine) if place <= left])
        place = int(falls[(before[left - falls] + mine[falls] == total[left]).argmax()])
        given.append(place)
        left -= place
    given.append(left)
    options: list[int] = []
    for network, needs, table, place in zip(sizes, networks, tables, reversed(given), strict=True):
        options += _chosen(network, needs.units, table, place)
    return least, options


def _least_units(
    sizes: Sequence[IntArray], units: Sequence[IntArray], places: int
) -> list[IntArray]:
    """Tabulate the least units of the first layers within every number of places, (L + 1, P)."""
    tables = [np.zeros(places, dtype=np.int64)]
    for mine, given_up in zip(sizes, units, strict=True):
        table = np.full(places, NEVER)
        for size, amount in zip(mine.tolist(), given_up.tolist(), strict=True):
            if size < places:
                after = tables[-1][: places - size] + amount
                np.minimum(table[size:], after, out=table[size:])
        tables.append(table)
    return tables


def _chosen(
    sizes: Sequence[IntArray], units: Sequence[IntArray], tables: list[IntArray], place: int
) -> list[int]:
    """Look up which options of the layers give up the least within so many places."""
    options = []
    for mine, given_up, (before, table) in zip(
        reversed(sizes), reversed(units), reversed(list(pairwise(tables))), strict=True
    ):
        fits = np.flatnonzero(mine <= place)
        met = before[place - mine[fits]] + given_up[fits] == table[place]
        option = int(fits[met.argmax()])
        options.append(option)
        place -= int(mine[option])
    return options[::-1]


def _falls(paid: Floats) -> list[int]:
    """List the places from which less is paid than from those before, and is not forbidden."""
    falls = np.flatnonzero(np.append(True, paid[1:] < paid[:-1]))
    allowed: list[int] = falls[paid[falls] < np.inf].tolist()
    return allowed
