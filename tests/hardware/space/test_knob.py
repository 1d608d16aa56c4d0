import copy
import pickle

import numpy as np
import pytest

from lrmp.errors import DesignError
from lrmp.hardware import PRECISION, Knob
from lrmp.hardware.space.knob import RESERVED
from lrmp.hardware.space.precision import precision, weight_bits

READS = Knob("reads", (1, 2, 4), 1)
ROWS = Knob("kept_rows", ("half", "all"), "all")


def test_values_by_place():
    assert len(READS) == 3
    assert READS.array.tolist() == [1, 2, 4]
    assert READS.plain_index == 0
    assert not READS.is_label
    assert ROWS.array.tolist() == ["half", "all"]
    assert ROWS.plain_index == 1
    assert ROWS.is_label


def test_the_knobs_of_lrmp():
    assert PRECISION.names == ("weight_bits", "activation_bits")
    for knob in PRECISION:
        assert knob.values == (2, 3, 4, 5, 6, 7, 8)
        assert (knob.plain, knob.unit) == (8, "bits")
        assert knob.about.endswith(".")
    assert [knob.values[-1] for knob in precision(16)] == [16, 16]
    assert precision(16)["weight_bits"].plain == 8
    assert weight_bits(9) == precision(9)["weight_bits"] != PRECISION["weight_bits"]


@pytest.mark.parametrize(
    ("knob", "values"), [(READS, [1, 4, 2, 2]), (ROWS, ["all", "half", "all"])]
)
def test_encoding_and_back(knob, values):
    places = knob.encode(values)
    assert places.dtype == np.int64
    assert [knob.values[place] for place in places] == values
    assert knob.decode(places).tolist() == values
    assert knob.encode([values, values]).shape == (2, len(values))
    assert knob.encode(values[0]).shape == ()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64])
def test_any_integer_type_is_a_value(dtype):
    assert READS.encode(np.array([4, 1], dtype)).tolist() == [2, 0]


@pytest.mark.parametrize("dtype", [object, "U9"])
def test_any_array_of_text_is_a_label(dtype):
    assert ROWS.encode(np.array(["all", "half"], dtype)).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("knob", "values", "message"),
    [
        (READS, 3, r"Expected reads among 1, 2, 4, got 3\."),
        (READS, [1, 5], r"Expected reads among 1, 2, 4, got 5 for layer 1 \(b\)\."),
        (READS, [[1, 1], [0, 1]], r"Expected reads among 1, 2, 4, got 0 for layer 0 \(a\)\."),
        (READS, [1, 1, 0], r"got 0 for layer 2\."),  # more values than names
        (READS, [1.0, 2.0], r"Expected reads to be integers of at most 64 bits, got float64"),
        (READS, [True, True], r"Expected reads to be integers of at most 64 bits, got bool"),
        (READS, [[1], [1, 2]], r"Expected reads to be an array of integers, got \[\[1\], \["),
        (PRECISION["weight_bits"], [8, 9], r"weight_bits between 2 and 8, got 9 for layer 1 \(b\)"),
        (ROWS, "none", r"Expected kept_rows among half, all, got none\."),
        (ROWS, ["all", "none"], r"Expected kept_rows among half, all, got none for layer 1 \(b\)"),
        (ROWS, ["all", None], r"Expected kept_rows among half, all, got None for layer 1 \(b\)\."),
        (ROWS, [0, 1], r"Expected kept_rows to be labels, got int64 \[0, 1\]\."),
        (ROWS, [["all"], []], r"Expected kept_rows to be an array of labels, got \[\['all'\], \["),
    ],
)
def test_what_is_no_value_is_refused(knob, values, message):
    with pytest.raises(DesignError, match=message):
        knob.encode(values, ("a", "b"))


def test_one_value_is_no_choice_but_a_knob():
    knob = Knob("reads", (4,), 4)
    assert knob.encode([4, 4]).tolist() == [0, 0]
    with pytest.raises(DesignError, match=r"Expected reads among 4, got 3 for layer 0\."):
        knob.encode([3])


@pytest.mark.parametrize(("knob", "text", "value"), [(READS, " 4", 4), (ROWS, "half ", "half")])
def test_values_are_read_from_text(knob, text, value):
    assert knob.parse(text) == value
    assert type(knob.parse(text)) is type(value)
    with pytest.raises(DesignError, match=rf"Expected {knob.name} among .*, got 'most'\."):
        knob.parse("most")


@pytest.mark.parametrize("name", ["", "two words", "9lives", "a-b", *RESERVED])
def test_names_are_identifiers_that_mean_nothing_else(name):
    message = rf"Expected the name of a knob to be an identifier .*; got '{name}'\."
    with pytest.raises(DesignError, match=message):
        Knob(name, (1, 2), 1)


@pytest.mark.parametrize(
    "values",
    [
        (),
        (2, 1),
        (1, 1),
        (1, "a"),
        ("a", "a"),
        (1.0, 2.0),
        (True, False),
        (np.int64(1),),
        ([1], [2]),
    ],
    ids=str,
)
def test_values_are_in_order_and_distinct(values):
    message = r"Expected reads to have ascending integers as values, or distinct labels, got \("
    with pytest.raises(DesignError, match=message):
        Knob("reads", values, 1)


@pytest.mark.parametrize("label", ["two words", "a,b", "", "line\n", "-1", "\x1b[1m", "x" * 41])
def test_commands_can_name_labels(label):
    message = r"Expected labels of kept_rows of at most 40 letters, digits and \._\+-, got "
    with pytest.raises(DesignError, match=message):
        Knob("kept_rows", ("all", label), "all")
    for good in ("x" * 40, "4-bit", "v1.2_a+b"):
        assert Knob("kept_rows", ("all", good), "all").parse(good) == good


def test_values_fit_64_bits():
    assert Knob("reads", (1, 2**63 - 1), 1).array[-1] == 2**63 - 1
    with pytest.raises(DesignError, match=r"values of reads to be integers of at most 64 bits"):
        Knob("reads", (1, 2**64), 1)


@pytest.mark.parametrize("plain", [3, "1", True, 1.0, None])
def test_the_plain_value_is_a_value(plain):
    with pytest.raises(DesignError, match=rf"plain value of reads to be .*, got {plain!r}\."):
        Knob("reads", (1, 2), plain)


def test_a_list_of_values_is_as_good():
    assert Knob("reads", [1, 2, 4], 1) == READS
    assert hash(Knob("reads", [1, 2, 4], 1)) == hash(READS)


@pytest.mark.parametrize("knob", [READS, ROWS])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda k: pickle.loads(pickle.dumps(k))])
def test_copies_are_equal_and_read_only(knob, copied):
    knob.array  # noqa: B018  cached from now on
    twin = copied(knob)
    assert (twin, hash(twin)) == (knob, hash(knob))
    with pytest.raises(ValueError, match="read-only"):
        twin.array[0] = twin.array[1]


def test_json_tells_knobs_apart():
    assert READS.to_json() == {"name": "reads", "values": [1, 2, 4], "plain": 1}
    assert ROWS.to_json() == {"name": "kept_rows", "values": ["half", "all"], "plain": "all"}
    for other in (Knob("r", (1, 2, 4), 1), Knob("reads", (1, 2), 1), Knob("reads", (1, 2, 4), 2)):
        assert other != READS
        assert other.to_json() != READS.to_json()
