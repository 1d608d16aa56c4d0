"""A bound on what any design can reach in speed, energy and accuracy together.

For weights a of the cycles and b of the energy, and prices of a tile and of accuracy, the linear
relaxation (``joint.relaxation``) proves ``a * cycles + b * energy >= at_none - price * sum`` of
every design within the budget, with any copies. Many weights and prices enclose the designs in a
body with plane sides; its volume, in the logarithms of the gains and the sum of the accuracy terms,
bounds the hypervolume of any set of designs. What the relaxation gives away, fractions of settings
and copies, is small where there are many layers.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from lrmp.errors import SolverError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.floats import ROUNDING, Floats
from lrmp.solvers.joint.options import JointOptions
from lrmp.solvers.joint.problem import JointProblem
from lrmp.solvers.joint.relaxation import Prices, Relaxation
from lrmp.solvers.joint.sum import whole_costs
from lrmp.solvers.joint.terms import MOST_UNITS

LEAST_SHARE = 1e-3  # the first limit on accuracy, as a share of what may be given up
ROUNDED = 1e-12  # relative: more than logarithms and sums of the volume are off by


class TradeOff:
    """Bounds on weighted sums of cycles and energy, by the accuracy given up.

    Args:
        problem: The task of one network, its objective ``"edp"``, which needs cycles and energies.
            Its penalty plays no part.
        baselines: Cycles and energy of the plain chip.
        largest_sum: No more accuracy is given up: a sum of terms.

    Raises:
        SolverError: If the problem has another objective or several networks, or no design gives
            up less.
        InfeasibleBudgetError: If one copy of every layer does not fit with any settings.
    """

    def __init__(
        self, problem: JointProblem, baselines: tuple[int, int], largest_sum: float
    ) -> None:
        if problem.objective != "edp" or len(problem.accuracy) != 1:
            raise SolverError(
                "Expected the energy-delay product of one network, which has cycles and energies; "
                f"got {problem.objective} of {len(problem.accuracy)}."
            )
        (accuracy,) = problem.accuracy
        self._least_sum = math.fsum(accuracy.terms.min(axis=1).tolist())
        self._reach = largest_sum - self._least_sum
        if not 0 < self._reach < math.inf:
            raise SolverError(
                f"Expected a largest sum of terms above the least, {self._least_sum:g}; got "
                f"{largest_sum:g}."
            )
        # Floats are added in whatever order: an honest design's sum may come out smaller.
        usable, self._slack = accuracy.within(self._reach)
        options = JointOptions.of(problem)
        self._options = options.only(usable[options.layer, options.setting])
        self._unit = self._reach / MOST_UNITS
        units = np.floor(accuracy.excess / self._unit)
        self._units = units[self._options.layer, self._options.setting]
        self._budget = problem.budget
        self._baselines = baselines
        self._weights: list[tuple[float, float]] = []
        self._relaxations: list[tuple[Relaxation, float]] = []

    def weigh(self, shares: Iterable[float], levels: int) -> None:
        """Find bounds for some weights.

        Args:
            shares: Of the energy in the sum of relative cycles and energy, each from 0 to 1: 0
                bounds cycles alone, 1 the energy.
            levels: Limits on accuracy at which the prices are the best, from tight to loose.
        """
        limits = self._given_up(self._reach * np.geomspace(LEAST_SHARE, 1.0, levels))
        for share in shares:
            weights = (1 - share) / self._baselines[0], share / self._baselines[1]
            cost, scale = whole_costs(self._options, *weights)
            network = np.zeros(len(cost), np.int64)
            relaxation = Relaxation(self._options, cost, self._units, network, self._budget)
            for limit in limits.tolist():
                relaxation.best_prices([limit])
            self._weights.append((1 - share, share))
            self._relaxations.append((relaxation, scale))

    def bounds(self, sums: Floats) -> Floats:
        """Bound the weighted sums of relative cycles and energy.

        Args:
            sums: Accuracy given up at most, as sums of terms, shape (n,).

        Returns:
            Shape (W, n), for every share weighed so far: no design that gives up so much or less
            has a smaller ``(1 - share) * cycles / baseline + share * energy / baseline``.
        """
        units = self._given_up(sums - self._least_sum)
        found = []
        for relaxation, scale in self._relaxations:
            (least_cost,) = relaxation.least_costs(relaxation.prices[0])
            found.append(least_cost(units)[0] / scale * (1 - 32 * ROUNDING))
        return np.stack(found)

    def volume(self, parts: int) -> float:
        """Bound the hypervolume of any set of designs, with any copies.

        Args:
            parts: Of the range of each axis; the finer, the closer.

        Returns:
            No set of designs has a larger volume between (0, 0, -largest sum) and its vectors of
            ``ln(baseline / cycles)``, ``ln(baseline / energy)`` and the negative sum of terms.

        Raises:
            SolverError: If not both, cycles alone and some energy, were weighed.
        """
        sums = self._least_sum + self._reach * np.arange(parts + 1) / parts
        weights = np.array(self._weights)
        mixed = weights.reshape(-1, 2)[:, 1] > 0
        if mixed.all() or not mixed.any():
            raise SolverError(
                "Expected bounds on the cycles alone, which have share 0, and on sums with the "
                f"energy, got shares {weights.reshape(-1, 2)[:, 1].tolist()}. Weigh both."
            )
        volume = 0.0
        # A design's sum may come out below the least by its rounding: in a part of its own.
        widths = np.append(self._slack, np.diff(sums))
        for width, bounds in zip(widths.tolist(), self.bounds(sums).T, strict=True):
            fastest = max(float(bounds[~mixed].max()), np.finfo(float).tiny)
            most = -math.log(fastest)
            if most <= 0:
                continue
            cycles = np.exp(-most * np.arange(parts) / parts)  # from the baseline's to the fewest
            energy = bounds[mixed, None] - weights[mixed, :1] * cycles
            energy /= weights[mixed, 1:]
            least = np.maximum(energy.max(axis=0), np.finfo(float).tiny)
            area = float(np.maximum(-np.log(least), 0.0).sum()) * most / parts
            volume += area * width
        return volume * (1 + ROUNDED)

    def settings(self, levels: int) -> IntArray:
        """List settings that are the best at some prices.

        Args:
            levels: As of ``weigh``.

        Returns:
            Different designs, shape (N, L): near the front, if their copies are as good.
        """
        limits = self._given_up(self._reach * np.geomspace(LEAST_SHARE, 1.0, levels))
        chosen = [
            self._options.setting[relaxation.relaxed(_highest(relaxation.prices, limit))]
            for relaxation, _ in self._relaxations
            for limit in limits.tolist()
        ]
        return np.unique(np.array(chosen), axis=0)

    def _given_up(self, excess: Floats) -> Floats:
        """Count the units that designs of an excess over the least sum have at most."""
        units = (np.maximum(excess, 0.0) + self._slack) / self._unit * (1 + 8 * ROUNDING)
        counted: Floats = units + len(self._options.first)  # quotients of terms may be rounded up
        return counted


def _highest(prices: Sequence[Prices], units: float) -> Prices:
    """Find the prices that bound the most where so many units are given up."""
    return max(prices, key=lambda each: each.at([units]))
