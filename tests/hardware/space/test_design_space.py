import copy
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from lrmp.errors import DesignError
from lrmp.hardware import PRECISION, CostModel, DesignSpace, Knob, load_network, load_preset
from lrmp.hardware.space.catalogue import is_catalogued, space_from_json
from lrmp.hardware.space.computation import Computation
from lrmp.hardware.space.precision import precision, weight_bits

reproducible = examples(derandomize=True, deadline=None, max_examples=60)
READS = Knob("reads", (1, 2, 4), 1)
ROWS = Knob("kept_rows", ("half", "all"), "all")
BOTH = DesignSpace((READS, ROWS))
LAYERS = ("in", "body", "out")
#: Three layers; the ends read once or four times, and the last keeps all its rows.
NARROW = DesignSpace(
    (READS, ROWS),
    {
        "reads": [[1, 4], [1, 2, 4], [4, 1]],
        "kept_rows": [["half", "all"], ["all", "half"], ["all"]],
    },
)


@st.composite
def spaces(draw):
    """Draw a space of a few knobs, with allowed values of three layers for some of them."""
    knobs, allowed = [], {}
    for number in range(draw(st.integers(1, 3))):
        values = draw(st.lists(st.integers(0, 9), min_size=1, max_size=5, unique=True).map(sorted))
        plain = draw(st.sampled_from(values))
        if draw(st.booleans()):
            values, plain = [f"v{value}" for value in values], f"v{plain}"
        knobs.append(Knob(f"k{number}", tuple(values), plain))
        if draw(st.booleans()):
            some = st.lists(st.sampled_from(values), unique=True).map(lambda x, p=plain: {*x, p})
            allowed[f"k{number}"] = [sorted(draw(some)) for _ in LAYERS]
    return DesignSpace(knobs, allowed)


def test_a_space_is_its_knobs():
    assert (len(BOTH), BOTH.names, BOTH.sizes) == (2, ("reads", "kept_rows"), (3, 2))
    assert list(BOTH) == [READS, ROWS]
    assert BOTH["kept_rows"] is ROWS
    assert (BOTH.place("reads"), BOTH.place("kept_rows")) == (0, 1)
    assert BOTH.plain.tolist() == [0, 1]
    assert BOTH.plain_settings(2).tolist() == [[0, 1], [0, 1]]
    assert BOTH.settings.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1]]
    assert BOTH.shown(np.array([2, 0])) == "4/half"
    assert PRECISION.settings.shape == (49, 2)
    assert DesignSpace([READS]).settings.tolist() == [[0], [1], [2]]


def test_an_unknown_knob_is_refused():
    with pytest.raises(DesignError, match=r"Expected knob to be one of kept_rows, reads; got 'row"):
        BOTH["rows"]
    with pytest.raises(DesignError, match=r"Expected knob to be one of .* Did you mean 'reads'\?"):
        BOTH.encode({"read": 1}, LAYERS)
    with pytest.raises(DesignError, match=r"Expected knob to be one of .* Did you mean 'reads'\?"):
        DesignSpace([READS], {"read": [[1]]})


@pytest.mark.parametrize(
    ("knobs", "got"), [([], "none"), ([READS, READS], "reads, reads"), ([READS, ROWS, READS], "")]
)
def test_knobs_have_different_names(knobs, got):
    with pytest.raises(DesignError, match=rf"Expected knobs of different names, got {got}"):
        DesignSpace(knobs)


@pytest.mark.parametrize(
    ("allowed", "message"),
    [
        ({"reads": [[2, 4]]}, r"values of reads in layer 0 among 1, 2, 4, the plain 1 among them"),
        ({"reads": [[1], [1, 3]]}, r"values of reads in layer 1 among 1, 2, 4, .* got \[1, 3\]\."),
        ({"reads": [[1], []]}, r"values of reads in layer 1 among .* got \[\]\."),
        ({"reads": [1, 1]}, r"values of reads in layer 0 among .* got 1\."),
        ({"kept_rows": ["all"]}, r"values of kept_rows in layer 0 among half, all, .* got 'all'\."),
        (
            {"reads": [[1]], "kept_rows": [["all"], ["all"]]},
            r"values of every knob for the same layers, got \{'reads': 1, 'kept_rows': 2\}\.",
        ),
    ],
)
def test_what_is_allowed_fits_the_knobs(allowed, message):
    with pytest.raises(DesignError, match="Expected .*allowed " + message):
        DesignSpace((READS, ROWS), allowed)


