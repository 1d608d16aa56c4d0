"""The knobs of the whole chip: what follows from them, by hand."""

import numpy as np
import pytest

from lrmp.errors import DesignError
from lrmp.hardware import CostModel, load_network, load_preset
from lrmp.hardware.families.chip import (
    AREA_PARTS,
    CHIP_SPACE,
    area_um2,
    build_chip,
    chip_name,
    most_tiles,
)

LRMP = load_preset("lrmp_frontiers_2024")


def setting_of(side, cell, rows, columns, area=AREA_PARTS):
    values = (side, cell, rows, columns, area)
    (setting,) = CHIP_SPACE.encode(dict(zip(CHIP_SPACE.names, values, strict=True)), [""])
    return setting


def test_the_plain_setting_is_lrmps_chip_number_by_number():
    assert build_chip(CHIP_SPACE.plain).definition == LRMP.definition


def test_every_setting_is_a_chip_whose_adc_loses_nothing():
    for setting in CHIP_SPACE.settings:
        chip = build_chip(setting)
        assert not chip.adc_is_lossy
        assert 4 <= chip.adc_bits <= 10
        assert chip.noc_hops == LRMP.noc_hops


def test_cost_by_hand():
    """LeNet on 64 x 64 cells of 2 bits, 32 rows at once, 32 columns per ADC."""
    chip = build_chip(setting_of(64, 2, 32, 32))
    assert chip.adc_bits == 7  # 32 rows of up to 3: sums to 96
    report = CostModel(load_network("lenet"), chip).baseline
    # conv1 25 x 20, conv2 500 x 50, fc1 800 x 500, fc2 500 x 10; 4 slices of 8 bits.
    assert report.layer_tiles.tolist() == [1 * 1 * 4, 8 * 1 * 4, 13 * 8 * 4, 8 * 1 * 4]
    # Positions x 8 input bits x row groups x columns in turn, and an output element per cycle.
    assert report.layer_cycles.tolist() == [
        576 * 8 * 1 * 32 + 576 * 20,
        64 * 8 * 2 * 32 + 64 * 50,
        8 * 2 * 32 + 500,
        8 * 2 * 32 + 10,
    ]
    adc, _, row_drive, _, registers = report.component_energy_fj[:5, 2].tolist()
    # 12 row tiles of 2 row groups and one of 1, for 500 columns in 4 slices; 1420 fJ at 7 bits.
    assert adc == 8 * 500 * 4 * (12 * 2 + 1) * 1420
    assert row_drive == 8 * 800 * 8 * 4 * 417
    # Input registers of a quarter of the rows; output registers of every column and row tile.
    assert registers == 8 * 416 * 4700 // 4 + 500 * 4 * 13 * 200


def test_area_by_hand():
    """A hundred tiles of that chip: less than a core of 384."""
    chip = build_chip(setting_of(64, 2, 32, 32))
    area = chip.area_um2(100)
    assert chip.tiles_per_core == 24 * 16
    assert area["adc"] == 100 * 2 * 845
    assert area["shift_add"] == 100 * 2 * 60
    assert area["registers"] == 100 * 2 * 1900 // 4
    assert area["crossbar"] == round(100 * 64 * 64 * 48 * 0.032**2)
    assert (area["buffer"], area["bus"], area["global"]) == (83_000, 90_000, 2_420_000)
    assert area_um2(chip, 100) == sum(area.values())


@pytest.mark.parametrize("setting", [(256, 1, 9, 8), (64, 4, 64, 4), (128, 2, 16, 32)])
def test_an_area_holds_as_many_tiles_as_fit(setting):
    chip = build_chip(setting_of(*setting))
    for budget in (5_000_000, 11_444_208, 52_805_161):
        tiles = most_tiles(chip, budget)
        assert area_um2(chip, tiles) <= budget < area_um2(chip, tiles + 1)


def test_what_cannot_be_built_is_refused():
    chip = build_chip(CHIP_SPACE.plain)
    with pytest.raises(DesignError, match=r"Expected an area that holds a tile of .* got 1,000\."):
        most_tiles(chip, 1000)
    with pytest.raises(DesignError, match="Expected"):
        build_chip(np.array([3, 0, 0, 0, 0]))


def test_names_tell_chips_apart():
    names = {chip_name(setting) for setting in CHIP_SPACE.settings}
    assert len(names) == len(CHIP_SPACE.settings)
    assert chip_name(CHIP_SPACE.plain) == "side256-cell1-rows9-adc8-area8"
