import json

import numpy as np
import pytest

from lrmp.errors import DesignError
from lrmp.hardware import PRECISION, Design, DesignSpace, Knob
from lrmp.hardware.space.precision import precision

GOOD = {"weight_bits": [2, 5, 8], "activation_bits": [8, 3, 4], "replication": [1, 7, 2]}
BITS = {name: GOOD[name] for name in PRECISION.names}
SETTINGS = [[0, 6], [3, 1], [6, 2]]
#: A knob of labels, which the last layer must not turn.
LABELS = DesignSpace(
    [Knob("kept_rows", ("half", "all"), "all"), Knob("reads", (1, 2, 4), 1)],
    {"kept_rows": [["half", "all"], ["half", "all"], ["all"]]},
)


def of(**changes):
    values = GOOD | changes
    return Design.of({name: values[name] for name in PRECISION.names}, values["replication"])


def test_a_design_by_name_and_by_place():
    design = of()
    assert design == Design(PRECISION, SETTINGS, [1, 7, 2])
    assert len(design) == 3
    assert design.settings.tolist() == SETTINGS
    for name, values in BITS.items():
        assert design[name].tolist() == values


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64, np.int64])
def test_any_integer_type_becomes_int64(dtype):
    by_name = of(**{name: np.array(values, dtype) for name, values in GOOD.items()})
    by_place = Design(PRECISION, np.array(SETTINGS, dtype), np.array([1, 7, 2], dtype))
    assert by_name == by_place == of()
    for design in (by_name, by_place):
        arrays = (design.settings, design.replication, *map(design.__getitem__, BITS))
        assert {array.dtype for array in arrays} == {np.dtype(np.int64)}


def test_one_value_serves_all_layers_and_the_rest_is_plain():
    assert Design.of({"weight_bits": 4, "activation_bits": 6}, layers=3) == Design.of(
        {"weight_bits": [4] * 3, "activation_bits": [6] * 3}, [1] * 3
    )
    assert Design.of({"weight_bits": [4, 5]})["activation_bits"].tolist() == [8, 8]
    assert Design.of({"weight_bits": 4}, [3, 1])["weight_bits"].tolist() == [4, 4]
    assert Design.of({}, layers=2) == Design.plain(2)


def test_the_plain_design():
    assert Design.plain(3) == Design.of({"weight_bits": 8, "activation_bits": 8}, [1, 1, 1])
    plain = Design.plain(3, LABELS)
    assert plain["kept_rows"].tolist() == ["all"] * 3
    assert plain["reads"].tolist() == plain.replication.tolist() == [1] * 3


def test_designs_of_labels():
    design = Design.of({"kept_rows": ["half", "half", "all"], "reads": 4}, space=LABELS)
    assert design.settings.tolist() == [[0, 2], [0, 2], [1, 2]]
    assert design["kept_rows"].tolist() == ["half", "half", "all"]
    assert design["reads"].tolist() == [4, 4, 4]
    assert repr(design) == "<Design 3 layers, kept rows half/all, reads 4, copies 1>"
    with pytest.raises(DesignError, match=r"Expected kept_rows of layer 2 among all; got half\."):
        Design.of({"kept_rows": "half"}, layers=3, space=LABELS)
    with pytest.raises(
        DesignError, match=r"Expected 3 layers, those of the allowed values .* got 2"
    ):
        Design.plain(2, LABELS)
    assert design.to_table()[2] == {"layer": 2, "kept_rows": "all", "reads": 4, "copies": 1}


@pytest.mark.parametrize(
    "design", [of(), Design.of({"kept_rows": ["half", "all", "all"]}, [1, 2, 3], space=LABELS)]
)
def test_json_round_trip(design):
    document = json.loads(json.dumps(design.to_json()))
    assert list(document) == [*design.space.names, "replication"]
    assert Design.from_json(document, design.space) == design


def test_json_of_a_design():
    assert of().to_json() == GOOD


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, r"a design with weight_bits, .*; weight_bits, activation_bits, replication missing\."),
        (BITS, r"a design with weight_bits, activation_bits, replication; replication missing\."),
        (GOOD | {"reads": [1, 1, 1]}, r"each part of a design to be one of .*; got 'reads'\."),
        ([1, 2], r"a design as lists by name, got \[1, 2\]\."),
        (None, r"a design as lists by name, got None\."),
        (GOOD | {"weight_bits": 8}, r"weight_bits as a list, one entry per layer, got 8\."),
        (GOOD | {"weight_bits": [8, 8]}, r"2 activation_bits, one per layer, got 3\."),
        (GOOD | {"replication": [1, 2]}, r"3 replication, one per layer, got 2\."),
        (GOOD | {"weight_bits": [2, 9, 8]}, r"weight_bits between 2 and 8, got 9 for layer 1\."),
        (
            GOOD | {"weight_bits": [2, True, 8]},
            r"weight_bits between 2 and 8, got True for layer 1",
        ),
        (GOOD | {"weight_bits": [2, "5", 8]}, r"weight_bits between 2 and 8, got '5' for layer 1"),
        (
            GOOD | {"replication": [1, 7, 2.0]},
            r"replication as integers .*, got 2\.0 for layer 2\.",
        ),
        (GOOD | {"replication": [1, 7, 0]}, r"replication of at least 1, got 0 for layer 2\."),
    ],
    ids=str,
)
def test_json_that_is_no_design_is_refused(document, message):
    with pytest.raises(DesignError, match="Expected " + message):
        Design.from_json(document)


