"""ADCs that clip: products bit slice by bit slice and row group by row group, in integers.

A column of cells and the bits of an input step give a whole number; an ADC of B bits whose step is
one reads numbers above ``2**B - 1`` as that. What is lost is counted here and taken from the exact
product, so that columns which cannot reach the limit take no time. The others are multiplied once
per input step: tens of products for one, which LeNet and the perceptron bear, and ResNet-18 not.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lrmp.accuracy.lab.quantization.convolution import Convolution
from lrmp.accuracy.lab.quantization.layers import QuantizedLayer, QuantizedProduct
from lrmp.accuracy.lab.quantization.row_groups import row_groups, unfold_rows
from lrmp.accuracy.lab.quantization.steps import quantize_activation
from lrmp.accuracy.model.bit_widths import MIN_BITS
from lrmp.errors import AccuracyDataError
from lrmp.hardware.space.adc_clip_bits import LOSSLESS


@dataclass(frozen=True)
class _Columns:
    """Columns of one row group, bit slice and sign whose sums can exceed the limit.

    Attributes:
        group: Of the convolution.
        rows: Of the matrix.
        outputs: Numbers of the columns' outputs within the group, shape (m,).
        cells: Shape (m, rows).
        scale: Of a sum of theirs, signed.
    """

    group: int
    rows: slice
    outputs: Tensor
    cells: Tensor
    scale: int


class SaturatingADC:
    """What the ADCs of a layer clip from its products.

    Weights are the difference of two columns, cut into cells. Inputs are cut into steps of the
    chip's DAC; signed ones are moved up by half their range first, whose share in the sums is
    known and subtracted digitally.

    Args:
        layer: Its weights and inputs will be rounded by the time that it runs.
        bits: Of the ADCs.
    """

    def __init__(self, layer: QuantizedProduct, bits: int) -> None:
        self._layer, self._chip, self._limit = layer, layer.chip, 2**bits - 1
        self._columns: list[_Columns] | None = None

    def __call__(self, inputs: Tensor) -> Tensor:
        """Compute what is lost.

        Args:
            inputs: As the float layer takes them.

        Returns:
            To be subtracted from its outputs; broadcasts to their shape.

        Raises:
            AccuracyDataError: If weights or inputs are no whole numbers of steps.
        """
        layer = self._layer
        width, bits, grids = layer.activation_bits, layer.weight_bits, layer.grids
        if width is None or bits is None or grids is None or layer.changes_weights:
            raise AccuracyDataError(
                "Expected a design that rounds weights and inputs, and changes them in no other "
                "way, so that the sums of columns are whole numbers which adc_clip_bits can clip."
            )
        steps = grids.steps[bits - MIN_BITS]
        if self._columns is None:
            weight = grids.rounded(bits).detach().flatten(1)
            self._columns = self._find_columns((weight / steps[:, None]).round().to(torch.int32))
        if not self._columns:
            return inputs.new_zeros(())
        step = layer.input_step(width)
        rounded = quantize_activation(inputs, step, width, signed=layer.signed)
        patches, output_shape = _patches(layer.module, rounded)
        whole = (patches / step).round().to(torch.int32)
        if layer.signed:
            whole += 2 ** (width - 1)
        groups, _, positions = whole.shape
        lost = whole.new_zeros((groups, len(steps) // groups, positions), dtype=torch.float64)
        dac = self._chip.dac_bits
        for place in range(0, width, dac):
            digits = (whole >> place & (2**dac - 1)).float()
            for found in self._columns:
                sums = found.cells @ digits[found.group, found.rows]
                beyond = sums.sub_(self._limit).clamp_(min=0).double()
                lost[found.group].index_add_(0, found.outputs, beyond, alpha=found.scale << place)
        scaled = lost.flatten(0, 1) * (steps.double() * step)[:, None]
        if isinstance(layer.module, nn.Linear):
            by_image = scaled.T
        else:
            by_image = scaled.reshape(len(steps), len(inputs), -1).transpose(0, 1)
        return by_image.reshape(output_shape).to(inputs.dtype)

    def _find_columns(self, weight: Tensor) -> list[_Columns]:
        """Find the columns whose sums can exceed the limit, of integers of shape (M, K)."""
        chip, groups = self._chip, getattr(self._layer.module, "groups", 1)
        largest_input, mask = 2**chip.dac_bits - 1, 2**chip.cell_bits - 1
        found = []
        for group, matrix in enumerate(weight.chunk(groups)):
            for rows in row_groups(weight.shape[1], chip):
                for sign in (1, -1):
                    magnitude = (sign * matrix[:, rows]).clamp(min=0)
                    for place in range(0, int(magnitude.max()).bit_length(), chip.cell_bits):
                        cells = magnitude >> place & mask
                        (outputs,) = torch.where(cells.sum(1) * largest_input > self._limit)
                        if len(outputs):
                            of_outputs = cells[outputs].float()
                            scale = sign << place
                            found.append(_Columns(group, rows, outputs, of_outputs, scale))
        return found


def _patches(module: Convolution | nn.Linear, inputs: Tensor) -> tuple[Tensor, tuple[int, ...]]:
    """Cut inputs into those of every position.

    Returns:
        Shape (groups, K, positions of all images), and the shape of the outputs.
    """
    if isinstance(module, nn.Linear):
        outputs = (*inputs.shape[:-1], module.out_features)
        return inputs.reshape(-1, module.in_features).T[None], outputs
    rows, places = unfold_rows(module, inputs)
    return rows.permute(1, 2, 0, 3).flatten(2), (len(inputs), module.out_channels, *places)


def _pads_otherwise(module: Convolution | nn.Linear) -> bool:
    """Say whether a convolution pads otherwise than by a number of zeros."""
    return not isinstance(module, nn.Linear) and (
        module.padding_mode != "zeros" or isinstance(module.padding, str)
    )


def clip_sums(layer: QuantizedLayer, bits: str) -> None:
    """Let the ADCs of a layer clip.

    Args:
        layer: A convolution or fully connected layer, on a chip that stores weights as the
            difference of two columns.
        bits: A number, or ``"lossless"``.

    Raises:
        AccuracyDataError: If the layer is another one or on another chip.
    """
    if bits == LOSSLESS:
        return
    chip = layer.chip
    if chip.weight_encoding != "differential-columns":
        raise AccuracyDataError(
            "Expected a chip with weight_encoding 'differential-columns', which adc_clip_bits is "
            f"simulated on, got {chip.name!r} with {chip.weight_encoding!r}."
        )
    if not isinstance(layer, QuantizedProduct) or _pads_otherwise(layer.module):
        raise AccuracyDataError(
            "Expected convolutions padded by a number of zeros, and fully connected layers, whose "
            f"sums adc_clip_bits can clip, got a {type(getattr(layer, 'module', layer)).__name__}."
        )
    layer.losses.append(SaturatingADC(layer, int(bits)))
