"""Inputs in half precision that share an exponent in every row group: block floating point."""

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lrmp.accuracy.lab.quantization.row_groups import RowwiseProduct
from lrmp.accuracy.lab.quantization.steps import activation_range
from lrmp.errors import AccuracyDataError
from lrmp.hardware.chip.half_precision import MIN_EXPONENT, SIGNIFICAND_BITS

if TYPE_CHECKING:
    from lrmp.accuracy.lab.quantization.layers import QuantizedLayer

#: The bits of the exponent in a number of single precision.
_EXPONENT = 0x7F800000
_LARGEST = torch.finfo(torch.float16).max


def align_(numbers: Tensor, bits: int, *, signed: bool) -> None:
    """Round numbers, in place, to integers of some bits times a power of two that they share.

    The power is that of the largest number of the group: its exponent is the shared one, and its
    leading bit the highest of the integers. Everything is exact but the rounding, to the nearest
    and ties to even.

    Args:
        numbers: Of half precision, in single precision. The last axis but one is that of the
            group.
        bits: Of the integers, as they stream into the crossbar, at least 1.
        signed: Whether the integers are in two's complement, one of the bits being the sign; else
            numbers below 0 are 0.
    """
    largest = numbers.abs().amax(-2, keepdim=True) if signed else numbers.amax(-2, keepdim=True)
    # Without its sign and fraction a number is the power of two of its exponent, or 0.
    leading = largest.view(torch.int32).bitwise_and_(_EXPONENT).view(torch.float32)
    step = leading.clamp_(min=2.0**MIN_EXPONENT).mul_(2.0 ** (1 - bits + signed))
    least, most = map(float, activation_range(bits, signed=signed))
    numbers.mul_(1 / step).round_().clamp_(least, most).mul_(step)


def align_inputs(layer: "QuantizedLayer", alignment_bits: int) -> None:
    """Compute a layer on aligned inputs from now on: the effect of the knob ``alignment_bits``.

    Inputs are half-precision numbers, in a buffer. Every row group of the layer's chip
    (``group_slices``) aligns its own to one exponent, position by position.

    Args:
        layer: Calibrated, which tells whether its inputs have a sign.
        alignment_bits: Beyond those of a significand, whose 11 bits and these stream in.

    Raises:
        AccuracyDataError: If no bits are left, the layer is not calibrated or is of a kind whose
            rows are not known, or nobody has said which chip it is on.
    """
    bits = SIGNIFICAND_BITS + alignment_bits
    if bits < 2:
        raise AccuracyDataError(
            f"Expected alignment_bits of at least {2 - SIGNIFICAND_BITS}, which leaves 2 bits of "
            f"an input, got {alignment_bits}."
        )
    layer.check_calibrated()
    product = RowwiseProduct(layer, partial(align_, bits=bits, signed=layer.signed))

    def compute(inputs: Tensor) -> Tensor:
        return product(inputs.clamp(-_LARGEST, _LARGEST).half().float())

    layer.products = compute
