"""An analog tile: products in noisy cells, one row group, digit and conversion after the other.

It is the reference that faster forms are compared with.
"""

import numpy as np
import torch
from torch import Tensor

from lrmp.accuracy.lab.quantization.row_groups import row_groups
from lrmp.accuracy.model.cell_moments import (
    adc_codes,
    adc_step,
    drift_exponents,
    drift_logarithm,
    flicker_deviation,
    input_digits,
    programming_deviation,
)
from lrmp.accuracy.model.weight_cells import WeightCells
from lrmp.errors import AccuracyDataError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.frozen_arrays import IntArray


class AnalogTile:
    """Integer weights in the cells of a chip, bit-sliced as the chip says.

    Every digit of the inputs drives the rows of a group, whose cells' currents add up in the
    columns (in the difference of columns or rows, if the encoding is one); an ADC converts each
    slice's sum, and the codes are shifted and added digitally. Sets of crossbars that see the same
    inputs are averaged. Without noise, and with an ADC that loses nothing, the product is exact.

    Args:
        weights: Integers ``-2 ** (b - 1) < weight < 2 ** (b - 1)``, shape (K, M).
        bits: b.
        chip: Its crossbars, cells, ADC and noise.
        seed: Of all that is drawn: programmed cells, and reads in the order of the calls.
        copies: Crossbar sets that are averaged, each programmed apart.
        column_limit: Largest sum that the ADC of a column covers, in levels, shape (M,) or one
            number; None where it covers all that the rows of a group can give.

    Attributes:
        conductances: Of the largest one, at the time of the inference, shape (copies, slices,
            parts, K, M).

    Raises:
        AccuracyDataError: If a weight does not fit its bits, or there is no copy.
    """

    def __init__(
        self,
        weights: IntArray,
        bits: int,
        chip: Accelerator,
        seed: int = 0,
        copies: int = 1,
        column_limit: float | Tensor | None = None,
    ) -> None:
        weights = np.asarray(weights)
        most = np.abs(weights).max(initial=0)
        if weights.ndim != 2 or most >= 2 ** (bits - 1) or copies < 1:
            raise AccuracyDataError(
                f"Expected weights of shape (K, M) below {2 ** (bits - 1)} in magnitude, and a "
                f"copy of them, got shape {weights.shape}, up to {most}, and {copies} copies."
            )
        self.chip, self.copies = chip, copies
        self._cells = WeightCells.of(weights, bits, chip)
        self._column_limit = column_limit
        programming, reads = np.random.SeedSequence(seed).spawn(2)
        self._reads = torch.Generator().manual_seed(int(reads.generate_state(1)[0]))
        drawn = [self._program(np.random.default_rng(s)) for s in programming.spawn(copies)]
        self.conductances = torch.from_numpy(np.stack([each for each, _ in drawn]))
        self._left = [left for _, left in drawn]

    def _program(self, generator: np.random.Generator) -> tuple[np.ndarray, float]:
        """Draw the conductances of a set, and what global compensation finds left of them."""
        noise, meant = self.chip.noise, self._cells.fractions
        if noise is None:
            return meant, 1.0
        programmed = programming_deviation(noise, meant) * generator.standard_normal(meant.shape)
        fresh = np.maximum(meant + programmed, 0.0)
        mean, deviation = drift_exponents(noise, meant)
        exponents = np.abs(mean + deviation * generator.standard_normal(meant.shape))
        found = fresh * np.exp(-drift_logarithm(noise) * exponents)
        flicker = flicker_deviation(noise, meant) * generator.standard_normal(meant.shape)
        found *= np.maximum(1 + flicker, 0.0)
        compensated = noise.drift_compensation == "global" and noise.drifts
        return found, float(found.sum() / fresh.sum()) if compensated else 1.0

    def __call__(self, inputs: IntArray, bits: int) -> Tensor:
        """Multiply.

        Args:
            inputs: Integers, shape (N, K): 0 to ``2 ** bits - 1``, or in two's complement.
            bits: Of an input.

        Returns:
            ``inputs @ weights`` as the tile has it, in float64, shape (N, M).
        """
        inputs = np.asarray(inputs, dtype=np.int64)
        chip, cells = self.chip, self._cells
        digits = torch.from_numpy(input_digits(inputs, bits, chip)).double()
        signed = bool((inputs < 0).any())
        total = torch.zeros(len(inputs), self.conductances.shape[-1], dtype=torch.float64)
        signs = torch.tensor(cells.signs, dtype=torch.float64)[:, None, None]
        for copy, left in zip(self.conductances, self._left, strict=True):
            analog = torch.zeros_like(total)
            for place, (most, scale) in enumerate(zip(cells.most, cells.scales, strict=True)):
                levels = copy[place] * signs * most  # of what a level counts, shape (parts, K, M)
                for rows in row_groups(inputs.shape[1], chip):
                    group = levels[:, rows].sum(0)
                    for step, digit in enumerate(digits):
                        driven = digit[:, rows]
                        sums = self._read(driven, group, most * len(cells.signs) ** 0.5)
                        codes = self._convert(sums, most, signed=signed)
                        analog += codes * (scale * 2 ** (chip.dac_bits * step))
            total += analog / left
        shifted = torch.from_numpy(inputs.sum(1)).double()[:, None] * cells.shift
        return total / self.copies - shifted

    def _read(self, driven: Tensor, levels: Tensor, full_scale: float) -> Tensor:
        """Add up the currents of a row group, with the noise of this read."""
        sums = driven @ levels
        noise = self.chip.noise
        if noise is None or not noise.read_microsiemens:
            return sums
        deviation = noise.read_microsiemens / noise.max_conductance_microsiemens * full_scale
        drawn = torch.randn(sums.shape, generator=self._reads, dtype=sums.dtype)
        return sums + deviation * driven.square().sum(1, keepdim=True).sqrt() * drawn

    def _convert(self, sums: Tensor, most: int, *, signed: bool) -> Tensor:
        """Convert sums to codes, in levels."""
        codes = adc_codes(self.chip, signed=signed)
        limit = self._column_limit
        step = adc_step(self.chip, most) if limit is None else limit / codes
        has_negative = signed or self._cells.shift == 0
        least = -codes if has_negative else 0
        return (sums / step).round().clamp(least, codes) * step
