"""What the settings of one network's layers do to its accuracy, and what that costs."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrmp.errors import InfeasibleAccuracyError, SolverError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.floats import ROUNDING, Floats
from lrmp.solvers.joint.least import least_terms

LARGEST = float(np.finfo(float).max) / 16  # sums and differences of a few such are floats


@dataclass(frozen=True, eq=False)
class AccuracyTerms:
    """One term per layer and setting, and the penalty of their sum.

    Attributes:
        terms: By layer and setting, shape (L, S).
        penalty: What sums of terms, of any shape, cost in the return: never falling, infinite for
            sums that are forbidden.
        magnitudes: Of the numbers that a term is the sum of, added up, shape (L, S): the return may
            add those up in another order, whose rounding the bound counts. None if terms are added.

    Raises:
        SolverError: If the terms are no finite matrix.
    """

    terms: Floats
    penalty: Callable[[Floats], Floats]
    magnitudes: Floats | None = None

    def __post_init__(self) -> None:
        if self.terms.ndim != 2 or 0 in self.terms.shape or not np.isfinite(self.terms).all():
            raise SolverError(
                "Expected finite accuracy terms by layer and setting, got an array of shape "
                f"{self.terms.shape} with {np.count_nonzero(~np.isfinite(self.terms))} others. "
                "Give settings that must not be used a large finite term."
            )
        with np.errstate(over="ignore"):
            magnitude = float(self._magnitudes.max(axis=1).sum())
        if magnitude > LARGEST:
            raise SolverError(
                f"Expected accuracy terms whose sum is at most {LARGEST:.0e}, got {magnitude:.0e}. "
                "Give them a larger unit."
            )

    def within(self, reach: float) -> tuple[NDArray[np.bool_], float]:
        """Say what designs may have whose terms, as they are added, exceed the least by so much.

        Args:
            reach: The most that sums exceed the sum of the least terms by.

        Returns:
            The settings of such designs, shape (L, S): with any other the sum is larger however it
            is rounded. And how much smaller than it is the sum of such a design may come out.
        """
        own = (2 * len(self.terms) + 8) * ROUNDING * self._magnitudes
        rounding, before = 0.0, -1.0
        while rounding > before:
            settings = self.excess - own <= reach + rounding
            before, rounding = rounding, float(np.where(settings, own, 0.0).max(axis=1).sum())
        return settings, rounding

    def least_penalty(self, tiles: IntArray, budget: int | None) -> float:
        """Bound what every design pays from below, however its terms are added.

        Args:
            tiles: Of one copy, shape (L, S).
            budget: Tiles for this network; None if not even the smallest settings fit.

        Returns:
            The penalty; where all that fits is forbidden that of a larger budget, for searches
            say so.

        Raises:
            InfeasibleAccuracyError: If even what a larger budget would allow is forbidden.
        """
        least = math.fsum(self.terms.min(axis=1).tolist())
        penalty = math.inf
        if budget is not None:
            _, forced = least_terms(self.excess, tiles, budget)
            penalty = float(self.penalty(np.array(least + forced - self.within(forced)[1])))
        if penalty == math.inf:
            penalty = float(self.penalty(np.array(least - self.within(0.0)[1])))
        if penalty == math.inf:
            raise InfeasibleAccuracyError(
                f"Expected some design within the limit on accuracy; even the least sum of terms, "
                f"{least:g}, is forbidden. Allow a larger drop."
            )
        return penalty

    @property
    def excess(self) -> Floats:
        """Terms beyond the least of the layer, shape (L, S)."""
        excess: Floats = self.terms - self.terms.min(axis=1, keepdims=True)
        return excess

    @property
    def _magnitudes(self) -> Floats:
        return np.abs(self.terms) if self.magnitudes is None else self.magnitudes
