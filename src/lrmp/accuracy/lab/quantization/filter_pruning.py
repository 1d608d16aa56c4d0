"""Pruned filters, as those see it who would read them: channels that are not there.

A filter that nobody reads need not be computed, so that leaving it out of all its readers is all
there is to do. Which ones go is the same for all readers: the least important of the group.
"""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from lrmp.accuracy.lab.quantization.layers import QuantizedLayer
from lrmp.accuracy.lab.quantization.weight_projection import KeptWeights
from lrmp.hardware.networks.filter_groups import filter_groups
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.pruned_inputs import PRUNED_INPUTS
from lrmp.hardware.space.pruning import pruned_count


def rank_filters(layers: Sequence[QuantizedLayer], network: Network) -> None:
    """Tell the layers of a network which of their input channels are the most important.

    Args:
        layers: In network order.
        network: Their sizes and edges; where edges are not known, nothing is told.
    """
    if network.edges is None:
        return
    for group in filter_groups(network):
        readers = [layers[number] for number in group.readers]
        ranking = _Ranking(readers, group.channels)
        for reader in readers:
            reader.rank_inputs = ranking


class _Ranking:
    """Remembers the order of the channels that some layers read.

    Args:
        readers: The layers.
        channels: How many.
    """

    def __init__(self, readers: Sequence[QuantizedLayer], channels: int) -> None:
        self._readers, self._channels = readers, channels

    def __call__(self) -> Tensor:
        return self._order

    @cached_property
    def _order(self) -> Tensor:
        return most_important(self._readers, self._channels)


def most_important(readers: Sequence[QuantizedLayer], channels: int) -> Tensor:
    """Order channels by the norm of what all their readers weigh them with.

    Args:
        readers: Layers that read them; one of flattened maps has several inputs in a row for each.
        channels: How many.

    Returns:
        Numbers of channels, the most important first; of equal ones the first.
    """
    weights = (layer.float_weight.detach().double().transpose(0, 1) for layer in readers)
    norms = sum(weight.reshape(channels, -1).square().sum(1) for weight in weights)
    return torch.argsort(torch.as_tensor(norms), descending=True, stable=True)


def leave_inputs_out(layer: QuantizedLayer, percent: int) -> None:
    """Compute without the least important input channels.

    Args:
        layer: Calibrated; what its outputs lose on average goes to its bias.
        percent: Share of channels.

    Raises:
        AccuracyDataError: If the layer is not calibrated, or another knob projects its weights.
    """
    ranking = layer.rank_inputs
    if not percent or ranking is None:
        return

    def mask(weight: Tensor) -> KeptWeights:
        order = ranking()
        channels = len(order)
        kept = torch.zeros(channels, dtype=torch.bool)
        kept[order[: channels - pruned_count(channels, percent)]] = True
        of_inputs = kept.repeat_interleave(weight.shape[1] // channels)
        shape = (1, -1, *[1] * (weight.ndim - 2))
        return KeptWeights(of_inputs.view(shape).expand_as(weight))

    layer.project_weights(PRUNED_INPUTS.name, percent, mask)
