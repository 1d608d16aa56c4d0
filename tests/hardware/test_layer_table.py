"""Tables with a row per layer, and what stands for a thing in one line."""

import csv
import dataclasses
import io
import json
import re

import numpy as np
import pytest

from lrmp.hardware import (
    CYCLE_COMPONENTS,
    ENERGY_COMPONENTS,
    NETWORKS,
    CostModel,
    Design,
    Layer,
    Network,
    list_networks,
    list_presets,
    load_network,
    load_preset,
)
from lrmp.hardware.short_repr import short_name, short_range

NETWORK = load_network("digits_cnn")
CHIP = load_preset("lrmp_frontiers_2024")
MODEL = CostModel(NETWORK, CHIP)
BITS = {"weight_bits": [8, 4, 3, 4, 6], "activation_bits": [8, 5, 4, 4, 7]}
DESIGN = Design.of(BITS, [2, 1, 1, 3, 1])
REPORT = MODEL.evaluate(DESIGN)
WITHOUT_ENERGY = CostModel(NETWORK, dataclasses.replace(CHIP, energy=None)).evaluate(DESIGN)
NASTY = Network("<b>&\n" + "x" * 500, (Layer.linear("<script>\"a\",'b'</script>", 3, 2),))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_one_short_line(name):
    network = load_network(name)
    assert re.fullmatch(rf"<Network '{name}', {len(network)} layers, .*>", repr(network))
    assert len(repr(network)) < 100
    assert len(network.to_table()) == len(network)


@pytest.mark.parametrize("name", list_presets())
def test_every_preset_is_one_short_line(name):
    chip = load_preset(name)
    assert re.fullmatch(rf"<Accelerator '{name}', .* MHz>", repr(chip))
    assert len(repr(chip)) < 120
    document = chip.to_json()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["parameters"]["clock_mhz"] == chip.clock_mhz
    assert len(document["provenance"]) == len(chip.provenance)


@pytest.mark.parametrize("thing", [NETWORK, CHIP, MODEL, DESIGN, REPORT, WITHOUT_ENERGY, NASTY])
def test_representation_is_one_line_of_less_than_200_characters(thing):
    assert len(repr(thing)) < 200
    assert repr(thing).isprintable()
    assert repr(thing).startswith(f"<{type(thing).__name__} ")


def test_representations_say_what_matters():
    assert repr(DESIGN) == "<Design 5 layers, weight bits 3..8, activation bits 4..8, copies 1..3>"
    assert repr(Design.of({"weight_bits": 4, "activation_bits": 5}, layers=3)) == (
        "<Design 3 layers, weight bits 4, activation bits 5, copies 1>"
    )
    assert repr(MODEL) == "<CostModel 'digits_cnn' on 'lrmp_frontiers_2024', 5 layers>"
    assert f"{REPORT.tiles} tiles" in repr(REPORT)
    assert f"latency {REPORT.latency_s:.4g} s" in repr(REPORT)
    assert f"energy {REPORT.energy_j:.4g} J" in repr(REPORT)
    assert "energy" not in repr(WITHOUT_ENERGY)
    assert repr(CHIP) == (
        "<Accelerator 'lrmp_frontiers_2024', 5,688 tiles of 256 x 256 1-bit cells, 192 MHz>"
    )


def test_names_are_shortened_in_the_middle():
    assert short_name("lenet") == "'lenet'"
    assert len(short_name("a" * 50 + "b" * 50)) <= 40
    assert short_range("bits", np.array([3, 3])) == "bits 3"


def test_rows_of_a_network():
    row = NETWORK.to_table()[0]
    layer = NETWORK.layers[0]
    assert row["layer"] == layer.name
    assert row["macs"] == layer.macs
    assert row["weights"] == layer.rows * layer.columns
    assert set(row) >= {"kind", "rows", "columns", "positions", "groups", "vector_ops"}
    document = json.loads(json.dumps(NETWORK.to_json()))
    layers = tuple(Layer(**d) for d in document["layers"])
    assert Network(document["name"], layers, document["edges"]) == NETWORK


def test_rows_of_a_design():
    assert DESIGN.to_table()[3] == {
        "layer": 3,
        "weight_bits": 4,
        "activation_bits": 4,
        "copies": 3,
    }


def test_rows_of_a_cost_add_up():
    rows = REPORT.to_table()
    assert [row["layer"] for row in rows] == [0, 1, 2, 3, 4]
    assert sum(row["tiles"] for row in rows) == REPORT.tiles
    assert sum(row["cycles"] for row in rows) == REPORT.latency_cycles
    assert sum(row["energy_fj"] for row in rows) == REPORT.energy_fj
    for row in rows:
        assert sum(row[f"{name}_cycles"] for name in CYCLE_COMPONENTS) == row["cycles"]
        assert sum(row[f"{name}_fj"] for name in ENERGY_COMPONENTS) == row["energy_fj"]
        assert all(type(value) is int for value in row.values())


def test_json_of_a_cost():
    document = REPORT.to_json()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["latency_cycles"] == sum(document["layer_cycles"]) == REPORT.latency_cycles
    assert sum(document["energy_breakdown_fj"].values()) == document["energy_fj"]


def test_what_is_not_known_is_none_and_an_empty_cell():
    assert list(WITHOUT_ENERGY.to_table()[0]) == list(REPORT.to_table()[0])
    assert WITHOUT_ENERGY.to_table()[0]["energy_fj"] is None
    assert WITHOUT_ENERGY.to_json()["energy_j"] is None
    assert next(csv.DictReader(io.StringIO(WITHOUT_ENERGY.to_csv())))["energy_fj"] == ""
    assert "None" not in WITHOUT_ENERGY._repr_html_()


@pytest.mark.parametrize("thing", [NETWORK, DESIGN, REPORT, NASTY])
def test_csv_holds_the_table(thing, tmp_path):
    text = thing.to_csv(tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_bytes() == text.encode()
    rows = [{key: str(value) for key, value in row.items()} for row in thing.to_table()]
    assert list(csv.DictReader(io.StringIO(text))) == rows


def test_html_holds_the_table_and_escapes_names():
    text = REPORT._repr_html_()
    assert text.count("<tr>") == 1 + len(NETWORK)
    assert f"<td>{REPORT.layer_cycles[0]:,}</td>" in text
    text = NASTY._repr_html_()
    assert "&lt;script&gt;&quot;a&quot;" in text
    assert "<script" not in text
    assert "<b>" not in text


def test_networks_are_listed():
    assert list_networks() == sorted(NETWORKS)
