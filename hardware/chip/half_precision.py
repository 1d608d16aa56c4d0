"""Half precision (IEEE 754 binary16), and inner products of it in integers."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

#: Bits of a number as it is stored: a sign, 5 of the exponent, 10 of the fraction.
STORED_BITS = 16
#: Bits of a significand: those of the fraction, and the leading one, which is not stored.
SIGNIFICAND_BITS = 11
#: Exponents of the leading bit; subnormal numbers have the smallest one, and leading zeros.
MIN_EXPONENT, MAX_EXPONENT = -14, 15


def product_bits() -> int:
    """Count the bits of the product of two significands.

    Returns:
        22.
    """
    largest: int = 2**SIGNIFICAND_BITS - 1
    return (largest * largest).bit_length()


def exact_alignment_bits() -> int:
    """Count how far products may have to be shifted to one exponent.

    Returns:
        58, from the smallest exponent of a product, -28, to the largest, 30. No shift of a product
        is longer, so that so many bits beyond those of a product lose nothing.
    """
    return 2 * MAX_EXPONENT - 2 * MIN_EXPONENT


def exact_input_alignment_bits() -> int:
    """Count the same for numbers before they are multiplied.

    Returns:
        29, from -14 to 15.
    """
    return MAX_EXPONENT - MIN_EXPONENT


def multiplier_passes(bits: int, multiplier_bits: int = 4) -> int:
    """Count the passes of a small integer multiplier that make up a larger product.

    Args:
        bits: Of both factors with their sign; a half-precision one has 12.
        multiplier_bits: Of the multiplier.

    Returns:
        ``ceil(bits / multiplier_bits) ** 2``: 9 for half precision on nibbles, 4 for 8 bits.
    """
    digits: int = -(-bits // multiplier_bits)
    return digits**2


def aligned_product(
    first: Sequence[float], second: Sequence[float], alignment_bits: int
) -> Fraction:
    """Multiply two vectors as an inner-product unit does that adds integers.

    Products are shifted to the largest exponent among them, and added in an integer that is
    ``alignment_bits`` longer than a product. What would be shifted further is left out, as by the
    unit of Abdel-Aziz et al. (MLSys 2021, arXiv 2101.11748).

    Args:
        first: Finite numbers; they are rounded to half precision.
        second: As many.
        alignment_bits: At least 0.

    Returns:
        The sum of the products that are left; with ``exact_alignment_bits()`` that of all.
    """
    terms = [
        (a * b, shift_a + shift_b)
        for (a, shift_a), (b, shift_b) in zip(_parts(first), _parts(second), strict=True)
        if a and b
    ]
    if not terms:
        return Fraction(0)
    largest = max(exponent for _, exponent in terms)
    total = sum(
        product << (alignment_bits - (largest - exponent))
        for product, exponent in terms
        if largest - exponent <= alignment_bits
    )
    fraction_bits = 2 * (SIGNIFICAND_BITS - 1)
    return total * Fraction(2) ** (largest - alignment_bits - fraction_bits)


def _parts(numbers: Sequence[float]) -> list[tuple[int, int]]:
    """Take numbers apart: integers of at most 11 bits and a sign, and their exponents."""
    half = np.asarray(numbers, dtype=np.float16).astype(np.float64)
    exponents = np.maximum(np.frexp(half)[1] - 1, MIN_EXPONENT)
    significands = np.ldexp(half, SIGNIFICAND_BITS - 1 - exponents).astype(np.int64)
    return list(zip(significands.tolist(), exponents.tolist(), strict=True))
