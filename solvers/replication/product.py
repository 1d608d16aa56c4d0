"""The least product of two sums, such as energy times delay, by a few weighted sums.

On positive numbers C * E is strictly quasi-concave, so over the convex hull of all solutions it is
least at vertices alone, and each of those is the best solution of some weighted sum a*C + b*E with
a, b >= 0 (Konno and Kuno, Mathematical Programming 56, 1992). The vertices are found by bisecting
the directions (Aneja and Nair, Management Science 25(1), 1979); every weighted sum solved also
bounds the hull from below by a line, and where the lines keep the product above the best one known
nothing more is looked for.
"""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Generic, TypeVar

from lrmp.errors import SolverError

ROUNDED_BITS = 52  # of a weighted sum along a rounded direction: leaves room for multipliers

Solution = TypeVar("Solution")

#: Minimises a*C + b*E: returns a solution and a bound on the sum, or None where the numbers are too
#: large for the solver.
WeightedSolver = Callable[[int, int], tuple[Solution, int] | None]


@dataclass(frozen=True)
class Point:
    """A solution's two sums, ``first`` (C) and ``second`` (E)."""

    first: int
    second: int

    @property
    def product(self) -> int:
        """C * E."""
        return self.first * self.second


@dataclass(frozen=True)
class Line:
    """All solutions have ``a * C + b * E >= bound``."""

    a: int
    b: int
    bound: int

    def at(self, point: Point) -> int:
        """Evaluate a * C + b * E."""
        return self.a * point.first + self.b * point.second

    def holds(self, point: Point) -> bool:
        """Whether a point is on the line, below which there is none."""
        return self.at(point) == self.bound

    def corner(self, other: "Line") -> Fraction:
        """Return the product C * E where two lines cross; 0, which is true of any, if parallel."""
        determinant = self.a * other.b - other.a * self.b
        if determinant == 0:
            return Fraction(0)
        first = Fraction(self.bound * other.b - other.bound * self.b, determinant)
        second = Fraction(self.a * other.bound - other.a * self.bound, determinant)
        return first * second


def least_product(
    solve: WeightedSolver[Solution],
    sums: Callable[[Solution], tuple[int, int]],
    largest: tuple[int, int],
    *,
    consistent: bool = False,
) -> tuple[list[Solution], int]:
    """Minimise C * E.

    Args:
        solve: Minimises a weighted sum, a and b not negative and not both 0.
        sums: C and E of a solution.
        largest: About the largest C and E. Directions that would lead to huge numbers are rounded
            first, and solved as they are only where that leaves a doubt.
        consistent: Whether all weighted sums are solved to the end, and of all best solutions the
            one that comes first in an order that is the same for all.

    Returns:
        For every best pair (C, E) the solution that the solver prefers, and a lower bound on the
        product: the least product itself if all weighted sums were proven optimal.
    """
    hull = _Hull(solve, sums, largest)
    bound = hull.explore()
    best = [point for point in hull.found if point.product == hull.least]
    if consistent:
        return [hull.found[point] for point in best], bound
    preferred = []
    for point in best:
        # Of all pairs the best one alone minimises E* C + C* E, the tangent at it.
        answers = (solve(*d) for d in _directions(point.second, point.first, largest))
        copies = (answer[0] for answer in answers if answer is not None)
        preferred.append(
            next((c for c in copies if sums(c) == (point.first, point.second)), hull.found[point])
        )
    return preferred, bound


@dataclass(frozen=True)
class _Region:
    """What lies between two points and above the lines on which they were found."""

    left: Point
    left_line: Line
    right: Point
    right_line: Line

    @property
    def proven(self) -> bool:
        """Whether both ends are on their lines."""
        return self.left_line.holds(self.left) and self.right_line.holds(self.right)

    @property
    def bound(self) -> Fraction:
        return self.left_line.corner(self.right_line)

    def below(self, line: Line) -> Fraction:
        """Bound the product above one more line; below a point on two lines nothing is left."""
        ends = ((self.left, self.left_line), (self.right, self.right_line))
        corners = [
            line.corner(end_line)
            for end, end_line in ends
            if not line.holds(end) or not end_line.holds(end)
        ]
        return min(corners, default=Fraction(self.left.product + self.right.product))


class _Hull(Generic[Solution]):
    """The lower left of the convex hull, as far as it has been explored."""

    def __init__(
        self,
        solve: WeightedSolver[Solution],
        sums: Callable[[Solution], tuple[int, int]],
        largest: tuple[int, int],
    ) -> None:
        self._solve = solve
        self._sums = sums
        self._largest = largest
        self.found: dict[Point, Solution] = {}
        self.least = 0  # product of the points found

    def explore(self) -> int:
        """Look for the least product; return a lower bound."""
        left, right = self._support(1, 0), self._support(0, 1)
        if left is None or right is None:
            raise SolverError("Expected sums below 2**62, got larger ones. Use larger units.")
        number = count()  # decides between equal bounds
        first = _Region(*left, *right)
        regions = [(first.bound, next(number), first)]
        unexplored: list[int] = []
        while regions:
            bound, _, region = heapq.heappop(regions)
            if bound > self.least:
                break
            parts, remaining = self._split(region)
            for part in parts:
                heapq.heappush(regions, (part.bound, next(number), part))
            if remaining is not None and remaining <= self.least:
                unexplored.append(math.ceil(max(bound, remaining)))
        return min([self.least, *unexplored])

    def _split(self, region: _Region) -> tuple[list[_Region], Fraction | None]:
        """Divide a region at a point below its ends; without one, bound what it may hide."""
        left, right = region.left, region.right
        a, b = left.second - right.second, right.first - left.first
        if a <= 0 or b <= 0:
            # One end is no worse than the other in both: nothing lies between, unless better
            # ones were not found.
            return [], None if region.proven else region.bound
        remaining = Fraction(0)
        for direction in _directions(a, b, self._largest):
            supported = self._support(*direction)
            if supported is None:
                continue
            middle, line = supported
            if a * middle.first + b * middle.second < a * left.first + b * left.second:
                return [
                    _Region(left, region.left_line, middle, line),
                    _Region(middle, line, right, region.right_line),
                ], None
            remaining = max(remaining, region.below(line))
            if remaining > self.least:
                break
        return [], remaining

    def _support(self, a: int, b: int) -> tuple[Point, Line] | None:
        answer = self._solve(a, b)
        if answer is None:
            return None
        copies, bound = answer
        point = Point(*self._sums(copies))
        if not self.found or point.product < self.least:
            self.least = point.product
        self.found.setdefault(point, copies)
        return point, Line(a, b, bound)


def _directions(a: int, b: int, largest: tuple[int, int]) -> list[tuple[int, int]]:
    """Reduce a direction to lowest terms; where it is long, put a rounded one before it."""
    divisor = math.gcd(a, b)
    a, b = a // divisor, b // divisor
    shift = max(0, (a * largest[0] + b * largest[1]).bit_length() - ROUNDED_BITS)
    if not shift or min(a, b) == 0:
        return [(a, b)]
    short = max(1, min(a, b) >> shift)
    # The long part follows from the short one, whose few bits would else turn the direction.
    long = (2 * max(a, b) * short // min(a, b) + 1) // 2
    return [(long, short) if a > b else (short, long), (a, b)]
