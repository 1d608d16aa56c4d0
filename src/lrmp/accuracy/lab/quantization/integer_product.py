"""Products of integers in 8-bit kernels: exact, and several times faster than in float."""

from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrmp.accuracy.lab.quantization.steps import activation_range, inverse_step

#: The kernels take unsigned inputs: signed ones are moved up by this, which counts as zero.
SIGNED_ZERO = 128
#: Products, of bytes and signed bytes, whose sum a 32-bit integer holds in any case.
MOST_PRODUCTS = (2**31 - 1) // (255 * 128)
#: What private operators raise: another version of torch may lack them or take other arguments, and
#: another processor may have no such kernel. Then products are computed in float.
MISSING_KERNEL = (AttributeError, RuntimeError, NotImplementedError, TypeError)


class Grid(NamedTuple):
    """What activations are rounded to.

    Attributes:
        step: Between neighbours.
        bits: 2..8.
        signed: Whether there are negative values; then ``SIGNED_ZERO`` stands for 0 in bytes.
    """

    step: float
    bits: int
    signed: bool


class Activation(NamedTuple):
    """An activation function, as the kernels know it.

    Attributes:
        name: ``"none"``, ``"relu"`` or ``"hardtanh"``.
        bounds: Of the last one.
    """

    name: str = "none"
    bounds: tuple[float, ...] = ()


IDENTITY, RELU, RELU6 = Activation(), Activation("relu"), Activation("hardtanh", (0.0, 6.0))


class Outputs(NamedTuple):
    """What the outputs of a convolution are like.

    Attributes:
        shape: Of (N, M, height, width).
        strides: In memory.
        in_rows: Whether they lie row by row; else channels last.
    """

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    in_rows: bool


