"""The additive table."""

import math

import numpy as np
import pytest

from lrmp.accuracy import TableAccuracy
from lrmp.errors import AccuracyTableError
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob
from lrmp.hardware.space.precision import PRECISION

MODE = Knob("mode", ("fast", "slow"), "slow")
SPACE = DesignSpace((*PRECISION, MODE))


def table(weight_bits, activation_bits, **others):
    terms = {"weight_bits": weight_bits, "activation_bits": activation_bits}
    return TableAccuracy(terms, "by hand", is_estimate=False, **others)


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
    design = Design.of({"weight_bits": weight_bits, "activation_bits": activation_bits})
    found = by_hand.drop(design)
    assert by_hand.drops(design.settings[None], design.replication[None]).tolist() == [found]
    assert type(found) is float
    assert found == pytest.approx(drop, rel=1e-12)


def test_terms_of_several_knobs_are_looked_up_together():
    joint = np.arange(28.0).reshape(2, 7, 2)
    terms = {("weight_bits", "mode"): joint, "activation_bits": np.full((2, 7), 0.5)}
    accuracy = TableAccuracy(terms, "by hand", is_estimate=False, space=SPACE)
    values = {"weight_bits": [2, 5], "mode": ["slow", "fast"]}
    assert accuracy.drop(Design.of(values, space=SPACE)) == joint[0, 0, 1] + joint[1, 3, 0] + 1


def test_sensitivities_are_what_a_knob_a_third_of_the_way_up_adds(by_hand):
    # 4 bits against 8.
    assert by_hand.sensitivities() == pytest.approx(np.array([[4, 0.4], [4, 0.4]]))


def test_table_holds_no_test_images(by_hand):
    assert by_hand.test_drop(Design.plain(2)) is None
    assert by_hand.kind == "table"
    assert by_hand.is_estimate is False
    assert by_hand.provenance == "by hand"


def test_fingerprint_follows_all_terms():
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
    ("weights", "activations", "message"),
    [
        (
            np.zeros((2, 6)),
            np.zeros((2, 7)),
            r"the term of weight_bits .* \(2, 7\), got shape \(2, 6\) with 0",
        ),
        (np.zeros(7), np.zeros((2, 7)), r"the term of weight_bits .* got shape \(7,\) with 0"),
        (
            np.zeros((2, 7)),
            np.zeros((3, 7)),
            r"the term of activation_bits .* \(2, 7\), got shape \(3, 7\) with 0",
        ),
        (np.zeros((2, 7)), np.zeros((2, 7, 1)), r"the term of activation_bits .* \(2, 7, 1\)"),
        (NAN, np.zeros((2, 7)), r"the term of weight_bits .* got shape \(2, 7\) with 1 non-finite"),
        (np.zeros((2, 7)), INFINITE, r"the term of activation_bits .* with 2 non-finite"),
        (np.zeros((2, 7)), "few", r"the term of activation_bits to be numbers, 7 for every layer"),
        (
            np.full((2, 7), 1e307),
            np.zeros((2, 7)),
            r"entries whose sum .* 1e\+307, got up to 2e\+307",
        ),
        (np.full((2, 7), -1e308), np.full((2, 7), 1.7e308), r"entries whose sum .* got up to inf"),
    ],
)
def test_malformed_term_is_refused(weights, activations, message):
    with pytest.raises(AccuracyTableError, match=rf"^Expected {message}"):
        table(weights, activations)


@pytest.mark.parametrize(
    ("axes", "shape", "message"),
    [
        ("reads", (2, 3), r"terms of the knobs weight_bits, activation_bits, mode; got .* 'reads'"),
        (("mode", "weight_bits"), (2, 2, 7), r"the knobs of a term in the order of the space, got"),
        ((), (2,), r"the knobs of a term in the order of the space, got \(\)"),
    ],
)
def test_term_of_other_knobs_is_refused(axes, shape, message):
    bits = np.zeros((2, 7))
    terms = {"weight_bits": bits, "activation_bits": bits, axes: np.zeros(shape)}
    with pytest.raises(AccuracyTableError, match=rf"^Expected {message}"):
        TableAccuracy(terms, "by hand", is_estimate=False, space=SPACE)


def test_knob_without_a_term_is_refused():
    with pytest.raises(
        AccuracyTableError, match=r"a term for every knob, got none for mode\. Give"
    ):
        table(np.zeros((2, 7)), np.zeros((2, 7)), space=SPACE)


def test_with_a_knob_fixed_the_others_drop_as_before():
    rng = np.random.default_rng(0)
    table = TableAccuracy(
        {name: rng.random((3, 7)) for name in PRECISION.names}, "own", is_estimate=False
    )
    places = np.array([1, 6, 3])
    fixed = table.with_fixed("activation_bits", places)
    assert fixed.space.names == ("weight_bits",)
    for weights in rng.integers(0, 7, (5, 3)):
        whole = np.column_stack([weights, places])
        assert fixed.sums(weights[:, None]) == pytest.approx(table.sums(whole), rel=1e-12)


@pytest.mark.parametrize("places", [[0, 0], [0, 0, 7], [0, 0, -1], [[0, 0, 0]]])
def test_a_knob_is_fixed_to_one_of_its_values_in_every_layer(places):
    table = TableAccuracy(
        {name: np.zeros((3, 7)) for name in PRECISION.names}, "own", is_estimate=False
    )
    with pytest.raises(AccuracyTableError, match="place of 0 to 6 of weight_bits for each of 3"):
        table.with_fixed("weight_bits", np.array(places))
