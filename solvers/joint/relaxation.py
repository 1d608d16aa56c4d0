"""Prices of tiles and of accuracy: what every design costs at least.

For any prices p >= 0 of a tile and q >= 0 of a unit of accuracy a design's cost plus ``p * tiles +
q * units`` is at least the sum of what its layers make of it at least, so that

    cost >= sum of the least - p * budget - q * units

holds for every design within the budget: a line over the units of accuracy. The upper envelope of
such lines is the least cost of the linear relaxation. For a given allowance of accuracy the best
prices are found by cutting planes (Kelley, Journal of SIAM 8(4), 1960), a linear program in two
prices, and every line met on the way is kept.
"""

import math
from dataclasses import dataclass

import numpy as np
from ortools.linear_solver import pywraplp

from lrmp.errors import SolverError
from lrmp.solvers.joint.floats import ROUNDING, Floats
from lrmp.solvers.joint.options import JointOptions
from lrmp.solvers.joint.terms import MOST_UNITS

FIRST_PRICES = (0.0, 0.1, 1.0, 10.0)  # in the scale of the cost; the first cuts
HIGHEST_PRICE = 1e4  # likewise; any prices bound, so that a limit on them is no assumption
MOST_CUTS = 60  # by allowance
#: Where lines are compared: evenly, and at every order of magnitude.
GRID = np.concatenate([np.linspace(0, MOST_UNITS, 257), np.geomspace(1, MOST_UNITS, 256)])
CLOSE = 1e-9  # relative: prices as good as this are good enough


@dataclass(frozen=True)
class Prices:
    """Designs within the budget cost at least ``at_none - unit * units``.

    Attributes:
        tile: Price of a tile.
        unit: Price of a unit of accuracy.
        at_none: What designs that give up no accuracy cost at least; rounded down.
    """

    tile: float
    unit: float
    at_none: float


class Relaxation:
    """The lines found so far.

    Args:
        options: What layers can choose.
        cost: Of every option, whole numbers, shape (N,).
        units: Accuracy given up by every option, shape (N,).
        budget: Tiles.
    """

    def __init__(self, options: JointOptions, cost: Floats, units: Floats, budget: int) -> None:
        self._options, self._cost, self._units, self._budget = options, cost, units, budget
        self._scale = max(float(options.least(cost).sum()), 1.0)
        self._points: list[tuple[float, float, float]] = []  # cost, tiles, units of relaxed designs
        self.prices: list[Prices] = []
        for tile in FIRST_PRICES:
            for unit in FIRST_PRICES:
                self._price(tile * self._scale / budget, unit * self._scale / MOST_UNITS)

    def least_cost(self, units: Floats) -> Floats:
        """Bound the cost of designs that give up no more accuracy than this.

        Args:
            units: Any shape.

        Returns:
            Lower bounds, same shape.
        """
        at_none = np.array([p.at_none for p in self.prices])
        slopes = np.array([p.unit for p in self.prices])
        bounds: Floats = (at_none - slopes * units[..., None]).max(axis=-1)
        return bounds

    def best_prices(self, allowance: float) -> Prices:
        """Find the prices with the highest line at an allowance.

        Args:
            allowance: Units of accuracy.

        Returns:
            The prices.
        """
        program = pywraplp.Solver.CreateSolver("GLOP")
        value = program.NumVar(-program.infinity(), program.infinity(), "value")
        tile = program.NumVar(0, HIGHEST_PRICE, "tile")
        unit = program.NumVar(0, HIGHEST_PRICE, "unit")
        program.Maximize(value)

        def cut(cost: float, tiles: float, units: float) -> None:
            row = program.Constraint(-program.infinity(), cost / self._scale)
            row.SetCoefficient(value, 1)
            row.SetCoefficient(tile, (self._budget - tiles) / self._budget)
            row.SetCoefficient(unit, (allowance - units) / MOST_UNITS)

        for point in self._points:
            cut(*point)
        best = max(self.prices, key=lambda p: p.at_none - p.unit * allowance)
        for _ in range(MOST_CUTS):
            if program.Solve() != pywraplp.Solver.OPTIMAL:
                break  # whatever was found so far bounds, too
            found = self._price(
                tile.solution_value() * self._scale / self._budget,
                unit.solution_value() * self._scale / MOST_UNITS,
            )
            best = max(best, found, key=lambda p: p.at_none - p.unit * allowance)
            reached = best.at_none - best.unit * allowance
            if value.solution_value() * self._scale - reached <= CLOSE * abs(reached):
                break
            cut(*self._points[-1])
        self._drop_needless_lines()
        return best

    def _drop_needless_lines(self) -> None:
        """Keep the lines that are the highest somewhere, as a grid sees it."""
        at_none, slopes = np.array([(p.at_none, p.unit) for p in self.prices]).T
        highest = (at_none - slopes * GRID[:, None]).argmax(axis=1)
        flat = max(self.prices, key=lambda p: (p.unit == 0, p.at_none))  # far beyond the grid
        self.prices = [self.prices[n] for n in np.unique(highest).tolist()]
        if flat not in self.prices:
            self.prices.append(flat)

    def _price(self, tile: float, unit: float) -> Prices:
        """Find the relaxed design that prices make best, and their line."""
        options = self._options
        reduced = self._cost + tile * options.tiles + unit * self._units
        least = options.least(reduced)
        at_least = np.flatnonzero(reduced == least[options.layer])
        chosen = at_least[np.searchsorted(options.layer[at_least], np.arange(len(least)))]
        total, held = float(least.sum()), tile * self._budget
        rounding = (len(least) + 8) * ROUNDING * (total + held)
        prices = Prices(tile, unit, total - held - rounding)
        if not math.isfinite(prices.at_none):
            raise SolverError(f"Expected costs of at most 1e300, got {total:g}. Use larger units.")
        self.prices.append(prices)
        cost, tiles, units = (
            float(column[chosen].sum()) for column in (self._cost, options.tiles, self._units)
        )
        self._points.append((cost, tiles, units))
        return prices