def test_allowed_values_have_one_form():
    assert NARROW.allowed == (
        ("reads", ((1, 4), (1, 2, 4), (1, 4))),
        ("kept_rows", (("half", "all"), ("half", "all"), ("all",))),
    )
    assert (NARROW.layers, BOTH.layers) == (3, None)
    other = DesignSpace(
        [READS, ROWS],
        {
            "kept_rows": [["all", "half"], ["half", "all", "half"], ["all"]],
            "reads": [(4, 1), (4, 2, 1), (1, 4)],
        },
    )
    assert (other, hash(other)) == (NARROW, hash(NARROW))
    assert DesignSpace(NARROW.knobs, NARROW.allowed) == NARROW
    assert replace(NARROW, allowed={}) == BOTH != NARROW
    assert DesignSpace((READS, ROWS), {"reads": NARROW.allowed[0][1]}) != NARROW


def test_what_one_layer_may_have():
    assert [places.tolist() for places in NARROW.choices(0)] == [[0, 2], [0, 1]]
    assert [places.tolist() for places in NARROW.choices(1)] == [[0, 1, 2], [0, 1]]
    assert [places.tolist() for places in NARROW.choices(2)] == [[0, 2], [1]]
    assert [places.tolist() for places in BOTH.choices(99)] == [[0, 1, 2], [0, 1]]
    reads, rows = NARROW.masks(3)
    assert reads.tolist() == [[True, False, True], [True, True, True], [True, False, True]]
    assert rows.tolist() == [[True, True], [True, True], [False, True]]
    assert [mask.shape for mask in BOTH.masks(7)] == [(7, 3), (7, 2)]
    assert all(mask.all() for mask in BOTH.masks(7))


def test_masks_are_the_caller_s():
    for mask in NARROW.masks(3):
        mask[:] = False
    assert NARROW.masks(3)[0][1].all()


def test_knobs_that_act_together_stand_in_one_tuple():
    method = Knob("method", ("a", "b"), "a", acts_with="kept_rows")
    assert BOTH.acting_together == (("reads",), ("kept_rows",))
    assert DesignSpace((ROWS, READS, method)).acting_together == (
        ("kept_rows", "method"),
        ("reads",),
    )
    assert DesignSpace((method, ROWS)).acting_together == (("method", "kept_rows"),)
    assert DesignSpace((method, READS)).acting_together == (("method",), ("reads",))


@given(spaces(), st.integers(0, 99))
@reproducible
def test_what_is_allowed_is_said_in_one_way(space, seed):
    """Masks, choices, single settings, neighbours and samples agree."""
    masks = space.masks(3)
    for layer in range(3):
        chosen = [places.tolist() for places in space.choices(layer)]
        assert chosen == [np.flatnonzero(mask[layer]).tolist() for mask in masks]
    every = np.repeat(space.settings[:, None], 3, axis=1)
    allowed = space.allows(every)
    for row, setting in zip(allowed, space.settings, strict=True):
        expected = [
            all(m[layer, k] for m, k in zip(masks, setting, strict=True)) for layer in (0, 1, 2)
        ]
        assert row.tolist() == expected
    nearest = space.nearest(every)
    assert space.allows(nearest).all()
    assert (nearest[allowed] == every[allowed]).all()
    for knob, mask in enumerate(masks):
        for layer in range(3):
            choices = np.flatnonzero(mask[layer])
            for given_place, moved in zip(
                every[:, layer, knob], nearest[:, layer, knob], strict=True
            ):
                assert abs(moved - given_place) == np.abs(choices - given_place).min()
    layers = np.array([2, 0])
    assert space.nearest(every[:, layers], layers).tolist() == nearest[:, layers].tolist()
    drawn = space.sample(np.random.default_rng(seed), 3, 20)
    assert space.allows(drawn).all()
    assert space.check(drawn, LAYERS).tolist() == drawn.tolist()
    assert space.allows(space.neighbours(drawn[0])).all()


