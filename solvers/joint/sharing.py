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


def share_tiles(networks: Sequence[Needs], budget: int) -> tuple[float, list[list[int]]]:
    """Find what networks pay least within a budget.

    Args:
        networks: At least two.
        budget: At least the tiles of the first options.

    Returns:
        What all choices within the budget pay at least; and choices, an option of every layer each,
        that pay it or not much more. Where the penalty jumps, one of them is on the safe side.
    """
    steps = [[tiles - tiles[0] for tiles in needs.tiles] for needs in networks]
    layers = [step for network in steps for step in network]
    spare = budget - int(sum(tiles[0] for needs in networks for tiles in needs.tiles))
    spare = min(spare, int(sum(step[-1] for step in layers)))
    grain = max(1, int(np.gcd.reduce(np.concatenate(layers))))
    coarse = (len(layers) + len(networks)) * (spare // grain) // MOST_TABULATED + 1
    grain *= coarse
    places = spare // grain + 1
    tables = [
        _Table([step // grain for step in network], needs, places)
        for network, needs in zip(steps, networks, strict=True)
    ]
    least, choice = _share(tables, [t.needs.terms.paid(t.units) for t in tables])
    choices = [choice]
    if coarse > 1:
        choices = []
        tables = [
            _Table([-(-step // grain) for step in network], needs, places)
            for network, needs in zip(steps, networks, strict=True)
        ]
    _, safe = _share(tables, [t.needs.terms.paid_at_most(t.units) for t in tables])
    return least * (1 - 8 * ROUNDING), [*choices, safe]


def _share(tables: Sequence["_Table"], paid: list[Floats]) -> tuple[float, list[int]]:
    """Share places so that what networks pay adds up to least; return that and what they choose."""
    together = [paid[0]]  # of the first networks
    for mine in paid[1:-1]:
        total = np.full(len(mine), np.inf)
        for place in _falls(mine):
            after = together[-1][: len(mine) - place] + mine[place]
            np.minimum(total[place:], after, out=total[place:])
        together.append(total)
    sums = together[-1] + paid[-1][::-1]
    left = int(sums.argmin())
    least = float(sums[left])
    given = [len(sums) - 1 - left]
    steps = zip(reversed(list(pairwise(together))), reversed(paid[1:-1]), strict=True)
    for (before, total), mine in steps:
        falls = np.array([0, *(place for place in _falls(mine) if place <= left)])
        place = int(falls[(before[left - falls] + mine[falls] == total[left]).argmax()])
        given.append(place)
        left -= place
    given.append(left)
    options: list[int] = []
    for table, place in zip(tables, reversed(given), strict=True):
        options += table.choice(place)
    return least, options


class _Table:
    """The least units that a network's first layers give up, by layers and places.

    Args:
        sizes: Places of every layer's options.
        needs: Of the network.
        places: So many, from 0 on.
    """

    def __init__(self, sizes: Sequence[IntArray], needs: Needs, places: int) -> None:
        self.needs, self._sizes = needs, sizes
        self._least = [np.zeros(places, dtype=np.int64)]
        for mine, units in zip(sizes, needs.units, strict=True):
            table = np.full(places, NEVER)
            for size, given_up in zip(mine.tolist(), units.tolist(), strict=True):
                if size < places:
                    after = self._least[-1][: places - size] + given_up
                    np.minimum(table[size:], after, out=table[size:])
            self._least.append(table)

    @property
    def units(self) -> Floats:
        """Of all layers, by places."""
        return self._least[-1].astype(float)

    def choice(self, place: int) -> list[int]:
        """Look up which options give up the least within so many places."""
        options = []
        tables = reversed(list(pairwise(self._least)))
        for mine, units, (before, table) in zip(
            reversed(self._sizes), reversed(self.needs.units), tables, strict=True
        ):
            fits = np.flatnonzero(mine <= place)
            met = before[place - mine[fits]] + units[fits] == table[place]
            option = int(fits[met.argmax()])
            options.append(option)
            place -= int(mine[option])
        return options[::-1]


def _falls(paid: Floats) -> list[int]:
    """List the places from which less is paid than from those before, and is not forbidden."""
    falls = np.flatnonzero(np.append(True, paid[1:] < paid[:-1]))
    allowed: list[int] = falls[paid[falls] < np.inf].tolist()
    return allowed
