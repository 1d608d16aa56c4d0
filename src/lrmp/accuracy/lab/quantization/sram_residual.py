"""Words in SRAM that correct weights, after Krishnan et al. (IEEE TCAD 2022).

What a weight should be, less what its cells hold, is rounded to a word. The words are written after
the cells, with these read once, so that they correct both the rounding and all noise that stays;
what changes from read to read they do not. Of a layer those groups of words are kept that take away
the most squared error. The paper trains with both; here nothing is trained.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from lrmp.accuracy.lab.quantization.layers import QuantizedLayer
from lrmp.accuracy.model.bit_widths import BIT_WIDTHS, MIN_BITS
from lrmp.hardware.space.sram_residual import GROUP, SRAM_BITS, SRAM_SHIFT, SRAM_SPARSITY


def keep_words(layer: QuantizedLayer, sparsity: int) -> None:
    """Say which share of a layer's weights no word corrects.

    Args:
        layer: Calibrated.
        sparsity: Percent; 100 leaves the layer as it is.

    Raises:
        AccuracyDataError: If the layer is not calibrated.
    """
    layer.told[SRAM_SPARSITY.name] = sparsity
    _correct(layer)


def size_words(layer: QuantizedLayer, bits: int) -> None:
    """Say how long the words are.

    Args:
        layer: Calibrated.
        bits: Of a word.

    Raises:
        AccuracyDataError: If the layer is not calibrated.
    """
    layer.told[SRAM_BITS.name] = bits
    _correct(layer)


def shift_words(layer: QuantizedLayer, shift: int) -> None:
    """Say how far the words reach.

    Args:
        layer: Calibrated.
        shift: Bits.

    Raises:
        AccuracyDataError: If the layer is not calibrated.
    """
    layer.told[SRAM_SHIFT.name] = shift
    _correct(layer)


def _correct(layer: QuantizedLayer) -> None:
    layer.check_calibrated()
    sparsity, bits, shift = (
        int(layer.told.get(knob.name, knob.plain))
        for knob in (SRAM_SPARSITY, SRAM_BITS, SRAM_SHIFT)
    )
    if sparsity == 100:
        return

    def corrected(weight: Tensor) -> Tensor:
        assert layer.grids is not None
        width = layer.weight_bits or BIT_WIDTHS[-1]
        steps = layer.grids.steps[width - MIN_BITS].reshape(-1, *(1,) * (weight.ndim - 1))
        return weight + words(layer.grids.weight - weight, steps, bits, shift, sparsity)

    layer.correct_weights(corrected)


def words(residual: Tensor, steps: Tensor, bits: int, shift: int, sparsity: int) -> Tensor:
    """Round what weights lack to words, and keep the groups that help most.

    Args:
        residual: What weights should be, less what cells hold, shape (M, ...).
        steps: Of the weights, broadcastable to it.
        bits: Of a word, two's complement.
        shift: Of the words; their step is ``2 ** (shift - bits)`` of the weight's.
        sparsity: Percent of the groups of 8 neighbouring rows of a column that have no words,
            rounded down to whole groups.

    Returns:
        What the words count, of the shape of the residual; 0 where there is none. Of groups that
        help as much the first ones are kept.
    """
    step = steps * 2.0 ** (shift - bits)
    most = 2 ** (bits - 1)
    found = (residual / step).round().clamp(-most, most - 1) * step
    helped = residual.double().square() - (residual.double() - found.double()).square()
    rows = helped.flatten(1)
    room = -rows.shape[1] % GROUP
    by_group = torch.unflatten(F.pad(rows, (0, room)), 1, (-1, GROUP)).sum(2)
    groups = by_group.numel()
    kept = by_group.flatten().argsort(descending=True, stable=True)
    kept = kept[: groups - groups * sparsity // 100]
    mask = residual.new_zeros(groups, dtype=torch.bool).index_fill_(0, kept, True)
    each = mask.view(by_group.shape).repeat_interleave(GROUP, 1)[:, : rows.shape[1]]
    return found * each.reshape(found.shape)
