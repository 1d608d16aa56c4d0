"""Shipped tables: whole, monotone where it matters, the network's own layers, and text."""

import dataclasses
import json

import numpy as np
import pytest

from lrmp.accuracy import TableAccuracy
from lrmp.accuracy.lab.protocol import load_protocol
from lrmp.accuracy.lab.random_designs import draw_designs
from lrmp.accuracy.model.design_result import (
    DesignResult,
    design_result,
    design_values,
    settings_of,
)
from lrmp.accuracy.model.drop_map import DropMap
from lrmp.accuracy.model.factories import noise_seeds
from lrmp.accuracy.model.sensitivity_table import (
    SensitivityTable,
    load_designs,
    load_measured,
    load_table,
    measured_terms,
    shipped_accuracy,
    shipped_networks,
    shipped_tables,
    table_for,
)
from lrmp.accuracy.model.table_fit import fitted_lines, is_plain, is_random, refit
from lrmp.errors import AccuracyDataError, AccuracyTableError, DesignError
from lrmp.hardware import Layer, Network, load_network
from lrmp.hardware.families import WITH_TABLES
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob
from lrmp.hardware.space.precision import PRECISION, precision, weight_bits

SHIPPED = shipped_networks()
MEASURED = [name for name in SHIPPED if load_table(name).kind == "measured"]
OF_FAMILIES = [each for each in shipped_tables() if each[1] != "precision"]
EVERY_MEASURED = [*((name, "precision") for name in MEASURED), *OF_FAMILIES]


def small_table():
    weight = np.arange(14, 0, -1.0).reshape(2, 7) / 100
    terms = {("weight_bits",): weight, ("activation_bits",): weight / 10}
    return SensitivityTable(
        "two", "measured", ("a", "b"), PRECISION, terms, DropMap([0, 1], [0, 8], 50), {"x": 1}
    )


def settings(space, **values):
    return space.encode(values, ["a", "b"])


# Every shipped table


@pytest.mark.parametrize("name", SHIPPED)
def test_terms_are_those_of_the_layers_and_knobs(name):
    accuracy = shipped_accuracy(load_network(name))
    assert accuracy.space == PRECISION
    assert {axes: entries.shape for axes, entries in accuracy.terms.items()} == {
        (knob.name,): (len(load_network(name)), len(knob)) for knob in PRECISION
    }
    assert accuracy.kind == "table"
    assert accuracy.is_estimate == (load_table(name).kind == "predicted")
    assert ("predicted" in accuracy.provenance) == accuracy.is_estimate


@pytest.mark.parametrize("name", SHIPPED)
def test_divergences_are_positive_and_shrink_with_bits(name):
    table = load_table(name)
    for entries in table.terms.values():
        assert (entries >= 0).all()
        # Neighbouring widths may change places by the luck of rounding; 2 and 8 bits may not.
        assert (entries[:, 0] > entries[:, 6]).all()
    total = sum(entries.sum(0) for entries in table.terms.values())
    assert (np.diff(total) < 0).all()


@pytest.mark.parametrize("name", SHIPPED)
def test_uniform_designs_lose_less_with_more_bits(name):
    accuracy = shipped_accuracy(load_network(name))
    drops = [
        accuracy.drop(
            Design.of({"weight_bits": bits, "activation_bits": bits}, layers=accuracy.layers)
        )
        for bits in range(8, 1, -1)
    ]
    assert drops == sorted(drops)
    assert drops[0] < 1  # the plain 8-bit chip is within what is allowed
    assert drops[-1] > 5