@pytest.mark.parametrize("key", ["weight", 0, -1, slice(2), None])
def test_only_knobs_have_values(key):
    with pytest.raises(DesignError, match=r"Expected knob to be one of .*; got "):
        of()[key]


@pytest.mark.parametrize("field", BITS)
@pytest.mark.parametrize("bits", [1, 0, -3, 9, 32])
def test_bits_out_of_range_name_the_layer(field, bits):
    message = rf"Expected {field} between 2 and 8, got {bits} for layer 1\."
    with pytest.raises(DesignError, match=message):
        of(**{field: [8, bits, 1]})


@pytest.mark.parametrize("place", [7, -1])
def test_places_out_of_range_name_the_layer(place):
    message = rf"Expected a place of 0 to 6 for activation_bits, got {place} for layer 1\."
    with pytest.raises(DesignError, match=message):
        Design(PRECISION, [[0, 6], [3, place], [6, 2]], [1, 1, 1])


@pytest.mark.parametrize("copies", [0, -1])
def test_replication_below_one_names_the_layer(copies):
    message = rf"Expected replication of at least 1, got {copies} for layer 2\."
    with pytest.raises(DesignError, match=message):
        of(replication=[1, 7, copies])


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
        of(**{field: values})
    if field == "replication":
        with pytest.raises(DesignError, match=message):
            Design(PRECISION, SETTINGS, values)


@pytest.mark.parametrize("field", GOOD)
def test_ragged_values_are_refused(field):
    with pytest.raises(DesignError, match=rf"Expected {field} to be an array of values, got \[\["):
        of(**{field: [[2, 3], [4], [5]]})
    with pytest.raises(
        DesignError, match=r"Expected settings to be an array of integers, got \[\["
    ):
        Design(PRECISION, [[2, 3], [4], [5]], [1, 1, 1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation_bits": [8, 3]}, r"Expected 3 activation_bits, one per layer, got 2\."),
        ({"weight_bits": [8, 3]}, r"Expected 2 activation_bits, one per layer, got 3\."),
        ({"replication": [1, 7]}, r"Expected 3 replication counts, one per layer, got 2\."),
        ({"replication": 1}, r"Expected 3 replication counts, one per layer, got 1\."),
        (
            {"weight_bits": [[2, 5, 8]]},
            r"Expected weight_bits of shape \(layers,\), got \(1, 3\)\.",
        ),
        (
            {"activation_bits": [[8, 3, 4]]},
            r"Expected activation_bits of shape \(layers,\), got \(",
        ),
        (
            {"replication": [[1, 7, 2]]},
            r"Expected replication of shape \(layers,\), got \(1, 3\)\.",
        ),
    ],
    ids=str,
)
def test_wrong_shapes_are_refused(changes, message):
    with pytest.raises(DesignError, match=message):
        of(**changes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (6, r"Expected settings of shape \(layers, 2\), got \(\)\."),
        ([6, 6], r"Expected settings of shape \(layers, 2\), got \(2,\)\."),
        ([SETTINGS], r"Expected settings of shape \(layers, 2\), got \(1, 3, 2\)\."),
        ([[6, 6, 6]] * 3, r"of shape \(\.\.\., 3, 2\) .*, got shape \(3, 3\)\."),
    ],
)
def test_settings_of_other_shapes_are_refused(settings, message):
    with pytest.raises(DesignError, match=message):
        Design(PRECISION, settings, [1, 1, 1])


def test_the_number_of_layers_must_be_known():
    message = r"Expected a value per layer for some knob, or the number of layers; got one value "
    with pytest.raises(DesignError, match=message + r"for all: \{'weight_bits': 4\}\."):
        Design.of({"weight_bits": 4})


def test_an_unknown_knob_is_refused():
    message = r"Expected knob to be one of .* Did you mean 'weight_bits'\?"
    with pytest.raises(DesignError, match=message):
        Design.of({"weights_bits": [4, 4]})


def test_wider_numbers_in_a_wider_space():
    wide = Design.of({"weight_bits": [16, 9]}, space=precision(16))
    assert wide["weight_bits"].tolist() == [16, 9]
    with pytest.raises(DesignError, match=r"Expected weight_bits between 2 and 8, got 16"):
        Design.from_json(wide.to_json())
