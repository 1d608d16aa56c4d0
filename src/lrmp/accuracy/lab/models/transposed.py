"""Transposed convolutions with their matrix in the open."""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lrmp.errors import AccuracyDataError

Transposed = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
_KINDS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class OverlapAdd(nn.Module):
    """Adds up the kernels of outputs that input positions give.

    Args:
        module: The transposed convolution; it says where kernels lie, and has the bias.
    """

    def __init__(self, module: Transposed) -> None:
        super().__init__()
        self.kernel_size: tuple[int, ...] = module.kernel_size
        self.dilation: tuple[int, ...] = module.dilation
        self.stride: tuple[int, ...] = module.stride
        self.padding = [int(each) for each in module.padding]  # torch refuses text here
        self.output_padding = module.output_padding
        self.bias = module.bias

    def forward(self, kernels: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Put every kernel in its place.

        Args:
            kernels: Shape (N, M * kernel positions, places ...), channels before positions.
            output_size: As torch's own module takes it.

        Returns:
            Maps, shape (N, M, places ...).
        """
        axes = len(self.kernel_size)
        batched = kernels.ndim == axes + 2
        kernels = kernels if batched else kernels[None]
        places = tuple(kernels.shape[2:])
        every = list(itertools.product(*map(range, self.kernel_size)))
        parts = torch.unflatten(kernels, 1, (-1, len(every)))
        covered = [
            (place - 1) * step + gap * (size - 1) + 1
            for place, step, gap, size in zip(
                places, self.stride, self.dilation, self.kernel_size, strict=True
            )
        ]
        sizes = self._with_rest(covered, output_size)
        maps = kernels.new_zeros((*parts.shape[:2], *sizes))
        for number, offsets in enumerate(every):
            every_step = (
                slice(gap * offset, gap * offset + step * (place - 1) + 1, step)
                for gap, offset, step, place in zip(
                    self.dilation, offsets, self.stride, places, strict=True
                )
            )
            region: tuple[Any, ...] = (..., *every_step)
            maps[region] += parts[:, :, number]
        kept = (slice(cut, size - cut) for cut, size in zip(self.padding, sizes, strict=True))
        inner: tuple[Any, ...] = (..., *kept)
        maps = maps[inner]
        if self.bias is not None:
            maps = maps + self.bias.view(-1, *[1] * axes)
        return maps if batched else maps[0]

    def _with_rest(self, covered: list[int], output_size: Sequence[int] | None) -> list[int]:
        """Add the places at the end that no kernel reaches; longer steps leave them open."""
        if output_size is None:
            rest = list(self.output_padding)
        else:
            wanted = list(output_size)[-len(covered) :]
            rest = [
                asked + 2 * cut - size
                for asked, cut, size in zip(wanted, self.padding, covered, strict=True)
            ]
            if not all(0 <= more < step for more, step in zip(rest, self.stride, strict=True)):
                raise AccuracyDataError(
                    f"Expected an output_size that {covered} places, less padding "
                    f"{tuple(self.padding)}, and at most a step more give, got {wanted}."
                )
        return [size + more for size, more in zip(covered, rest, strict=True)]


class OpenedTransposed(nn.Module):
    """A transposed convolution as crossbars compute it.

    Every input position is multiplied by one matrix, a column of which is an element of the kernel
    of an output channel; what positions give is added where it overlaps. The product is a
    convolution of one position, which can be quantised as any other.

    Args:
        module: The transposed convolution, with G groups of C / G inputs and M / G outputs.

    Attributes:
        product: Of C inputs, to M outputs for each of the kernel's positions.
        overlap: What adds them up.
    """

    def __init__(self, module: Transposed) -> None:
        super().__init__()
        # What onnx2pytorch asks the module for that it crops the outputs of.
        self.kernel_size, self.dilation = module.kernel_size, module.dilation
        self.stride, self.output_padding = module.stride, module.output_padding
        axes, groups = len(module.kernel_size), module.groups
        weight = torch.unflatten(module.weight.detach().flatten(2), 0, (groups, -1))
        columns = weight.permute(0, 2, 3, 1).flatten(0, 2)  # (M * positions, C / G)
        self.product = _KINDS[axes - 1](
            module.in_channels, len(columns), 1, groups=groups, bias=False, device="meta"
        )
        matrix = columns.reshape(*columns.shape, *[1] * axes).contiguous()
        self.product.weight = nn.Parameter(matrix, requires_grad=False)
        self.overlap = OverlapAdd(module)

    def forward(self, inputs: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Compute the layer.

        Args:
            inputs: Shape (N, C, places ...).
            output_size: As torch's own module takes it.

        Returns:
            As torch's own module gives it.
        """
        maps: Tensor = self.overlap(self.product(inputs), output_size)
        return maps
