"""The additive table."""

import math

import numpy as np
import pytest

from lrmp.accuracy import TableAccuracy
from lrmp.errors import AccuracyTableError


def table(weight_drop, activation_drop, is_estimate=False):
    return TableAccuracy(weight_drop, activation_drop, "by hand", is_estimate=is_estimate)


@pytest.fixture
def by_hand():
    """Layer l loses 10 l + (8 - w) points by its weights and (8 - a) / 10 by its activations."""
    steps = np.arange(6, -1, -1.0)
    return table(np.stack([steps, 10 + steps]), np.stack([steps / 10, steps / 10]))


@pytest.mark.parametrize(
    ("weight_bits", "activation_bits", "drop"),
    [
        ([8, 8], [8, 8], 10.0),
        ([2, 8], [8, 8], 16.0),
        ([8, 5], [8, 8], 13.0),
        ([8, 8], [3, 8], 10.5),
        ([2, 3], [4, 7], 6 + 15 + 0.4 + 0.1),
    ],
)
def test_drop_is_the_sum_of_the_entries(by_hand, weight_bits, activation_bits, drop):
    found = by_hand.drop(np.array(weight_bits), np.array(activation_bits))
    assert type(found) is float
    assert found == pytest.approx(drop, rel=1e-12)


def test_drop_leaves_the_bits_alone(by_hand):
    bits = np.array([2, 8])
    by_hand.drop(bits, bits)
    assert bits.tolist() == [2, 8]


def test_table_holds_no_test_images(by_hand):
    assert by_hand.test_drop(np.array([8, 8]), np.array([8, 8])) is None
    assert by_hand.kind == "table"
    assert by_hand.is_estimate is False
    assert by_hand.provenance == "by hand"


def test_fingerprint_follows_both_tables():
    zeros, other = np.zeros((2, 7)), np.zeros((2, 7))
    other[1, 3] = 1e-6
    assert table(zeros, zeros).fingerprint == table(zeros.copy(), zeros).fingerprint
    prints = {table(*pair).fingerprint for pair in ((zeros, zeros), (other, zeros), (zeros, other))}
    assert len(prints) == 3


NAN = np.zeros((2, 7))
NAN[1, 2] = math.nan
INFINITE = np.zeros((2, 7))
INFINITE[0, :2] = math.inf


@pytest.mark.parametrize(
    ("weight_drop", "activation_drop", "message"),
    [
        (
            np.zeros((2, 6)),
            np.zeros((2, 7)),
            r"weight_table .* \(2, 7\), got shape \(2, 6\) with 0",
        ),
        (np.zeros(7), np.zeros((2, 7)), r"weight_table .* \(7, 7\), got shape \(7,\) with 0"),
        (np.zeros((2, 7)), np.zeros((3, 7)), r"activation_table .* got shape \(3, 7\) with 0"),
        (np.zeros((2, 7)), np.zeros((2, 7, 1)), r"activation_table .* got shape \(2, 7, 1\)"),
        (NAN, np.zeros((2, 7)), r"weight_table .* got shape \(2, 7\) with 1 non-finite"),
        (np.zeros((2, 7)), INFINITE, r"activation_table .* got shape \(2, 7\) with 2 non-finite"),
        (
            np.full((2, 7), 1e307),
            np.zeros((2, 7)),
            r"entries whose sum .* 1e\+307, got up to 2e\+307",
        ),
        (np.full((2, 7), -1e308), np.full((2, 7), 1.7e308), r"entries whose sum .* got up to inf"),
    ],
)
def test_malformed_table_is_refused(weight_drop, activation_drop, message):
    with pytest.raises(AccuracyTableError, match=rf"^Expected {message}"):
        table(weight_drop, activation_drop)
