"""Convolutions of integers in 8-bit kernels: exact, and several times faster than in float."""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrmp.accuracy.lab.quantization.steps import activation_range, inverse_step

#: The kernels take unsigned inputs: signed ones are moved up by this, which counts as zero.
SIGNED_ZERO = 128


class IntegerConvolution:
    """A convolution whose weights and inputs are integers times steps.

    Products are added up in 32-bit integers, and the sum is scaled once. (Floats round every sum,
    where an integer kernel needs a quarter of the time.)

    Args:
        module: Gives stride, padding, dilation and groups.
        weight: Multiples of the steps, shape (M, C / groups, height, width).
        steps: Of the weights, shape (M,).
    """

    def __init__(self, module: nn.Conv2d, weight: Tensor, steps: Tensor) -> None:
        self._integers = (weight / steps[:, None, None, None]).round().to(torch.int8)
        self._steps = steps.float().contiguous()
        self._zeros = torch.zeros(len(steps), dtype=torch.int64)
        self._places = (
            list(module.stride),
            list(module.padding),
            list(module.dilation),
            module.groups,
        )
        self._in_rows = weight.is_contiguous()
        self._packed: dict[bool, Tensor] = {}

    def __getstate__(self) -> dict[str, Any]:
        # What the kernels have packed has no storage that could be copied: a copy packs its own.
        return self.__dict__ | {"_packed": {}}

    def __call__(
        self, inputs: Tensor, step: float, bias: Tensor | None = None, *, signed: bool
    ) -> Tensor:
        """Convolve.

        Args:
            inputs: From ``integer_inputs``, shape (N, C, height, width).
            step: Of the inputs.
            bias: Shape (M,), or None.
            signed: Whether they are moved up by ``SIGNED_ZERO``.

        Returns:
            In float, shape (N, M, ...), laid out in memory as the float layer's outputs.
        """
        zero = SIGNED_ZERO if signed else 0
        kernels: Any = torch.ops.onednn
        if signed not in self._packed:
            self._packed[signed] = kernels.qconv_prepack(
                self._integers, self._steps, step, zero, *self._places, list(inputs.shape)
            )
        found: Tensor = kernels.qconv2d_pointwise(
            inputs,
            step,
            zero,
            self._packed[signed],
            self._steps,
            self._zeros,
            bias,
            *self._places,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        )
        # The kernels give channels last; whoever views rows behind a layer wants rows.
        return found.contiguous() if self._in_rows and inputs.is_contiguous() else found


def integer_inputs(maps: Tensor, step: float, bits: int, *, signed: bool) -> Tensor:
    """Round activations to the integers of their grid, those of ``quantize_activation``.

    Args:
        maps: Any shape.
        step: Of the grid.
        bits: 2..8.
        signed: Whether the grid has negative values; then ``SIGNED_ZERO`` stands for 0.

    Returns:
        As bytes, same shape.
    """
    smallest, largest = activation_range(bits, signed=signed)
    rounded = maps.mul(inverse_step(step)).round_().clamp_(smallest, largest)
    # Only the conversion to signed bytes is vectorised.
    if signed:
        return rounded.to(torch.int8).view(torch.uint8).bitwise_xor_(SIGNED_ZERO)
    if largest < SIGNED_ZERO:
        return rounded.to(torch.int8).view(torch.uint8)
    return rounded.sub_(SIGNED_ZERO).to(torch.int8).view(torch.uint8).bitwise_xor_(SIGNED_ZERO)


def takes_integers(module: nn.Module, inputs: Tensor) -> bool:
    """Say whether a layer can be computed by ``IntegerConvolution`` on this machine.

    Args:
        module: The float layer.
        inputs: What it is given.

    Returns:
        Whether it is a plain convolution of single precision on a processor whose kernels are
        exact, given a batch of maps.
    """
    return (
        type(module) is nn.Conv2d
        and inputs.ndim == 4
        and inputs.dtype == module.weight.dtype == torch.float32
        and not module._forward_hooks
        and not module._forward_pre_hooks
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
        and module.weight.is_cpu
        and kernels_are_exact()
    )


@cache
def kernels_are_exact() -> bool:
    """Try the kernels on sums of the largest products, which processors without VNNI saturate.

    Returns:
        Whether they are there and give the right sums.
    """
    module = nn.Conv2d(64, 32, 3, padding=1, bias=False)
    step = 1.0
    weight = torch.full_like(module.weight, 127.0)
    weight[::2] = -127.0
    try:
        with torch.inference_mode():
            for signed, value in ((False, 255.0), (True, -128.0)):
                maps = torch.full((1, 64, 8, 8), value)
                given = integer_inputs(maps, step, 8, signed=signed)
                run = IntegerConvolution(module, weight, torch.ones(32))
                found = run(given, step, signed=signed)
                right = F.conv2d(maps.double(), weight.double(), padding=1)
                if not torch.equal(found.double(), right):
                    return False
    # Private operators: another version of torch may lack them or take other arguments, and another
    # processor may have no such kernel. Then convolutions are computed in float.
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        return False
    return True
