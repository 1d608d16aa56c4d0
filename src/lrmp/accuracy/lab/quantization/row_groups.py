"""Which inputs of a product a crossbar reads together: the products unfolded row by row."""

from collections.abc import Callable, Iterator
from math import prod
from typing import TYPE_CHECKING, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrmp.accuracy.lab.quantization.convolution import Convolution
from lrmp.errors import AccuracyDataError
from lrmp.hardware.chip.accelerator import Accelerator

if TYPE_CHECKING:
    from lrmp.accuracy.lab.quantization.layers import QuantizedLayer

#: Numbers of unfolded inputs at a time, so that they stay in the cache.
_BLOCK = 2**20


def row_groups(rows: int, chip: Accelerator) -> list[slice]:
    """Cut the rows of a matrix into those that are driven together.

    Args:
        rows: K of a group of the layer, in the order of the crossbar: by input channel, then by the
            place in the window.
        chip: Says how many rows a crossbar has, how many are driven together, and how many a weight
            takes.

    Returns:
        Slices of the K rows; every crossbar starts a row group.
    """
    crossbar = max(1, chip.crossbar_rows // chip.rows_per_weight)
    together = max(1, chip.active_rows // chip.rows_per_weight)
    return [
        slice(first, min(first + together, start + crossbar, rows))
        for start in range(0, rows, crossbar)
        for first in range(start, min(start + crossbar, rows), together)
    ]


def group_slices(rows: int, chip: Accelerator) -> list[tuple[slice, int]]:
    """Join row groups of a size that follow one another.

    Args:
        rows: K of a group of the layer, as ``row_groups`` takes it.
        chip: The chip.

    Returns:
        Slices of the rows, each with how many rows a row group has in it.
    """
    found: list[tuple[slice, int]] = []
    for group in row_groups(rows, chip):
        size = group.stop - group.start
        start = group.start
        if found and found[-1][1] == size:
            start = found.pop()[0].start
        found.append((slice(start, group.stop), size))
    return found


def unfold_rows(module: Convolution, maps: Tensor) -> tuple[Tensor, tuple[int, ...]]:
    """Cut padded maps into the rows of every position, as ``F.unfold`` in an eighth of its time.

    Args:
        module: Says window, stride and padding.
        maps: Shape (N, channels, height, width), or of other dimensions.

    Returns:
        Shape (N, groups, K, P), and the height and width, or other sizes, of the P positions.
    """
    # torch keeps paddings from the last dimension to the first, whatever text they were given as.
    padded = F.pad(maps, tuple(module._reversed_padding_repeated_twice)).contiguous()
    kernel, steps, gaps = module.kernel_size, module.stride, module.dilation
    places = tuple(
        (size - gap * (window - 1) - 1) // step + 1
        for size, window, step, gap in zip(padded.shape[2:], kernel, steps, gaps, strict=True)
    )
    images, channels, *lines = padded.stride()
    strides = (
        *(images, channels),
        *(gap * line for gap, line in zip(gaps, lines, strict=True)),
        *(step * line for step, line in zip(steps, lines, strict=True)),
    )
    windows = padded.as_strided((*padded.shape[:2], *kernel, *places), strides)
    patches = torch.empty(windows.shape, dtype=maps.dtype).copy_(windows)
    return patches.view(len(maps), module.groups, -1, prod(places)), places


class RowwiseProduct:
    """A layer's products, its inputs changed row group by row group before.

    Args:
        layer: A convolution or a fully connected layer. Its weights are
            those that it has when it runs.
        change: Changes inputs in place: shape (images, groups of the layer, row groups, rows of a
            row group, positions).

    Raises:
        AccuracyDataError: If the layer is of another kind, pads otherwise than by zeros, or nobody
            has said which chip it is on.
    """

    def __init__(self, layer: "QuantizedLayer", change: Callable[[Tensor], None]) -> None:
        module = getattr(layer, "module", None)
        plain = type(module) in (*get_args(Convolution), nn.Linear)
        if not plain or getattr(module, "padding_mode", "zeros") != "zeros":
            raise AccuracyDataError(
                "Expected a convolution that pads with zeros, or a fully connected layer, whose "
                f"inputs are taken row by row; got {module or type(layer).__name__}. Leave the "
                "knob out."
            )
        self._module: Convolution | nn.Linear = module  # type: ignore[assignment]
        self._change = change
        rows = layer.float_weight[0].numel()
        self._slices = group_slices(rows, layer.chip)

    def __call__(self, inputs: Tensor) -> Tensor:
        """Compute the products.

        Args:
            inputs: As the float layer takes them.

        Returns:
            As the float layer gives them.
        """
        module = self._module
        if isinstance(module, nn.Linear):
            flat = inputs.reshape(-1, inputs.shape[-1])
            rows = torch.empty_like(flat.T, memory_format=torch.contiguous_format).copy_(flat.T)
            return self._multiply(rows[None, None])[0].T.reshape(*inputs.shape[:-1], -1)
        return torch.cat([self._convolve(part) for part in self._parts(inputs)])

    def _parts(self, maps: Tensor) -> Iterator[Tensor]:
        """Cut a batch so that its unfolded inputs fit the cache."""
        per_image = maps[0].numel() * self._module.weight[0, 0].numel()
        yield from torch.split(maps, max(1, _BLOCK // per_image))

    def _convolve(self, maps: Tensor) -> Tensor:
        module = self._module
        assert isinstance(module, Convolution)
        rows, places = unfold_rows(module, maps)
        return torch.unflatten(self._multiply(rows), 2, places)

    def _multiply(self, patches: Tensor) -> Tensor:
        """Multiply changed inputs, shape (N, groups, K, P), by the weights: shape (N, M, P)."""
        for rows, size in self._slices:
            # A view: whatever the change does stays in the patches.
            self._change(torch.unflatten(patches[:, :, rows], 2, (-1, size)))
        weight = torch.unflatten(self._module.weight.flatten(1), 0, (patches.shape[1], -1))
        outputs = torch.matmul(weight, patches.to(weight.dtype)).flatten(1, 2)
        bias = self._module.bias
        return outputs if bias is None else outputs.add_(bias[:, None])
