"""How far from the bound a design may be and still be better than a target."""

import math

import numpy as np

from lrmp.solvers.joint.floats import Floats
from lrmp.solvers.joint.relaxation import Prices, Relaxation
from lrmp.solvers.joint.terms import MOST_UNITS, JointTerms

PARTS = 64  # of the range of accuracy, to begin with
SPLIT = 4  # parts that a part is split into
MOST_PARTS = 512
ROUNDS = 24  # of splitting
COARSE = 0.02  # share of the room that a part may be off by
CLOSE = 1e-7  # relative: room that rounding may hide


class Room:
    """What cost plus priced accuracy of a design better than the target may add up to.

    A design that gives up s costs less than ``target / factor(s)``, so that its cost plus
    ``price * s`` is at most ``target / factor(s) + price * s``. Where nothing is paid for that
    grows with s; beyond, the most is taken over parts. Where other prices show that no design is
    better, there is none.
    """

    def __init__(
        self, relaxation: Relaxation, terms: JointTerms, prices: Prices, target: float
    ) -> None:
        self._free, self._price = terms.free, prices.unit
        least = float(penalty_factor(terms, np.array(0.0)))
        self._within = target / least + prices.unit * terms.free
        if float(relaxation.least_cost(np.array(terms.free))) * least > target * (1 + CLOSE):
            self._within = -math.inf
        low, high = first_parts(terms)
        settled: list[tuple[Floats, ...]] = []
        for splits in range(ROUNDS):
            factor = penalty_factor(terms, low)
            alive = relaxation.least_cost(high) * factor <= target * (1 + CLOSE)
            low, high, room = low[alive], high[alive], target / factor[alive]
            room += prices.unit * high
            coarse = prices.unit * (high - low) > COARSE * (room - prices.at_none)
            if len(low) > MOST_PARTS or splits + 1 == ROUNDS:
                coarse[:] = False
            settled.append((low[~coarse], high[~coarse], room[~coarse]))
            low, high = split(low[coarse], high[coarse])
            if not len(low):
                break
        low, high, room = (np.concatenate(columns) for columns in zip(*settled, strict=True))
        order = np.argsort(low)
        self._low, self._high, room = low[order], high[order], room[order]
        self._from = np.append(np.maximum.accumulate(room[::-1])[::-1], -math.inf)
        self._upto = np.append(np.maximum.accumulate(room), -math.inf)
        #: The most of all designs.
        self.most = max(self._within, float(self._from[0]))

    def __call__(self, least: Floats, most: Floats) -> Floats:
        """Return the most of designs that give up between two amounts."""
        short = np.maximum(self._free - most, 0)
        within = np.where(least <= self._free, self._within - self._price * short, -math.inf)
        first = np.searchsorted(self._high, least)
        last = np.searchsorted(self._low, most, side="right") - 1  # -1 is the entry for none
        beyond = np.minimum(self._from[first], self._upto[last])
        result: Floats = np.maximum(within, np.where(first <= last, beyond, -math.inf))
        return result


def penalty_factor(terms: JointTerms, units: Floats) -> Floats:
    """Bound the factor that the penalty puts on the cost of designs from below.

    Args:
        terms: What units stand for.
        units: Accuracy given up, any shape.

    Returns:
        Infinite for what is forbidden; same shape.
    """
    factor: Floats = np.exp(terms.paid(units))
    return factor


def first_parts(terms: JointTerms) -> tuple[Floats, Floats]:
    """Part the accuracy that is paid for.

    Args:
        terms: What units stand for.

    Returns:
        Lower and upper ends of the parts.
    """
    edges = np.append(np.linspace(terms.free, MOST_UNITS, PARTS + 1), terms.most)
    return edges[:-1], edges[1:]


def split(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Split parts into smaller ones.

    Args:
        low: Lower ends.
        high: Upper ends.

    Returns:
        Ends of ``SPLIT`` times as many.
    """
    edges = low[:, None] + (high - low)[:, None] * (np.arange(SPLIT + 1) / SPLIT)
    edges[:, -1] = high
    return edges[:, :-1].ravel(), edges[:, 1:].ravel()
