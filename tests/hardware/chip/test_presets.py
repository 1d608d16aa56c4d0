from dataclasses import MISSING, fields
from importlib import resources
from typing import get_args

import pytest

from lrmp.errors import PresetError
from lrmp.hardware import (
    Accelerator,
    CostModel,
    list_presets,
    load_network,
    load_preset,
    read_preset,
)
from lrmp.hardware.chip.accelerator import PARAMETERS, RARE
from lrmp.hardware.chip.event_energies import EVENTS
from lrmp.hardware.chip.preset import preset_title
from lrmp.hardware.chip.provenance import Status


def test_lrmp_is_shipped():
    assert "lrmp_frontiers_2024" in list_presets()
    assert list_presets() == sorted(list_presets())


_DEFAULTS = {f.name: f.default for f in fields(Accelerator) if f.default is not MISSING}


@pytest.mark.parametrize("name", list_presets())
def test_every_number_has_a_source_and_a_status(name):
    chip = load_preset(name)
    assert chip.name == name
    assert set(chip.parameters) == set(PARAMETERS)
    energies = {f"energy.{event}" for event in EVENTS} if chip.energy else set()
    components = {f"components.{component.name}" for component in chip.components}
    given = set(PARAMETERS) - (set(RARE) - set(chip.provenance))  # most chips have no use for them
    assert set(chip.provenance) == given | energies | components
    assert all(getattr(chip, key) == _DEFAULTS[key] for key in set(PARAMETERS) - given)
    for provenance in chip.provenance.values():
        assert provenance.status in get_args(Status)
        assert provenance.source.strip()


@pytest.mark.parametrize("name", list_presets())
def test_every_preset_has_a_title_of_one_line(name):
    title = preset_title(name)
    assert title.strip() == title != ""
    assert "\n" not in title


def test_title_of_an_unknown_preset_is_refused():
    with pytest.raises(PresetError, match=r"Did you mean 'lrmp_frontiers_2024'\?"):
        preset_title("lrmp_frontiers")


@pytest.mark.parametrize("name", list_presets())
def test_every_preset_costs_a_network(name):
    model = CostModel(load_network("digits_cnn"), load_preset(name))
    report = model.baseline
    assert sum(report.cycle_breakdown.values()) == report.latency_cycles > 0
    if model.accelerator.energy:
        assert min(report.energy_breakdown_fj.values()) >= 0
        assert sum(report.energy_breakdown_fj.values()) == report.energy_fj > 0


@pytest.mark.parametrize("name", list_presets())
def test_presets_read_the_same_from_a_file(name):
    with resources.as_file(resources.files("lrmp.hardware.presets") / f"{name}.toml") as path:
        assert read_preset(path) == load_preset(name)


def test_the_same_name_gives_the_same_object():
    assert load_preset("lrmp_frontiers_2024") is load_preset("lrmp_frontiers_2024")


def test_lrmp_chip():
    known = {
        "crossbar_rows": 256,
        "crossbar_columns": 256,
        "cell_bits": 1,
        "dac_bits": 1,
        "active_rows": 9,
        "columns_per_adc": 8,
        "clock_mhz": 192,
        "output_elements_per_cycle": 1,
        "tiles": 5688,
    }
    assert known.items() <= load_preset("lrmp_frontiers_2024").parameters.items()


def test_lrmp_adc_resolution_is_derived_as_published():
    # 9 one-bit cells under one-bit inputs sum to 0..9: ten codes, ceil(log2 10) = 4 bits.
    assert load_preset("lrmp_frontiers_2024").adc_bits == 4


def test_lrmp_calibrates_nothing_but_the_output_path():
    provenance = load_preset("lrmp_frontiers_2024").provenance
    calibrated = [key for key, entry in provenance.items() if entry.status == "calibrated"]
    assert calibrated == ["output_elements_per_cycle", "output_path"]


def test_unknown_preset_names_the_nearest():
    message = (
        r"Expected preset to be one of .*; got 'lrmp_2024'\. Did you mean 'lrmp_frontiers_2024'"
    )
    with pytest.raises(PresetError, match=message):
        load_preset("lrmp_2024")