@pytest.mark.parametrize(("name", "family"), OF_FAMILIES)
def test_table_of_a_family_knows_its_knobs_on_its_chip(name, family):
    table, of_family, network = load_table(name, family), WITH_TABLES[family], load_network(name)
    chip = of_family.chip()
    space = of_family.space(network, chip)
    assert (table.family, table.space.names) == (family, space.names)
    assert table_for(name, space).name == table.name == f"{name}-{family}"
    accuracy = shipped_accuracy(network, space, chip)
    plain = space.plain_settings(len(network))
    assert accuracy.drop_map(accuracy.sums(plain)) < 1
    assert table.provenance.get("noise_seeds", []) == list(noise_seeds(chip))
    other = dataclasses.replace(chip, active_rows=chip.active_rows // 2)
    with pytest.raises(AccuracyTableError, match=rf"Expected the chip that the {family} table of"):
        shipped_accuracy(network, space, other)


@pytest.mark.parametrize(("name", "family"), EVERY_MEASURED)
def test_provenance_names_the_protocol(name, family):
    table, protocol = load_table(name, family), load_protocol(name)
    for key in ("sha256", "recipe", "preprocessing", "sensitivity_images"):
        assert table.provenance[key] == getattr(protocol, key)
    assert table.provenance["calibration"] == str(protocol.calibration)
    assert table.provenance["search"] == str(protocol.search)


@pytest.mark.long
@pytest.mark.parametrize(("name", "family"), EVERY_MEASURED)
def test_table_is_the_fit_to_the_shipped_measurements(name, family):
    table = load_table(name, family)
    again = refit(table, load_measured(name, family), exponents=(table.exponent,))
    lines = fitted_lines(load_measured(name, family))
    found = settings_of(lines, table.space, table.layers)
    counted = sum(table.provenance[key] for key in ("random_designs", "optimised_designs"))
    assert len([line for line in lines if not is_plain(line)]) == counted
    # What the plain design is said to lose is what it was found to, or next to nothing.
    (plain,) = (design_result(line) for line in lines if is_plain(line))
    told = table.drop_map(table.sums(table.space.plain_settings(len(table.layers))))
    assert told <= max(plain.expected_drop, 0) + 0.1
    # What a last unit of some other machine's logarithm makes of a fit.
    assert np.log(again.divergences(found) / table.divergences(found)).std() < 0.02
    assert again.drop_map.threshold(1.0) == pytest.approx(table.drop_map.threshold(1.0), rel=0.02)


@pytest.mark.parametrize(("name", "family"), EVERY_MEASURED)
def test_no_random_design_fits_and_judges(name, family):
    lines = [line for line in load_designs(name, family) if is_random(line)]
    fit, judged = (
        {json.dumps(line["design"]) for line in lines if line["split"] == split}
        for split in ("search", "test")
    )
    assert fit
    assert judged
    assert not fit & judged


@pytest.mark.parametrize(("name", "family"), shipped_tables())
def test_file_is_the_text_of_its_table(name, family):
    text = load_table(name, family).to_text()
    assert SensitivityTable.from_text(text).to_text() == text
    assert len(text.splitlines()) < 150 + len(load_table(name, family).layers)


# The table itself


def test_sums_by_hand():
    table = small_table()
    design = settings(PRECISION, weight_bits=[2, 8], activation_bits=[3, 5])
    assert table.sums(design) == pytest.approx(0.14 + 0.01 + 0.013 + 0.004)
    assert dataclasses.replace(table, exponent=2.0).divergences(design) == pytest.approx(0.167**2)
    assert table.sums(np.stack([design, PRECISION.plain_settings(2)])).shape == (2,)


def test_drop_is_the_mapped_sum():
    accuracy = small_table().accuracy()
    design = Design.of({"weight_bits": [2, 8], "activation_bits": [3, 5]})
    assert accuracy.sums(design.settings) == pytest.approx(0.167)
    assert accuracy.drop(design) == pytest.approx(8 * 0.167)
    assert type(accuracy.drop(design)) is float


def test_fingerprint_follows_the_map():
    terms = small_table().terms
    maps = [DropMap([0, 1], [0, 8], 50), DropMap([0, 1], [0, 9], 50), DropMap([0, 1], [0, 8], 60)]
    models = [
        TableAccuracy(terms, "", is_estimate=False, drop_map=found) for found in (None, *maps)
    ]
    assert len({model.fingerprint for model in models}) == 4


# Other knobs


MODE = Knob("mode", ("fast", "slow"), "slow")
READS = Knob("reads", (1, 2, 4), 1)


@pytest.fixture
def joint():
    """Bits of weights with a mode of two labels, reads alone, and activation bits."""
    table = small_table()
    together = np.stack([table.terms["weight_bits",] + 1, table.terms["weight_bits",]], axis=2)
    terms = {
        ("weight_bits", "mode"): together,
        ("activation_bits",): table.terms["activation_bits",],
        ("reads",): np.array([[0.5, 0.25, 0.125], [5, 2.5, 1.25]]),
    }
    space = DesignSpace((*PRECISION, MODE, READS))
    return dataclasses.replace(table, space=space, terms=terms)


def test_terms_of_several_knobs_travel_as_text(joint):
    text = joint.to_text()
    again = SensitivityTable.from_text(text)
    assert again.to_text() == text
    assert '"weight_bits x mode": [[1.14, 0.14], [1.13, 0.13],' in text
    assert again.space.to_json() == joint.space.to_json()
    design = settings(
        joint.space, weight_bits=[2, 8], activation_bits=8, mode=["fast", "slow"], reads=[4, 2]
    )
    expected = (1.14 + 0.008 + 0.125) + (0.01 + 0.001 + 2.5)
    for table in (joint, again):
        assert table.sums(design) == pytest.approx(expected)
        assert table.accuracy(joint.space).sums(design) == pytest.approx(expected)


def test_knobs_that_a_space_leaves_out_are_plain(joint):
    own = settings(joint.space, weight_bits=[2, 8], activation_bits=[3, 5])
    expected = joint.sums(own)
    assert expected == pytest.approx(small_table().sums(own[:, :2]) + 0.5 + 5)
    for names in (("weight_bits", "activation_bits"), ("activation_bits", "reads", "weight_bits")):
        space = DesignSpace(tuple(joint.space[name] for name in names))
        design = settings(space, weight_bits=[2, 8], activation_bits=[3, 5])
        assert joint.accuracy(space).sums(design) == pytest.approx(expected)


def test_space_of_another_order_and_some_of_the_values(joint):
    fewer = dataclasses.replace(weight_bits(), values=(3, 5, 8))
    space = DesignSpace((MODE, READS, fewer, PRECISION["activation_bits"]))
    accuracy = joint.accuracy(space)
    assert accuracy.terms["mode", "weight_bits"].shape == (2, 2, 3)
    values = {"weight_bits": [5, 3], "mode": ["fast", "slow"], "reads": [1, 4]}
    assert accuracy.sums(settings(space, **values)) == pytest.approx(
        joint.sums(settings(joint.space, **values))
    )


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (
            DesignSpace((*PRECISION, MODE)),
            r"the sensitivity table of two to hold every knob .*, got none for mode: it holds",
        ),
        (precision(16), r"weight_bits between 2 and 8, which the .* table of two holds, got 9\."),
    ],
)
def test_space_beyond_the_table_is_refused(space, message):
    with pytest.raises(AccuracyTableError, match=rf"^Expected {message}"):
        small_table().accuracy(space)


