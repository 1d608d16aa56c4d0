"""Filters that can be pruned only together, and the narrower network that is left.

A filter is an output channel of a layer. Without it, a column of the layer is gone and, in every
layer that reads it, the rows of that channel. Layers whose outputs are added up must lose the same
filters, or the sum would have the channel still.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from lrmp.errors import NetworkError
from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network

_PRUNABLE = ("conv2d", "conv1d", "conv3d", "linear")


class FilterGroup(NamedTuple):
    """Layers that compute the same channels, and those that read them.

    Attributes:
        channels: M, filters of every producer.
        producers: Numbers of the layers whose outputs are the channels, added up if several.
        readers: Numbers of the layers that read them, and nothing else.
    """

    channels: int
    producers: tuple[int, ...]
    readers: tuple[int, ...]


def filter_groups(network: Network) -> tuple[FilterGroup, ...]:
    """Find the groups whose filters can be pruned.

    Left out is what is not computed by convolutions with square kernels and fully connected layers
    of one group of channels each, channels that are put beside others (concatenation), and sums of
    maps of unequal width, such as those of shortcuts that fill up with zeros.

    Edges do not say who reads the input of the network, or whose outputs leave it beside the last
    layer's. Where the input is added to what a layer computes, or maps that others read leave the
    network, as in none of lrmp's own networks, a group is found that cannot be pruned.

    Args:
        network: L layers, whose edges are known.

    Returns:
        In the order of their first producers; the outputs of the network are in none.

    Raises:
        NetworkError: If the edges are not known.
    """
    if network.edges is None:
        raise NetworkError(
            f"Expected a network that says which layer reads which, got {network.name!r} without "
            "edges. Read it with Network.from_torch or from_onnx, or give it edges."
        )
    group_of = list(range(len(network)))
    for first, second in _read_together(network):
        joined, other = group_of[first], group_of[second]
        if joined != other:
            group_of = [joined if each == other else each for each in group_of]
    members: dict[int, list[int]] = {}
    for number, name in enumerate(group_of):
        members.setdefault(name, []).append(number)
    readers: dict[int, set[int]] = {name: set() for name in members}
    for source, reader in network.edges:
        readers[group_of[source]].add(reader)
    found = []
    for name, producers in members.items():
        channels = network.layers[producers[0]].columns
        group = FilterGroup(channels, tuple(producers), tuple(sorted(readers[name])))
        if group.readers and _is_prunable(network, group):
            found.append(group)
    return tuple(sorted(found, key=lambda group: group.producers))


def narrowed(network: Network, kept: Mapping[FilterGroup, int]) -> Network:
    """Take filters away: columns of their producers, rows of their readers.

    Args:
        network: L layers.
        kept: How many filters are left of some of its groups, 1 to M.

    Returns:
        The network as it is without them, of the same name and layers; what each costs is what a
        network that was never wider costs.

    Raises:
        NetworkError: If a group is none of the network's, or as many filters cannot be kept.
    """
    layers, groups = list(network.layers), filter_groups(network)
    for group, count in kept.items():
        if group not in groups:
            raise NetworkError(
                f"Expected groups of filters of {network.name!r}, got {group}. Take one that "
                "filter_groups finds."
            )
        if not 1 <= count <= group.channels:
            raise NetworkError(
                f"Expected 1 to {group.channels} filters to be kept of layer "
                f"{network.layers[group.producers[0]].name!r}, got {count}."
            )
        for number in group.producers:
            layer = layers[number]
            ops = layer.vector_ops * count // group.channels
            layers[number] = replace(layer, columns=count, vector_ops=ops)
        for number in group.readers:
            layer = layers[number]
            layers[number] = replace(
                layer,
                rows=layer.rows * count // group.channels,
                input_elements=layer.input_elements * count // group.channels,
            )
    return Network(network.name, tuple(layers), network.edges)


def _read_together(network: Network) -> list[tuple[int, int]]:
    """List pairs of layers that the same layer reads."""
    assert network.edges is not None
    first_source: dict[int, int] = {}
    return [(first_source.setdefault(reader, source), source) for source, reader in network.edges]


def _is_prunable(network: Network, group: FilterGroup) -> bool:
    layers = network.layers
    several = len(group.producers) > 1
    return all(
        _is_dense(layers[number])
        and layers[number].columns == group.channels
        and layers[number].vector_ops % group.channels == 0
        for number in group.producers
    ) and all(
        _reads(layers[number], layers[group.producers[0]], several) for number in group.readers
    )


def _is_dense(layer: Layer) -> bool:
    return layer.kind in _PRUNABLE and layer.groups == 1


def _reads(layer: Layer, producer: Layer, several: bool) -> bool:
    """Say whether a layer reads a producer's channels; of a single one perhaps flattened maps."""
    per_channel = layer.kernel_elements if layer.kind != "linear" else 1
    places, rest = divmod(layer.rows, producer.columns * per_channel)
    if not _is_dense(layer) or rest or layer.input_elements % producer.columns:
        return False
    flattened = layer.kind == "linear" and not several and producer.positions % max(places, 1) == 0
    return places == 1 or flattened
