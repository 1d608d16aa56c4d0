"""What a chip's assumed numbers decide: each by itself, 30 % less and more."""

from dataclasses import replace

import pytest

import lrmp
from lrmp.architect.assumed import assumed_numbers
from lrmp.hardware import load_preset
from lrmp.hardware.chip.provenance import Provenance

BITS = {"weight_bits": 4, "activation_bits": 4}


def outcome(objective="latency", **changes):
    chip = replace(load_preset("lrmp_frontiers_2024"), **changes)
    table = {name: {"*": [0.0] * 7} for name in BITS} | {"provenance": "none"}
    task = lrmp.make_task("lenet", chip, objective=objective, accuracy=table, budget=150)
    return lrmp.evaluate(task, BITS)


def assumed(objective="latency", **keys):
    found = outcome(objective, provenance={k: Provenance("assumed", v) for k, v in keys.items()})
    return {each.key: each for each in assumed_numbers(found)}


def test_a_slower_clock_takes_longer_and_changes_no_gain():
    each = assumed(clock_mhz="a guess")["clock_mhz"]
    assert each.value == 192
    assert each.source == "a guess"
    assert each.low == (pytest.approx(192 / 134), pytest.approx(1))
    assert each.high == (pytest.approx(192 / 250), pytest.approx(1))


def test_an_energy_counts_as_its_share():
    (each,) = assumed("energy", **{"energy.adc_conversion_fj": "x"}).values()
    found = outcome("energy")
    share = found.report.energy_breakdown_fj["adc"] / found.report.energy_fj
    value = load_preset("lrmp_frontiers_2024").energy.adc_conversion_fj
    # Leakage and all else stay as they are.
    assert each.high[0] == pytest.approx(1 + share * (round(1.3 * value) / value - 1))


def test_what_cannot_change_says_why():
    found = assumed(
        conversion_cycles="one", adc="fixed", vector_lanes="none", active_rows="of a crossbar"
    )
    assert found["conversion_cycles"].note == "a whole number that 30% do not change"
    assert found["conversion_cycles"].low == (1.0, 1.0)
    assert found["adc"].note == "a choice, not a number"
    assert found["vector_lanes"].note == "left out of the model"
    assert found["active_rows"].low[0] > 1 > found["active_rows"].high[0]
    assert next(iter(found)) == "active_rows"  # what changes most comes first


def test_what_is_published_is_not_counted():
    chip = load_preset("lrmp_frontiers_2024")
    found = {each.key for each in assumed_numbers(outcome(provenance=chip.provenance))}
    sources = chip.provenance.items()
    expected = {key for key, each in sources if each.status == "assumed" or each.ranges}
    # A component has several numbers.
    assert {".".join(key.split(".")[:2]) for key in found} == expected


def test_what_models_say_counts_in_place_of_30_per_cent():
    key = "energy.adc_conversion_fj"
    for status in ("published", "assumed", "modelled"):
        origin = Provenance(status, "a library", {"value": (104, 1580)})
        found = outcome("energy", provenance={key: origin})
        (each,) = assumed_numbers(found)
        share = found.report.energy_breakdown_fj["adc"] / found.report.energy_fj
        assert each.low[0] == pytest.approx(1 + share * (104 / 790 - 1))
        assert each.high[0] == pytest.approx(1 + share)
        assert each.note == "models: 104 to 1580, in place of 30%"
    ranges = {"leakage_uw": (0, 20)}  # of the fields of a component, one
    origin = Provenance("published", "a library", ranges)
    (each,) = assumed_numbers(outcome("energy", provenance={"components.adc": origin}))
    assert each.key == "components.adc.leakage_uw"
    assert each.low[0] < 1 < each.high[0]


def test_what_is_modelled_once_counts_as_what_is_assumed():
    (each,) = assumed("energy", **{"energy.row_drive_fj": "x"}).values()
    found = outcome("energy", provenance={"energy.row_drive_fj": Provenance("modelled", "x")})
    assert assumed_numbers(found) == [each]


def test_a_chip_without_sources_has_none():
    assert assumed_numbers(outcome(provenance={})) == []
