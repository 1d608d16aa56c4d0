"""Quantiser grids, and the steps of least squared error."""

from math import ceil

import numpy as np
import torch
from torch import Tensor

from lrmp.accuracy.model.bit_widths import BIT_WIDTHS
from lrmp.hardware.space.analog_ranges import PERCENTILES


def weight_range(bits: int) -> tuple[int, int]:
    """Return the smallest and the largest integer of a weight.

    Args:
        bits: 2..8.

    Returns:
        Symmetric: both signs reach equally far.
    """
    most = 2 ** (bits - 1) - 1
    return -most, most


def activation_range(bits: int, *, signed: bool) -> tuple[int, int]:
    """Return the smallest and the largest integer of an activation.

    Args:
        bits: 2..8.
        signed: Whether the tensor has negative values; then two's complement.

    Returns:
        The two integers.
    """
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def quantize_weight(weight: Tensor, steps: Tensor, bits: int) -> Tensor:
    """Round weights to the grid of their output channel.

    Args:
        weight: Shape (M, ...).
        steps: Shape (M,).
        bits: 2..8.

    Returns:
        Multiples of the steps, same shape.
    """
    zero = weight.new_zeros(len(steps), dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, steps, zero, 0, *weight_range(bits))


def quantize_activation(maps: Tensor, step: float, bits: int, *, signed: bool) -> Tensor:
    """Round activations to one grid.

    On a CPU the native operator is not vectorised (torch 2.13: 15 times slower than this, longer
    than the convolution behind it), so its formula is written out there; a test holds the two
    equal to the bit.

    Args:
        maps: Any shape.
        step: Of the grid.
        bits: 2..8.
        signed: Whether the grid has negative values.

    Returns:
        Multiples of the step, same shape.
    """
    smallest, largest = activation_range(bits, signed=signed)
    if not maps.is_cpu:
        return torch.fake_quantize_per_tensor_affine(maps, step, 0, smallest, largest)
    rounded = maps.mul(inverse_step(step)).round_().clamp_(smallest, largest)
    return rounded.mul_(float(np.float32(step)))


def inverse_step(step: float) -> float:
    """Return what activations are multiplied by to count steps, in single precision.

    Args:
        step: Of a grid.

    Returns:
        The inverse.
    """
    return float(np.float32(1) / np.float32(step))


def weight_steps(weight: Tensor, clip_ratios: tuple[float, int]) -> Tensor:
    """Find the step of least squared error for every output channel and bit width.

    Args:
        weight: Shape (M, ...).
        clip_ratios: Smallest ratio of the clip to the largest magnitude, number of candidates.

    Returns:
        Shape (7, M) for bits 2..8. A channel of zeros has step 1.
    """
    flat = weight.detach().flatten(1)
    largest = flat.abs().amax(1)
    largest = torch.where(largest > 0, largest, torch.ones_like(largest))
    rows = []
    for bits in BIT_WIDTHS:
        candidates = [
            (largest * float(ratio) / weight_range(bits)[1]).contiguous()
            for ratio in np.geomspace(*_span(clip_ratios))
        ]
        errors = torch.stack([_weight_errors(flat, steps, bits) for steps in candidates])
        best = errors.argmin(0, keepdim=True)
        rows.append(torch.stack(candidates).gather(0, best)[0])
    return torch.stack(rows)


def activation_steps(sample: Tensor, clip_ratios: tuple[float, int], *, signed: bool) -> Tensor:
    """Find the step of least squared error for every bit width.

    Args:
        sample: Values of the tensor, any shape.
        clip_ratios: Smallest ratio of the clip to the largest magnitude, number of candidates.
        signed: Whether the grid has negative values.

    Returns:
        Shape (7,) for bits 2..8, in float64. A tensor of zeros has step 1.
    """
    largest = float(sample.abs().max()) or 1.0
    chosen = []
    for bits in BIT_WIDTHS:
        candidates = [
            largest * float(ratio) / activation_range(bits, signed=signed)[1]
            for ratio in np.geomspace(*_span(clip_ratios))
        ]
        errors = [
            float((quantize_activation(sample, step, bits, signed=signed) - sample).square().sum())
            for step in candidates
        ]
        chosen.append(candidates[int(np.argmin(errors))])
    return torch.tensor(chosen, dtype=torch.float64)


def input_magnitudes(sample: Tensor) -> dict[str, float]:
    """Find percentiles of magnitudes, for the values of the knob ``input_range``.

    Args:
        sample: Values of the tensor, any shape.

    Returns:
        Each a magnitude of the sample that at least so many percent do not exceed; never 0.
    """
    magnitudes = sample.abs().flatten().cpu().numpy()
    places = {
        label: max(0, ceil(len(magnitudes) * float(label) / 100) - 1) for label in PERCENTILES
    }
    ordered = np.partition(magnitudes, sorted(set(places.values())))
    return {label: float(ordered[place]) or 1.0 for label, place in places.items()}


def _weight_errors(flat: Tensor, steps: Tensor, bits: int) -> Tensor:
    """Sum the squared errors of every row; see ``quantize_activation`` on the native operator."""
    column = steps[:, None]
    rounded = flat.mul(1 / column).round_().clamp_(*weight_range(bits)).mul_(column)
    return rounded.sub_(flat).square_().sum(1)


def _span(clip_ratios: tuple[float, int]) -> tuple[float, float, int]:
    smallest, count = clip_ratios
    return smallest, 1.0, count