class IntegerConvolution:
    """A convolution whose weights and inputs are integers times steps.

    Products are added up in 32-bit integers, and the sum is scaled once. (Floats round every sum,
    where an integer kernel needs a quarter of the time.)

    Args:
        module: Gives stride, padding, dilation and groups.
        weight: Multiples of the steps, shape (M, C / groups, height, width).
        steps: Of the weights, shape (M,).

    Attributes:
        read_again: Whether somebody was seen to read the same outputs twice.
    """

    def __init__(self, module: nn.Conv2d, weight: Tensor, steps: Tensor) -> None:
        self.read_again = False
        self._integers = (weight / steps[:, None, None, None]).round().to(torch.int8)
        self._steps = steps.float().contiguous()
        self._zeros = torch.zeros(len(steps), dtype=torch.int64)
        self._places: tuple[Any, ...] = (
            list(module.stride),
            list(module.padding),
            list(module.dilation),
            module.groups,
        )
        self._in_rows = _lies_in_rows(weight)
        self._kernel = weight.shape[2:]
        self._packed: dict[bool, Tensor] = {}
        self._outputs: dict[tuple[torch.Size, tuple[int, ...]], Outputs] = {}

    def __getstate__(self) -> dict[str, Any]:
        # What the kernels have packed has no storage that could be copied: a copy packs its own.
        return self.__dict__ | {"_packed": {}}

    def __call__(
        self,
        inputs: Tensor,
        grid: Grid,
        bias: Tensor | None = None,
        activation: Activation = IDENTITY,
        to: Grid | None = None,
    ) -> Tensor:
        """Convolve.

        Args:
            inputs: From ``integer_inputs``, shape (N, C, height, width).
            grid: Theirs.
            bias: Shape (M,), or None.
            activation: What is done to the outputs.
            to: What they are rounded to then; None for nothing.

        Returns:
            In float, or as ``integer_inputs`` gives them, shape (N, M, ...), laid out in memory as
            the float layer's outputs.
        """
        step, dtype = (1.0, torch.float32) if to is None else (to.step, _type_of(to))
        given = self._operands(inputs, grid)
        found: Tensor = torch.ops.onednn.qconv2d_pointwise(
            *given, bias, *self._places, step, 0, dtype, activation.name, activation.bounds, ""
        )
        if to is not None:
            found = _as_bytes(found, to)
        # The kernels give channels last; whoever views rows behind a layer wants rows.
        return found.contiguous() if self.outputs(inputs).in_rows else found

    def _operands(self, inputs: Tensor, grid: Grid) -> tuple[Any, ...]:
        """Return inputs, packed weights and the steps of both, as the kernels take them."""
        zero = SIGNED_ZERO if grid.signed else 0
        if grid.signed not in self._packed:
            self._packed[grid.signed] = torch.ops.onednn.qconv_prepack(
                self._integers, self._steps, grid.step, zero, *self._places, list(inputs.shape)
            )
        return inputs, grid.step, zero, self._packed[grid.signed], self._steps, self._zeros

    def outputs(self, inputs: Tensor) -> Outputs:
        """Say what outputs are like.

        Args:
            inputs: Shape (N, C, height, width).

        Returns:
            Shape (N, M, height, width), and how it lies in memory.
        """
        given = inputs.shape, inputs.stride()
        if given not in self._outputs:
            stride, padding, dilation, _ = self._places
            sides = zip(inputs.shape[2:], self._kernel, stride, padding, dilation, strict=True)
            places = ((side + 2 * p - d * (k - 1) - 1) // s + 1 for side, k, s, p, d in sides)
            shape = (len(inputs), len(self._steps), *places)
            in_rows = self._in_rows and _lies_in_rows(inputs)
            layout = torch.contiguous_format if in_rows else torch.channels_last
            strides = torch.empty(shape, device="meta", memory_format=layout).stride()
            self._outputs[given] = Outputs(shape, strides, in_rows)
        return self._outputs[given]


class IntegerLinear:
    """A fully connected layer whose weights and inputs are integers times steps.

    Args:
        weight: Multiples of the steps, shape (M, K).
        steps: Of the weights, shape (M,).
    """

    def __init__(self, weight: Tensor, steps: Tensor) -> None:
        # The kernels read rows, whatever the strides say.
        self._integers = (weight / steps[:, None]).round().to(torch.int8).contiguous()
        self._steps = steps.float().contiguous()
        self._zeros = torch.zeros(len(steps), dtype=torch.int64)
        self._packed: Tensor | None = None

    def __getstate__(self) -> dict[str, Any]:
        # What the kernels have packed has no storage that could be copied: a copy packs its own.
        return self.__dict__ | {"_packed": None}

    def __call__(self, inputs: Tensor, grid: Grid, bias: Tensor | None = None) -> Tensor:
        """Multiply.

        Args:
            inputs: From ``integer_inputs``, shape (..., K).
            grid: Theirs.
            bias: Shape (M,), or None.

        Returns:
            In float, shape (..., M).
        """
        if self._packed is None:
            self._packed = torch.ops.onednn.qlinear_prepack(self._integers, None)
        zero = SIGNED_ZERO if grid.signed else 0
        weights = self._packed, self._steps, self._zeros
        found: Tensor = torch.ops.onednn.qlinear_pointwise(
            *(inputs, grid.step, zero, *weights, bias), 1.0, 0, torch.float32, "none", [], ""
        )
        return found


def multiply_integers(
    module: nn.Conv2d | nn.Linear, weight: Tensor, steps: Tensor
) -> IntegerConvolution | IntegerLinear:
    """Return what multiplies integers by weights.

    Args:
        module: A convolution gives stride, padding, dilation and groups.
        weight: Multiples of the steps that signed bytes hold, shape as the module's.
        steps: Shape (M,).

    Returns:
        What computes the layer.
    """
    if isinstance(module, nn.Linear):
        return IntegerLinear(weight, steps)
    return IntegerConvolution(module, weight, steps)


def integer_inputs(maps: Tensor, grid: Grid) -> Tensor:
    """Round activations to the integers of their grid, those of ``quantize_activation``.

    Args:
        maps: Any shape.
        grid: Theirs.

    Returns:
        As bytes, same shape; where the grid has negative values, ``SIGNED_ZERO`` stands for 0.
    """
    step, bits, signed = grid
    smallest, largest = activation_range(bits, signed=signed)
    rounded = maps.mul(inverse_step(step)).round_().clamp_(smallest, largest)
    # Only the conversion to signed bytes is vectorised.
    if signed:
        return rounded.to(torch.int8).view(torch.uint8).bitwise_xor_(SIGNED_ZERO)
    if largest < SIGNED_ZERO:
        return rounded.to(torch.int8).view(torch.uint8)
    return rounded.sub_(SIGNED_ZERO).to(torch.int8).view(torch.uint8).bitwise_xor_(SIGNED_ZERO)


def _lies_in_rows(maps: Tensor) -> bool:
    """Say whether maps lie row by row; of one channel, strides say it, as to torch's own layers."""
    return maps.is_contiguous() and (maps.shape[1] > 1 or maps.stride(1) != 1)


def _type_of(grid: Grid) -> torch.dtype:
    return torch.int8 if grid.signed else torch.uint8


def _as_bytes(rounded: Tensor, grid: Grid) -> Tensor:
    """Turn what kernels have rounded, at 8 bits, into what ``integer_inputs`` gives."""
    if grid.bits < 8:
        rounded.clamp_(*activation_range(grid.bits, signed=grid.signed))
    return rounded.view(torch.uint8).bitwise_xor_(SIGNED_ZERO) if grid.signed else rounded


def takes_integers(module: nn.Module, inputs: Tensor) -> bool:
    """Say whether a layer can be computed with integers on this machine.

    Args:
        module: The float layer.
        inputs: What it is given.

    Returns:
        Whether it is a plain convolution, or a fully connected layer, of single precision on a
        processor whose kernels are exact, given a batch, with sums that 32 bits hold.
    """
    if type(module) not in (nn.Conv2d, nn.Linear):
        return False
    if isinstance(module, nn.Conv2d):
        padded_so = module.padding_mode == "zeros" and not isinstance(module.padding, str)
        fits = inputs.ndim == 4 and padded_so
    else:
        fits = inputs.ndim > 1
    assert isinstance(module.weight, Tensor)
    return (
        fits
        and module.weight[0].numel() <= MOST_PRODUCTS
        and inputs.dtype == module.weight.dtype == torch.float32
        and not module._forward_hooks
        and not module._forward_pre_hooks
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
    weight, rows, ones = torch.full_like(module.weight, 127.0), torch.empty(32, 512), torch.ones(32)
    weight[::2] = -127.0
    rows[:] = weight[:, 0, 0, :1]
    try:
        with torch.inference_mode():
            for signed, value in ((False, 255.0), (True, -128.0)):
                maps, grid = torch.full((1, 64, 8, 8), value), Grid(1.0, 8, signed)
                given = integer_inputs(maps, grid)
                found = IntegerConvolution(module, weight, ones)(given, grid)
                right = F.conv2d(maps.double(), weight.double(), padding=1)
                if not torch.equal(found.double(), right):
                    return False
                found = IntegerLinear(rows, ones)(given.reshape(8, 512), grid)
                right = F.linear(maps.double().reshape(8, 512), rows.double())
                if not torch.equal(found.double(), right):
                    return False
    except MISSING_KERNEL:
        return False
    return True
