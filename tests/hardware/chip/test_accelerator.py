import copy
import json
import pickle
import re
from dataclasses import replace
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from lrmp.errors import PresetError
from lrmp.hardware import Accelerator, Component, EventEnergies, Provenance
from lrmp.hardware.chip.accelerator import LEFT_OUT, PARAMETERS
from lrmp.hardware.chip.event_energies import EVENTS

CHIP = Accelerator(
    name="chip",
    crossbar_rows=64,
    crossbar_columns=32,
    cell_bits=2,
    dac_bits=1,
    active_rows=16,
    columns_per_adc=4,
    clock_mhz=100,
    output_elements_per_cycle=2,
)
ADC = Component("adc", "adc", "adc", 1, area_um2=100, peak_power_uw=50, leakage_uw=5)
BUFFER = Component("buffer", "buffer", "core", 2, area_um2=1000, peak_power_uw=300, leakage_uw=8)
WHOLE = replace(
    CHIP,
    technology_nm=32,
    tiles_per_core=4,
    energy=EventEnergies(*[10] * len(EVENTS)),
    components=(
        Component("cells", "crossbar", "cell", 1, area_um2=0.5, peak_power_uw=0.25),
        Component("drivers", "dac", "row", 2, area_um2=1, peak_power_uw=2),
        Component("mux", "adc", "column", 1, area_um2=3, peak_power_uw=1),
        ADC,
        Component("sample", "adc", "adc", 1, area_um2=10, peak_power_uw=0),
        Component("register", "registers", "tile", 1, area_um2=200, peak_power_uw=40, leakage_uw=2),
        BUFFER,
        Component("router", "noc", "core", 0.25, area_um2=400, peak_power_uw=200, leakage_uw=16),
        Component("clock", "global", "chip", 3, area_um2=5000, peak_power_uw=7, leakage_uw=6),
    ),
)

HINTS = get_type_hints(Accelerator)
LIST, FRACTIONS = "slice_bits", ("clock_mhz", "conversions_per_cycle")
CHOICES = {key: get_args(HINTS[key]) for key in PARAMETERS if get_origin(HINTS[key]) is Literal}
MAY_BE_ZERO = (
    "output_elements_per_cycle",
    *LEFT_OUT,
    "sum_columns",
    "extra_input_steps",
    "weight_bits_per_cycle",
    "memory_bits_per_cycle",
    "off_chip_bits_per_cycle",
    "buffer_bits",
)
POSITIVE = tuple(key for key in PARAMETERS if key not in (*CHOICES, *MAY_BE_ZERO, *FRACTIONS, LIST))


def another(key):
    """Return a change of one parameter, together with what it cannot do without."""
    if key == LIST:
        return {LIST: (2, 1)}
    if key == "slices_per_conversion":
        return {key: 2, "slice_placement": "packed"}
    if key == "sum_columns":
        return {key: 7, "slice_placement": "packed"}
    if key == "weight_bits_per_cycle":
        return {key: 7, "weight_loading": "time-multiplexed", "tiles": 1}
    if key == "buffer_bits":
        return {key: 7, "off_chip_bits_per_cycle": 1}
    if key == "stored_bits":
        return {key: "magnitude", "weight_encoding": "differential-rows"}
    if key in CHOICES:
        return {"tiles": 1, key: next(c for c in CHOICES[key] if c != getattr(CHIP, key))}
    return {key: getattr(CHIP, key) + 1}


@pytest.mark.parametrize(
    ("active_rows", "cell_bits", "dac_bits", "adc_bits"),
    [
        (1, 1, 1, 1),  # sums 0..1
        (7, 1, 1, 3),  # sums 0..7: eight codes
        (8, 1, 1, 4),  # sums 0..8: nine codes
        (9, 1, 1, 4),
        (16, 2, 1, 6),  # 16 * 3 = 48
        (2, 2, 2, 5),  # 2 * 3 * 3 = 18
    ],
)
def test_adc_bits_tell_every_column_sum_apart(active_rows, cell_bits, dac_bits, adc_bits):
    chip = replace(CHIP, active_rows=active_rows, cell_bits=cell_bits, dac_bits=dac_bits)
    assert chip.adc_bits == adc_bits


