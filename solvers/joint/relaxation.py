"""Prices of tiles and of accuracy: what every design costs at least.

For any prices p >= 0 of a tile and q >= 0 of a unit of each network's accuracy a design's cost plus
``p * tiles + q * units`` is at least the sum of what its layers make of it at least, so that

    cost >= sum of the least - p * budget - q * units

holds for every design within the budget: a line over the units of accuracy, or a plane over those
of several networks. The upper envelope of such lines is the least cost of the linear relaxation.
For given allowances of accuracy the best prices are found by cutting planes (Kelley, Journal of
SIAM 8(4), 1960), a linear program in the prices, and every line met on the way is kept.

At a given price of a tile several networks have nothing in common: each has an envelope of its own,
and they add up.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ortools.linear_solver import pywraplp

from lrmp.errors import SolverError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.floats import ROUNDING, Floats
from lrmp.solvers.joint.least_cost import Hulls, LeastCost, Lines
from lrmp.solvers.joint.options import JointOptions
from lrmp.solvers.joint.terms import MOST_UNITS

FIRST_PRICES = (0.0, 0.1, 1.0, 10.0)  # in the scale of the cost; the first cuts
HIGHEST_PRICE = 1e4  # likewise; any prices bound, so that a limit on them is no assumption
MOST_CUTS = 60  # by allowance, for every network
#: Ways of solving for prices, tried until one ends: presolve loses optima, as all may now and then.
GLOP = ("use_preprocessing: false", "use_dual_simplex: true", "use_preprocessing: true")
#: Where lines are compared: evenly, and at every order of magnitude.
GRID = np.concatenate([np.linspace(0, MOST_UNITS, 257), np.geomspace(1, MOST_UNITS, 256)])
CLOSE = 1e-9  # relative: prices as good as this are good enough
#: Prices of a tile at which several networks are bounded: shares of the best one. Where much
#: accuracy is given up, tiles are worth less.
SHARES = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 1.5])


@dataclass(frozen=True)
class Prices:
    """Designs within the budget cost at least ``at_none - sum of unit * units``.

    Attributes:
        tile: Price of a tile.
        unit: Price of a unit of accuracy, of every network.
        at_none: What designs that give up no accuracy cost at least; rounded down.
    """

    tile: float
    unit: tuple[float, ...]
    at_none: float

    @property
    def tiles(self) -> Floats:
        """Prices of a tile at which several networks are bounded, shape (P,)."""
        return np.unique(SHARES * self.tile)

    def at(self, units: Sequence[float]) -> float:
        """Evaluate the line where every network gives up so many units."""
        priced = (price * amount for price, amount in zip(self.unit, units, strict=True))
        return self.at_none - sum(priced)


class Relaxation:
    """The lines found so far.

    Args:
        options: What layers can choose.
        cost: Of every option, whole numbers, shape (N,).
        units: Accuracy given up by every option, shape (N,).
        network: Network of every option, ascending, shape (N,).
        budget: Tiles.
    """

    def __init__(
        self,
        options: JointOptions,
        cost: Floats,
        units: Floats,
        network: IntArray,
        budget: int,
    ) -> None:
        self._options, self._cost, self._units, self._budget = options, cost, units, budget
        self._networks = int(network[-1]) + 1
        ends = np.searchsorted(network, np.arange(self._networks + 1)).tolist()
        self._parts = tuple(map(slice, ends[:-1], ends[1:]))  # options of every network
        layers = [*options.layer[ends[:-1]].tolist(), len(options.first)]
        self._layers = tuple(map(slice, layers[:-1], layers[1:]))
        self._scale = max(float(options.least(cost).sum()), 1.0)
        self._points: list[list[float]] = []  # cost, tiles, units of relaxed designs
        self.prices: list[Prices] = []
        for tile in FIRST_PRICES:
            for unit in FIRST_PRICES:
                prices = [unit * self._scale / MOST_UNITS] * self._networks
                self._price(tile * self._scale / budget, prices)

    def least_costs(self, prices: Prices) -> list[LeastCost]:
        """Bound the cost of designs by what each network gives up.

        Args:
            prices: The best ones; for several networks their price of a tile decides.

        Returns:
            The bounds of every network.
        """
        if self._networks == 1:
            lines = self.prices
            return [Lines([p.at_none for p in lines], [p.unit[0] for p in lines])]
        options = self._options
        tiles = prices.tiles
        key = options.layer * (int(options.setting.max()) + 1) + options.setting
        starts = np.flatnonzero(np.diff(key, prepend=-1))
        priced = np.stack(
            [np.minimum.reduceat(self._cost + tile * options.tiles, starts) for tile in tiles]
        )
        layer, units = options.layer[starts], self._units[starts]
        most = np.maximum.reduceat(priced, np.flatnonzero(np.diff(layer, prepend=-1)), axis=1)
        held = tiles * self._budget
        lowered = held / self._networks
        lowered += (len(starts) + 8) * ROUNDING * (most.sum(axis=1) + held)
        found: list[LeastCost] = []
        for layers in self._layers:
            mine = (layer >= layers.start) & (layer < layers.stop)
            found.append(Hulls(layer[mine], units[mine], priced[:, mine], lowered))
        return found

    def best_prices(self, allowances: Sequence[float]) -> Prices:
        """Find the prices with the highest line at some allowances.

        Args:
            allowances: Units of accuracy, of every network.

        Returns:
            The prices.
        """
        program = pywraplp.Solver.CreateSolver("GLOP")
        value = program.NumVar(-program.infinity(), program.infinity(), "value")
        tile = program.NumVar(0, HIGHEST_PRICE, "tile")
        unit = [program.NumVar(0, HIGHEST_PRICE, f"unit{n}") for n in range(self._networks)]
        program.Maximize(value)

        def cut(cost: float, tiles: float, *units: float) -> None:
            row = program.Constraint(-program.infinity(), cost / self._scale)
            row.SetCoefficient(value, 1)
            row.SetCoefficient(tile, (self._budget - tiles) / self._budget)
            for price, allowance, given_up in zip(unit, allowances, units, strict=True):
                row.SetCoefficient(price, (allowance - given_up) / MOST_UNITS)

        for point in self._points:
            cut(*point)
        best = max(self.prices, key=lambda p: p.at(allowances))
        for _ in range(MOST_CUTS * self._networks):
            if not _solve(program):
                break  # whatever was found so far bounds, too
            found = self._price(
                tile.solution_value() * self._scale / self._budget,
                [price.solution_value() * self._scale / MOST_UNITS for price in unit],
            )
            best = max(best, found, key=lambda p: p.at(allowances))
            reached = best.at(allowances)
            if value.solution_value() * self._scale - reached <= CLOSE * abs(reached):
                break
            cut(*self._points[-1])
        if self._networks == 1:
            self._drop_needless_lines()
        return best

    def relaxed(self, prices: Prices) -> NDArray[np.intp]:
        """Find the design that prices make best, of which more than the budget may be held.

        Args:
            prices: Any.

        Returns:
            Its option of every layer, shape (L,).
        """
        return self._first_least(self._reduced(prices.tile, prices.unit))

    def _drop_needless_lines(self) -> None:
        """Keep the lines that are the highest somewhere, as a grid sees it."""
        at_none, slopes = np.array([(p.at_none, p.unit[0]) for p in self.prices]).T
        highest = (at_none - slopes * GRID[:, None]).argmax(axis=1)
        flat = max(self.prices, key=lambda p: (p.unit[0] == 0, p.at_none))  # far beyond the grid
        self.prices = [self.prices[n] for n in np.unique(highest).tolist()]
        if flat not in self.prices:
            self.prices.append(flat)

    def _price(self, tile: float, unit: Sequence[float]) -> Prices:
        """Find the relaxed design that prices make best, and their line."""
        options = self._options
        reduced = self._reduced(tile, unit)
        least = options.least(reduced)
        chosen = self._first_least(reduced)
        total, held = float(least.sum()), tile * self._budget
        rounding = (len(least) + 8) * ROUNDING * (total + held)
        prices = Prices(tile, tuple(unit), total - held - rounding)
        if not math.isfinite(prices.at_none):
            raise SolverError(f"Expected costs of at most 1e300, got {total:g}. Use larger units.")
        self.prices.append(prices)
        cost, tiles = (float(column[chosen].sum()) for column in (self._cost, options.tiles))
        units = self._units[chosen]
        self._points.append([cost, tiles, *(float(units[part].sum()) for part in self._layers)])
        return prices

    def _first_least(self, values: Floats) -> NDArray[np.intp]:
        """Find the first option of every layer with the least value."""
        layer, least = self._options.layer, self._options.least(values)
        at_least = np.flatnonzero(values == least[layer])
        first: NDArray[np.intp] = np.searchsorted(layer[at_least], np.arange(len(least)))
        return at_least[first]

    def _reduced(self, tile: float, unit: Sequence[float]) -> Floats:
        """Price every option, shape (N,)."""
        reduced = self._cost + tile * self._options.tiles
        for price, part in zip(unit, self._parts, strict=True):
            reduced[part] += price * self._units[part]
        return reduced


def _solve(program: pywraplp.Solver) -> bool:
    """Solve a linear program, one way or another; tell whether it was."""
    for parameters in GLOP:
        program.SetSolverSpecificParametersAsString(parameters)
        if program.Solve() == pywraplp.Solver.OPTIMAL:
            return True
    return False
