from dataclasses import replace

import pytest

from lrmp.hardware import CostModel, Design, load_network, load_preset, read_preset
from lrmp.hardware.chip.model_ends import at_model_ends

LRMP = load_preset("lrmp_frontiers_2024")


def component(chip, name):
    return next(c for c in chip.components if c.name == name)


def test_all_ranges_are_taken_at_once():
    least, greatest = at_model_ends(LRMP)
    assert (least.energy.adc_conversion_fj, greatest.energy.adc_conversion_fj) == (104, 790)
    assert (least.energy.row_drive_fj, greatest.energy.row_drive_fj) == (5.56, 417)
    assert least.energy.bus_fj_per_bit == greatest.energy.bus_fj_per_bit == 54
    assert component(least, "adc").area_um2 == 75
    assert component(greatest, "adc").leakage_uw == 35.5
    assert component(greatest, "dac") == component(LRMP, "dac")


def test_a_chip_without_ranges_has_no_ends():
    assert at_model_ends(replace(LRMP, provenance={})) is None
    assert at_model_ends(load_preset("isaac_isca_2016")) is None


def test_a_number_that_was_moved_out_of_its_range_stays():
    chip = replace(LRMP, energy=replace(LRMP.energy, adc_conversion_fj=2000))
    assert [each.energy.adc_conversion_fj for each in at_model_ends(chip)] == [2000, 2000]
    assert [each.energy.row_drive_fj for each in at_model_ends(chip)] == [5.56, 417]


def test_ranges_are_inherited_at_the_same_node_alone(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('like = "lrmp_frontiers_2024"\n')
    assert at_model_ends(read_preset(path))[0].energy == at_model_ends(LRMP)[0].energy
    node = '[parameters]\ntechnology_nm = {value = 45, status = "assumed", source = "mine"}\n'
    path.write_text('like = "lrmp_frontiers_2024"\n' + node)
    assert at_model_ends(read_preset(path)) is None


def test_gains_are_robust_and_energies_are_not():
    """ResNet-18 at 8/8 and at 4/4 bits, by what an ADC takes: 790 fJ or 104 fJ."""
    network = load_network("resnet18")
    energies = {}
    for conversion_fj in (790, 104):
        energy = replace(LRMP.energy, adc_conversion_fj=conversion_fj)
        model = CostModel(network, replace(LRMP, energy=energy))
        for bits in (8, 4):
            design = Design.of({"weight_bits": bits, "activation_bits": bits}, [1] * 21)
            energies[conversion_fj, bits] = model.evaluate(design).energy_j
    assert energies[790, 8] == pytest.approx(15.71e-3, rel=1e-3)
    assert energies[104, 8] == pytest.approx(6.637e-3, rel=1e-3)
    gains = [energies[each, 8] / energies[each, 4] for each in (790, 104)]
    assert gains == pytest.approx([3.90, 3.77], abs=5e-3)
