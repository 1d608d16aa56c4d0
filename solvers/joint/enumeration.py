"""All designs within some room of the bound, layer by layer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.floats import ROUNDING, Floats
from lrmp.solvers.joint.options import JointOptions, undominated
from lrmp.solvers.joint.pairs import pairs_in_chunks
from lrmp.solvers.joint.room import Room

MOST_EXTENDED = 2**24  # partial designs of a layer that are looked at,
AT_A_TIME = 2**19  # and so many of them at a time
UNCOMPARED = 2_000  # partial designs; looking for dominated ones among fewer is not worth it
LEVELS = 24  # of accuracy, in the search for dominated partial designs
MOST_PLACES = 2**28  # options times tiles of what is tabulated of the layers to come,
MOST_TABULATED = 2**26  # and layers times tiles: half a GiB


@dataclass(frozen=True, eq=False)
class PricedOptions:
    """Options at given prices.

    Attributes:
        options: What layers can choose.
        cost: Of every option, whole numbers, shape (N,).
        units: Accuracy given up by every option, shape (N,).
        accuracy: The same at its price, shape (N,).
        tile: Price of a tile.
        budget: Tiles.
    """

    options: JointOptions
    cost: Floats
    units: Floats
    accuracy: Floats
    tile: float
    budget: int

    @cached_property
    def reduced(self) -> Floats:
        """Cost plus priced tiles and accuracy, shape (N,)."""
        return self.cost + self.tile * self.options.tiles + self.accuracy

    @cached_property
    def least(self) -> Floats:
        """The least of that by layer, shape (L,)."""
        return self.options.least(self.reduced)


class Core:
    """The options that designs with room left have.

    Args:
        priced: What layers can choose.
        room: What cost and priced accuracy of a design may add up to.

    Attributes:
        allowed: What reduced costs beyond the least may add up to.
        slack: What of that makes up for the rounding of all sums.
    """

    def __init__(self, priced: PricedOptions, room: float) -> None:
        self.priced = priced
        least = priced.least
        total, held = float(least.sum()), priced.tile * priced.budget
        self.slack = (2 * len(least) + 32) * ROUNDING * (room + held + total)
        self.allowed = room + held - total + self.slack

    @cached_property
    def columns(self) -> Floats:
        """Tiles, cost, units and priced accuracy of all options, shape (4, N)."""
        priced = self.priced
        return np.stack([priced.options.tiles, priced.cost, priced.units, priced.accuracy])

    @cached_property
    def blocks(self) -> list[NDArray[np.intp]]:
        """The options of every layer."""
        priced, layer = self.priced, self.priced.options.layer
        kept = np.flatnonzero(priced.reduced - priced.least[layer] <= self.allowed)
        ends = np.searchsorted(layer[kept], np.arange(len(priced.least) + 1))
        blocks = []
        for start, stop in pairwise(ends.tolist()):
            mine = kept[start:stop]
            blocks.append(mine[undominated(*self.columns[:3, mine])])
        return blocks

    def options_of(self, layer: int) -> Floats:
        """Say what the options of a layer are.

        Args:
            layer: Its number.

        Returns:
            Tiles, cost, units and reduced cost beyond the least, shape (4, n).
        """
        mine, priced = self.blocks[layer], self.priced
        return np.stack([*self.columns[:3, mine], priced.reduced[mine] - priced.least[layer]])

    def rest(self, order: Sequence[int], own: int) -> "_Rest":
        """Say what some layers make of tiles.

        Args:
            order: Numbers of the layers.
            own: How many of the first are of the network that is looked at.

        Returns:
            What those from any place on make of the tiles that are left.
        """
        columns = [self.columns[:, self.blocks[layer]] for layer in order]
        needed = int(sum(tiles.max() for tiles, *_ in columns))  # more is never used up
        return _Rest(columns, own, self.priced.tile, min(self.priced.budget, needed))


@dataclass(frozen=True, eq=False)
class Listing:
    """Designs of some layers: of all with room left, those that no other one beats.

    Attributes:
        tiles: Of N designs, shape (N,).
        cost: Shape (N,).
        units: Accuracy that they give up, shape (N,).
        whole: Whether no partial design had to be left out for want of memory.
        most: The most partial designs kept after a layer.
        work: How many were looked at.
    """

    tiles: Floats
    cost: Floats
    units: Floats
    whole: bool
    most: int
    work: int
    _path: list[tuple[int, NDArray[np.intp], NDArray[np.intp]]]

    def options_of(self, design: int) -> NDArray[np.intp]:
        """Look a design's options up.

        Args:
            design: 0..N-1.

        Returns:
            Its option of every layer, in the order of the layers.
        """
        chosen = {}
        for layer, options, alive in reversed(self._path):
            design, choice = divmod(int(alive[design]), len(options))
            chosen[layer] = options[choice]
        return np.array([option for _, option in sorted(chosen.items())])


def list_designs(core: Core, layers: slice, price: float, room: Room, memory: int) -> Listing:
    """List the designs of one network's layers with which whole designs have room left.

    Args:
        core: What all layers can choose; of those of other networks only what they make of the
            tiles that are left is looked at.
        layers: Those of the network.
        price: Of a unit of its accuracy.
        room: What cost and priced accuracy of a whole design may add up to.
        memory: Partial designs that are kept after each layer, those with the most room.

    Returns:
        The designs.
    """
    nothing = np.zeros(0)
    if core.allowed < 0:
        return Listing(nothing, nothing, nothing, True, 0, 0, [])
    blocks = core.blocks
    own = range(len(blocks))[layers]
    order = sorted(range(len(blocks)), key=lambda layer: (layer not in own, len(blocks[layer])))
    rest = core.rest(order, len(own))

    partial = _Partial(np.zeros(1, np.intp), np.zeros((4, 1)), np.zeros(1))
    path: list[tuple[int, NDArray[np.intp], NDArray[np.intp]]] = []
    whole, most, work = True, 1, 0
    for done, layer in enumerate(order[: len(own)], start=1):
        mine = blocks[layer]
        options = core.options_of(layer)
        cheapest_first = np.argsort(options[3], kind="stable")
        beyond = options[3, cheapest_first]
        counts = np.searchsorted(beyond, core.allowed - partial.sums[3], side="right")
        while counts.sum() > MOST_EXTENDED and len(counts) > 1:
            few, _ = roomiest(np.arange(len(counts)), partial.left, len(counts) // 2)
            whole, partial, counts = False, partial.only(few), counts[few]
            path[-1] = (*path[-1][:2], partial.number)
        work += int(counts.sum())
        found = _Partial(np.zeros(0, np.intp), np.zeros((4, 0)), np.zeros(0))
        for before, place in pairs_in_chunks(counts, AT_A_TIME):
            option = cheapest_first[place]
            sums = partial.sums[:, before] + options[:, option]
            units = sums[2]
            left = room(units + rest.least_units[done], units + rest.most_units[done])
            left -= sums[1] + price * units + rest.priced(done, sums[0]) - core.slack
            alive = left >= 0
            number = before * len(mine) + option
            found = found.and_also(_Partial(number[alive], sums[:, alive], left[alive]))
            few, all_of_them = roomiest(np.arange(len(found.left)), found.left, 4 * memory)
            found, whole = found.only(few), whole and all_of_them
        partial = found.only(np.argsort(found.number))
        if len(partial.left) > min(UNCOMPARED, memory):
            kept = undominated_roughly(*partial.sums[:3])
            kept, all_of_them = roomiest(kept, partial.left, memory)
            partial, whole = partial.only(kept), whole and all_of_them
        path.append((layer, mine, partial.number))
        most = max(most, len(partial.left))
        if not len(partial.left):
            return Listing(nothing, nothing, nothing, whole, most, work, [])
    held_tiles, spent, given_up, _ = partial.sums
    return Listing(held_tiles, spent, given_up, whole, most, work, path)


@dataclass(frozen=True, eq=False)
class _Partial:
    """Designs of the layers decided so far.

    Attributes:
        number: Each is the nth pair of one of the layers before and an option, shape (n,).
        sums: Tiles, cost, units and reduced cost beyond the least, shape (4, n).
        left: Their room, shape (n,).
    """

    number: NDArray[np.intp]
    sums: Floats
    left: Floats

    def only(self, kept: NDArray[np.intp]) -> "_Partial":
        """Keep some."""
        return _Partial(self.number[kept], self.sums[:, kept], self.left[kept])

    def and_also(self, others: "_Partial") -> "_Partial":
        """Put others behind these."""
        return _Partial(
            np.concatenate([self.number, others.number]),
            np.concatenate([self.sums, others.sums], axis=1),
            np.concatenate([self.left, others.left]),
        )


class _Rest:
    """What the layers to come make of the tiles that are left, accuracy at its price.

    Args:
        columns: Tiles, cost, units and priced accuracy of the options of every layer, in the order
            of the layers.
        own: How many layers are of the network that is looked at.
        price: Of a tile.
        budget: Tiles.

    Attributes:
        least_units: The least accuracy that its layers from the nth on give up, shape (own + 1,).
        most_units: The most, likewise.
    """

    def __init__(self, columns: Sequence[Floats], own: int, price: float, budget: int) -> None:
        self._price, self._budget = price, budget
        self.least_units = _remaining([float(units.min()) for _, _, units, _ in columns[:own]])
        self.most_units = _remaining([float(units.max()) for _, _, units, _ in columns[:own]])
        stairs = []  # tiles, and what costs less than all that needs no more tiles
        for tiles, cost, _, accuracy in columns:
            priced = cost + accuracy
            order = np.lexsort((priced, tiles))
            size, priced = tiles[order].astype(np.int64), priced[order]
            lower = np.append(True, priced[1:] < np.minimum.accumulate(priced)[:-1])
            stairs.append((size[lower], priced[lower]))
        self._least = _remaining([float((p + price * t).min()) for t, p in stairs])
        self._least_tiles = _remaining([float(t[0]) for t, _ in stairs])
        self._most_tiles = _remaining([float(t[-1]) for t, _ in stairs])
        self._grain = max(1, int(np.gcd.reduce(np.concatenate([t for t, _ in stairs]))))
        places = budget // self._grain + 1
        fits = (len(stairs) + 1) * places <= MOST_TABULATED
        fits &= sum(len(t) for t, _ in stairs) * places <= MOST_PLACES
        self._exact = self._by_tiles(stairs) if fits else None

    def _by_tiles(self, stairs: list[tuple[IntArray, Floats]]) -> Floats:
        """Tabulate the least of the layers to come for every number of tiles that is left."""
        places = self._budget // self._grain + 1
        table = np.full((len(stairs) + 1, places), math.inf)
        table[-1] = 0.0
        for n, (tiles, priced) in reversed(list(enumerate(stairs))):
            for size, value in zip((tiles // self._grain).tolist(), priced.tolist(), strict=True):
                after = table[n + 1, : max(places - size, 0)] + value
                np.minimum(table[n, size:], after, out=table[n, size:])
        return table

    def priced(self, done: int, tiles: Floats) -> Floats:
        """Bound what the layers to come cost from below; infinite where they do not fit.

        Args:
            done: How many layers are decided.
            tiles: What these hold, shape (N,).

        Returns:
            Cost plus priced accuracy, shape (N,).
        """
        return self.within(done, self._budget - tiles)

    def within(self, done: int, left: Floats) -> Floats:
        """Bound what the layers to come cost from below; infinite where they do not fit.

        Args:
            done: How many layers are decided.
            left: Tiles for those to come, at most the budget, shape (N,).

        Returns:
            Cost plus priced accuracy, shape (N,).
        """
        if self._exact is not None:
            place = np.maximum(left, 0).astype(np.int64) // self._grain
            least = self._exact[done, place]
        else:
            least = self._least[done] - self._price * np.minimum(left, self._most_tiles[done])
        return np.where(left >= self._least_tiles[done], least, math.inf)


def _remaining(values: list[float]) -> Floats:
    """Add up what comes from every place on, shape (L + 1,)."""
    return np.append(np.cumsum(values[::-1])[::-1], 0.0)


def roomiest(alive: NDArray[np.intp], left: Floats, most: int) -> tuple[NDArray[np.intp], bool]:
    """Keep the partial designs with the most room.

    Args:
        alive: Numbers of partial designs.
        left: The room of every partial design.
        most: How many to keep.

    Returns:
        Those kept, ascending, and whether these are all.
    """
    if len(alive) <= most:
        return alive, True
    return np.sort(alive[np.argpartition(-left[alive], most)[:most]]), False


def undominated_roughly(tiles: Floats, cost: Floats, units: Floats) -> NDArray[np.intp]:
    """Find partial designs that are not seen to be beaten in tiles, cost and accuracy at once.

    Of equal ones the first is kept. Beaten ones are recognised by coarse levels of the accuracy,
    so not every one is; that costs time, never correctness.

    Args:
        tiles: Of N partial designs, shape (N,).
        cost: Shape (N,).
        units: Accuracy that they give up, or what they pay for it, shape (N,).

    Returns:
        Their numbers, ascending.
    """
    order = np.lexsort((cost, units, tiles))
    t, s, c = tiles[order], units[order], cost[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (t[1:] != t[:-1]) | (s[1:] != s[:-1])
    order, s, c = order[first], s[first], c[first]
    edges = np.quantile(s, np.linspace(0, 1, LEVELS + 1)[1:-1])
    level = np.searchsorted(edges, s, side="right")
    beaten = np.zeros(len(order), dtype=bool)
    for k in range(1, LEVELS):
        # By every one the least cost among earlier ones, no heavier, of lower levels.
        best = np.minimum.accumulate(np.where(level < k, c, np.inf))
        mine = level == k
        beaten[mine] = best[mine] <= c[mine]
    kept: NDArray[np.intp] = np.sort(order[~beaten])
    return kept
