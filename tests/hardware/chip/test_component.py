import re
from dataclasses import fields, replace
from itertools import product

import pytest

from lrmp.errors import PresetError
from lrmp.hardware import Component, EventEnergies
from lrmp.hardware.chip.event_energies import EVENTS

EDRAM = Component("edram", "buffer", "core", count=2, area_um2=83_000)
ENERGIES = EventEnergies(*range(len(EVENTS)))
NO_AMOUNTS = [-1, -0.5, float("nan"), float("inf"), -float("inf"), 2**63, "1", None, True, [1]]


def test_unpublished_power_and_leakage():
    assert (EDRAM.peak_power_uw, EDRAM.leakage_uw) == (None, 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *product(["count", "area_um2", "leakage_uw"], NO_AMOUNTS),
        *(("peak_power_uw", value) for value in NO_AMOUNTS if value is not None),
    ],
    ids=str,
)
def test_component_amounts_must_be_finite_and_not_negative(field, value):
    message = f"Expected {field} of component 'edram' to be a finite number >= 0, got {value!r}."
    with pytest.raises(PresetError, match=re.escape(message)):
        replace(EDRAM, **{field: value})


@pytest.mark.parametrize(
    ("field", "value", "known"),
    [
        (
            "part",
            "edram",
            "crossbar, adc, dac, registers, shift_add, buffer, bus, noc, vector, con",
        ),
        ("part", None, "crossbar, adc"),
        ("per", "chips", "cell, row, column, adc, tile, core, chip"),
    ],
)
def test_component_names_must_be_known(field, value, known):
    message = f"Expected {field} of component 'edram' to be one of {known}"
    with pytest.raises(PresetError, match=re.escape(message) + rf".*; got {value!r}\."):
        replace(EDRAM, **{field: value})


def test_every_event_is_listed():
    assert tuple(field.name for field in fields(EventEnergies)) == EVENTS
    assert [getattr(ENERGIES, event) for event in EVENTS] == list(range(len(EVENTS)))
    # The unit is part of every name.
    assert all(re.search("_fj($|_per_bit)", event) for event in EVENTS)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("value", NO_AMOUNTS, ids=str)
def test_energies_must_be_finite_and_not_negative(event, value):
    message = f"Expected energy {event} to be a finite number >= 0, got {value!r}."
    with pytest.raises(PresetError, match=re.escape(message)):
        replace(ENERGIES, **{event: value})


@pytest.mark.parametrize("value", [0, 0.0, 1e-30, 1.83, 10**15])
def test_amounts_may_be_zero_small_and_large(value):
    assert replace(ENERGIES, adc_conversion_fj=value).adc_conversion_fj == value
    assert replace(EDRAM, area_um2=value).area_um2 == value
