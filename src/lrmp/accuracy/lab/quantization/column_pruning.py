"""Pruning as in TinyADC (DATE 2021): few weights other than 0 in every column of a row group.

The rows of a matrix are its inputs in the order of ``torch.nn.functional.unfold``: channel by
channel, and within one the elements of the kernel; those of an LSTM are the input, then the hidden
state. A grouped convolution has a matrix per group, each from row 0 on. Crossbars take the rows in
this order, and so do their row groups (`TileMapping`).
"""

import torch
from torch import Tensor

from lrmp.accuracy.lab.quantization.layers import QuantizedLayer
from lrmp.accuracy.lab.quantization.row_groups import row_groups
from lrmp.accuracy.lab.quantization.weight_projection import KeptWeights
from lrmp.hardware.chip.accelerator import Accelerator


def largest_weights(weight: Tensor, nonzeros: int, chip: Accelerator) -> Tensor:
    """Choose the weights of largest magnitude in every row group of every output channel.

    Args:
        weight: Shape (M, ...).
        nonzeros: n, how many of a row group are kept.
        chip: That the weights sit on.

    Returns:
        Mask of the same shape. Of equal weights the first ones are kept.
    """
    magnitude = weight.detach().abs().flatten(1)
    kept = torch.ones_like(magnitude, dtype=torch.bool)
    for group in row_groups(magnitude.shape[1], chip):
        if group.stop - group.start > nonzeros:
            order = magnitude[:, group].argsort(dim=1, descending=True, stable=True)
            kept[:, group] = torch.zeros_like(kept[:, group]).scatter_(1, order[:, :nonzeros], True)
    return kept.view(weight.shape)


def keep_largest(layer: QuantizedLayer, nonzeros: int) -> None:
    """Prune a layer to few weights per row group and output channel; all bit slices share the mask.

    A layer whose row groups hold no more weights anyway stays as it is.

    Args:
        layer: Calibrated, on a chip.
        nonzeros: n.

    Raises:
        AccuracyDataError: If the layer is not calibrated, or nobody has said on which chip it is.
    """
    chip = layer.chip
    rows = layer.float_weight[0].numel()
    if any(group.stop - group.start > nonzeros for group in row_groups(rows, chip)):
        layer.project_weights(
            "column_nonzeros",
            (nonzeros, chip),
            lambda weight: KeptWeights(largest_weights(weight, nonzeros, chip)),
        )
