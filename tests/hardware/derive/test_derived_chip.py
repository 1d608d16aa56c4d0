"""Chips whose energies, areas and leakage a component library models, against it called by hand."""

from importlib.metadata import version

import pytest

from lrmp.errors import PresetError
from lrmp.hardware import CostModel, Design, Layer, Network, load_preset
from lrmp.hardware.chip.model_ends import at_model_ends
from lrmp.hardware.chip.preset import chip_of_text
from lrmp.hardware.derive.derived_chip import derive_chip

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
NODE = 32e-9
LIKE = 'title = "any"\nlike = "lrmp_frontiers_2024"\n'


def derive(*tables, like="lrmp_frontiers_2024", parameters=""):
    text = "\n".join([f'like = "{like}"', parameters, *tables])
    return derive_chip("chip", text)


@pytest.fixture
def by_hand(library):
    """Return energy in fJ, area in um2 and leakage in uW of both models but CACTI's, by key."""

    def of(model, action, bits=1):
        energy = getattr(model, action)().energy * 1e15 / bits
        return energy, model.area * 1e12, model.leak_power * 1e6

    survey = library("ADC")(n_bits=4, tech_node=NODE, throughput=192e6)
    isaac = {
        name: library(f"Isaac{name}") for name in ("ADC", "DAC", "EDRAM", "Router", "ShiftAdd")
    }
    side_um = 48**0.5 * 0.032  # of a cell of 48 F2
    row = library("Wire")(length=256 * side_um * 1e-6, tech_node=NODE)
    column = library("Wire")(length=side_um * 1e-6, tech_node=NODE, voltage=0.2)
    ohm = 0.2**2 * (1 / 100e3 + 1 / 10e6) / 2 * 41.7e-9 * 1e15
    return {
        "adc_conversion_fj": (
            of(survey, "convert"),
            of(isaac["ADC"](tech_node=NODE, resolution=4), "convert"),
        ),
        "row_drive_fj": (
            of(isaac["DAC"](tech_node=NODE, resolution=1), "convert"),
            (row.read().energy * 1e15, None, None),
        ),
        "cell_read_fj": (
            (ohm + column.read().energy * 1e15, 48 * 0.032**2, 0),
            (0.3e-3 * 100e-9 / 16_384 * 1e15, 25 / 16_384, 0),  # ISAAC, Table 1, at its own node
        ),
        "input_register_fj": (of(library("AladdinRegister")(tech_node=NODE, width=256), "read"),),
        "shift_add_fj": (
            of(isaac["ShiftAdd"](tech_node=NODE, width=16), "shift_add"),
            of(library("AladdinAdder")(tech_node=NODE, width=16), "add"),
        ),
        "buffer_fj_per_bit": (
            of(isaac["EDRAM"](tech_node=NODE, width=256, size=64 * 8192), "read", 256),
        ),
        "noc_fj_per_bit_hop": (of(isaac["Router"](tech_node=NODE, width=256), "transfer", 256),),
    }


COMPONENTS = {
    "adc_conversion_fj": "adc",
    "row_drive_fj": "dac",
    "cell_read_fj": "cells",
    "input_register_fj": "input_register",
    "shift_add_fj": "shift_add",
    "buffer_fj_per_bit": "buffer",
    "noc_fj_per_bit_hop": "router",
}


def test_numbers_are_those_of_the_library(by_hand, specification):
    chip = derive_chip("chip", specification).chip
    components = {component.name: component for component in chip.components}
    for key, estimates in by_hand.items():
        energy, area, leakage = estimates[0]
        component = components[COMPONENTS[key]]
        assert getattr(chip.energy, key) == pytest.approx(energy, rel=1e-5), key
        assert component.area_um2 == pytest.approx(area, rel=1e-5), key
        assert component.leakage_uw == pytest.approx(leakage, rel=1e-5, abs=1e-12), key
        origin = chip.provenance[f"energy.{key}"]
        assert origin.status == chip.provenance[f"components.{component.name}"].status == "modelled"
        if len(estimates) == 2:
            ends = sorted((energy, estimates[1][0]))
            assert origin.ranges["value"] == pytest.approx(ends, rel=1e-5), key
    # ISAAC's tables by hand: 2 mW / 1.2 GS/s for 8 bits, halved for every bit; 170 um2 / 1024.
    assert chip.provenance["energy.adc_conversion_fj"].ranges["value"][0] == pytest.approx(
        2e-3 / 1.2e9 / 16 * 1e15, rel=1e-5
    )
    assert components["dac"].area_um2 == pytest.approx(170 / 1024, rel=1e-5)
    assert chip.energy.buffer_fj_per_bit == pytest.approx(20_450 / 256, rel=1e-5)
    assert chip.energy.noc_fj_per_bit_hop == pytest.approx(20_740 / 256, rel=1e-5)


