"""Closed forms of device noise: means and deviations of cells, weights and products.

They stand for draws of every cell where those take too long. A product sums hundreds of
independent errors, so a normal number with these moments is as good.
"""

from dataclasses import dataclass
from math import erfc, exp, log, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.weight_cells import WeightCells
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.cell_noise import DeviceNoise
from lrmp.hardware.frozen_arrays import IntArray

Floats = NDArray[np.float64]
_TINY = 1e-7  # of the largest conductance, below which logarithms and powers stop


def programming_deviation(noise: DeviceNoise, fractions: Floats) -> Floats:
    """Evaluate the noise of programming, and of what cells have moved since.

    Args:
        noise: Statistics of the cells.
        fractions: Meant conductances, of the largest one, any shape.

    Returns:
        Standard deviations before clipping at 0, of the largest conductance; same shape.
    """
    polynomial = np.polynomial.Polynomial(noise.programming_microsiemens)(fractions)
    both = np.hypot(np.maximum(polynomial, 0.0), noise.relaxation_microsiemens)
    return np.asarray(both / noise.max_conductance_microsiemens)


def drift_exponents(noise: DeviceNoise, fractions: Floats) -> tuple[Floats, Floats]:
    """Evaluate the ramps of the drift.

    Args:
        noise: Statistics of the cells.
        fractions: Meant conductances, of the largest one, any shape.

    Returns:
        Mean and deviation of the exponent before its sign is dropped; same shape.
    """
    logarithm = np.log(np.maximum(fractions, _TINY))
    mean, deviation = (
        np.clip(ramp[0] * logarithm + ramp[1], ramp[2], ramp[3])
        for ramp in (noise.drift_mean, noise.drift_deviation)
    )
    return mean, deviation


def drift_logarithm(noise: DeviceNoise) -> float:
    """Return ``ln((t + t_0) / t_0)``, which exponents of the drift are multiplied by.

    Args:
        noise: Statistics of the cells.

    Returns:
        0 where nothing drifts.
    """
    return log(1 + noise.elapsed_s / noise.drift_reference_s) if noise.drifts else 0.0


def flicker_deviation(noise: DeviceNoise, fractions: Floats) -> Floats:
    """Return the deviation of the flicker.

    Args:
        noise: Statistics of the cells.
        fractions: Meant conductances, of the largest one, any shape.

    Returns:
        Relative to the conductance, same shape.
    """
    if not noise.flicker_scale:
        return np.zeros_like(fractions)
    share = noise.flicker_scale / np.maximum(fractions, _TINY) ** noise.flicker_exponent
    age = noise.elapsed_s + noise.drift_reference_s + noise.read_time_s
    growth = sqrt(max(0.0, log(age / (2 * noise.read_time_s))))
    return np.asarray(np.minimum(share, noise.flicker_most) * growth)


def cell_moments(noise: DeviceNoise, fractions: Floats) -> tuple[Floats, Floats, Floats]:
    """Find what cells hold on average, at the time of the inference.

    The conductance is a product of three independent numbers, whose moments multiply: a normal
    number clipped at 0 (programming), ``exp(-|nu| ln((t + t_0) / t_0))`` with a normal nu (drift),
    and a normal number of mean 1 clipped at 0 (flicker).

    Args:
        noise: Statistics of the cells.
        fractions: Meant conductances, of the largest one, any shape.

    Returns:
        Mean and variance at the inference, and the mean right after programming; of the largest
        conductance and its square, same shape.
    """
    levels, place = np.unique(fractions, return_inverse=True)
    ones = np.ones_like(levels)
    programmed = _clipped(levels, programming_deviation(noise, levels))
    flickering = _clipped(ones, flicker_deviation(noise, levels))
    exponent, spread = drift_exponents(noise, levels)
    time = drift_logarithm(noise)
    drifted = tuple(_shrunk(exponent, spread, power * time) for power in (1, 2))
    mean = programmed[0] * drifted[0] * flickering[0]
    variance = programmed[1] * drifted[1] * flickering[1] - mean**2
    at = place.reshape(np.shape(fractions))
    return mean[at], np.maximum(variance, 0.0)[at], programmed[0][at]


@dataclass(frozen=True, eq=False)
class WeightMoments:
    """What integer weights become in noisy cells.

    Attributes:
        mean: Of every weight, in units of its last bit.
        variance: Of every weight, of one crossbar set, in units squared.
        read_variance: That every read of a row adds, in units squared, for an input of 1.
    """

    mean: Floats
    variance: Floats
    read_variance: float


def weight_moments(
    weights: IntArray, bits: int, chip: Accelerator, counts: IntArray | None = None
) -> WeightMoments:
    """Find means and variances of weights in cells.

    Global compensation of the drift divides by what the expected sum of the conductances loses.

    Args:
        weights: ``-2 ** (b - 1) < weight < 2 ** (b - 1)`` of a layer, any shape.
        bits: b.
        chip: With or without noise.
        counts: How often the layer has each of them, same shape; None for once each.

    Returns:
        Their moments.
    """
    if chip.noise is None:
        return WeightMoments(weights.astype(np.float64), np.zeros(weights.shape), 0.0)
    cells = WeightCells.of(weights, bits, chip)
    mean, variance, fresh = cell_moments(chip.noise, cells.fractions)
    left, often = 1.0, 1 if counts is None else counts
    if chip.noise.drift_compensation == "global" and chip.noise.drifts:
        left = float((mean * often).sum() / (fresh * often).sum())
    relative = chip.noise.read_microsiemens / chip.noise.max_conductance_microsiemens / left
    return WeightMoments(
        mean=(cells.counts * mean).sum(axis=(0, 1)) / left - cells.shift,
        variance=(cells.counts**2 * variance).sum(axis=(0, 1)) / left**2,
        read_variance=float((cells.counts**2).sum()) * relative**2,
    )