def test_terms_of_another_shape_are_refused():
    table = small_table()
    terms = {**table.terms, ("activation_bits",): np.zeros((2, 6))}
    with pytest.raises(
        AccuracyTableError,
        match=r"divergences of activation_bits to be of shape \(2, 7\), .* \(2, 6",
    ):
        dataclasses.replace(table, terms=terms)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format=1), r"Expected format 3 of a sensitivity table, got 1"),
        (lambda d: d.update(exponent=0), r"Expected a positive exponent below 100, got 0\.0"),
        (lambda d: d.pop("exponent"), r"Expected a sensitivity table, .* KeyError\('exponent'\)"),
        (lambda d: d.update(kind="guessed"), r"Expected kind measured or predicted, got 'guessed'"),
        (lambda d: d.pop("layers"), r"Expected a sensitivity table, .* KeyError\('layers'\)"),
        (lambda d: d["layers"][1].pop("weight_bits"), r"Expected a sensitivity table, .* KeyError"),
        (
            lambda d: d["layers"][0]["weight_bits"].pop(),
            r"Expected a sensitivity table, .* inhomogeneous",
        ),
        (
            lambda d: d["knobs"][0]["values"].pop(0),
            r"Expected the divergences of weight_bits to be of shape \(2, 6\), .* \(2, 7\)",
        ),
        (lambda d: d["knobs"].pop(), r"Expected a sensitivity table, .* 'activation_bits'"),
        (lambda d: d["knobs"][0].update(plain=9), r"Expected a sensitivity table, .* plain value"),
        (lambda d: d.update(layers=[]), r"Expected a sensitivity table, .* IndexError"),
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


