"""The least product from weighted sums, exact ones and such as a limit left unfinished."""

import numpy as np
import pytest

from lrmp.solvers.replication.product import least_product


def draw(rng):
    points = rng.integers(1, rng.choice([4, 30, 1000]), (rng.integers(1, 9), 2))
    return [(int(first), int(second)) for first, second in points]


@pytest.mark.parametrize("seed", range(5))
def test_exact_sums_prove_the_least_product(seed):
    rng = np.random.default_rng(seed)
    for _ in range(1000):
        points = draw(rng)

        def solve(a, b, points=points):
            best = min(points, key=lambda p: a * p[0] + b * p[1])
            return best, a * best[0] + b * best[1]

        best, bound = least_product(solve, lambda p: p, (1000, 1000))
        assert bound == min(first * second for first, second in points)
        assert {first * second for first, second in best} == {bound}


@pytest.mark.parametrize("seed", range(5))
def test_a_bound_from_unfinished_sums_is_none_too_high(seed):
    rng = np.random.default_rng(seed)
    for _ in range(1000):
        points = draw(rng)

        def solve(a, b, points=points):
            least = min(a * first + b * second for first, second in points)
            any_point = points[rng.integers(len(points))]
            return any_point, least - int(rng.integers(0, 3))

        best, bound = least_product(solve, lambda p: p, (1000, 1000))
        least = min(first * second for first, second in points)
        assert bound <= least <= best[0][0] * best[0][1], points


@pytest.mark.parametrize("seed", range(5))
def test_sums_of_64_bits_leave_a_product_that_is_nearly_proven(seed):
    # Cycles and femtojoules of a chip, and what they are at most: two bits are left for the second.
    rng, largest = np.random.default_rng(seed), (2**26, 2**50)
    for _ in range(100):
        drawn = zip(rng.integers(2**23, 2**25, 9), rng.integers(2**42, 2**43, 9), strict=True)
        points = [(int(first), int(second)) for first, second in drawn]

        def solve(a, b, points=points):
            if a * largest[0] + b * largest[1] >= 2**62:
                return None
            best = min(points, key=lambda p: a * p[0] + b * p[1])
            return best, a * best[0] + b * best[1]

        best, bound = least_product(solve, lambda p: p, largest)
        least = min(first * second for first, second in points)
        assert {first * second for first, second in best} == {least}
        assert least * (1 - 1e-5) <= bound <= least
