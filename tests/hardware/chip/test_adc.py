"""B(n), the bits that lose nothing: the table, and sums of real products that prove both sides."""

import numpy as np
import pytest

from lrmp.hardware.chip.adc import adc_bits

# Facts of section "TinyADC": bits by n = 128, 64, ..., 2, for DAC and cell bits.
TABLE = {
    (1, 1): (8, 7, 6, 5, 4, 3, 2),
    (1, 2): (9, 8, 7, 6, 5, 4, 3),
    (1, 4): (11, 10, 9, 8, 7, 6, 5),
    (2, 2): (11, 10, 9, 8, 7, 6, 5),
}
ENTRIES = [
    (nonzeros, *widths, bits)
    for widths, row in TABLE.items()
    for nonzeros, bits in zip((128, 64, 32, 16, 8, 4, 2), row, strict=True)
]


@pytest.mark.parametrize(("nonzeros", "dac_bits", "cell_bits", "bits"), ENTRIES)
def test_bits_of_the_table(nonzeros, dac_bits, cell_bits, bits):
    assert adc_bits(nonzeros, dac_bits, cell_bits) == bits
    assert adc_bits(nonzeros, dac_bits, cell_bits, signed=True) == bits + 1


@pytest.mark.parametrize(("nonzeros", "bits"), [(1, 1), (3, 2), (7, 3), (9, 4), (15, 4), (16, 5)])
def test_largest_sum_has_the_last_code(nonzeros, bits):
    assert adc_bits(nonzeros, 1, 1) == bits  # ceil(log2(n + 1)); LRMP: 9 rows and 4 bits


def sums_of_columns(weights, inputs, dac_bits, cell_bits, rows, convert):
    """Multiply as the crossbars do: digit by digit, row group by row group, through an ADC.

    Weights of shape (K, M) are cut into cells of a positive and a negative column, inputs of shape
    (K,) into steps; ``convert`` is what the ADC makes of the sum of a column.
    """
    weight_digits = -(-int(np.abs(weights).max()).bit_length() // cell_bits)
    input_digits = -(-int(inputs.max()).bit_length() // dac_bits)
    total = np.zeros(weights.shape[1], np.int64)
    for sign in (1, -1):
        magnitude = np.where(sign * weights > 0, np.abs(weights), 0)
        for i in range(weight_digits):
            cells = magnitude >> (i * cell_bits) & (2**cell_bits - 1)
            for j in range(input_digits):
                driven = inputs >> (j * dac_bits) & (2**dac_bits - 1)
                for first in range(0, len(inputs), rows):
                    group = slice(first, first + rows)
                    read = convert(driven[group] @ cells[group])
                    total += sign * read << (i * cell_bits + j * dac_bits)
    return total


def saturating(bits):
    return lambda sums: np.minimum(sums, 2**bits - 1)


def few_nonzeros(rng, rows, groups, columns, nonzeros, largest):
    """Draw integers with exactly so many other than 0 in every row group and column."""
    weights = np.zeros((groups, rows, columns), np.int64)
    for group in weights:
        for column in group.T:
            places = rng.choice(rows, nonzeros, replace=False)
            column[places] = rng.integers(1, largest + 1, nonzeros) * rng.choice([-1, 1], nonzeros)
    return weights.reshape(groups * rows, columns)


@pytest.mark.parametrize(("dac_bits", "cell_bits"), TABLE)
@pytest.mark.parametrize("nonzeros", [2, 4, 16, 64])
def test_bits_return_the_exact_product_and_one_less_saturates(nonzeros, dac_bits, cell_bits):
    rng = np.random.default_rng(nonzeros)
    rows, bits = 64, adc_bits(nonzeros, dac_bits, cell_bits)
    weights = few_nonzeros(rng, rows, 3, 5, nonzeros, 127)
    widths = dac_bits, cell_bits, rows
    for inputs in rng.integers(0, 256, (8, 3 * rows)):
        found = sums_of_columns(weights, inputs, *widths, saturating(bits))
        assert found.tolist() == (inputs @ weights).tolist()
    # The worst case: all cells and inputs full.
    worst = np.where(weights > 0, 2**8 - 1, 0)
    worst[rows:] = 0
    worst[:, 0] = 0
    worst[:nonzeros, 0] = 255
    full = np.full(3 * rows, 255)
    exact = (full @ worst).tolist()
    assert sums_of_columns(worst, full, *widths, saturating(bits)).tolist() == exact
    assert sums_of_columns(worst, full, *widths, saturating(bits - 1))[0] < exact[0]


@pytest.mark.parametrize(("nonzeros", "cell_bits"), [(1, 1), (4, 2), (8, 3), (5, 4)])
def test_pairs_of_rows_need_a_bit_more_for_the_sign(nonzeros, cell_bits):
    # The two rows of a weight are driven against each other: sums from -n L to n L in one column.
    largest = 2**cell_bits - 1
    sums = {0}
    for _ in range(nonzeros):
        sums = {total + cell for total in sums for cell in range(-largest, largest + 1)}
    bits = adc_bits(nonzeros, 1, cell_bits, signed=True)
    assert 2 ** (bits - 1) < len(sums) <= 2**bits
