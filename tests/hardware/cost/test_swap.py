"""Writing a network in, and when it pays."""

from dataclasses import replace

import pytest

from lrmp.errors import DesignError, PresetError
from lrmp.hardware import CostModel, Design, Layer, Network, load_network, load_preset
from lrmp.hardware.cost.swap import break_even, write_of

CHIP = load_preset("lrmp_frontiers_2024")
LENET = CostModel(load_network("lenet"), CHIP)


def test_a_write_by_hand():
    """LeNet's weights are 25 x 20, 500 x 50, 800 x 500 and 500 x 10: 430,500.

    In 8 cells of a bit each they are 3,444,000 cells of 4 pJ, 13,776 nJ. All 104 tiles are written
    at the same time, in the 10,752 cycles of one, 56 us at 192 MHz.
    """
    write = write_of(LENET, Design.plain(4))
    assert (write.tiles, write.cells) == (104, 3_444_000)
    assert write.cycles == 10_752
    assert write.time_s == pytest.approx(56e-6)
    assert write.energy_fj == 3_444_000 * 4000
    assert write.energy_j == pytest.approx(13.776e-6)


def test_copies_are_written_too():
    design = Design.of({"weight_bits": 8, "activation_bits": 8}, layers=4)
    twice = replace(design, replication=[1, 1, 1, 2])
    one, two = write_of(LENET, design), write_of(LENET, twice)
    assert two.cells - one.cells == 8 * 500 * 10
    assert two.tiles - one.tiles == 2 * 8  # 500 rows on crossbars of 256
    assert two.cycles == one.cycles


def test_power_may_allow_a_few_tiles_at_a_time():
    plain = Design.plain(4)
    assert write_of(LENET, plain, at_once=10).cycles == 11 * 10_752  # of 104
    assert write_of(LENET, plain, at_once=52).cycles == 2 * 10_752
    assert write_of(LENET, plain, at_once=104).cycles == 10_752


def test_products_of_activations_are_not_swapped():
    chip = load_preset("cim_aq_date_2026")
    chip = replace(chip, weight_loading="stationary")
    linear, matmul = Layer.linear("a", 64, 64), Layer.matmul("b", 64, 64, 10)
    with_product = CostModel(Network("n", (linear, matmul)), chip)
    without = CostModel(Network("n", (linear,)), chip)
    assert write_of(with_product, Design.plain(2)) == write_of(without, Design.plain(1))


def test_forty_executions_pay_a_write_of_cim_aq():
    """56 us a crossbar against 1.4 us an execution, in tenths of a microsecond."""
    assert break_even(560, 14, 0) == 40
    assert break_even(561, 14, 0) == 41


@pytest.mark.parametrize(
    ("write", "beside", "alone", "expected"),
    [
        (100, 30, 20, 10),  # 100 + 10 * 20 == 10 * 30
        (101, 30, 20, 11),
        (100, 20, 20, None),
        (100, 20, 30, None),
        (0, 20, 30, 0),
        (1, 10**30, 1, 1),
    ],
)
def test_break_even_by_hand(write, beside, alone, expected):
    found = break_even(write, beside, alone)
    assert found == expected
    if found:
        assert write + found * alone <= found * beside
        assert write + (found - 1) * alone > (found - 1) * beside


def test_what_cannot_be_is_refused():
    plain = Design.plain(4)
    unknown = CostModel(LENET.network, replace(CHIP, write_cycles=0))
    with pytest.raises(PresetError, match=r"time of a write is known, .* write_cycles of 0\. Take"):
        write_of(unknown, plain)
    in_turns = CostModel(
        LENET.network, replace(CHIP, weight_loading="time-multiplexed", tiles=1000)
    )
    with pytest.raises(PresetError, match="weights are stationary, got the time-multiplexed"):
        write_of(in_turns, plain)
    with pytest.raises(DesignError, match="at least 1 tile to be written at once, got 0"):
        write_of(LENET, plain, at_once=0)
    silent = CostModel(LENET.network, replace(CHIP, energy=None))
    write = write_of(silent, plain)
    assert write.energy_fj is None
    with pytest.raises(PresetError, match="gives the energy of its events, got none"):
        write.energy_j  # noqa: B018