def test_clock_in_hertz():
    assert CHIP.clock_hz == 100_000_000


@pytest.mark.parametrize("chip", [CHIP, WHOLE], ids=["bare", "whole"])
def test_accelerators_are_values(chip):
    twin = replace(chip)
    assert twin == chip
    assert hash(twin) == hash(chip)
    assert pickle.loads(pickle.dumps(chip)) == chip
    assert copy.deepcopy(chip) == chip


@pytest.mark.parametrize("key", PARAMETERS)
def test_every_parameter_counts_in_equality(key):
    assert replace(CHIP, **another(key)) != CHIP


@pytest.mark.parametrize("key", POSITIVE + MAY_BE_ZERO)
@pytest.mark.parametrize("value", [-1, 1.5, True, "8", None, float("nan"), float("inf"), 2**31])
def test_parameters_must_be_integers_in_range(key, value):
    least = 0 if key in MAY_BE_ZERO else 1
    limits = {"cell_bits": "from 1 to 4", "dac_bits": "from 1 to 8"}.get(
        key, f">= {least} and < 2**31"
    )
    message = f"Expected {key} of accelerator 'chip' to be an integer {limits}, got {value!r}."
    with pytest.raises(PresetError, match=re.escape(message)):
        replace(CHIP, **{key: value})


@pytest.mark.parametrize("key", FRACTIONS)
def test_rates_need_not_be_whole(key):
    assert getattr(replace(CHIP, **{key: 1.5}), key) == 1.5
    whole = replace(CHIP, **{key: 3.0})
    assert type(getattr(whole, key)) is int
    assert whole.definition == replace(CHIP, **{key: 3}).definition
    for value in (0, -1.5, True, "8", None, float("nan"), float("inf"), 2**31):
        message = (
            f"Expected {key} of accelerator 'chip' to be a number > 0 and < 2**31, got {value!r}"
        )
        with pytest.raises(PresetError, match=re.escape(message)):
            replace(CHIP, **{key: value})


@pytest.mark.parametrize("value", [0, 4.0, "4-2-2", [4, 0], [True], [2, "2"], None])
def test_slices_are_whole_numbers(value):
    message = "Expected slice_bits of accelerator 'chip' as a list of whole numbers >= 1, such as "
    with pytest.raises(PresetError, match=re.escape(message)):
        replace(CHIP, slice_bits=value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slice_bits": (2, 3)}, r"slice_bits .* of at most its cell_bits \(2\), got 3\."),
        ({"slices_per_conversion": 2}, r"slices_per_conversion to have slice_placement 'packed'"),
        (
            {"slices_per_conversion": 5, "slice_placement": "packed"},
            r"slices_per_conversion .* at most its columns_per_adc \(4\), got 5",
        ),
        ({"slice_bits": (2, 2), "active_columns": 8}, r"with slice_bits to have active_columns 0"),
        (
            {"slices_per_conversion": 2, "slice_placement": "packed", "active_columns": 8},
            r"with slices_per_conversion to have active_columns 0, got 8",
        ),
        ({"adc": "none", "adc_resolution_bits": 6}, r"adc 'none' to have adc_resolution_bits 0"),
        (
            {"weight_bits_per_cycle": 8},
            r"weight_bits_per_cycle to have weight_loading 'time-multiplexed', got 'stationary'",
        ),
        ({"stored_bits": "magnitude"}, r"weight_encoding of pairs, .* got 'offset'\."),
    ],
)
def test_slices_and_conversions_that_contradict_the_cells(changes, message):
    with pytest.raises(PresetError, match=message):
        replace(CHIP, **changes)


@pytest.mark.parametrize("key", POSITIVE)
def test_zero_is_refused_where_it_has_no_meaning(key):
    with pytest.raises(PresetError, match=rf"Expected {key} of accelerator 'chip' .*, got 0\."):
        replace(CHIP, **{key: 0})


