"""Analog ranges in a real network: what ``input_range`` and ``column_range`` do to a layer."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrmp.accuracy.lab.quantization.layers import Product, QuantizedLayer, QuantizedProduct
from lrmp.accuracy.model.cell_moments import adc_codes
from lrmp.errors import AccuracyDataError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.space.analog_ranges import IDEAL, LEAST_ERROR


def cover_inputs(layer: QuantizedLayer, percentile: str) -> None:
    """Spread the steps of the inputs over a percentile of their magnitudes, and clip the others.

    Args:
        layer: Calibrated.
        percentile: A value of the knob ``input_range``.

    Raises:
        AccuracyDataError: If calibration has found no such percentile.
    """
    if percentile == LEAST_ERROR:
        return
    if percentile not in layer.input_magnitudes:
        raise AccuracyDataError(
            f"Expected an input_range among {', '.join(layer.input_magnitudes) or 'none'}, which "
            f"calibration has looked for, got {percentile!r}."
        )
    layer.input_limit = layer.input_magnitudes[percentile]


def cover_columns(layer: QuantizedLayer, deviations: str) -> None:
    """Convert the sums of every column and crossbar with an ADC of limited range and resolution.

    The range of column j is ``mean |I_j| + L std I_j`` of its sums for the example inputs, with the
    float weights; the resolution is that of the chip's ADC, a bit of which is the sign. An ADC
    converts the whole product of a crossbar at once, as where currents are integrated over all
    bits of the inputs; bit slices of a weight are converted together.

    Args:
        layer: Calibrated, on a chip.
        deviations: A value of the knob ``column_range``.

    Raises:
        AccuracyDataError: If the layer is recurrent, or nobody has said which chip it is on.
    """
    if deviations == IDEAL:
        return
    if not isinstance(layer, QuantizedProduct) or layer.example_inputs is None:
        raise AccuracyDataError(
            "Expected calibrated convolutions and fully connected layers, which column_range "
            f"knows, got a {type(layer).__name__}."
        )
    chip, examples = layer.chip, layer.example_inputs
    codes = adc_codes(chip, signed=True)
    axis = -1 if isinstance(layer.module, nn.Linear) else 1
    steps: list[Tensor] = []
    for sums in _sums(layer, chip, layer.float_weight, examples):
        columns = sums.detach().movedim(axis, 0).flatten(1)
        limits = columns.abs().mean(1) + float(deviations) * columns.std(1)
        shape = [-1 if place == axis % sums.ndim else 1 for place in range(sums.ndim)]
        steps.append((limits / codes).clamp(min=torch.finfo(limits.dtype).tiny).reshape(shape))

    def convert(product: Product, inputs: Tensor) -> Tensor:
        bias = layer.module.bias
        total = torch.zeros(()) if bias is None else bias.reshape(steps[0].shape)
        for sums, step in zip(_sums(layer, chip, layer.module.weight, inputs), steps, strict=True):
            total = total + sums.div(step).round_().clamp_(-codes, codes).mul_(step)
        return total

    layer.change_product(convert)


def _sums(
    layer: QuantizedProduct, chip: Accelerator, weight: Tensor, inputs: Tensor
) -> Iterator[Tensor]:
    """Multiply the inputs by the rows of one crossbar after the other, without the bias."""
    module = layer.module
    at_once, rows = chip.crossbar_rows // chip.rows_per_weight, weight[0].numel()
    for start in range(0, rows, at_once):
        end = min(start + at_once, rows)
        if isinstance(module, nn.Linear):
            yield F.linear(inputs[..., start:end], weight[:, start:end])
        elif end - start == rows:
            yield module._conv_forward(inputs, weight, None)
        else:
            inside = torch.zeros_like(weight[:1]).flatten()
            inside[start:end] = 1
            mine = weight * inside.reshape(weight[:1].shape)
            if module.groups > 1:
                yield module._conv_forward(inputs, mine, None)
                continue
            # Other channels have no weights in this crossbar.
            window = weight[0, 0].numel()
            channels = slice(start // window, -(-end // window))
            yield module._conv_forward(inputs[:, channels], mine[:, channels], None)
