"""Weights in cells by hand, and closed forms of noise against draws of every cell."""

from dataclasses import replace
from math import exp, log, pi, sqrt

import numpy as np
import pytest

from lrmp.accuracy.model.cell_moments import (
    cell_moments,
    conversion_variance,
    flicker_deviation,
    input_digits,
    product_error,
    programming_deviation,
    weight_moments,
)
from lrmp.accuracy.model.weight_cells import WeightCells
from lrmp.hardware import load_preset
from lrmp.hardware.chip.cell_noise import DeviceNoise
from lrmp.hardware.chip.preset import load_noise, with_noise

OFFSET = load_preset("lrmp_frontiers_2024")  # 1-bit cells
PAIRS = load_preset("neurram_nature_2022")  # 4-bit cells in pairs of rows


def test_weights_in_cells_by_hand():
    # -5 + 8 = 3 = 0011, 7 + 8 = 15 = 1111, 0 + 8 = 1000: a cell per bit, the lowest first.
    cells = WeightCells.of(np.array([-5, 7, 0]), 4, OFFSET)
    assert cells.levels[:, 0].tolist() == [[1, 1, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1]]
    assert (cells.most, cells.scales, cells.signs, cells.shift) == (
        (1, 1, 1, 1),
        (1, 2, 4, 8),
        (1,),
        8,
    )
    # |-90| = 0x5A: 10 and 5 in the cells of the negative part, which have 4 and 3 bits.
    cells = WeightCells.of(np.array([-90, 127, 0]), 8, PAIRS)
    assert cells.levels.tolist() == [[[0, 15, 0], [10, 0, 0]], [[0, 7, 0], [5, 0, 0]]]
    assert (cells.most, cells.scales, cells.signs, cells.shift) == ((15, 7), (1, 16), (1, -1), 0)
    assert cells.fractions[:, 1, 0].tolist() == [10 / 15, 5 / 7]