def input_digits(inputs: IntArray, bits: int, chip: Accelerator) -> IntArray:
    """Split integer inputs into what the DACs apply, step by step.

    Args:
        inputs: Of 0 to ``2 ** bits - 1`` or, in two's complement, ``-2 ** (bits - 1)`` to ``2 **
            (bits - 1) - 1``; any shape.
        bits: Of an input.
        chip: Its ``dac_bits``.

    Returns:
        From the lowest digit on, shape (steps, ...); digit t counts ``2 ** (dac_bits * t)``. The
        last one has the sign.
    """
    steps = -(-bits // chip.dac_bits)
    moved = np.stack([inputs >> chip.dac_bits * step for step in range(steps)])
    moved[:-1] &= 2**chip.dac_bits - 1
    return moved


def product_error(
    weights: IntArray, bits: int, inputs: IntArray, input_bits: int, chip: Accelerator, copies: int
) -> tuple[Floats, Floats]:
    """Find the error of products in noisy cells, converted by ADCs.

    Errors of cells, of reads and of conversions are independent. A conversion adds the variance of
    a uniform number, a twelfth of its step squared, which holds where ADCs lose bits, or where the
    noise of a column exceeds a third of a level. (Below, a lossless ADC rounds the noise away.)

    Args:
        weights: Integers, shape (K, M).
        bits: Of a weight.
        inputs: Integers, shape (N, K).
        input_bits: Of an input.
        chip: With or without noise.
        copies: Crossbar sets that are averaged.

    Returns:
        Bias and standard deviation of ``inputs @ weights``, shape (N, M).
    """
    moments = weight_moments(weights, bits, chip)
    digits = input_digits(inputs, input_bits, chip)
    squares = 4.0 ** (chip.dac_bits * np.arange(len(digits)))
    bias = inputs @ (moments.mean - weights)
    cells = np.square(inputs.astype(np.float64)) @ moments.variance
    reads = moments.read_variance * np.einsum("t,tnk->n", squares, np.square(digits) * 1.0)
    conversions = conversion_variance(weights, bits, chip) * squares.sum()
    return bias, np.sqrt((cells + reads[:, None] + conversions) / copies)


def conversion_variance(weights: IntArray, bits: int, chip: Accelerator) -> float:
    """Find the variance that conversions of one input step add to a column of one set.

    Args:
        weights: Integers, shape (K, M).
        bits: Of a weight.
        chip: With or without noise.

    Returns:
        In units of the last bits of weight and input, squared; 0 where nothing is lost.
    """
    if chip.noise is None and not chip.adc_is_lossy:
        return 0.0
    cells = WeightCells.of(np.zeros(1, np.int64), bits, chip)
    groups, rest = divmod(len(weights) * chip.rows_per_weight, chip.crossbar_rows)
    conversions = groups * -(-chip.crossbar_rows // chip.active_rows) - (-rest // chip.active_rows)
    steps = np.square([adc_step(chip, most) for most in cells.most])
    return float(conversions * (steps * np.square(cells.scales)).sum() / 12)


def adc_codes(chip: Accelerator, *, signed: bool) -> int:
    """Return the highest code of an ADC.

    Args:
        chip: Its ADC and encoding.
        signed: Whether the inputs are.

    Returns:
        Codes go from minus this one, or from 0 where no column has negative sums.
    """
    has_negative = signed or chip.weight_encoding != "offset"
    # A code for the sign, too, but where every sum has its own code anyway.
    return (1 << chip.adc_bits - (has_negative and chip.adc_is_lossy)) - 1


def adc_step(chip: Accelerator, most: int) -> float:
    """Return the step of an ADC that covers all sums of a column.

    Args:
        chip: Its rows, inputs and ADC.
        most: Highest level of the cells of the column.

    Returns:
        In levels; 1 where every sum has its own code.
    """
    rows = chip.active_rows // chip.rows_per_weight
    sums = max(1, rows) * most * ((1 << chip.dac_bits) - 1)
    return max(1.0, sums / adc_codes(chip, signed=False))


def _clipped(mean: Floats, deviation: Floats) -> tuple[Floats, Floats]:
    """Return the first two moments of normal numbers clipped at 0."""
    safe = np.where(deviation > 0, deviation, 1.0)
    ratio = np.where(deviation > 0, mean / safe, np.inf)
    below = np.array([_cumulative(value) for value in ratio.tolist()])
    density = np.exp(-np.square(np.minimum(ratio, 40.0)) / 2) / sqrt(2 * pi)
    density = np.where(deviation > 0, density, 0.0)
    first = mean * below + deviation * density
    second = (mean**2 + deviation**2) * below + mean * deviation * density
    return first, second


def _shrunk(mean: Floats, deviation: Floats, time: float) -> Floats:
    """Return the mean of ``exp(-time * |nu|)`` with normal nu."""
    found = []
    for m, d in zip(mean.tolist(), deviation.tolist(), strict=True):
        if not d:
            found.append(exp(-time * abs(m)))
            continue
        spread = (time * d) ** 2 / 2
        found.append(
            exp(spread - time * m) * _cumulative(m / d - time * d)
            + exp(spread + time * m) * _cumulative(-m / d - time * d)
        )
    return np.array(found)


def _cumulative(value: float) -> float:
    """Return the share of standard normal numbers below a value."""
    return erfc(-value / sqrt(2)) / 2
