"""Half precision: the exact integers of Abdel-Aziz et al. (MLSys 2021), and aligned products."""

from fractions import Fraction

import numpy as np
import pytest

from lrmp.hardware.chip.half_precision import (
    aligned_product,
    exact_alignment_bits,
    exact_input_alignment_bits,
    multiplier_passes,
    product_bits,
)

LARGEST, SMALLEST = 65504.0, 2.0**-24


def halves(rng, *shape):
    """Draw finite half-precision numbers of all exponents, subnormal ones and zeros among them."""
    bits = rng.integers(0, 2**16, shape, dtype=np.uint16)
    numbers = bits.view(np.float16)
    return np.where(np.isfinite(numbers), numbers, 0).astype(np.float64)


def exact(first, second):
    terms = zip(first.tolist(), second.tolist(), strict=True)
    return sum((Fraction(a) * Fraction(b) for a, b in terms), Fraction(0))


def test_published_integers():
    # Products of exponents -14..15 have -28..30; 2047**2 < 2**22; 12 bits are three nibbles.
    assert exact_alignment_bits() == 58
    assert exact_input_alignment_bits() == 29
    assert product_bits() == 22
    assert [multiplier_passes(bits) for bits in (12, 8, 4)] == [9, 4, 1]


def test_a_product_by_hand():
    # 1.5 * 2 = 3 has the exponent 0 + 1; 0.75 * 0.25 = 0.1875 has -1 - 2, four below.
    assert aligned_product([1.5, 0.75], [2, 0.25], 4) == Fraction(3) + Fraction(3, 16)
    assert aligned_product([1.5, 0.75], [2, 0.25], 3) == 3
    assert aligned_product([1.5, -0.75], [2, 0.25], 4) == Fraction(3) - Fraction(3, 16)
    assert aligned_product([0, 0], [1, 2], 8) == 0
    # 0.1 in half precision is 1638 / 2**14.
    assert aligned_product([0.1], [1], 0) == Fraction(1638, 2**14)


def test_58_bits_give_the_exact_product():
    rng = np.random.default_rng(0)
    for first, second in zip(halves(rng, 200, 16), halves(rng, 200, 16), strict=True):
        assert aligned_product(first, second, 58) == exact(first, second)
        assert aligned_product(first, second, 100) == exact(first, second)


def test_57_bits_are_too_few():
    # The largest product has the exponent 30, that of two smallest normal numbers -28.
    first, second = np.array([LARGEST, 2.0**-14]), np.array([LARGEST, 2.0**-14])
    assert aligned_product(first, second, 57) == Fraction(LARGEST) ** 2
    assert aligned_product(first, second, 58) == exact(first, second)
    # Subnormal numbers have the same exponent, and smaller significands.
    first = second = np.array([LARGEST, SMALLEST])
    assert aligned_product(first, second, 58) == exact(first, second)


def test_more_bits_leave_out_less():
    rng = np.random.default_rng(1)
    for first, second in zip(*(abs(halves(rng, 30, 16)) for _ in range(2)), strict=True):
        sums = [aligned_product(first, second, bits) for bits in range(0, 60, 4)]
        assert sums == sorted(sums)
        assert sums[0] < sums[-1] <= exact(first, second)


#: Relative error of inner products of 16 terms, by alignment bits: root mean square of the error
#: over that of the product, by what the terms are drawn from. From a simulation of our own notes.
NORMAL = {2: 0.20, 4: 0.041, 6: 6.6e-3, 8: 9.9e-4, 12: 1.8e-5}
LOG_NORMAL = {2: 0.060, 4: 0.024, 6: 8.9e-3, 8: 2.5e-3, 12: 1.9e-4}
ROWS = 200_000


def left_out(first, second, bits):
    """Add up the products that are more than some bits below the largest of their row."""
    products = first * second  # exact in double precision
    exponents = np.frexp(first)[1] + np.frexp(second)[1]
    return (products * (exponents.max(1, keepdims=True) - exponents > bits)).sum(1)


def relative_error(first, second, bits):
    # The function itself, on some of the rows, says the same.
    for row in range(100):
        kept = float(aligned_product(first[row], second[row], bits))
        whole = (first[row] * second[row]).sum()
        lost = left_out(first[row : row + 1], second[row : row + 1], bits)[0]
        assert whole - kept == pytest.approx(lost, abs=1e-12 * abs(first[row] * second[row]).sum())
    products = (first * second).sum(1)
    return np.sqrt(np.square(left_out(first, second, bits)).mean() / np.square(products).mean())


@pytest.mark.long
@pytest.mark.parametrize(("bits", "expected"), NORMAL.items())
def test_truncation_errors_of_normal_numbers(bits, expected):
    rng = np.random.default_rng(0)
    drawn = (rng.standard_normal((ROWS, 16)).astype(np.float16) for _ in range(2))
    first, second = (each.astype(np.float64) for each in drawn)
    assert relative_error(first, second, bits) == pytest.approx(expected, rel=0.1)


@pytest.mark.long
@pytest.mark.parametrize(("bits", "expected"), LOG_NORMAL.items())
def test_truncation_errors_of_log_normal_numbers(bits, expected):
    """With random signs. Of the deviations of the logarithm, 1.5 is what fits: no note gives it."""
    rng = np.random.default_rng(0)
    drawn = (
        np.exp(1.5 * rng.standard_normal((ROWS, 16))) * rng.choice([-1, 1], (ROWS, 16))
        for _ in range(2)
    )
    first, second = (each.astype(np.float16).astype(np.float64) for each in drawn)
    # Heavy tails: the largest of all rows still move the mean of squares.
    assert relative_error(first, second, bits) == pytest.approx(expected, rel=0.25)
