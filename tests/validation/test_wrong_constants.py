"""A wrong constant must make the validation fail: otherwise the cases would show nothing."""

from dataclasses import replace

import pytest

from lrmp.baselines.validation import chips, reconstruction, run_case, simulators
from lrmp.hardware import load_preset


def with_component(chip, name, **changes):
    components = tuple(replace(c, **changes) if c.name == name else c for c in chip.components)
    assert components != chip.components
    return replace(chip, components=components)


def with_energy(chip, **changes):
    return replace(chip, energy=replace(chip.energy, **changes))


CIM_AQ = load_preset("cim_aq_date_2026")
HERMES = load_preset("hermes_2023")
ISAAC = load_preset("isaac_isca_2016")
LRMP = load_preset("lrmp_frontiers_2024")
NEUROSIM = load_preset("neurosim_v1_3_22nm")
NEUROSIM_32 = load_preset("neurosim_v1_3_32nm")
NEURRAM = load_preset("neurram_nature_2022")
PIMCOMP = load_preset("pimcomp_2023")
PUMA = load_preset("puma_asplos_2019")

WRONG = {
    "V1: slower multiplication": (simulators.cim_aq_vgg16, replace(CIM_AQ, read_cycles=14)),
    "V1: slower writes": (simulators.cim_aq_vgg16, replace(CIM_AQ, write_cycles=561)),
    "V2: separate slices": (
        simulators.cim_aq_baselines,
        replace(CIM_AQ, slice_placement="separate"),
    ),
    "V2: offset weights": (simulators.cim_aq_baselines, replace(CIM_AQ, weight_encoding="offset")),
    "V2: free writes": (simulators.cim_aq_baselines, replace(CIM_AQ, write_cycles=0)),
    "V3: packed slices": (reconstruction.tile_counts, replace(LRMP, slice_placement="packed")),
    "V3: a reference column": (reconstruction.tile_counts, replace(LRMP, reference_columns=1)),
    "V5: ADC of twice the power": (
        chips.isaac_roll_up,
        with_component(ISAAC, "adc", peak_power_uw=4000),
    ),
    "V5: ADC of twice the area": (chips.isaac_roll_up, with_component(ISAAC, "adc", area_um2=2400)),
    "V5: one bit per cell": (chips.isaac_roll_up, replace(ISAAC, cell_bits=1)),
    "V5: ADC of twice the energy": (
        chips.isaac_roll_up,
        with_energy(ISAAC, adc_conversion_fj=3127.0),
    ),
    "V6: a router per core": (chips.pimcomp_roll_up, with_component(PIMCOMP, "router", count=1)),
    "V6: a core less": (chips.pimcomp_roll_up, replace(PIMCOMP, tiles=2240)),
    "V10: faster cycle": (simulators.cifar_networks, replace(ISAAC, clock_mhz=60)),
    "V10: ADC of ten times the energy": (
        simulators.cifar_networks,
        with_energy(ISAAC, adc_conversion_fj=31270.0),
    ),
    "V11: slower read": (chips.hermes_chip, replace(HERMES, read_cycles=136)),
    "V11: dearer read": (chips.hermes_chip, with_energy(HERMES, tile_read_fj=14e6)),
    "NeuroSim: dearer conversion": (
        simulators.neurosim_runs,
        with_energy(NEUROSIM, adc_conversion_fj=56.0),
    ),
    "PUMA: ADC of twice the power": (
        chips.puma_efficiency,
        with_component(PUMA, "adc", peak_power_uw=4000),
    ),
    "PUMA: slower read": (chips.puma_efficiency, replace(PUMA, read_cycles=143)),
    "NeuRRAM: slower read": (chips.neurram_widths, replace(NEURRAM, read_cycles=298)),
    "NeuRRAM: dearer rows": (chips.neurram_widths, with_energy(NEURRAM, row_drive_fj=8000.0)),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_preset_fails_its_case(name):
    evaluate, chip = WRONG[name]
    assert any(case.holds is False for case in evaluate(chip))
    assert all(case.holds is not False for case in run_case(name.split(":")[0]))


@pytest.mark.parametrize("wrong", [NEUROSIM, NEUROSIM_32])
def test_cells_of_another_size_fail(wrong):
    chips_ = [
        with_component(chip, "cells", area_um2=components_area(chip) * 1.01)
        if chip is wrong
        else chip
        for chip in (NEUROSIM, NEUROSIM_32)
    ]
    (case,) = simulators.cell_areas(*chips_)
    assert case.holds is False


def components_area(chip):
    (cells,) = (component for component in chip.components if component.name == "cells")
    return cells.area_um2


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("V8", (2.12, (32 / 22) ** 3, 2.12)),
        ("V8", (32 / 22, 1.75, 2.12)),
        ("V9", (2**5 / 2**4,)),
        ("V9", (5 / 4,)),
        ("LRMP", (2.06, 2.5, 3.0, 4.0)),
        ("LRMP", (17.0, 18.5, 17.0, 17.0)),
    ],
)
def test_other_laws_fail(name, model):
    tested = [case for case in run_case(name) if case.tested]
    assert any(replace(case, model=model).holds is False for case in tested)
