"""A branch: the designs whose options are among some, their prices, and a list of the best.

1. Bounds. Prices of a tile and of a unit of accuracy bound the cost of the designs from below
   (``joint.relaxation``). The prices that say most of the best design are found by turns with how
   much accuracy it seems to give up.
2. Core enumeration. Designs better than a target have a reduced cost within some room of that
   bound. Layer by layer all partial designs within the room are listed, dominated ones dropped.
   Either the best design is among them, or none is better than the target, and the target moves
   away from the bound.
3. Parts. Where the room holds too many, the bound is loose because the relaxed design has a layer
   of two halves, often one that costs much. The branch is divided there: without one half or the
   other the bounds of both parts are closer.

Tiles, costs and accuracy are whole numbers, rounded down where they are none, so that sums are
exact; rounding of prices and logarithms is counted against the bound.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrmp.solvers.joint.combination import LEAVES, Combination, combine
from lrmp.solvers.joint.enumeration import Core, Listing, PricedOptions, list_designs
from lrmp.solvers.joint.floats import Floats
from lrmp.solvers.joint.least_cost import LeastCost
from lrmp.solvers.joint.options import JointOptions
from lrmp.solvers.joint.others import Others, Stairs
from lrmp.solvers.joint.problem import FORBIDDEN, JointProblem
from lrmp.solvers.joint.relaxation import Prices, Relaxation
from lrmp.solvers.joint.room import (
    MOST_PARTS,
    ROUNDS,
    PricedNetwork,
    Room,
    first_parts,
    penalty_factor,
    rooms,
    split,
)
from lrmp.solvers.joint.terms import JointTerms

FIRST_TARGET = 2e-5  # above the bound, relative
LONG_STEP = 8  # times as far is the next target, while few partial designs are kept,
STEP = 2  # and while more are
FEW_PARTIAL_DESIGNS = 1_000
CLOSE = 1e-7  # relative: bounds are not improved beyond
TIES = 10.0 ** np.arange(-9, 1)  # relative to the bound: options that a relaxed design may mix


@dataclass(frozen=True)
class FoundDesign:
    """A complete design.

    Attributes:
        penalised: Its cost times the exponential of its penalty.
        options: Its option of every layer, as numbered in the whole search, shape (L,).
    """

    penalised: float
    options: NDArray[np.intp]


@dataclass(frozen=True)
class Searched:
    """What is known of a branch.

    Attributes:
        best: The best design of this branch, or known before.
        least: No design of the branch falls below the smaller of this and that one.
        settled: Whether there is nothing left to look for.
    """

    best: FoundDesign | None
    least: float
    settled: bool


@dataclass(frozen=True)
class _Enumeration:
    """What was found of the designs whose penalised cost is below a target.

    Attributes:
        best: The best of them, by its true penalty and not that of its units.
        least: What no design below the target falls below, the target itself if there is none.
        whole: Whether no partial design had to be left out for want of memory.
        most: The most partial designs kept after a layer.
    """

    best: FoundDesign | None
    least: float
    whole: bool
    most: int


class Branch:
    """Some of the designs of a task.

    Args:
        problem: The task.
        terms: Accuracy terms of every network.
        options: All options of the search.
        cost: Of every one, whole numbers, shape (N,).
        kept: Those of this branch, ascending.

    Attributes:
        floor: No design of the branch has a smaller penalised cost.
        tile: Price of a tile.
        size: How many options there are.
        work: How many partial designs were looked at so far.
    """

    def __init__(
        self,
        problem: JointProblem,
        terms: list[JointTerms],
        options: JointOptions,
        cost: Floats,
        kept: NDArray[np.intp],
    ) -> None:
        self._problem, self._terms, self._kept = problem, terms, kept
        self._options, self._cost = options.only(kept), cost[kept]
        layer = self._options.layer
        self._units = np.concatenate([t.units for t in terms])[layer, self._options.setting]
        self._network = np.repeat(np.arange(len(terms)), [len(a.terms) for a in problem.accuracy])[
            layer
        ]
        self._relaxation = Relaxation(
            self._options, self._cost, self._units, self._network, problem.budget
        )
        self._prices = self._best_prices()
        self._networks = [
            PricedNetwork(*network)
            for network in zip(
                self._relaxation.least_costs(self._prices),
                self._terms,
                self._prices.unit,
                strict=True,
            )
        ]
        self._priced = PricedOptions(
            self._options,
            self._cost,
            self._units,
            np.array(self._prices.unit)[self._network] * self._units,
            self._prices.tile,
            problem.budget,
        )
        self.floor = self._proven_floor()
        self.tile = self._prices.tile
        self.size, self.work = len(kept), 0

    def search(self, known: FoundDesign | None, most: int, log: Callable[[str], None]) -> Searched:
        """Look for designs better than the best known.

        Args:
            known: The best design known.
            most: Partial designs that are kept after each layer; where there are more, the branch
                is not settled.
            log: Called with every line of the log.

        Returns:
            What is known after.
        """
        best, proven, distance = known, self.floor, FIRST_TARGET
        step, memory = LONG_STEP, min(FEW_PARTIAL_DESIGNS, most)
        dearest = float(self._options.most(self._cost).sum()) * math.exp(FORBIDDEN + 1)
        while True:
            target = min(self.floor * (1 + distance), dearest)
            last = best is not None and best.penalised <= target
            if best is not None and last:
                target = np.nextafter(best.penalised, math.inf)
            listing = self._enumerate(target, memory)
            found = listing.best
            nearest = (
                "none" if found is None else f"the best at {found.penalised / self.floor - 1:.3e}"
            )
            log(
                f"designs within {target / self.floor - 1:.3e} of that: {nearest}; "
                f"{'all' if listing.whole else 'not all'} partial designs listed, "
                f"up to {listing.most}"
            )
            if found is not None and (best is None or found.penalised < best.penalised):
                best = found
            if listing.whole:
                proven = max(proven, listing.least)
                if best is not None and best.penalised <= target:
                    return Searched(best, min(listing.least, best.penalised), settled=True)
                if target == dearest:
                    return Searched(best, math.inf, settled=True)
            elif memory < most:
                distance /= step  # back to the last target that was short work
                step, memory = STEP, most
            else:  # too many, with so loose a bound
                return Searched(best, proven, settled=False)
            distance *= step if distance < 1 else step * distance

    def parts(self) -> list[NDArray[np.intp]]:
        """Divide the branch at the layer whose options are the most different at one price.

        Returns:
            Options of the two parts; none where the options of every layer are alike.
        """
        layer, cost = self._options.layer, self._cost
        beyond = self._priced.reduced - self._priced.least[layer]
        for share in TIES:
            tied = beyond <= share * self.floor
            dearest = self._options.most(np.where(tied, cost, -math.inf))
            cheapest = self._options.least(np.where(tied, cost, math.inf))
            widest = int((dearest - cheapest).argmax())
            if dearest[widest] > cheapest[widest]:
                # Of the options between those two as many to either part: few divisions part two.
                costs = np.unique(cost[layer == widest])
                places = np.searchsorted(costs, [cheapest[widest], dearest[widest]])
                middle = costs[places.sum() // 2]
                elsewhere = layer != widest
                return [
                    self._kept[elsewhere | (cost <= middle)],
                    self._kept[elsewhere | (cost > middle)],
                ]
        return []

    def _best_prices(self) -> Prices:
        """Find the prices at the accuracy that the best design seems to give up.

        Any prices bound; with good ones few designs lie between bound and best.
        """
        allowances = [terms.free for terms in self._terms]
        prices, before = self._relaxation.best_prices(allowances), -math.inf
        for _ in range(ROUNDS):
            floor, allowances = self._floor(prices, allowances)
            if floor <= before * (1 + CLOSE):
                break
            prices, before = self._relaxation.best_prices(allowances), floor
        return prices

    def _floor(self, prices: Prices, places: Sequence[float]) -> tuple[float, list[float]]:
        """Find the least penalised cost that the lines known so far allow.

        Of several networks one after the other chooses what it gives up best beside the others.

        Args:
            prices: Those known to be best.
            places: Accuracy given up by every network to begin with.

        Returns:
            The least, which bounds the penalised cost of all designs from below if there is one
            network; and the accuracy that the best design would give up if there were designs
            wherever the lines allow them.
        """
        least_costs, places = self._relaxation.least_costs(prices), list(places)
        cheapest = float(self._options.least(self._cost).sum()) * (1 - CLOSE)
        floor = math.inf
        for _ in range(ROUNDS):
            before = floor
            for network, terms in enumerate(self._terms):
                others = [n for n in range(len(places)) if n != network]
                cost = sum((least_costs[n](np.array(places[n])) for n in others), start=np.zeros(1))
                factor = math.prod(
                    float(penalty_factor(self._terms[n], np.array(places[n]))) for n in others
                )
                floor, places[network] = _least_penalised(
                    least_costs[network], terms, cost, factor, cheapest
                )
            if len(places) == 1 or floor >= before * (1 - CLOSE):
                break
        return floor, places

    def _proven_floor(self) -> float:
        """Bound the penalised cost of all designs from below, by the lines known so far."""
        floor, _ = self._floor(self._prices, [terms.free for terms in self._terms])
        if len(self._terms) == 1:
            return floor
        share = 4 * CLOSE  # the networks by turns may have met another place than the best
        while share < 1:
            if rooms(self._networks, self._prices.at_none, floor * (1 - share)) is None:
                return floor * (1 - share)
            share *= 4
        return float(self._options.least(self._cost).sum())

    def _enumerate(self, target: float, memory: int) -> "_Enumeration":
        """List the designs whose penalised cost is below a target."""
        networks, at_none = self._networks, self._prices.at_none
        found = rooms(networks, at_none, target)
        if found is None:
            return _Enumeration(None, target, whole=True, most=0)
        core = Core(self._priced, min(room.most for room in found))
        stairs = [room.stairs for room in found] if len(networks) > 1 else []
        listings: dict[int, Listing] = {}
        most = 0
        for n in sorted(range(len(networks)), key=lambda n: len(self._problem.accuracy[n].terms)):
            if listings:  # what these leave is less than what the prices say
                others = Others([*stairs[:n], *stairs[n + 1 :]])
                found[n] = Room(networks[n], at_none, target, others)
            layers, price = self._problem.layers[n], networks[n].price
            listing = list_designs(core, layers, price, found[n], memory)
            most = max(most, listing.most)
            self.work += listing.work
            if not (self._terms[n].paid(listing.units) < math.inf).any():
                return _Enumeration(None, target, whole=listing.whole, most=most)
            listings[n] = listing
            if len(networks) > 1 and listing.whole:
                stairs[n] = self._listed(core, n, listing)
        designs = combine(
            [self._combination(n, listing) for n, listing in sorted(listings.items())],
            self._problem.budget,
            core.allowed,
            memory,
        )
        penalised = designs.penalised
        best: FoundDesign | None = None
        for design in np.argsort(penalised, kind="stable")[:LEAVES].tolist():
            if best is not None and penalised[design] >= best.penalised:
                break
            parts = enumerate(designs.parts[:, design].tolist())
            options = np.concatenate([listings[n].options_of(part) for n, part in parts])
            paid = float(self._problem.paid_by(self._options.setting[options]))
            true = float(designs.cost[design]) * math.exp(paid)
            if true < (math.inf if best is None else best.penalised):
                best = FoundDesign(true, self._kept[options])
        least = float(penalised.min(initial=target))
        return _Enumeration(best, least, whole=designs.whole, most=most)

    def _listed(self, core: Core, network: int, listing: Listing) -> Stairs:
        """Say what all designs of a network that were listed make of it, step by step.

        With a listed design its layers cost more than the least with so many tiles; that is taken
        off what accuracy is given up at its price, for it leaves the others less room.
        """
        layers, price = self._problem.layers[network], self._networks[network].price
        order = range(len(core.blocks))[layers]
        tile = self._prices.tiles[:, None]
        held = tile * self._problem.budget / len(self._networks)
        accuracy = price * listing.units
        least = core.rest(order, len(order)).within(0, listing.tiles)
        dearer = np.maximum(listing.cost + accuracy - least - core.slack, 0.0)
        paid = self._terms[network].paid(listing.units)
        cost = listing.cost + tile * listing.tiles - held - core.slack
        allowed = paid < math.inf
        return Stairs(paid[allowed], cost[:, allowed], (accuracy - dearer)[allowed])

    def _combination(self, network: int, listing: Listing) -> Combination:
        """Take the listed designs of a network, with what they are beyond the least."""
        layers, price = self._problem.layers[network], self._networks[network].price
        reduced = listing.cost + self._prices.tile * listing.tiles + price * listing.units
        return Combination(
            listing.tiles,
            listing.cost,
            self._terms[network].paid(listing.units),
            reduced - float(self._priced.least[layers].sum()),
            np.arange(len(listing.cost))[None],
            listing.whole,
        )


def _least_penalised(
    least_cost: LeastCost, terms: JointTerms, cost: Floats, factor: float, cheapest: float
) -> tuple[float, float]:
    """Find what a network best gives up beside others.

    Args:
        least_cost: Bounds its part of the cost.
        terms: What its units stand for.
        cost: Of the others, by tile prices, shape (P,).
        factor: Of the others' penalties.
        cheapest: What all together cost at least.

    Returns:
        A lower bound on the penalised cost, and where it is about reached.
    """
    low, high = first_parts(terms)
    place = terms.free
    factors = penalty_factor(terms, np.zeros(())) * factor
    best = max(float((least_cost(low[0]) + cost).max()), cheapest) * float(factors)
    for _ in range(ROUNDS):
        costs = np.maximum((least_cost(high) + cost[:, None]).max(axis=0), cheapest)
        values = costs * (penalty_factor(terms, high) * factor)
        if values.min() < best:
            best, place = float(values.min()), float(high[values.argmin()])
        bounds = costs * (penalty_factor(terms, low) * factor)
        unsettled = bounds < best * (1 - CLOSE)
        if not unsettled.any() or len(low) > MOST_PARTS:
            break
        low, high = split(low[unsettled], high[unsettled])
    return min(best * (1 - CLOSE), float(bounds.min())), place