@pytest.mark.parametrize("key", MAY_BE_ZERO)
def test_zero_leaves_out_what_is_not_known(key):
    assert getattr(replace(CHIP, **{key: 0}), key) == 0


@pytest.mark.parametrize("key", CHOICES)
@pytest.mark.parametrize("value", ["other", "", 0, None, True])
def test_choices_must_be_known(key, value):
    known = ", ".join(CHOICES[key])
    message = f"Expected {key} of accelerator 'chip' to be one of {known}; got {value!r}."
    with pytest.raises(PresetError, match=re.escape(message)):
        replace(CHIP, **{key: value})


def test_more_active_rows_than_the_crossbar_has_are_refused():
    assert replace(CHIP, active_rows=64).active_rows == 64
    message = r"Expected active_rows of accelerator 'chip' to be at most its crossbar_rows \(64\), "
    with pytest.raises(PresetError, match=message + r"got 65\."):
        replace(CHIP, active_rows=65)


def test_columns_per_adc_are_columns_of_the_crossbar():
    assert replace(CHIP, columns_per_adc=32).columns_per_adc == 32
    message = (
        r"Expected columns_per_adc of accelerator 'chip' to be at most its crossbar_columns \(32\),"
    )
    with pytest.raises(PresetError, match=message + r" got 33\."):
        replace(CHIP, columns_per_adc=33)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"weight_loading": "time-multiplexed"},
            "with weight_loading 'time-multiplexed' to give its tiles, got 0.",
        ),
        ({"idle_power": "leaking"}, "with idle_power 'leaking' to give its tiles, got 0."),
        (
            {"conversion_cycles": 2, "conversions_per_cycle": 3},
            "conversions_per_cycle and leave the other at 1, got 2 and 3.",
        ),
        (
            {"components": (ADC, replace(BUFFER, name="adc")), "technology_nm": 32},
            "Expected unique component names in accelerator 'chip', got ['adc', 'adc'].",
        ),
        (
            {"components": (ADC,)},
            "with energies or components to give the technology_nm they hold for, got 0.",
        ),
        (
            {"energy": EventEnergies(*[1] * len(EVENTS))},
            "with energies or components to give the technology_nm they hold for, got 0.",
        ),
    ],
    ids=str,
)
def test_parameters_that_contradict_each_other_are_refused(changes, message):
    with pytest.raises(PresetError, match=re.escape(message)):
        replace(CHIP, **changes)


def test_adc_without_a_resolution_of_its_own_loses_nothing():
    chip = replace(CHIP, active_rows=9, cell_bits=1)
    assert (chip.adc_bits, chip.lossless_adc_bits, chip.adc_is_lossy) == (4, 4, False)


@pytest.mark.parametrize(("bits", "lossy"), [(3, True), (4, False), (5, False)])
def test_an_adc_with_fewer_codes_than_sums_is_lossy(bits, lossy):
    chip = replace(CHIP, active_rows=9, cell_bits=1, adc_resolution_bits=bits)
    assert (chip.adc_bits, chip.lossless_adc_bits, chip.adc_is_lossy) == (bits, 4, lossy)


def test_definition_is_all_but_the_sources():
    definition = WHOLE.definition
    assert json.loads(json.dumps(definition)) == definition
    given = definition["parameters"]
    assert given.items() <= WHOLE.parameters.items()
    assert Accelerator(name="again", **given).parameters == WHOLE.parameters
    # What is out of the model by default is not part of it, so that a new parameter is none.
    assert "technology_nm" in given
    assert not {"noc_hop_cycles", "overlap", "tiles"} & set(given)
    assert definition["energy"]["adc_conversion_fj"] == 10
    assert [component["name"] for component in definition["components"]] == [
        component.name for component in WHOLE.components
    ]
    sourced = replace(WHOLE, provenance={"tiles": Provenance("assumed", "a guess")})
    assert sourced.definition == definition
    assert sourced == WHOLE
    assert hash(sourced) == hash(WHOLE)
    for changes in ({"energy": None}, {"components": (ADC,)}, {"tiles": 9}):
        assert replace(WHOLE, **changes).definition != definition
        assert replace(WHOLE, **changes) != WHOLE


