import pytest

from lrmp.errors import PresetError
from lrmp.hardware.chip.adc import flash_area_ratio, sar_ratio
from lrmp.hardware.chip.technology import area_ratio, energy_ratio


def test_areas_follow_the_square_of_the_node():
    assert area_ratio(32, 64) == 4
    assert area_ratio(64, 32) == 0.25
    assert area_ratio(45, 45) == 1


def test_energies_follow_the_node_to_the_power_of_one_and_a_half():
    assert energy_ratio(16, 64) == 8
    assert energy_ratio(64, 16) == 0.125


def test_scaling_is_near_neurosim_from_22_to_32_nm():
    # NeuroSim V1.3, the same chip at both nodes: area x 2.17, its flash ADC x 2.12, energy x 1.76.
    assert area_ratio(22, 32) == pytest.approx(2.17, rel=0.03)
    assert area_ratio(22, 32) == pytest.approx(2.12, rel=0.01)
    assert energy_ratio(22, 32) == pytest.approx(1.76, rel=0.01)


@pytest.mark.parametrize("ratio", [area_ratio, energy_ratio])
@pytest.mark.parametrize("node", [0, 13, 131, -32])
def test_nodes_outside_the_checked_range_are_refused(ratio, node):
    message = rf"Expected technology nodes between 14 and 130 nm, got {node} nm\. Take numbers publ"
    for nodes in ((node, 32), (32, node)):
        with pytest.raises(PresetError, match=message):
            ratio(*nodes)
    assert ratio(14, 130) > 1


def test_adc_figures_are_those_of_isaac_at_eight_bits():
    # ISAAC, ISCA 2016: 2 mW per ADC of 1.2 GS/s, 1.67 pJ; 0.0096 mm2 for 8 of them.
    energy, area = sar_ratio(8, 4)
    assert energy * 1670 == pytest.approx(790)
    assert area * 1200 == pytest.approx(361)


def test_adc_ratios_are_consistent():
    assert sar_ratio(6, 6) == (1, 1)
    there, back = sar_ratio(5, 9), sar_ratio(9, 5)
    assert [a * b for a, b in zip(there, back, strict=True)] == pytest.approx([1, 1])
    for bits in range(4, 10):
        assert min(sar_ratio(bits, bits + 1)) > 1


@pytest.mark.parametrize("bits", [0, 3, 11])
def test_adc_resolutions_without_figures_are_refused(bits):
    message = (
        rf"Expected an ADC of 4 to 10 bits, got {bits}\. Give the energy and area of other "
        r"resolutions in a preset of your own\."
    )
    for pair in ((bits, 8), (8, bits)):
        with pytest.raises(PresetError, match=message):
            sar_ratio(*pair)


def test_flash_adc_has_a_comparator_per_level():
    # NeuroSim's flash ADC, 5 and 4 bits: 31 / 15 comparators, area x 2.07.
    assert flash_area_ratio(4, 5) == 31 / 15
    assert flash_area_ratio(4, 5) == pytest.approx(2.07, rel=0.01)
    assert flash_area_ratio(8, 1) == 1 / 255
