"""Shipped tables: whole, monotone where it matters, the network's own layers, and text."""

import json

import numpy as np
import pytest

from lrmp.accuracy import TableAccuracy
from lrmp.accuracy.lab.protocol import load_protocol
from lrmp.accuracy.lab.random_designs import draw_designs
from lrmp.accuracy.model.design_result import DesignResult, design_bits, design_text
from lrmp.accuracy.model.drop_map import DropMap
from lrmp.accuracy.model.sensitivity_table import (
    SensitivityTable,
    load_designs,
    load_table,
    shipped_accuracy,
    shipped_networks,
)
from lrmp.errors import AccuracyTableError
from lrmp.hardware import Layer, Network, load_network

SHIPPED = shipped_networks()
MEASURED = [name for name in SHIPPED if load_table(name).kind == "measured"]


def small_table():
    weight = np.arange(14, 0, -1.0).reshape(2, 7) / 100
    return SensitivityTable(
        "two", "measured", ("a", "b"), weight, weight / 10, DropMap([0, 1], [0, 8], 50), {"x": 1}
    )


# Every shipped table


@pytest.mark.parametrize("name", SHIPPED)
def test_layers_are_those_of_the_network(name):
    accuracy = shipped_accuracy(load_network(name))
    assert accuracy.weight_table.shape == (len(load_network(name)), 7)
    assert accuracy.kind == "table"
    assert accuracy.is_estimate == (load_table(name).kind == "predicted")
    assert ("predicted" in accuracy.provenance) == accuracy.is_estimate


@pytest.mark.parametrize("name", SHIPPED)
def test_divergences_are_positive_and_shrink_with_bits(name):
    table = load_table(name)
    for entries in (table.weight, table.activation):
        assert (entries >= 0).all()
        # Neighbouring widths may change places by the luck of rounding; 2 and 8 bits may not.
        assert (entries[:, 0] > entries[:, 6]).all()
    total = table.weight.sum(0) + table.activation.sum(0)
    assert (np.diff(total) < 0).all()


@pytest.mark.parametrize("name", SHIPPED)
def test_uniform_designs_lose_less_with_more_bits(name):
    accuracy = shipped_accuracy(load_network(name))
    layers = len(accuracy.weight_table)
    drops = [accuracy.drop(*np.full((2, layers), bits)) for bits in range(8, 1, -1)]
    assert drops == sorted(drops)
    assert drops[0] < 1  # the plain 8-bit chip is within what is allowed
    assert drops[-1] > 5


@pytest.mark.parametrize("name", MEASURED)
def test_provenance_names_the_protocol(name):
    table, protocol = load_table(name), load_protocol(name)
    for key in ("sha256", "recipe", "preprocessing", "sensitivity_images"):
        assert table.provenance[key] == getattr(protocol, key)
    assert table.provenance["calibration"] == str(protocol.calibration)
    assert table.provenance["search"] == str(protocol.search)


