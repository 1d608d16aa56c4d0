"""How far from the bound a design may be and still be better than a target."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lrmp.solvers.joint.floats import Floats
from lrmp.solvers.joint.least_cost import LeastCost
from lrmp.solvers.joint.others import Others, Stairs
from lrmp.solvers.joint.terms import MOST_UNITS, JointTerms

PARTS = 64  # of the range of accuracy, to begin with
SPLIT = 4  # parts that a part is split into
MOST_PARTS = 512
ROUNDS = 24  # of splitting
COARSE = 0.02  # share of the room that a part may be off by
CLOSE = 1e-7  # relative: room that rounding may hide
TURNS = 3  # of networks that narrow down what they leave each other


@dataclass(frozen=True)
class PricedNetwork:
    """A network at given prices.

    Attributes:
        least_cost: Bounds its part of the cost.
        terms: What its units stand for.
        price: Of one of its units.
    """

    least_cost: LeastCost
    terms: JointTerms
    price: float

    def stairs(self, low: Floats, high: Floats) -> Stairs:
        """Bound what designs make of the network whose accuracy is in some parts.

        Args:
            low: Lower ends of the parts.
            high: Upper ends.

        Returns:
            A step for each part that is not forbidden.
        """
        paid = self.terms.paid(low)
        allowed = paid < math.inf
        high = high[allowed]
        return Stairs(paid[allowed], self.least_cost(high), self.price * high)


class Room:
    """What cost plus priced accuracy of a design better than the target may add up to.

    A design that gives up s costs less than ``target / factor(s)``, so that its cost plus
    ``price * s`` is at most ``target / factor(s) + price * s``. Where nothing is paid for that
    grows with s; beyond, the most is taken over parts. Where other prices show that no design is
    better, there is none. What other networks give up and pay for is added, at its most.

    Args:
        network: The network whose accuracy is looked at.
        at_none: What designs that give up nothing cost at least.
        target: What penalised costs are below.
        others: The other networks.
    """

    def __init__(
        self, network: PricedNetwork, at_none: float, target: float, others: Others
    ) -> None:
        self._network, self._target, self._others = network, target, others
        self._free, self._price = network.terms.free, network.price
        within = self._parts(np.zeros(1), np.array([self._free]))
        self._within = float(within[2].max(initial=-math.inf))
        low, high = first_parts(network.terms)
        settled: list[tuple[Floats, ...]] = []
        for splits in range(ROUNDS):
            low, high, room = self._parts(low, high)
            coarse = self._price * (high - low) > COARSE * (room - at_none)
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
        self._alive = np.append(within[0], self._low), np.append(within[1], self._high)

    @cached_property
    def stairs(self) -> Stairs:
        """What designs better than the target make of this network."""
        return self._network.stairs(*self._alive)

    def __call__(self, least: Floats, most: Floats) -> Floats:
        """Return the most of designs that give up between two amounts."""
        short = np.maximum(self._free - most, 0)
        within = np.where(least <= self._free, self._within - self._price * short, -math.inf)
        first = np.searchsorted(self._high, least)
        last = np.searchsorted(self._low, most, side="right") - 1  # -1 is the entry for none
        beyond = np.minimum(self._from[first], self._upto[last])
        result: Floats = np.maximum(within, np.where(first <= last, beyond, -math.inf))
        return result

    def _parts(self, low: Floats, high: Floats) -> tuple[Floats, ...]:
        """Keep the parts with designs better than the target; with the room of each."""
        factor, cost = penalty_factor(self._network.terms, low), self._network.least_cost(high)
        worth = self._target / factor
        penalised = (cost[..., None] + self._others.cost(worth)) * factor[:, None]
        below = penalised <= self._target * (1 + CLOSE) * self._others.at_none
        better: NDArray[np.bool_] = np.all(below, axis=0)
        alive = better.any(axis=1) & (worth > 0)  # what is forbidden is worth nothing
        low, high, worth, better = low[alive], high[alive], worth[alive], better[alive]
        room = worth[:, None] * self._others.at_none + self._others.priced(worth)
        room = np.where(better, room, -math.inf).max(axis=1, initial=-math.inf)
        return low, high, room + self._price * high


def rooms(networks: Sequence[PricedNetwork], at_none: float, target: float) -> list[Room] | None:
    """Find the room of designs by what each network gives up, network by network, in turns.

    Args:
        networks: All.
        at_none: What designs that give up nothing cost at least.
        target: What penalised costs are below.

    Returns:
        The room of every network; None if no design is better than the target.
    """
    if len(networks) == 1:
        room = Room(networks[0], at_none, target, Others([]))
        return None if room.most == -math.inf else [room]
    left = []
    for network in networks:
        low, high = first_parts(network.terms)
        left.append(network.stairs(np.append(0.0, low), np.append(network.terms.free, high)))
    found: dict[int, Room] = {}
    for _ in range(TURNS):
        for n, network in enumerate(networks):
            others = Others([*left[:n], *left[n + 1 :]])
            found[n] = Room(network, at_none, target, others)
            if found[n].most == -math.inf:
                return None
            left[n] = found[n].stairs
    return list(found.values())


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