def test_designs_travel_by_the_names_of_knobs():
    values = {"weight_bits": [8, 6, 2], "activation_bits": [3, 3, 8]}
    found = settings_of([{"design": values}], PRECISION, ["a", "b", "c"])
    assert found.tolist() == [[[6, 1], [4, 1], [0, 6]]]
    assert design_values(found[0], PRECISION) == values
    assert settings_of([], PRECISION, ["a", "b", "c"]).shape == (0, 3, 2)
    with pytest.raises(DesignError, match=r"Expected knob to be one of .* got 'adc_bits'"):
        settings_of([{"design": {"adc_bits": [1, 1, 1]}}], PRECISION, ["a", "b", "c"])


def test_random_designs_are_spread_over_the_scale():
    shipped = load_table("resnet20")
    terms = measured_terms(load_measured("resnet20"), shipped.space, shipped.layers)
    table = TableAccuracy(terms, "measured", is_estimate=False)
    designs = draw_designs(table, 50, seed=3)
    assert designs.shape == (50, 20, 2)
    assert designs.min() >= 0
    assert designs.max() <= 6
    logs = np.sort(np.log(table.sums(designs)))
    assert logs[0] < np.log(0.006)
    assert logs[-1] > np.log(1.4)
    assert np.diff(logs).max() < 0.4
    assert len({design.tobytes() for design in designs}) == 50
    again = draw_designs(table, 50, seed=3)
    assert np.array_equal(designs, again)
    other = draw_designs(table, 50, seed=4)
    assert not np.array_equal(designs, other)


def test_held_out_designs_that_are_shipped_are_drawn_again():
    table = load_table("resnet20")
    terms = measured_terms(load_measured("resnet20"), table.space, table.layers)
    alone = TableAccuracy(terms, "measured", is_estimate=False)
    lines = load_designs("resnet20")
    fit = settings_of([x for x in lines if x["split"] == "search"], table.space, table.layers)
    judged = settings_of(
        [x for x in lines if x["split"] == "test" and is_random(x)], table.space, table.layers
    )
    drawn = draw_designs(alone, len(judged), 2, {design.tobytes() for design in fit})
    assert {x.tobytes() for x in drawn} == {x.tobytes() for x in judged}


def test_random_designs_keep_to_what_layers_may_have(joint):
    space = DesignSpace(joint.space.knobs, {"weight_bits": ((8,), (2, 5, 8))})
    terms = {axes: entries / 20 for axes, entries in joint.terms.items()}  # sums near the scale
    table = dataclasses.replace(joint, terms=terms).accuracy(space)
    designs = draw_designs(table, 30, seed=0)
    assert space.allows(designs).all()
    assert [len(np.unique(designs[..., place])) for place in range(4)] == [3, 7, 2, 3]


def test_more_designs_than_there_are_is_refused():
    space = DesignSpace((dataclasses.replace(weight_bits(), values=(2, 8)),))
    table = small_table().accuracy(space)
    assert len(draw_designs(table, 4, seed=0)) == 4
    taken = {space.plain_settings(2).tobytes()}
    with pytest.raises(AccuracyDataError, match=r"Expected at most 3 designs .*, got 4\. Ask for"):
        draw_designs(table, 4, seed=0, exclude=taken)


def test_drop_and_interval_of_a_result():
    lost, gained = tuple(range(0, 40, 2)), tuple(range(1, 11, 2))
    result = DesignResult(0.1, 0.01, 500, 400, lost, gained, (2.0, 4.0, 2.0, 4.0))
    assert (result.lost, result.gained, result.drop) == (20, 5, 3)
    assert result.changes[:5].tolist() == [1, -1, 1, -1, 1]
    assert result.changes.sum() == 15
    assert result.expected_drop == pytest.approx(3)
    # Parts of 2, 4, 2 and 4 have a standard deviation of 2 / sqrt(3).
    assert result.expected_drop_error == pytest.approx(1 / np.sqrt(3))
    assert result.top1 == 77
    low, high = result.interval()
    # Standard error of the mean of 20 losses and 5 gains: sqrt(25 / 500 - 0.03**2) / sqrt(500).
    error = 100 * np.sqrt(25 / 500 - 0.03**2) / np.sqrt(500)
    assert low == pytest.approx(3 - 1.96 * error, abs=0.25)
    assert high == pytest.approx(3 + 1.96 * error, abs=0.25)
    assert result.interval() == (low, high)
