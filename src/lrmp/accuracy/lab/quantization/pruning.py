"""Pruning as `hardware.space.pruning` has it: input channels, weights of columns, single weights.

Weights are masked first, then rounded in steps that fit those which are left; what an output loses
on average goes to its bias, as with rounding. Nothing is trained.
"""

import torch
from torch import Tensor

from lrmp.accuracy.lab.quantization.column_pruning import largest_weights
from lrmp.accuracy.lab.quantization.layers import QuantizedLayer
from lrmp.accuracy.lab.quantization.weight_projection import KeptWeights
from lrmp.errors import AccuracyDataError
from lrmp.hardware.space.pruning import PRUNING_METHOD, PRUNING_RATIO, pruned_count

_RATIO, _METHOD = PRUNING_RATIO.name, PRUNING_METHOD.name


def largest_anywhere(weight: Tensor, percent: int) -> Tensor:
    """Choose the weights of largest magnitude of a whole layer.

    Args:
        weight: Any shape.
        percent: How many are not chosen, rounded down to whole weights.

    Returns:
        Mask of the same shape. Of equal weights the first ones are kept.
    """
    magnitude = weight.detach().abs().flatten()
    kept = len(magnitude) - pruned_count(len(magnitude), percent)
    order = magnitude.argsort(descending=True, stable=True)[:kept]
    mask = torch.zeros_like(magnitude, dtype=torch.bool).index_fill_(0, order, True)
    return mask.view(weight.shape)


def largest_channels(weight: Tensor, percent: int, groups: int = 1) -> Tensor:
    """Choose the input channels whose weights have the largest norm, in every group.

    Args:
        weight: Shape (M, C / groups, ...).
        percent: How many channels of a group are not chosen, rounded down to whole ones.
        groups: Of channels.

    Returns:
        Mask of the shape of the weights. Of equal channels the first ones are kept.
    """
    by_group = weight.detach().double().reshape(groups, -1, weight.shape[1], weight[0, 0].numel())
    norms = by_group.square().sum((1, 3))  # of every group and channel
    channels = weight.shape[1]
    kept = channels - pruned_count(channels, percent)
    order = norms.argsort(dim=1, descending=True, stable=True)[:, :kept]
    mask = torch.zeros_like(norms, dtype=torch.bool).scatter_(1, order, True)
    return mask[:, None, :, None].expand_as(by_group).reshape(weight.shape)


def prune(layer: QuantizedLayer, percent: int) -> None:
    """Prune a layer by a ratio, single weights unless a method is chosen.

    Args:
        layer: Calibrated; on a chip, where weights of columns are pruned.
        percent: The ratio.

    Raises:
        AccuracyDataError: If the layer is not calibrated, another knob projects its weights, or
            nobody has said on which chip it is.
    """
    layer.told[_RATIO] = percent
    _apply(layer)


def choose_method(layer: QuantizedLayer, method: str) -> None:
    """Say what a layer's ratio leaves out.

    Args:
        layer: As for ``prune``.
        method: Value of the knob.

    Raises:
        AccuracyDataError: As ``prune``; or if there is no such method.
    """
    if method not in PRUNING_METHOD.values:
        raise AccuracyDataError(
            f"Expected {_METHOD} {PRUNING_METHOD.range}, got {method!r}. Take one of these."
        )
    layer.told[_METHOD] = method
    _apply(layer)


def _apply(layer: QuantizedLayer) -> None:
    percent = int(layer.told.get(_RATIO, PRUNING_RATIO.plain))
    method = layer.told.get(_METHOD, PRUNING_METHOD.plain)
    if not percent:
        return

    def mask(weight: Tensor) -> KeptWeights:
        if method == "channels":
            return KeptWeights(largest_channels(weight, percent, layer.groups))
        if method == "columns":
            rows = layer.chip.active_rows
            return KeptWeights(
                largest_weights(weight, rows - pruned_count(rows, percent), layer.chip)
            )
        return KeptWeights(largest_anywhere(weight, percent))

    which = (method, percent, layer.chip if method == "columns" else None)
    layer.project_weights(_RATIO, which, mask)