@pytest.mark.parametrize("chip", ["lrmp_frontiers_2024", "neurram_nature_2022", "isaac_isca_2016"])
@pytest.mark.parametrize("bits", range(2, 9))
def test_cells_hold_every_weight(chip, bits):
    chip = load_preset(chip)
    weights = np.arange(1 - 2 ** (bits - 1), 2 ** (bits - 1))
    cells = WeightCells.of(weights, bits, chip)
    assert np.array_equal((cells.counts * cells.fractions).sum((0, 1)) - cells.shift, weights)
    assert (cells.levels <= np.reshape(cells.most, (-1, 1, 1))).all()
    assert len(cells.most) <= -(-bits // chip.cell_bits)  # no more columns than are paid


def test_statistics_of_a_cell_by_hand():
    # aihwkit's polynomial at x = 1/2: 0.26348 + 0.98250 - 0.293275 = 0.952705 uS of 25.
    noise, _ = load_noise("pcm_nandakumar_2019")
    half = np.array([0.5])
    assert programming_deviation(noise, half)[0] == pytest.approx(0.952705 / 25, rel=1e-12)
    # 0.0088 / 0.5 ** 0.65 = 0.013808, and sqrt(ln(20.00000025 / 5e-7)) = sqrt(17.5044).
    assert flicker_deviation(noise, half)[0] == pytest.approx(
        0.0088 / 0.5**0.65 * sqrt(log(20.00000025 / 5e-7)), rel=1e-9
    )
    # ReRAM at x = 1: 0.348 + 16.030 - 43.853 + 45.393 - 16.815 = 1.103 uS of 40.
    reram, _ = load_noise("rram_wan_2022_1_second")
    assert programming_deviation(reram, np.ones(1))[0] == pytest.approx(1.103 / 40, rel=1e-9)


def test_moments_of_a_cell_that_is_clipped_and_drifts():
    # A cell meant to be empty is half of a normal number: mean s / sqrt(2 pi), square s^2 / 2.
    noise = DeviceNoise(10.0, (1.0,))
    mean, variance, fresh = cell_moments(noise, np.zeros(1))
    assert mean[0] == fresh[0] == pytest.approx(0.1 / sqrt(2 * pi))
    assert variance[0] == pytest.approx(0.01 / 2 - 0.01 / (2 * pi))
    # A full cell that is programmed exactly and drifts with a sure exponent of 0.05 for 19 t_0.
    drift = replace(
        DeviceNoise(10.0, (0.0,)),
        drift_mean=(0.0, 0.05, 0.05, 0.05),
        drift_reference_s=2.0,
        elapsed_s=38.0,
    )
    mean, variance, fresh = cell_moments(drift, np.ones(1))
    assert (mean[0], fresh[0]) == (pytest.approx(20**-0.05), 1.0)
    assert variance[0] == pytest.approx(0.0, abs=1e-12)
    # Its exponent spread by 0.01 in the whole line, almost: E exp(-L nu) = exp(-L m + L^2 d^2 / 2).
    spread = replace(drift, drift_deviation=(0.0, 0.01, 0.01, 0.01))
    mean, _, _ = cell_moments(spread, np.ones(1))
    assert mean[0] == pytest.approx(exp(-0.05 * log(20) + (0.01 * log(20)) ** 2 / 2), rel=1e-6)


def test_moments_agree_with_draws():
    noise = replace(load_noise("pcm_nandakumar_2019")[0], elapsed_s=86400.0)
    rng, count = np.random.default_rng(0), 400_000
    for x in (0.0, 1 / 15, 0.4, 1.0):
        meant = np.full(count, x)
        drawn = np.maximum(
            0, meant + programming_deviation(noise, meant) * rng.standard_normal(count)
        )
        logarithm = log(max(x, 1e-7))
        mean = np.clip(-0.0155 * logarithm + 0.0244, 0.049, 0.1)
        spread = np.clip(-0.0125 * logarithm - 0.0059, 0.008, 0.045)
        exponents = np.abs(mean + spread * rng.standard_normal(count))
        drawn *= ((86400 + 20) / 20) ** -exponents
        flicker = min(0.0088 / max(x, 1e-7) ** 0.65, 0.2) * sqrt(log((86420 + 250e-9) / 500e-9))
        drawn *= np.maximum(0, 1 + flicker * rng.standard_normal(count))
        found_mean, found_variance, _ = cell_moments(noise, np.array([x]))
        assert drawn.mean() == pytest.approx(found_mean[0], rel=0.01)
        assert drawn.var() == pytest.approx(found_variance[0], rel=0.02)


def test_weights_without_noise_are_what_they_are():
    weights = np.arange(-7, 8)
    moments = weight_moments(weights, 4, PAIRS)
    assert np.array_equal(moments.mean, weights)
    assert not moments.variance.any()
    assert moments.read_variance == 0


def test_global_compensation_takes_a_common_loss_back():
    # All cells lose the same share: compensated weights are as meant, others are too small.
    drift = replace(
        DeviceNoise(10.0, (0.0,)),
        drift_mean=(0.0, 0.05, 0.05, 0.05),
        drift_reference_s=2.0,
        elapsed_s=38.0,
    )
    weights = np.arange(-7, 8)
    lost = weight_moments(weights, 4, replace(PAIRS, noise=drift))
    assert lost.mean == pytest.approx(weights * 20**-0.05)
    kept = replace(drift, drift_compensation="global")
    assert weight_moments(weights, 4, replace(PAIRS, noise=kept)).mean == pytest.approx(weights)


def test_digits_add_up_to_inputs():
    chip = replace(PAIRS, dac_bits=3)
    inputs = np.arange(-128, 128)
    digits = input_digits(inputs, 8, chip)
    assert digits.shape == (3, 256)
    assert np.array_equal(np.array([1, 8, 64]) @ digits, inputs)
    assert digits[:2].min() == 0
    assert digits[:2].max() == 7


def test_conversions_by_hand():
    # 300 weights in pairs of rows are 600 rows: 2 full crossbars of 256 rows at once and a rest, 3
    # conversions. Sums of 128 pairs go up to 128 * 15 levels in the cells of 4 bits and 128 * 7 in
    # those of 3; of the ADC's 10 bits one is the sign, so 511 codes cover them.
    weights = np.zeros((300, 2), np.int64)
    low, high = 128 * 15 / 511, 128 * 7 / 511
    expected = 3 * (low**2 + (16 * high) ** 2) / 12
    assert conversion_variance(weights, 8, PAIRS) == pytest.approx(expected)
    # An ADC that loses nothing adds a twelfth of a level only where there is noise to round.
    lossless = replace(PAIRS, adc_resolution_bits=0)
    assert conversion_variance(weights, 8, lossless) == 0
    noisy = with_noise(lossless, "rram_wan_2022_1_second")
    assert conversion_variance(weights, 8, noisy) == pytest.approx(3 * (1 + 16**2) / 12)


def test_error_falls_with_copies_but_bias_stays():
    rng = np.random.default_rng(0)
    weights, inputs = rng.integers(-7, 8, (40, 3)), rng.integers(0, 256, (5, 40))
    chip = with_noise(PAIRS, "pcm_nandakumar_2019", elapsed_s=3600.0)
    bias, deviation = product_error(weights, 4, inputs, 8, chip, 1)
    for copies in (2, 4, 8):
        again, less = product_error(weights, 4, inputs, 8, chip, copies)
        assert np.array_equal(again, bias)
        assert less == pytest.approx(deviation / sqrt(copies))