def test_second_values_of_memories_are_cactis(cacti, specification):
    chip = derive_chip("chip", specification).chip
    register, buffer = cacti(256, 256), cacti(256, 64 * 8192)
    for key, component, memory, bits in (
        ("input_register_fj", "input_register", register, 1),
        ("buffer_fj_per_bit", "buffer", buffer, 256),
    ):
        ends = chip.provenance[f"energy.{key}"].ranges["value"]
        assert min(ends, key=lambda end: abs(end - getattr(chip.energy, key))) in ends
        assert memory.read().energy * 1e15 / bits == pytest.approx(
            next(end for end in ends if end != getattr(chip.energy, key)), rel=1e-5
        )
        ranges = chip.provenance[f"components.{component}"].ranges
        assert memory.area * 1e12 == pytest.approx(
            ranges["area_um2"][component == "buffer"], rel=1e-5
        )
        assert ranges["leakage_uw"] == pytest.approx((0, memory.leak_power * 1e6), rel=1e-5)


def test_energy_of_a_layer_by_hand(library, specification):
    # K = 10 rows, M = 5 columns and P = 6 positions with w = 6 and a = 5 bits: 6 slices of a bit on
    # tiles of their own, 5 input steps, so P * t = 30; 9 rows at once, so 2 conversions per column.
    chip = derive_chip("chip", specification).chip
    layer = Layer("one", "conv2d", rows=10, columns=5, positions=6, input_elements=35)
    model = CostModel(Network("one", (layer,)), chip)
    report = model.evaluate(Design.of({"weight_bits": 6, "activation_bits": 5}, [1]))
    found, fj = report.energy_breakdown_fj, chip.energy
    assert found["adc"] == round(30 * 30 * 2 * fj.adc_conversion_fj) == round(1800 * 738.999)
    assert found["cells"] == round(30 * 6 * 5 * 10 * fj.cell_read_fj)
    assert found["row_drive"] == round(30 * 6 * 10 * 416.67)
    assert found["shift_add"] == 1800 * 21
    # The output register, 200 fJ per column and position, is LRMP's own.
    assert found["registers"] == round(30 * 6 * fj.input_register_fj + 6 * 30 * 200)
    # 60 inputs of 5 bits are read, the 35 distinct ones written, and carried over 11 hops: a mesh
    # of 16 x 16 holds 237 cores.
    buffer = [round(bits * 79.8828) for bits in (60 * 5, 35 * 5)]
    assert found["buffer"] == sum(buffer)
    assert found["noc"] == round(35 * 5 * 11 * 81.0156)


def test_what_is_not_derived_is_inherited(library):
    derived = derive("[derive.noc]")
    chip, preset = derived.chip, load_preset("lrmp_frontiers_2024")
    modelled = {key for key, each in chip.provenance.items() if each.status == "modelled"}
    assert modelled == {"energy.noc_fj_per_bit_hop", "components.router"}
    assert chip.energy.adc_conversion_fj == preset.energy.adc_conversion_fj
    assert chip.parameters == preset.parameters
    assert chip.provenance["energy.adc_conversion_fj"].status == "assumed"
    router = next(c for c in chip.components if c.name == "router")
    assert (router.per, router.count, router.area_um2) == ("core", 0.25, 150_000)
    assert chip_of_text("chip", derived.text) == chip
    assert chip_of_text("chip", derived.text).provenance == chip.provenance


def test_the_source_says_what_was_called(library):
    chip = derive("[derive.adc]\nbits = 6\nrate_msps = 400").chip
    source = chip.provenance["energy.adc_conversion_fj"].source
    assert source.startswith(
        f"hwcomponents-adc {version('hwcomponents-adc')}, ADC(n_bits=6, tech_node=3.2e-08, "
        "throughput=400000000.0): convert; second model: hwcomponents-library "
        f"{version('hwcomponents-library')}, IsaacADC(tech_node=3.2e-08, resolution=6): convert, "
    )