# A tile of WHOLE has 64 x 32 cells, 64 rows, 32 columns and 32 / 4 = 8 ADCs; 4 tiles share a core.
PER_TILE = {
    "cells": 2048,
    "drivers": 2 * 64,
    "mux": 32,
    "adc": 8,
    "sample": 8,
    "register": 1,
    "buffer": 2 / 4,
    "router": 0.25 / 4,
    "clock": 0,
}


def test_components_of_a_tile():
    counts = {component.name: WHOLE.per_tile(component) for component in WHOLE.components}
    assert counts == PER_TILE


def test_the_last_adc_may_have_fewer_columns():
    assert replace(CHIP, columns_per_adc=5).per_tile(ADC) == 7
    assert replace(CHIP, columns_per_adc=32).per_tile(ADC) == 1


def test_components_of_a_chip_with_whole_cores():
    # 10 tiles need 3 cores.
    counts = {component.name: WHOLE.number_of(component, 10) for component in WHOLE.components}
    assert counts == {name: 10 * count for name, count in PER_TILE.items()} | {
        "buffer": 2 * 3,
        "router": 0.25 * 3,
        "clock": 3,
    }


def test_area_adds_up_by_part():
    area = WHOLE.area_um2(10)
    assert area == {
        "crossbar": 20480 // 2,
        "dac": 1280 * 1,
        "adc": 320 * 3 + 80 * 100 + 80 * 10,  # multiplexers, ADCs, sample and hold
        "registers": 10 * 200,
        "buffer": 6 * 1000,
        "noc": 300,  # 0.75 * 400
        "global": 3 * 5000,
    }
    assert {type(value) for value in area.values()} == {int}


def test_peak_power_adds_up_by_part():
    assert WHOLE.peak_power_uw(10) == {
        "crossbar": 20480 // 4,
        "dac": 1280 * 2,
        "adc": 320 * 1 + 80 * 50 + 80 * 0,
        "registers": 10 * 40,
        "buffer": 6 * 300,
        "noc": 150,  # 0.75 * 200
        "global": 3 * 7,
    }


def test_leakage_of_a_tile_has_its_share_of_the_core():
    # 8 ADCs of 5, a register of 2, half a buffer of 8, a sixteenth of a router of 16
    assert WHOLE.tile_leakage_uw == 40 + 2 + 4 + 1
    assert WHOLE.chip_leakage_uw == 3 * 6


def test_no_tiles_leave_what_the_chip_shares():
    assert sum(WHOLE.area_um2(0).values()) == 3 * 5000


def test_area_and_power_of_a_chip_without_components_are_not_known():
    message = (
        r"Expected accelerator 'chip' to list its components, got none: its area and power are not "
        r"known\."
    )
    for add_up in (CHIP.area_um2, CHIP.peak_power_uw):
        with pytest.raises(PresetError, match=message):
            add_up(10)
    assert CHIP.tile_leakage_uw == CHIP.chip_leakage_uw == 0


def test_peak_power_needs_that_of_every_component():
    chip = replace(WHOLE, components=(ADC, replace(BUFFER, peak_power_uw=None)))
    message = r"to give the peak_power_uw of every component, got none for 'buffer'\."
    with pytest.raises(PresetError, match=message):
        chip.peak_power_uw(10)
    assert chip.area_um2(10) == {"adc": 80 * 100, "buffer": 6000}