@pytest.mark.parametrize("name", MEASURED)
def test_map_is_the_fit_to_the_shipped_designs(name):
    table = load_table(name)
    lines = [line for line in load_designs(name) if line["split"] == "search"]
    assert len(lines) == table.provenance["fit_designs"]
    bits = np.array([design_bits(line["design"]) for line in lines])
    drops = np.array([100 * (x["lost"] - x["gained"]) / x["images"] for x in lines])
    fitted = DropMap.fit(table.sums(bits[:, 0], bits[:, 1]), drops, table.drop_map.ceiling)
    assert fitted.sums == pytest.approx(table.drop_map.sums, rel=1e-3)
    assert fitted.drops == pytest.approx(table.drop_map.drops, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("name", MEASURED)
def test_designs_of_fit_and_judgement_are_others(name):
    lines = load_designs(name)
    fit, judged = (
        {line["design"] for line in lines if line["split"] == split} for split in ("search", "test")
    )
    assert not fit & judged


@pytest.mark.parametrize("name", SHIPPED)
def test_file_is_the_text_of_its_table(name):
    text = load_table(name).to_text()
    assert SensitivityTable.from_text(text).to_text() == text
    assert len(text.splitlines()) < 120 + len(load_table(name).layers)


# The table itself


def test_sums_by_hand():
    table = small_table()
    assert table.sums([2, 8], [3, 5]) == pytest.approx(0.14 + 0.01 + 0.013 + 0.004)
    assert table.sums([[2, 8], [8, 8]], [[3, 5], [8, 8]]).shape == (2,)


def test_drop_is_the_mapped_sum():
    accuracy = small_table().accuracy()
    bits = np.array([2, 8]), np.array([3, 5])
    assert accuracy.table_sum(*bits) == pytest.approx(0.167)
    assert accuracy.drop(*bits) == pytest.approx(8 * 0.167)
    assert type(accuracy.drop(*bits)) is float


def test_fingerprint_follows_the_map():
    table = small_table()
    maps = [DropMap([0, 1], [0, 8], 50), DropMap([0, 1], [0, 9], 50), DropMap([0, 1], [0, 8], 60)]
    models = [
        TableAccuracy(table.weight, table.activation, "", is_estimate=False, drop_map=found)
        for found in (None, *maps)
    ]
    assert len({model.fingerprint for model in models}) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format=2), r"Expected format 1 and bits 2\.\.8 .* got 2"),
        (lambda d: d.update(kind="guessed"), r"Expected kind measured or predicted, got 'guessed'"),
        (lambda d: d.pop("layers"), r"Expected a sensitivity table, .* KeyError\('layers'\)"),
        (lambda d: d["layers"][0].pop("weight"), r"Expected a sensitivity table, .* KeyError"),
        (lambda d: d["drop_map"].update(sums=[1, 2]), r"Expected the knots of a drop map"),
    ],
)
def test_damaged_table_is_refused(change, message):
    document = json.loads(small_table().to_text())
    change(document)
    with pytest.raises(AccuracyTableError, match=message):
        SensitivityTable.from_text(json.dumps(document))


def test_text_that_is_no_json_is_refused():
    with pytest.raises(AccuracyTableError, match=r"Expected a sensitivity table, got a text"):
        SensitivityTable.from_text("{")


def test_network_without_a_table_is_refused():
    with pytest.raises(
        AccuracyTableError, match=r"Expected network with a sensitivity table .* got 'digits_cnn'"
    ):
        load_table("digits_cnn")


def test_other_layers_under_a_known_name_are_refused():
    with pytest.raises(
        AccuracyTableError, match=r"table of mlp to hold its 1 layers, number 1 'fc'; got"
    ):
        shipped_accuracy(Network("mlp", (Layer.linear("fc", 784, 10),)))


# Designs


def test_designs_travel_as_digits():
    bits = np.array([[8, 6, 2], [3, 3, 8]])
    assert design_text(bits) == "862/338"
    assert design_bits("862/338") == ([8, 6, 2], [3, 3, 8])


def test_random_designs_are_spread_over_the_scale():
    table = load_table("resnet20")
    designs = draw_designs(table.weight, table.activation, 50, seed=3)
    assert designs.shape == (50, 2, 20)
    assert designs.min() >= 2
    assert designs.max() <= 8
    logs = np.sort(np.log(table.sums(designs[:, 0], designs[:, 1])))
    assert logs[0] < np.log(0.006)
    assert logs[-1] > np.log(1.4)
    assert np.diff(logs).max() < 0.4
    assert len({design_text(design) for design in designs}) == 50
    again = draw_designs(table.weight, table.activation, 50, seed=3)
    assert np.array_equal(designs, again)
    other = draw_designs(table.weight, table.activation, 50, seed=4)
    assert not np.array_equal(designs, other)


def test_drop_and_interval_of_a_result():
    result = DesignResult(0.1, images=500, float_correct=400, lost=20, gained=5)
    assert result.drop == 3
    assert result.top1 == 77
    low, high = result.interval()
    # Standard error of the mean of 20 losses and 5 gains: sqrt(25 / 500 - 0.03**2) / sqrt(500).
    error = 100 * np.sqrt(25 / 500 - 0.03**2) / np.sqrt(500)
    assert low == pytest.approx(3 - 1.96 * error, abs=0.25)
    assert high == pytest.approx(3 + 1.96 * error, abs=0.25)
    assert result.interval() == (low, high)
