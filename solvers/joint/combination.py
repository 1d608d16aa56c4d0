"""Designs of all networks out of the designs of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrmp.solvers.joint.enumeration import roomiest, undominated_roughly
from lrmp.solvers.joint.floats import Floats
from lrmp.solvers.joint.pairs import pairs_in_chunks

MOST_PAIRS = 2**28  # of designs of two networks that are looked at
PAIRS_AT_A_TIME = 2**22
LEAVES = 1000  # complete designs whose accuracy is looked at exactly


@dataclass(frozen=True, eq=False)
class Combination:
    """Designs of one network, or of several together.

    Attributes:
        tiles: Of N designs, shape (N,).
        cost: Shape (N,).
        paid: What they pay for their accuracy at least, shape (N,).
        beyond: Reduced cost beyond the least of the layers, shape (N,).
        parts: Numbers of the designs in the listings of the networks, shape (networks, N).
        whole: Whether no design is missing that could be part of one better than the target.
    """

    tiles: Floats
    cost: Floats
    paid: Floats
    beyond: Floats
    parts: NDArray[np.intp]
    whole: bool

    @property
    def penalised(self) -> Floats:
        """Cost times the exponential of what is paid, shape (N,)."""
        penalised: Floats = self.cost * np.exp(self.paid)
        return penalised

    def only(self, kept: NDArray[np.intp], *, whole: bool = True) -> "Combination":
        """Keep some designs."""
        return Combination(
            self.tiles[kept],
            self.cost[kept],
            self.paid[kept],
            self.beyond[kept],
            self.parts[:, kept],
            self.whole and whole,
        )


def combine(
    networks: Sequence[Combination], budget: float, allowed: float, memory: int
) -> Combination:
    """Combine the designs of networks.

    Args:
        networks: Their designs, at least one of each.
        budget: Tiles.
        allowed: What the reduced costs beyond the least may add up to.
        memory: Designs of some networks that are kept, those with the most room; of all networks
            the best are.

    Returns:
        The designs of all networks, but of the complete ones only those that matter most.
    """
    found, *others = networks
    for n, network in enumerate(others, start=1):
        if not len(found.cost):
            break
        held = sum(float(other.tiles.min()) for other in networks[n + 1 :])
        last = n == len(others)
        found = _pairs(found, network, budget - held, allowed, memory, best=last)
    return found


def _pairs(
    first: Combination,
    second: Combination,
    budget: float,
    allowed: float,
    memory: int,
    *,
    best: bool,
) -> Combination:
    """Pair the designs of two networks, or of several and one more."""
    second = second.only(np.argsort(second.beyond, kind="stable"))
    counts = np.searchsorted(second.beyond, allowed - first.beyond, side="right")
    whole = True
    if counts.sum() > MOST_PAIRS:
        whole = False
        while counts.sum() > MOST_PAIRS:
            allowed /= 2
            counts = np.searchsorted(second.beyond, allowed - first.beyond, side="right")
    kept: list[Combination] = []
    for a, b in pairs_in_chunks(counts, PAIRS_AT_A_TIME):
        fits = first.tiles[a] + second.tiles[b] <= budget
        a, b = a[fits], b[fits]
        pairs = Combination(
            first.tiles[a] + second.tiles[b],
            first.cost[a] + second.cost[b],
            first.paid[a] + second.paid[b],
            first.beyond[a] + second.beyond[b],
            np.concatenate([first.parts[:, a], second.parts[:, b]]),
            first.whole and second.whole and whole,
        )
        kept.append(_narrowed(pairs, allowed, memory, best=best))
    return _narrowed(_joined(kept), allowed, memory, best=best)


def _narrowed(found: Combination, allowed: float, memory: int, *, best: bool) -> Combination:
    """Leave out what matters least."""
    if best:
        if len(found.cost) <= LEAVES:
            return found
        return found.only(np.argpartition(found.penalised, LEAVES)[:LEAVES])
    if len(found.cost) <= memory:
        return found
    kept = undominated_roughly(found.tiles, found.cost, found.paid)
    few, whole = roomiest(kept, allowed - found.beyond, memory)
    return found.only(few, whole=whole)


def _joined(parts: list[Combination]) -> Combination:
    """Put designs of the same networks together."""
    if len(parts) == 1:
        return parts[0]
    return Combination(
        np.concatenate([part.tiles for part in parts]),
        np.concatenate([part.cost for part in parts]),
        np.concatenate([part.paid for part in parts]),
        np.concatenate([part.beyond for part in parts]),
        np.concatenate([part.parts for part in parts], axis=1),
        all(part.whole for part in parts),
    )
