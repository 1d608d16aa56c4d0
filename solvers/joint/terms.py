"""The accuracy terms of a network in whole units, rounded down.

Tables come in any unit and with any offset, and their sums are floats. For the solvers every
layer's terms start at 0 and the largest sum that matters is ``2**46`` units: sums of whole units
are exact, equal designs have equal sums, and prices are of the order of 1. All rounding goes one
way, so that what the units say of a design never claims more than is true: its penalty is at least
that of its units.
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.floats import ROUNDING, Floats
from lrmp.solvers.joint.problem import JointProblem

MOST_UNITS = 2.0**46  # sums of a few of them are exact in 53 bits
WAYS = 64  # of a search that looks at many places at a time


class JointTerms:
    """Whole units of accuracy, and what they cost in the return.

    Attributes:
        units: Terms by layer and setting beyond the layer's least, in whole units, shape (L, S).
        most: No design gives up more units, in whatever order they are added; beyond
            ``MOST_UNITS`` they cost no more.
        usable: Which settings some design worth having may use, shape (L, S).
        free: The most units that cost nothing beyond what every design pays.

    Args:
        problem: The task.
        network: Number of the network.
        worth: Designs that pay this much or more beyond the least are of no interest.
    """

    def __init__(self, problem: JointProblem, network: int, worth: float) -> None:
        self._paid = partial(problem.paid, network)
        accuracy = problem.accuracy[network]
        least, excess = accuracy.terms.min(axis=1), accuracy.excess
        self._base = math.fsum(least.tolist())
        most = math.fsum(excess.max(axis=1).tolist())
        self._most = most
        at_most = float(self._paid(np.array(self._base + most)))
        # From here on a penalty grows no more, or is too large for a design worth having.
        limit = min(at_most, worth)
        reach = self._least_reaching(most, limit)
        # Floats are added in whatever order: an honest design's sum may be smaller by the slack.
        self.usable, self._slack = accuracy.within(reach)
        if limit == at_most < math.inf:
            self.usable = np.ones(excess.shape, dtype=bool)
        self._unit = reach / MOST_UNITS
        clipped = np.minimum(excess, reach)
        self.units = np.zeros(excess.shape)
        if self._unit > 0:
            self.units = np.floor(clipped / self._unit)
        most_units = float(self.units.max(axis=1).sum()) * (1 + len(least) * ROUNDING)
        self.most = max(most_units, MOST_UNITS)
        self.free = self._free_units()

    def paid(self, units: Floats) -> Floats:
        """Bound what designs pay for their accuracy from below.

        Args:
            units: Sums of units, any shape.

        Returns:
            Penalties beyond the problem's least, infinite for what is forbidden; same shape.
        """
        return self._paid(self._base + units * self._unit - self._slack)

    def paid_at_most(self, units: Floats) -> Floats:
        """Bound what designs pay for their accuracy from above.

        Args:
            units: Sums of units, any shape.

        Returns:
            Penalties beyond the problem's least, infinite for what may be forbidden; same shape.
        """
        above = units + len(self.units)  # what was cut off when they were rounded down
        excess = np.where(above < MOST_UNITS, above * self._unit, self._most)
        return self._paid(self._base + excess + self._slack)

    def _least_reaching(self, most: float, limit: float) -> float:
        """Find the first excess whose penalty reaches a limit, to the last bit."""
        # The order of positive floats is that of their bits: few steps whatever the magnitude.
        last = int(np.float64(most).view(np.int64))

        def reaches(places: IntArray) -> NDArray[np.bool_]:
            return self._paid(self._base + places.view(np.float64)) >= limit

        return float(np.int64(_first(reaches, last)).view(np.float64))

    def _free_units(self) -> float:
        beyond = _first(lambda units: self.paid(units.astype(float)) > 0, int(MOST_UNITS))
        return float(beyond if self.paid(np.array(MOST_UNITS)) <= 0 else max(beyond - 1, 0))


def _first(holds: Callable[[IntArray], NDArray[np.bool_]], last: int) -> int:
    """Find the first of 0..last where something that stays true once it is holds; else the last."""
    low, high = 0, last
    while low < high:
        step = max((high - low) // WAYS, 1)
        places = np.arange(low, high, step, dtype=np.int64)
        held = holds(places)
        found = int(held.argmax()) if held.any() else len(places)
        high = int(places[found]) if found < len(places) else high
        low = int(places[found - 1]) + 1 if found else low
        if found == 0:
            high = low
    return high