def test_the_lower_of_two_as_near():
    knob = Knob("reads", (1, 2, 3, 4, 5), 1)
    space = DesignSpace([knob], {"reads": [[1, 3, 5]]})
    moved = [space.nearest(np.array([[place]])).item() for place in range(5)]
    assert moved == [0, 0, 2, 2, 4]


def test_samples_are_seeded_and_even():
    draws = [NARROW.sample(np.random.default_rng(5), 3, 4000) for _ in range(2)]
    assert (draws[0] == draws[1]).all()
    assert draws[0].shape == (4000, 3, 2)
    for knob, mask in enumerate(NARROW.masks(3)):
        for layer in range(3):
            shares = np.bincount(draws[0][:, layer, knob], minlength=mask.shape[1]) / 4000
            expected = mask[layer] / mask[layer].sum()
            assert shares == pytest.approx(expected, abs=0.03)
    assert NARROW.sample(np.random.default_rng(5), 3).shape == (3, 2)
    assert BOTH.sample(np.random.default_rng(5), 7).shape == (7, 2)


def test_allowing_everything_draws_the_same():
    all_of_it = DesignSpace((READS, ROWS), {"reads": [[1, 2, 4]] * 3})
    one, other = (s.sample(np.random.default_rng(3), 3, 50) for s in (BOTH, all_of_it))
    assert (one == other).all()


def test_one_setting_for_all_layers_as_far_as_they_may():
    assert BOTH.uniform(2).tolist() == [[[k, r]] * 2 for k in range(3) for r in range(2)]
    uniform = NARROW.uniform(3)
    assert NARROW.allows(uniform).all()
    assert uniform[0].tolist() == [[0, 0], [0, 0], [0, 1]]  # read once, half the rows
    assert uniform[3].tolist() == [[0, 1], [1, 1], [0, 1]]  # twice: once where that is refused


def test_designs_are_counted():
    assert BOTH.count_designs(3) == 6**3
    assert NARROW.count_designs(3) == (2 * 2) * (3 * 2) * (2 * 1)
    assert PRECISION.count_designs(101) == 49**101


def test_neighbours_step_down_then_up_knob_by_knob():
    here = np.array([[0, 1], [1, 0], [2, 1]])
    found = [
        (np.argwhere(near != here).tolist(), near[near != here].tolist())
        for near in NARROW.neighbours(here)
    ]
    assert found == [
        ([[0, 0]], [2]),  # the value between is not allowed
        ([[0, 1]], [0]),
        ([[1, 0]], [0]),
        ([[1, 0]], [2]),
        ([[1, 1]], [1]),
        ([[2, 0]], [0]),
    ]
    assert len(PRECISION.neighbours(PRECISION.plain_settings(5))) == 10
    assert here.tolist() == [[0, 1], [1, 0], [2, 1]]


def test_a_space_of_one_design_has_no_neighbours():
    single = DesignSpace([Knob("reads", (4,), 4)])
    near = single.neighbours(single.plain_settings(3))
    assert (near.shape, near.dtype) == ((0, 3, 1), np.int64)
    assert single.sample(np.random.default_rng(0), 3, 2).tolist() == [[[0]] * 3] * 2
    assert single.settings.tolist() == [[0]]


@pytest.mark.parametrize("layers", [2, 4])
def test_allowed_values_are_for_their_layers(layers):
    message = rf"Expected 3 layers, those of the allowed values of the space, got {layers}\."
    for attempt in (
        lambda: NARROW.masks(layers),
        lambda: NARROW.sample(np.random.default_rng(0), layers),
        lambda: NARROW.check(NARROW.plain_settings(layers), [""] * layers),
        lambda: NARROW.encode({}, [""] * layers),
    ):
        with pytest.raises(DesignError, match=message):
            attempt()
    network = load_network("digits_cnn")
    message = r"Expected the allowed values of 5 layers for digits_cnn, got those of 3\."
    with pytest.raises(DesignError, match=message):
        CostModel(network, load_preset("lrmp_frontiers_2024"), NARROW)


