"""Fingerprints: another definition has another one, and the same definition the same one."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrmp.accuracy import TableAccuracy
from lrmp.accuracy.model.drop_map import DropMap, IdentityMap
from lrmp.envs import load_task
from lrmp.envs.task.custom_task import make_task
from lrmp.errors import AccuracyTableError, TaskError

VALUES = st.floats(-1e300, 1e300) | st.sampled_from([0.0, 1e-12, 2e-12, 1e10, 2e10])


def model(weight, activation, drop_map=None, is_estimate=False, provenance="by hand"):
    return TableAccuracy(
        {"weight_bits": weight, "activation_bits": activation},
        provenance,
        is_estimate=is_estimate,
        drop_map=drop_map,
    )


@st.composite
def contents(draw):
    """What defines a table, as plain Python."""
    layers = draw(st.integers(1, 3))
    rows = st.lists(st.lists(VALUES, min_size=7, max_size=7), min_size=layers, max_size=layers)
    knots = draw(st.integers(0, 3))
    steps = st.lists(st.sampled_from([1e-12, 0.5, 1.0, 3.0]), min_size=knots, max_size=knots)
    found = None
    if knots:
        sums, drops = ([0.0, *np.cumsum(draw(steps)).tolist()] for _ in range(2))
        found = (sums, drops, drops[-1] + draw(st.sampled_from([1e-3, 1.0, 1.0 + 1e-12])))
    return draw(rows), draw(rows), found, draw(st.booleans())


def print_of(content):
    weight, activation, knots, estimate = content
    return model(weight, activation, knots and DropMap(*knots), estimate).fingerprint


@given(contents(), contents())
def test_two_tables_have_one_fingerprint_only_if_they_are_equal(one, other):
    assert (print_of(one) == print_of(other)) == (one == other)


@given(contents(), st.data())
def test_the_last_bit_of_every_number_counts(content, data):
    weight, activation, knots, estimate = content
    operand = data.draw(st.sampled_from([0, 1]))
    layer, bits = data.draw(st.integers(0, len(weight) - 1)), data.draw(st.integers(0, 6))
    changed = [np.array(weight), np.array(activation)]
    changed[operand][layer, bits] = np.nextafter(changed[operand][layer, bits], np.inf)
    assert print_of((*changed, knots, estimate)) != print_of(content)
    if knots:
        sums, drops, ceiling = knots
        place = data.draw(st.integers(1, len(sums) - 1))
        for index in range(2):
            moved = [list(sums), list(drops)]
            moved[index][place] = math.nextafter(moved[index][place], math.inf)
            assert print_of((weight, activation, (*moved, ceiling), estimate)) != print_of(content)
        higher = sums, drops, math.nextafter(ceiling, math.inf)
        assert print_of((weight, activation, higher, estimate)) != print_of(content)


ROWS = np.arange(14.0).reshape(2, 7)
KNOTS = DropMap([0, 1, 2], [0, 1, 5], 50)
DIFFERENT = {
    "as it is": model(ROWS, ROWS),
    "operands exchanged": model(ROWS + 1, ROWS),
    "operands exchanged back": model(ROWS, ROWS + 1),
    "layers exchanged": model(ROWS[::-1], ROWS),
    "one layer more": model([*ROWS, ROWS[0]], [*ROWS, ROWS[0]]),
    "layers of the other operand": model(ROWS.reshape(2, 7)[[0, 0]], ROWS[[1, 1]]),
    "tiny unit": model(ROWS * 1e-12, ROWS * 1e-12),
    "other tiny unit": model(ROWS * 2e-12, ROWS * 2e-12),
    "sentinel": model(ROWS + 1e10, ROWS),
    "other sentinel": model(ROWS + 2e10, ROWS),
    "estimate": model(ROWS, ROWS, is_estimate=True),
    "map": model(ROWS, ROWS, KNOTS),
    "map with the same values between": model(
        ROWS, ROWS, DropMap([0, 0.5, 1, 2], [0, 0.5, 1, 5], 50)
    ),
    "map moved by less than a nat's billionth": model(
        ROWS, ROWS, DropMap([0, 1 + 1e-10, 2], [0, 1, 5], 50)
    ),
    "other ceiling": model(ROWS, ROWS, DropMap([0, 1, 2], [0, 1, 5], 50 + 1e-10)),
}


def test_different_tables_have_different_fingerprints():
    prints = {name: found.fingerprint for name, found in DIFFERENT.items()}
    assert len(set(prints.values())) == len(prints), prints
    tasks = {make_task("mlp", accuracy=model(*other)).fingerprint for other in of_three_layers()}
    assert len(tasks) == 3


def of_three_layers():
    layers = len(load_task("LRMP-MLP-v0").network)
    rows = np.tile(np.arange(7.0), (layers, 1))
    return [(rows, rows), (rows * (1 + 1e-15), rows), (rows, rows + 1e-12)]


@pytest.mark.parametrize(
    ("weight", "activation", "drop_map"),
    [
        (ROWS.tolist(), [[int(value) for value in row] for row in ROWS], KNOTS),
        (ROWS.astype(np.float32), ROWS.astype(np.int16), KNOTS),
        (np.asfortranarray(ROWS), np.repeat(ROWS, 2, axis=0)[::2], KNOTS),
        (ROWS * -1.0 * -1.0, np.where(ROWS == 0, -0.0, ROWS), KNOTS),
        (ROWS, ROWS, DropMap([-0.0, 1.0, 2.0], np.array([0, 1, 5]), np.float32(50))),
    ],
)
def test_same_table_made_otherwise_has_the_same_fingerprint(weight, activation, drop_map):
    found = model(weight, activation, drop_map, provenance="elsewhere")
    assert found.fingerprint == DIFFERENT["map"].fingerprint
    assert model(ROWS, ROWS, IdentityMap()).fingerprint == DIFFERENT["as it is"].fingerprint


def test_table_keeps_what_its_fingerprint_says():
    rows = ROWS.copy()
    found = model(rows, rows, KNOTS)
    before = found.fingerprint
    rows[0, 0] = 99
    assert found.fingerprint == before
    for array in (
        found.terms["weight_bits",],
        found.terms["activation_bits",],
        KNOTS.sums,
        KNOTS.drops,
    ):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 99


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [["a"] * 7],
            r"Expected the term of weight_bits to be numbers, 7 for every layer: could not convert",
        ),
        (
            [[1.0] * 7, [1.0] * 6],
            r"Expected the term of weight_bits to be numbers, 7 for every layer: ",
        ),
        (
            np.zeros((0, 7)),
            r"Expected the term of weight_bits to be finite and of shape \(1, 7\), got shape",
        ),
        (
            3.0,
            r"Expected the term of weight_bits to be finite and of shape \(1, 7\), got shape \(\)",
        ),
    ],
)
def test_what_is_no_table_is_refused(values, message):
    with pytest.raises(AccuracyTableError, match=message):
        model(values, ROWS)


def test_what_is_no_map_is_refused():
    with pytest.raises(AccuracyTableError, match=r"Expected drop_map to be a DropMap, or None"):
        model(ROWS, ROWS, drop_map=np.tanh)


def test_numbers_of_a_task_count_by_value():
    task = load_task("LRMP-Digits-v0")
    same = [
        task.with_tenant(allowed_drop=1),
        task.with_tenant(allowed_drop=np.float64(1)),
        replace(task, accelerator=with_numbers(task.accelerator, float)),
        replace(task, accelerator=with_numbers(task.accelerator, np.float64)),
    ]
    assert {other.fingerprint for other in same} == {task.fingerprint}
    nothing = [task.with_tenant(allowed_drop=value).fingerprint for value in (0, 0.0, -0.0)]
    assert len({*nothing, task.fingerprint}) == 2
    more = task.with_tenant(allowed_drop=math.nextafter(1, 2))
    assert more.fingerprint != task.fingerprint


def with_numbers(chip, kind):
    """The chip with its energies and components as another type of number."""
    energy = replace(
        chip.energy, **{key: kind(getattr(chip.energy, key)) for key in chip.energy.__slots__}
    )
    components = tuple(
        replace(component, count=kind(component.count), area_um2=kind(component.area_um2))
        for component in chip.components
    )
    return replace(chip, energy=energy, components=components)


def test_allowed_drop_is_no_truth_value():
    with pytest.raises(TaskError, match=r"Expected allowed_drop of .* 0 to 100, got True"):
        replace(load_task("LRMP-Digits-v0"), allowed_drop=True)
