"""Noisy cells in a real network: what ``averaging_copies`` does to a layer.

Every weight gets the mean and the deviation that its cells give it (`cell_moments`), drawn as one
normal number per weight and seed: a sum over hundreds of rows cannot tell it from draws of every
cell. Copies divide the variance, so designs that differ in copies alone draw alike. Every read of
the rows adds noise to the outputs.
"""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lrmp.accuracy.lab.quantization.layers import Product, QuantizedLayer, QuantizedProduct
from lrmp.accuracy.lab.quantization.steps import activation_range, inverse_step, weight_range
from lrmp.accuracy.model.bit_widths import BIT_WIDTHS, MIN_BITS
from lrmp.accuracy.model.cell_moments import WeightMoments, input_digits, weight_moments
from lrmp.errors import AccuracyDataError
from lrmp.hardware.chip.accelerator import Accelerator


def average_copies(layer: QuantizedLayer, copies: int) -> None:
    """Hold the weights of a layer in the cells of its chip, so many times, and average.

    Weights and inputs that no knob rounds are noisy as those of 8 bits are. The copies of
    replication are alike in what they draw.

    Args:
        layer: On a chip with noise.
        copies: Crossbar sets that see the same inputs.

    Raises:
        AccuracyDataError: If the chip has no noise, or the layer is recurrent.
    """
    chip = layer.chip
    if chip.noise is None:
        raise AccuracyDataError(
            f"Expected a chip with noise, which averaging_copies averages, got {chip.name!r} "
            "without. Give it a [noise] table, or leave the knob out."
        )
    if not isinstance(layer, QuantizedProduct):
        raise AccuracyDataError(
            "Expected convolutions and fully connected layers, which averaging_copies knows, got "
            f"a {type(layer).__name__}."
        )
    drawn = layer.noise("cells").fixed_normal(tuple(layer.float_weight.shape))

    read_variance = 0.0

    def program(weight: Tensor) -> Tensor:
        nonlocal read_variance
        integers, moments = _moments(layer, chip)
        read_variance = moments.read_variance
        lowest = -(len(moments.mean) // 2)
        place = (integers - lowest).long()
        bias = moments.mean - np.arange(lowest, 1 - lowest)
        deviation = np.sqrt(moments.variance / copies)
        errors = torch.from_numpy(deviation).to(weight)[place].mul_(drawn.to(weight))
        errors.add_(torch.from_numpy(bias).to(weight)[place])
        return errors.mul_(_per_column(_weight_steps(layer), weight.ndim)).add_(weight)

    layer.change_weights(program)
    if not chip.noise.read_microsiemens:
        return
    reads = layer.noise("reads")

    def read(product: Product, inputs: Tensor) -> Tensor:
        outputs = product(inputs)
        deviation = _driven(layer, chip, inputs).mul_((read_variance / copies) ** 0.5)
        return deviation.mul(reads.normal(outputs)).add_(outputs)

    layer.change_product(read)


def _weight_steps(layer: QuantizedProduct) -> Tensor:
    assert layer.weight_steps is not None
    return layer.weight_steps[(layer.weight_bits or BIT_WIDTHS[-1]) - MIN_BITS]


def _per_column(numbers: Tensor, dimensions: int) -> Tensor:
    return numbers.reshape(-1, *(1,) * (dimensions - 1))


def _moments(layer: QuantizedProduct, chip: Accelerator) -> tuple[Tensor, WeightMoments]:
    """Return the layer's integer weights, and the moments of all integers from the lowest on."""
    bits = layer.weight_bits or BIT_WIDTHS[-1]
    assert layer.grids is not None
    weight = layer.grids.rounded(bits).data
    integers = (weight / _per_column(_weight_steps(layer), weight.ndim)).round()
    lowest, highest = weight_range(bits)
    counts = torch.histc(integers.float(), highest - lowest + 1, lowest - 0.5, highest + 0.5)
    often = counts.cpu().numpy().astype(np.int64)
    return integers, weight_moments(np.arange(lowest, highest + 1), bits, chip, often)


def _driven(layer: QuantizedProduct, chip: Accelerator, inputs: Tensor) -> Tensor:
    """Find the deviation of outputs where reads have a variance of 1, broadcastable to them."""
    bits, module = layer.activation_bits or BIT_WIDTHS[-1], layer.module
    step = layer.input_step(bits)
    lowest, highest = activation_range(bits, signed=layer.signed)
    place = inputs.mul(inverse_step(step)).round_().clamp_(lowest, highest).sub_(lowest).long()
    squares = torch.from_numpy(_squared_digits(lowest, highest, bits, chip)).to(inputs)[place]
    scale = _weight_steps(layer) * step
    if isinstance(module, nn.Linear):
        return squares.sum(-1, keepdim=True).sqrt_().mul(scale)
    ones = torch.ones_like(module.weight[: module.groups])
    rows: Tensor = module._conv_forward(squares, ones, None).clamp_(min=0).sqrt_()
    columns = len(module.weight) // module.groups
    return rows.repeat_interleave(columns, 1).mul_(_per_column(scale, rows.ndim - 1))


@lru_cache(maxsize=64)
def _squared_digits(lowest: int, highest: int, bits: int, chip: Accelerator) -> NDArray[np.float64]:
    """Add up the squares of what the DACs apply for every input, by what the digits count."""
    digits = input_digits(np.arange(lowest, highest + 1), bits, chip)
    counts = [4.0 ** (chip.dac_bits * step) for step in range(len(digits))]
    return np.asarray(np.square(digits).T @ np.array(counts), np.float64)