def test_values_by_name_become_places():
    settings = NARROW.encode({"reads": [4, 2, 1], "kept_rows": ["half", "all", "all"]}, LAYERS)
    assert settings.tolist() == [[2, 0], [1, 1], [0, 1]]
    assert settings.dtype == np.int64
    # One value for all layers, and the plain one where none is given.
    assert BOTH.encode({"reads": 4}, LAYERS).tolist() == [[2, 1]] * 3
    assert BOTH.encode({}, LAYERS).tolist() == BOTH.plain_settings(3).tolist()
    # Batches, which broadcast.
    many = BOTH.encode({"reads": [[4] * 3, [1] * 3], "kept_rows": ["half", "all", "half"]}, LAYERS)
    assert many.tolist() == [[[2, 0], [2, 1], [2, 0]], [[0, 0], [0, 1], [0, 0]]]


@given(spaces(), st.integers(0, 99))
@reproducible
def test_encoding_undoes_decoding(space, seed):
    settings = space.sample(np.random.default_rng(seed), 3, 4)
    values = space.decode(settings)
    assert tuple(values) == space.names
    assert space.encode(values, LAYERS).tolist() == settings.tolist()
    lists = {name: column.tolist() for name, column in values.items()}
    assert space.encode(json.loads(json.dumps(lists)), LAYERS).tolist() == settings.tolist()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"reads": [1, 2]}, r"Expected 3 reads, one per layer, got 2\."),
        ({"reads": [1, 3, 1]}, r"Expected reads among 1, 2, 4, got 3 for layer 1 \(body\)\."),
        ({"reads": [2, 1, 1]}, r"Expected reads of layer 0 \(in\) among 1, 4; got 2\."),
        ({"kept_rows": "half"}, r"Expected kept_rows of layer 2 \(out\) among all; got half\."),
        (
            {"reads": [[1] * 3] * 2, "kept_rows": [["all"] * 3] * 3},
            r"Expected reads and kept_rows of shapes that broadcast, got \(2, 3\), \(3, 3\)\.",
        ),
    ],
)
def test_values_that_do_not_fit_are_refused(values, message):
    with pytest.raises(DesignError, match=message):
        NARROW.encode(values, LAYERS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            [[0, 1]] * 2,
            r"integers of shape \(\.\.\., 3, 2\) .* knobs reads, kept_rows, got shape \(2",
        ),
        ([[0, 1, 0]] * 3, r"got shape \(3, 3\)\."),
        ([0, 1], r"got shape \(2,\)\."),
        (0, r"got shape \(\)\."),
        ([[0.0, 1.0]] * 3, r"Expected settings to be integers of at most 64 bits, got float64"),
        ([[True, True]] * 3, r"Expected settings to be integers of at most 64 bits, got bool"),
        ([[0, 1], [0]], r"Expected settings to be an array of integers, got \[\[0, 1\], \[0\]\]"),
        ([[0, 1], [0, 2], [0, 1]], r"of 0 to 1 for kept_rows, got 2 for layer 1 \(body\)\."),
        ([[0, 1], [0, 1], [3, 1]], r"of 0 to 2 for reads, got 3 for layer 2 \(out\)\."),
        ([[0, 1], [0, -1], [0, 1]], r"of 0 to 1 for kept_rows, got -1 for layer 1 \(body\)\."),
        ([[[0, 1]] * 3, [[0, 1], [1, 1], [1, 1]]], r"reads of layer 2 \(out\) among 1, 4; got 2\."),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(DesignError, match=message):
        NARROW.check(settings, LAYERS)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64])
