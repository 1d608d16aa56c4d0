import numpy as np
import pytest

from lrmp.errors import DesignError
from lrmp.hardware import BIT_WIDTHS, MAX_BITS, MIN_BITS, Design

GOOD = {"weight_bits": [2, 5, 8], "activation_bits": [8, 3, 4], "replication": [1, 7, 2]}


def test_bit_widths_run_from_two_to_eight():
    assert (MIN_BITS, MAX_BITS) == (2, 8)
    assert BIT_WIDTHS == (2, 3, 4, 5, 6, 7, 8)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64, np.int64])
def test_any_integer_type_becomes_int64(dtype):
    design = Design(**{name: np.array(values, dtype) for name, values in GOOD.items()})
    assert design == Design(**GOOD)
    assert {getattr(design, name).dtype for name in GOOD} == {np.dtype(np.int64)}
    assert len(design) == 3


def test_uniform_gives_every_layer_the_same_bits_and_one_copy():
    assert Design.uniform(3, 4, 6) == Design([4, 4, 4], [6, 6, 6], [1, 1, 1])


def test_json_round_trip():
    assert Design(**GOOD).to_json() == GOOD
    assert Design(**Design(**GOOD).to_json()) == Design(**GOOD)


@pytest.mark.parametrize("field", ["weight_bits", "activation_bits"])
@pytest.mark.parametrize("bits", [1, 0, -3, 9, 32])
def test_bits_out_of_range_name_the_layer(field, bits):
    message = rf"Expected {field} between 2 and 8, got {bits} for layer 1 \(1\)\."
    with pytest.raises(DesignError, match=message):
        Design(**(GOOD | {field: [8, bits, 1]}))


@pytest.mark.parametrize("copies", [0, -1])
def test_replication_below_one_names_the_layer(copies):
    message = rf"Expected replication of at least 1, got {copies} for layer 2\."
    with pytest.raises(DesignError, match=message):
        Design(**(GOOD | {"replication": [1, 7, copies]}))


@pytest.mark.parametrize("field", GOOD)
@pytest.mark.parametrize(
    ("values", "got"),
    [
        ([2.0, 5.0, 8.0], r"float64 \[2\.0, 5\.0, 8\.0\]"),
        ([True, True, True], "bool "),
        (["2", "5", "8"], "<U1 "),
        ([2, None, 8], "object "),
        ([2, 5, 2**64], "object "),
        (np.array([2, 5, 2**63], np.uint64), "uint64 "),
    ],
    ids=["float", "bool", "text", "None", "beyond 64 bits", "beyond int64"],
)
def test_values_that_are_no_integers_are_refused(field, values, got):
    message = rf"Expected {field} to be integers of at most 64 bits, got {got}"
    with pytest.raises(DesignError, match=message):
        Design(**(GOOD | {field: values}))


@pytest.mark.parametrize("field", GOOD)
def test_ragged_values_are_refused(field):
    with pytest.raises(
        DesignError, match=rf"Expected {field} to be an array of integers, got \[\["
    ):
        Design(**(GOOD | {field: [[2, 3], [4], [5]]}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation_bits": [8, 3]}, r"Expected 3 activation_bits, one per layer, got 2\."),
        ({"weight_bits": [8, 3]}, r"Expected 2 activation_bits, one per layer, got 3\."),
        ({"replication": [1, 7]}, r"Expected 3 replication counts, one per layer, got 2\."),
        ({"replication": 1}, r"Expected 3 replication counts, one per layer, got 1\."),
        ({"activation_bits": 8}, r"Expected 3 activation_bits, one per layer, got a single number"),
        ({"weight_bits": [[2, 5, 8]]}, r"Expected weight_bits of shape \(3,\), got \(1, 3\)\."),
        ({"activation_bits": [[8, 3, 4]]}, r"Expected activation_bits of shape \(3,\), got \(1, 3"),
    ],
    ids=str,
)
def test_wrong_shapes_are_refused(changes, message):
    with pytest.raises(DesignError, match=message):
        Design(**(GOOD | changes))
