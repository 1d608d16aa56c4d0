"""The monotone map from a table's sum to an accuracy drop."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrmp.errors import AccuracyTableError

KNOTS = 10


class DropMap:
    """A non-decreasing, piecewise linear function g with g(0) = 0.

    Behind the last knot it goes on with the last slope, up to a ceiling.

    Args:
        sums: Places of the knots, increasing, from 0 on.
        drops: Percentage points at the knots, not decreasing, from 0 on.
        ceiling: Largest drop that g returns, in points.

    Raises:
        AccuracyTableError: If the knots are no such function.
    """

    def __init__(self, sums: Sequence[float], drops: Sequence[float], ceiling: float) -> None:
        self.sums = np.array(sums, dtype=np.float64)
        self.drops = np.array(drops, dtype=np.float64)
        self.ceiling = float(ceiling)
        if (
            self.sums.ndim != 1
            or len(self.sums) < 2
            or self.sums.shape != self.drops.shape
            or not (np.isfinite(self.sums).all() and np.isfinite(self.drops).all())
            or self.sums[0] != 0
            or self.drops[0] != 0
            or (np.diff(self.sums) <= 0).any()
            or (np.diff(self.drops) < 0).any()
            or not self.drops[-1] <= self.ceiling
        ):
            raise AccuracyTableError(
                "Expected the knots of a drop map to start at (0, 0), with increasing sums and "
                f"drops that do not decrease and stay below the ceiling {ceiling}, got sums "
                f"{list(sums)} and drops {list(drops)}."
            )

    def __call__(self, sums: ArrayLike) -> NDArray[np.float64]:
        """Map sums to drops.

        Args:
            sums: Any shape; sums below 0 give 0.

        Returns:
            Percentage points, same shape.
        """
        values = np.asarray(sums, dtype=np.float64)
        inside = np.interp(values, self.sums, self.drops)
        beyond = self.drops[-1] + self._last_slope * np.maximum(values - self.sums[-1], 0)
        return np.minimum(np.where(values > self.sums[-1], beyond, inside), self.ceiling)

    def threshold(self, drop: float) -> float:
        """Invert the map: the largest sum whose drop is allowed.

        Args:
            drop: Percentage points, not negative.

        Returns:
            The largest S with g(S) <= drop; infinite if every sum is allowed.

        Raises:
            AccuracyTableError: If the drop is negative or NaN.
        """
        if not drop >= 0:
            raise AccuracyTableError(f"Expected a drop of at least 0 points, got {drop!r}.")
        if drop >= self.ceiling:
            return float("inf")
        if drop >= self.drops[-1]:
            if self._last_slope == 0:
                return float("inf")
            return float(self.sums[-1] + (drop - self.drops[-1]) / self._last_slope)
        right = int(np.searchsorted(self.drops, drop, side="right"))  # first knot above the drop
        below, above = self.drops[right - 1], self.drops[right]
        start, stop = self.sums[right - 1], self.sums[right]
        return float(start + (drop - below) / (above - below) * (stop - start))

    @property
    def _last_slope(self) -> float:
        run = self.sums[-1] - self.sums[-2]
        return float((self.drops[-1] - self.drops[-2]) / run)

    @classmethod
    def fit(
        cls,
        sums: NDArray[np.float64],
        drops: NDArray[np.float64],
        ceiling: float,
        knots: int = KNOTS,
    ) -> Self:
        """Fit the map to measured designs.

        Least squares on errors divided by 1 + drop, so that small drops, which designs worth
        having show, weigh most.

        Args:
            sums: Table sums of the designs, shape (N,), positive.
            drops: Their measured drops in points, shape (N,).
            ceiling: Largest drop that the map returns.
            knots: Most segments of the map.

        Returns:
            The map.
        """
        from scipy.optimize import nnls  # only a fit needs it

        # A drop above the ceiling is a broken network below chance; it teaches nothing.
        drops = np.minimum(drops, ceiling)
        # Even steps of the logarithm, as the designs of `draw_designs` lie.
        knots = max(3, min(knots, len(sums) // 4))  # each needs a few designs
        places = np.concatenate([[0.0], np.geomspace(sums.min(), sums.max(), knots)])
        # Column j is a ramp from knot j to knot j + 1: weights that are not negative give a
        # function that does not decrease.
        ramps = np.clip((sums[:, None] - places[:-1]) / np.diff(places), 0, 1)
        scale = 1 / (1 + np.maximum(drops, 0))
        rises, _ = nnls(ramps * scale[:, None], drops * scale)
        return cls(places.tolist(), np.minimum(np.cumsum([0.0, *rises]), ceiling).tolist(), ceiling)


class IdentityMap:
    """For tables whose entries are percentage points already: g(S) = S."""

    def __call__(self, sums: ArrayLike) -> NDArray[np.float64]:
        """Return the sums.

        Args:
            sums: Any shape.

        Returns:
            The same in percentage points.
        """
        return np.asarray(sums, dtype=np.float64)

    def threshold(self, drop: float) -> float:
        """Return the largest sum whose drop is allowed.

        Args:
            drop: Percentage points.

        Returns:
            The drop.
        """
        return float(drop)
