"""Outputs of integer convolutions, computed when it is known what comes next."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrmp.accuracy.lab.quantization.integer_product import (
    IDENTITY,
    MISSING_KERNEL,
    RELU,
    RELU6,
    Activation,
    Grid,
    IntegerConvolution,
    integer_inputs,
)

_ATEN = torch.ops.aten
#: Activation functions, and their forms in place.
_RELU = (_ATEN.relu.default, _ATEN.relu_.default)
_RELU6 = (_ATEN.relu6.default, _ATEN.relu6_.default)
_HARDTANH = (_ATEN.hardtanh.default, _ATEN.hardtanh_.default)
_IN_PLACE = (_RELU[1], _RELU6[1], _HARDTANH[1])


class DeferredMaps(Tensor):
    """Outputs of a convolution of integers that has not run yet.

    Mostly an activation function comes next, and the rounding of the next layer, or a shortcut is
    added. The kernels round on their way, without passes over memory, and what is added goes into
    the outputs, without new memory; the results are the same to the bit. So the convolution waits
    for what comes. All else sees a tensor like any other: then the convolution runs in float.

    Args:
        convolution: What runs.
        inputs: From ``integer_inputs``; nobody else may write to them.
        grid: Theirs.
        bias: Shape (M,), or None.
        activation: What is done to the outputs.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    _value: Tensor | None
    _given: tuple[Tensor, Grid, Tensor | None]
    _convolution: IntegerConvolution
    _activation: Activation
    _was_rounded: bool

    @staticmethod
    def __new__(
        cls: type["DeferredMaps"],
        convolution: IntegerConvolution,
        inputs: Tensor,
        grid: Grid,
        bias: Tensor | None,
        activation: Activation = IDENTITY,
    ) -> "DeferredMaps":
        """Wait."""
        shape, strides, _ = convolution.outputs(inputs)
        made: DeferredMaps = Tensor._make_wrapper_subclass(
            cls, shape, strides=strides, dtype=torch.float32
        )
        made._convolution, made._given = convolution, (inputs, grid, bias)
        made._activation, made._value, made._was_rounded = activation, None, False
        return made

    def settle(self) -> Tensor:
        """Run the convolution, unless it has run in float.

        Returns:
            An ordinary tensor, always the same one.
        """
        if self._value is None:
            self._value = self._convolution(*self._given, self._activation)
        return self._value

    def rounded_to(self, grid: Grid) -> Tensor:
        """Round the outputs.

        Args:
            grid: To what.

        Returns:
            What ``integer_inputs`` gives for them.
        """
        if self._was_rounded:
            self._convolution.read_again = True
        if self._value is not None or self._convolution.read_again:
            return integer_inputs(self.settle(), grid)
        self._was_rounded = True
        return self._convolution(*self._given, self._activation, grid)

    @property
    def _is_open(self) -> bool:
        """Whether anything can still be done on the way."""
        return self._value is None and self._activation == IDENTITY

    def _followed_by(self, function: Any, arguments: Sequence[Any]) -> Tensor | None:
        """Do an activation function on the way; None where it is another function."""
        activation = _activation(function, arguments)
        if activation is None or not self._is_open:
            return None
        if function in _IN_PLACE:
            self._activation = activation
            return self
        return DeferredMaps(self._convolution, *self._given, activation)

    def _added_to(self, other: Any) -> Tensor | None:
        """Add to the outputs in their place; None where the sum may have another shape or type."""
        if (
            type(other) is Tensor
            and other.dtype == torch.float32
            and other.shape == self.shape
            and other.stride() == self.stride()
        ):
            return self._convolution(*self._given).add_(other)
        return None

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Compute a function of tensors of which some are deferred."""
        found: Tensor | None = None
        if not kwargs and func is _ATEN.add.Tensor:
            for one, other in (args, args[::-1]):
                if found is None and isinstance(one, DeferredMaps) and one._is_open:
                    found = one._added_to(settled(other))
        elif not kwargs and isinstance(args[0], DeferredMaps):
            found = args[0]._followed_by(func, args[1:])
        if found is not None:
            return found
        given = {name: settled(value) for name, value in (kwargs or {}).items()}
        return func(*map(settled, args), **given)


def _activation(function: Any, arguments: Sequence[Any]) -> Activation | None:
    if function in _RELU:
        return RELU
    if function in _RELU6:
        return RELU6
    if function in _HARDTANH:
        bounds = [-1.0, 1.0]
        bounds[: len(arguments)] = map(float, arguments)
        return Activation("hardtanh", tuple(bounds))
    return None


def settled(value: Any) -> Any:
    """Run what is deferred.

    Args:
        value: A tensor, or any argument of a function of tensors.

    Returns:
        The same, without ``DeferredMaps``.
    """
    if isinstance(value, DeferredMaps):
        return value.settle()
    return [settled(each) for each in value] if type(value) in (list, tuple) else value


@cache
def defers_exactly() -> bool:
    """Try what the kernels do on the way on some maps.

    Returns:
        Whether they give what is computed step by step, to the bit.
    """
    module, steps = nn.Conv2d(16, 16, 1, device="meta"), torch.linspace(0.01, 0.03, 16)
    integers = torch.arange(256.0).reshape(16, 16, 1, 1).remainder(255) - 127
    convolution = IntegerConvolution(module, integers * steps[:, None, None, None], steps)
    maps = torch.linspace(-1, 1, 16 * 64).reshape(1, 8, 8, 16).permute(0, 3, 1, 2)
    grid = Grid(0.011, 8, signed=True)
    given = (convolution, integer_inputs(maps, grid), grid, None)
    try:
        with torch.inference_mode():
            outputs, right = convolution(*given[1:]), True
            for activation in (F.relu, F.relu6, nn.Identity()):
                then = activation(outputs)
                right &= torch.equal(settled(activation(DeferredMaps(*given))), then)
                for bits, signed in ((8, False), (3, False), (8, True), (3, True)):
                    to = Grid(0.037, bits, signed)
                    maps = activation(DeferredMaps(*given))
                    assert isinstance(maps, DeferredMaps)
                    right &= torch.equal(maps.rounded_to(to), integer_inputs(then, to))
            return right
    except MISSING_KERNEL:
        return False