@pytest.mark.parametrize("place", [7, -1])
def test_places_of_any_integer_type_are_checked(dtype, place):
    settings = np.full((2, 2), 6, dtype)
    assert PRECISION.check(settings, ["a", "b"]).tolist() == [[6, 6]] * 2
    if place >= 0 or np.dtype(dtype).kind == "i":
        settings[1, 1] = place
        with pytest.raises(
            DesignError, match=rf"for activation_bits, got {place} for layer 1 \(b\)"
        ):
            PRECISION.check(settings, ["a", "b"])


def test_what_is_shared_cannot_be_written():
    for array in (BOTH.settings, BOTH.plain):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


@pytest.mark.parametrize("space", [BOTH, NARROW, PRECISION])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_copies_are_equal_and_read_only(space, copied):
    assert len(space.settings) > 1  # cached from now on
    twin = copied(space)
    assert (twin, hash(twin)) == (space, hash(space))
    assert twin.settings.tolist() == space.settings.tolist()
    with pytest.raises(ValueError, match="read-only"):
        twin.settings[0] = 1


# ------------------------------------------------------------------------------- effects of knobs


def halved(computation, labels):
    return replace(
        computation, rows=np.where(labels == "half", -(-computation.rows // 2), computation.rows)
    )


def plain_computation(knobs):
    ones = (1,) * knobs
    return Computation(
        weight_bits=np.full((*ones, 1), 8),
        activation_bits=np.full((*ones, 1), 8),
        rows=np.array([9, 5, 3]).reshape(*ones, 3),
        columns=np.array([5, 3, 2]).reshape(*ones, 3),
        reads=np.ones((*ones, 1), np.int64),
    )


def test_every_knob_changes_the_computation_along_its_axis():
    read = Knob("reads", (1, 2, 4), 1, effect=lambda c, v: replace(c, reads=c.reads * v))
    rows = Knob("kept_rows", ("half", "all"), "all", effect=halved)
    changed = DesignSpace((read, rows)).compute(plain_computation(2))
    assert changed.reads.tolist() == [[[1]], [[2]], [[4]]]
    assert changed.rows.tolist() == [[[5, 3, 2], [9, 5, 3]]]
    assert changed.weight_bits.tolist() == [[[8]]]


@pytest.mark.parametrize(
    ("effect", "got"),
    [
        (lambda c, v: replace(c, rows=c.rows / v), r"rows .* got float64 of shape \(3, 3\): \[9\."),
        (
            lambda c, v: replace(c, rows=c.rows // v),
            r"rows .* got int64 of shape \(3, 3\): \[9 5 3",
        ),
        (lambda c, v: replace(c, reads=c.reads - v), r"reads .* got int64 of shape \(3, 1\): \[ 0"),
        (lambda c, v: replace(c, reads=c.reads[0] * 2), r"reads .* got int64 of shape \(1,\): \[2"),
        (lambda c, v: replace(c, reads=v[:2]), r"reads .* got int64 of shape \(2, 1\): \[1 2"),
        (
            lambda c, v: replace(c, reads=c.reads + v * 2**29),
            r"reads .* got int64 of shape \(3, 1\)",
        ),
        (lambda c, v: replace(c, columns="many"), r"columns .* got <U4 of shape \(\)"),
    ],
)
def test_effects_that_leave_no_numbers_are_refused(effect, got):
    space = DesignSpace([Knob("reads", (1, 2, 4), 1, effect=effect)])
    message = r"Expected the effect of reads to leave {} "
    with pytest.raises(
        DesignError, match=message.format(got.split()[0]) + ".*" + got.split(" ", 1)[1]
    ):
        space.compute(plain_computation(1))


def test_effects_in_fewer_bits_do_not_overflow():
    narrow = lambda c, v: replace(c, reads=np.array(c.reads * v, np.int8))  # noqa: E731
    space = DesignSpace([Knob("reads", (1, 100), 1, effect=narrow)])
    assert space.compute(plain_computation(1)).reads.dtype == np.int64


# ------------------------------------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    "space",
    [
        PRECISION,
        precision(16),
        DesignSpace(PRECISION.knobs[::-1]),
        DesignSpace([weight_bits()]),
        DesignSpace(PRECISION, {"weight_bits": [[8], [2, 8]], "activation_bits": [[8, 7], [8]]}),
    ],
    ids=["LRMP", "16 bits", "turned round", "one knob", "allowed"],
)
def test_json_round_trip(space):
    document = space.to_json()
    assert space_from_json(json.loads(json.dumps(document, sort_keys=True))) == space


def test_json_of_a_space():
    space = DesignSpace([weight_bits(4 + 4)], {"weight_bits": [[8, 2]]})
    assert space.to_json() == {
        "knobs": [{"name": "weight_bits", "values": [2, 3, 4, 5, 6, 7, 8], "plain": 8}],
        "allowed": {"weight_bits": [[2, 8]]},
    }


def test_files_may_name_knobs():
    names = {"knobs": ["weight_bits", "activation_bits"]}
    assert space_from_json(names) == PRECISION
    fewer = {"knobs": [{"name": "weight_bits", "values": [4, 8], "plain": 8}]}
    assert space_from_json(fewer)["weight_bits"].values == (4, 8)
    model = CostModel(
        load_network("digits_cnn"), load_preset("lrmp_frontiers_2024"), space_from_json(fewer)
    )
    assert model.baseline.tiles == 56


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"knobs": ["weight_bit"]}, r"Expected knob to be one of .* Did you mean 'weight_bits'\?"),
        (
            {"knobs": [{"name": "adc"}]},
            r"Expected knob to be one of activation_bits, .*; got 'adc'\.",
        ),
        ({"knobs": []}, r"Expected knobs of different names, got none\."),
        ({"knobs": ["weight_bits"] * 2}, r"Expected knobs of different names, got weight_bits, w"),
        (
            {"knobs": ["weight_bits"], "allow": {}},
            r"Expected part of a design space .* 'allowed'\?",
        ),
        ({}, r"Expected a design space as a list of knobs, got \{\}: KeyError\('knobs'\)\."),
        ([], r"Expected a design space as a list of knobs, got \[\]"),
        ({"knobs": 3}, r"Expected a design space as a list of knobs, got"),
        ({"knobs": [3]}, r"Expected a design space as a list of knobs, got"),
        ({"knobs": [{"values": [8]}]}, r"Expected a design space as a list of knobs, .*'name'"),
        (
            {"knobs": [{"name": "weight_bits"}]},
            r"Expected a design space as a list of knobs, .*val",
        ),
        ({"knobs": ["weight_bits"], "allowed": 3}, r"Expected a design space as a list of knobs, "),
        (
            {"knobs": [{"name": "weight_bits", "values": "28", "plain": "8"}]},
            r"Expected values of weight_bits like \(2, 3, 4, 5, 6, 7, 8\), got \('2', '8'\)\.",
        ),
        (
            {"knobs": [{"name": "weight_bits", "values": [8.0], "plain": 8.0}]},
            r"Expected weight_bits to have ascending integers as values",
        ),
        ({"knobs": ["weight_bits"], "allowed": {"weight_bits": [[2]]}}, r"the plain 8 among them"),
    ],
)
def test_files_that_are_no_space_are_refused(data, message):
    with pytest.raises(DesignError, match=message):
        space_from_json(data)


def test_only_knobs_of_lrmp_can_be_read_again():
    fewer = {"knobs": [{"name": "weight_bits", "values": [4, 8], "plain": 8}]}
    assert is_catalogued(PRECISION)
    assert is_catalogued(precision(16))
    assert is_catalogued(space_from_json(fewer))
    assert not is_catalogued(DesignSpace([*PRECISION, READS]))
    assert not is_catalogued(DesignSpace([replace(weight_bits(), effect=halved)]))


def test_no_file_makes_weights_of_no_bits():
    space = space_from_json({"knobs": [{"name": "weight_bits", "values": [0, 8], "plain": 8}]})
    message = r"Expected the effect of weight_bits to leave weight_bits as integers >= 1 and"
    with pytest.raises(DesignError, match=message):
        CostModel(load_network("digits_cnn"), load_preset("lrmp_frontiers_2024"), space)