def test_models_are_chosen(library):
    first = derive("[derive.adc]").chip.energy.adc_conversion_fj
    isaac = derive('[derive.adc]\nmodel = "isaac"').chip
    assert isaac.energy.adc_conversion_fj == pytest.approx(104.167)
    ends = isaac.provenance["energy.adc_conversion_fj"].ranges["value"]
    assert ends == (isaac.energy.adc_conversion_fj, first)
    forms = derive('[derive.adc]\nmodel = "isaac"\nsecond = "forms"').chip
    assert forms.provenance["energy.adc_conversion_fj"].ranges["value"] == (104.167, 226.19)


def test_a_node_of_its_own(library):
    node = '[parameters]\ntechnology_nm = {value = 45, status = "assumed", source = "mine"}'
    chip = derive("[derive.adc]", parameters=node).chip
    adc = library("ADC")(n_bits=4, tech_node=45e-9, throughput=192e6)
    assert chip.energy.adc_conversion_fj == pytest.approx(adc.convert().energy * 1e15, rel=1e-5)
    scaled = load_preset("lrmp_frontiers_2024").scaled_to(45).energy
    assert chip.energy.row_drive_fj == scaled.row_drive_fj


def test_one_component_stands_for_all_of_its_part(library):
    chip = derive("[derive.adc]", like="isaac_isca_2016").chip
    counts = {c.name: c.count for c in chip.components if c.part == "adc"}
    assert counts == {"adc": 1, "sample_hold": 0}
    assert "components.adc" in chip.provenance["components.sample_hold"].source


def test_where_cacti_knows_nothing_there_is_no_second_value(library):
    node = '[parameters]\ntechnology_nm = {value = 130, status = "assumed", source = "mine"}'
    derived = derive("[derive.buffer]\nsize_kib = 64", parameters=node)
    assert derived.notes == (
        "[derive.buffer] has no second value: CACTI knows nodes of 22 to 90 nm",
    )
    origin = derived.chip.provenance["energy.buffer_fj_per_bit"]
    assert origin.ranges == {}
    assert origin.source.endswith("; no second value, as cacti does not run")
    with pytest.raises(PresetError, match=r"Expected model 'cacti' of \[derive\.buffer\] to run"):
        derive('[derive.buffer]\nsize_kib = 64\nmodel = "cacti"', parameters=node)


def test_a_chip_without_a_preset(library):
    """Its own [energy] gives what is not derived, and is asked for the rest."""
    preset = load_preset("lrmp_frontiers_2024")
    number = '{{value = {}, status = "assumed", source = "mine"}}'
    lines = ["[parameters]"]
    for key in list(preset.parameters)[:-10]:
        value = getattr(preset, key)
        if value != ():
            text = f'"{value}"' if isinstance(value, str) else value
            lines.append(f"{key} = {number.format(text)}")
    parameters = "\n".join(lines)
    with pytest.raises(PresetError, match=r"Expected \[energy\] of preset 'chip' .* missing\."):
        derive_chip("chip", f"{parameters}\n[derive.adc]")
    keys = [key for key in preset.to_json()["energy"] if key != "adc_conversion_fj"]
    energy = "\n".join(["[energy]", *(f"{key} = {number.format(7)}" for key in keys)])
    chip = derive_chip("chip", f"{parameters}\n{energy}\n[derive.adc]").chip
    assert chip.energy.adc_conversion_fj == pytest.approx(738.999)
    assert chip.energy.cell_read_fj == 7
    assert [c.name for c in chip.components] == ["adc"]


def test_the_ends_of_all_ranges(library, specification):
    chip = derive_chip("chip", specification).chip
    least, greatest = at_model_ends(chip)
    assert (least.energy.adc_conversion_fj, greatest.energy.adc_conversion_fj) == (104.167, 738.999)
    adcs = [next(c for c in each.components if c.name == "adc") for each in (least, greatest)]
    assert [adc.area_um2 for adc in adcs] == [75, 3683.79]
    assert [adc.leakage_uw for adc in adcs] == [0, 35.472]
