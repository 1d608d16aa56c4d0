"""The strictly increasing map from a table's sum to an accuracy drop."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrmp.errors import AccuracyTableError

#: Of a fitted map, beside the ends.
KNOTS = 12
#: Least slope of a fitted map, as a share of that of the best line through the origin.
SLOPE_SHARE = 0.1
REPEATS = 2  # of a fit, with errors scaled by the one before
WAYS = 256  # parts that an interval is cut into at once in the search for a threshold
INFINITY = int(np.float64(np.inf).view(np.int64))  # floats from 0 on are ordered as their bits


class DropMap:
    """A strictly increasing function g with g(0) = 0 that stays below a ceiling.

    It is linear between its knots. Behind the last one, at (S, D) and with slope k before it, it
    bends to the ceiling C without reaching it, on the hyperbola
    ``g(s) = C - (C - D) / (1 + k (s - S) / (C - D))``.

    Nowhere is it level, for a search would spend accuracy up to the end of a level stretch for
    nothing. All its operations are rounded correctly and monotone, so that it never decreases in
    floating point either and gives the same numbers on every machine.

    Args:
        sums: Places of the knots, increasing, from 0 on.
        drops: Percentage points at the knots, increasing, from 0 on.
        ceiling: What g stays below, in points.

    Raises:
        AccuracyTableError: If the knots are no such function.
    """

    def __init__(self, sums: Sequence[float], drops: Sequence[float], ceiling: float) -> None:
        self.sums = np.array(sums, dtype=np.float64)
        self.drops = np.array(drops, dtype=np.float64)
        self.ceiling = float(ceiling)
        with np.errstate(over="ignore"):  # of steep slopes, which are refused
            if (
                self.sums.ndim != 1
                or len(self.sums) < 2
                or self.sums.shape != self.drops.shape
                or not (np.isfinite(self.sums).all() and np.isfinite(self.drops).all())
                or self.sums[0] != 0
                or self.drops[0] != 0
                or (np.diff(self.sums) <= 0).any()
                or (np.diff(self.drops) < 0).any()
                or np.isinf(np.diff(self.drops) / np.diff(self.sums)).any()
                or not self.drops[-1] < self.ceiling < np.inf
            ):
                raise AccuracyTableError(
                    "Expected the knots of a drop map to start at (0, 0), with increasing sums and "
                    f"increasing drops below the ceiling {ceiling}, got sums {list(sums)} and "
                    f"drops {list(drops)}."
                )
        self.sums.flags.writeable = self.drops.flags.writeable = False
        self._slopes = np.diff(self.drops) / np.diff(self.sums)
        if level := np.flatnonzero(self._slopes == 0).tolist():
            (start, end), (low, high) = (
                values[level[0] : level[0] + 2].tolist() for values in (self.sums, self.drops)
            )
            raise AccuracyTableError(
                f"Expected the drops of a map to increase from knot to knot, got {low} and {high} "
                f"points at sums {start} and {end}. Where a map is level, accuracy can be spent "
                "for nothing: raise the later drop, or leave its knot out."
            )

    def __call__(self, sums: ArrayLike) -> NDArray[np.float64]:
        """Map sums to drops.

        Args:
            sums: Any shape; sums below 0 give 0.

        Returns:
            Percentage points, same shape.
        """
        values = np.maximum(np.asarray(sums, dtype=np.float64), 0)
        near = np.minimum(values, self.sums[-1])
        left = np.searchsorted(self.sums[1:-1], near, side="right")
        inside = self.drops[left] + self._slopes[left] * (near - self.sums[left])
        # Rounding must not carry a value past the next knot.
        inside = np.minimum(inside, self.drops[left + 1])
        rest = self.ceiling - self.drops[-1]
        with np.errstate(over="ignore"):  # infinitely far the map is at its ceiling
            far = self._slopes[-1] * np.maximum(values - self.sums[-1], 0) / rest
        beyond = np.maximum(self.ceiling - rest / (1 + far), self.drops[-1])
        found: NDArray[np.float64] = np.where(values > self.sums[-1], beyond, inside)
        return found

    def of_one(self, total: float) -> float:
        """Map one sum, to the number that arrays give, in a tenth of the time.

        Args:
            total: Below 0 it counts as 0.

        Returns:
            Percentage points.
        """
        sums, drops, slopes = self._lists
        value = max(total, 0.0)
        if value > sums[-1]:
            rest = self.ceiling - drops[-1]
            far = slopes[-1] * (value - sums[-1]) / rest
            return max(self.ceiling - rest / (1 + far), drops[-1])
        left = bisect_right(sums, value, 1, len(sums) - 1) - 1
        # Rounding must not carry a value past the next knot.
        return min(drops[left] + slopes[left] * (value - sums[left]), drops[left + 1])

    @cached_property
    def _lists(self) -> tuple[list[float], list[float], list[float]]:
        return self.sums.tolist(), self.drops.tolist(), self._slopes.tolist()

    def threshold(self, drop: float) -> float:
        """Invert the map: the largest sum whose drop is allowed.

        A sum is at most this one exactly where the map of it, as computed, is at most the drop.

        Args:
            drop: Percentage points, not negative.

        Returns:
            The largest float S with g(S) <= drop; infinite from the ceiling on.

        Raises:
            AccuracyTableError: If the drop is negative or NaN.
        """
        if not drop >= 0:
            raise AccuracyTableError(f"Expected a drop of at least 0 points, got {drop!r}.")
        if drop >= self.ceiling:
            return float("inf")
        within, beyond = 0, INFINITY
        while beyond - within > 1:
            step = max(1, (beyond - within) // WAYS)
            tried = np.arange(within + step, beyond, step)
            held = int((self(tried.view(np.float64)) <= drop).sum())
            beyond = min(beyond, within + (held + 1) * step)
            within += held * step
        return float(np.int64(within).view(np.float64))

    @property
    def definition(self) -> dict[str, Any]:
        """Everything that defines the map, ready for JSON."""
        return {
            "sums": np.abs(self.sums).tolist(),  # 0.0 and -0.0 are the same
            "drops": np.abs(self.drops).tolist(),
            "ceiling": self.ceiling,
        }

    @classmethod
    def fit(
        cls,
        sums: NDArray[np.float64],
        drops: NDArray[np.float64],
        weights: NDArray[np.float64],
        ceiling: float,
    ) -> Self:
        """Fit the map to measured designs: linear between knots, each among equally many.

        Least squares on errors divided by 0.5 + drop, so that small drops, which designs worth
        having show, weigh most. No segment is flatter than ``SLOPE_SHARE`` times the line through
        the origin that fits best in the same sense.

        Args:
            sums: Table sums of the designs, shape (N,), positive.
            drops: Their measured drops in points, shape (N,).
            weights: How much each design counts, shape (N,).
            ceiling: What the map stays below.

        Returns:
            The map.

        Raises:
            AccuracyTableError: If the designs do not say how drops grow with sums.
        """
        # A drop above the ceiling is a broken network below chance; it teaches nothing.
        drops = np.minimum(drops, ceiling)
        if not (sums.min() < sums.max() and (weights * sums * drops).sum() > 0):
            raise AccuracyTableError(
                "Expected designs of different sums whose drops grow with them, got "
                f"{len(sums)} of {sums.min():.4g} to {sums.max():.4g} with drops of "
                f"{drops.min():.4g} to {drops.max():.4g} points. Measure more designs."
            )
        # Errors are divided by what the map says: by the drops themselves, those that chance makes
        # small would count more.
        fitted = cls._scaled_fit(sums, drops, weights, np.maximum(drops, 0), ceiling)
        for _ in range(REPEATS):
            fitted = cls._scaled_fit(sums, drops, weights, fitted(sums), ceiling)
        return fitted

    @classmethod
    def _scaled_fit(
        cls,
        sums: NDArray[np.float64],
        drops: NDArray[np.float64],
        weights: NDArray[np.float64],
        scales: NDArray[np.float64],
        ceiling: float,
    ) -> Self:
        from scipy.optimize import nnls  # only a fit needs it

        scale = np.sqrt(weights) / (0.5 + scales)
        slope = (scale**2 * sums * drops).sum() / (scale**2 * sums**2).sum()
        # Knots where the designs are that count; one where the first design is, and the last.
        order = np.argsort(sums)
        shares = np.cumsum(weights[order]) / weights.sum()
        knots = max(3, min(KNOTS, len(sums) // 4))  # each needs a few designs
        middles = np.searchsorted(shares, (np.arange(knots) + 0.5) / knots)
        places = np.unique([0.0, *sums[order][[0, *middles, -1]].tolist()])
        # Column j is a ramp from knot j to knot j + 1: weights of at least the least rises give a
        # function that is nowhere flatter. What exceeds those is not negative.
        ramps = np.clip((sums[:, None] - places[:-1]) / np.diff(places), 0, 1)
        least = SLOPE_SHARE * slope * np.diff(places)
        more, _ = nnls(ramps * scale[:, None], (drops - ramps @ least) * scale)
        rises = np.cumsum([0.0, *(least + more)])
        last = int(np.flatnonzero(rises < ceiling)[-1])
        knots, values = places[: last + 1].tolist(), rises[: last + 1].tolist()
        if last + 1 < len(places) and more[last - 1] == 0:
            # The last segment below the ceiling is as flat as any may be, and would say that
            # drops hardly grow from there on: go half of the way on the next one instead.
            half = (ceiling - values[-1]) / 2
            slope = (rises[last + 1] - values[-1]) / (places[last + 1] - knots[-1])
            knots.append(knots[-1] + half / slope)
            values.append(values[-1] + half)
        return cls(knots, values, ceiling)


class IdentityMap:
    """For tables whose entries are percentage points already: g(S) = S.

    Attributes:
        definition: Everything that defines the map, ready for JSON: nothing.
    """

    definition = None

    def __call__(self, sums: ArrayLike) -> NDArray[np.float64]:
        """Return the sums.

        Args:
            sums: Any shape.

        Returns:
            The same in percentage points.
        """
        return np.asarray(sums, dtype=np.float64)

    def of_one(self, total: float) -> float:
        """Return one sum.

        Args:
            total: Any.

        Returns:
            The same in percentage points.
        """
        return float(total)

    def threshold(self, drop: float) -> float:
        """Return the largest sum whose drop is allowed.

        Args:
            drop: Percentage points.

        Returns:
            The drop.
        """
        return float(drop)