@pytest.mark.parametrize(
    ("active_rows", "adc_bits", "energy_fj", "area_um2"),
    [
        (17, 6, 1200, 627),  # 17 * 3 = 51 codes still need 6 bits
        (21, 6, 1200, 627),
        (22, 7, 1420, 845),  # 66
        (64, 8, 1670, 1200),
        (3, 4, 790, 361),
    ],
)
def test_row_parallelism_takes_its_adc_along(active_rows, adc_bits, energy_fj, area_um2):
    # At 16 rows of 2-bit cells the ADC has 6 bits; its figures at 6 bits are 1200 fJ and 627 um2.
    energy = replace(WHOLE.energy, adc_conversion_fj=1200)
    adc = replace(ADC, area_um2=627, peak_power_uw=1200, leakage_uw=120)
    chip = replace(WHOLE, energy=energy, components=(adc, BUFFER))
    assert chip.adc_bits == 6
    changed = chip.with_active_rows(active_rows)
    assert (changed.active_rows, changed.adc_bits) == (active_rows, adc_bits)
    assert changed.energy.adc_conversion_fj == pytest.approx(energy_fj, rel=1e-12)
    assert changed.components[0].area_um2 == pytest.approx(area_um2, rel=1e-12)
    assert changed.components[0].peak_power_uw == pytest.approx(energy_fj, rel=1e-12)
    assert changed.components[0].leakage_uw == pytest.approx(energy_fj / 10, rel=1e-12)
    # All else stays.
    restored = replace(
        changed, active_rows=16, energy=energy, components=(adc, *changed.components[1:])
    )
    assert restored == chip


def test_row_parallelism_that_keeps_the_adc_needs_no_figures():
    chip = replace(WHOLE, cell_bits=1, active_rows=7)
    changed = chip.with_active_rows(5)
    assert (chip.adc_bits, changed.adc_bits) == (3, 3)
    assert (changed.energy, changed.components) == (chip.energy, chip.components)


def test_row_parallelism_makes_a_lossy_adc_lossless():
    chip = replace(WHOLE, adc_resolution_bits=5)
    assert chip.adc_is_lossy
    changed = chip.with_active_rows(16)
    assert (changed.adc_bits, changed.adc_is_lossy) == (6, False)
    assert changed.energy.adc_conversion_fj == pytest.approx(10 * 1200 / 990, rel=1e-12)


def test_row_parallelism_without_figures_is_refused():
    with pytest.raises(PresetError, match=r"Expected an ADC of 4 to 10 bits, got 2\. Give the ene"):
        WHOLE.with_active_rows(1)
    with pytest.raises(PresetError, match=r"to be at most its crossbar_rows \(64\), got 65\."):
        WHOLE.with_active_rows(65)


def test_changed_chips_lose_their_sources():
    sourced = replace(WHOLE, provenance={"tiles": Provenance("assumed", "a guess")})
    assert sourced.with_active_rows(17).provenance == {}
    assert sourced.scaled_to(22).provenance == {}


def test_scaling_moves_energies_powers_and_areas():
    # Four times the feature size: areas x 16, energies and powers x 8, times unchanged.
    chip = replace(WHOLE, technology_nm=16)
    scaled = chip.scaled_to(64)
    assert scaled.technology_nm == 64
    for event in EVENTS:
        assert getattr(scaled.energy, event) == 8 * getattr(chip.energy, event)
    for before, after in zip(chip.components, scaled.components, strict=True):
        assert after.area_um2 == 16 * before.area_um2
        assert after.peak_power_uw == 8 * before.peak_power_uw
        assert after.leakage_uw == 8 * before.leakage_uw
        sizes = {"area_um2": 0, "peak_power_uw": 0, "leakage_uw": 0}
        assert replace(before, **sizes) == replace(after, **sizes)
    restored = replace(scaled, technology_nm=16, energy=chip.energy, components=chip.components)
    assert restored == chip


def test_scaling_leaves_unknown_numbers_unknown():
    chip = replace(CHIP, technology_nm=32).scaled_to(22)
    assert (chip.energy, chip.components) == (None, ())
    adc = replace(ADC, peak_power_uw=None)
    scaled = replace(WHOLE, components=(adc,)).scaled_to(22)
    assert scaled.components[0].peak_power_uw is None


def test_chip_without_a_node_cannot_be_scaled():
    with pytest.raises(PresetError, match=r"nodes between 14 and 130 nm, got 0 nm\."):
        CHIP.scaled_to(22)
