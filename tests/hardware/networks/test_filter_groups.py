"""Which filters go together, and what is left: beside networks that were never wider."""

import pytest
import torch
from torch import nn

from lrmp.errors import NetworkError
from lrmp.hardware import Layer, Network, load_network
from lrmp.hardware.networks.filter_groups import filter_groups, narrowed


class Residual(nn.Module):
    """A stem, a block with a plain shortcut, a block with a convolution as shortcut, a classifier.

    Widths are those of the first stream, of the insides of the blocks, and of the second stream.
    """

    def __init__(self, first, inner, second):
        super().__init__()
        self.stem = nn.Conv2d(3, first, 3, padding=1)
        self.a1 = nn.Conv2d(first, inner, 3, padding=1)
        self.a2 = nn.Conv2d(inner, first, 3, padding=1)
        self.b1 = nn.Conv2d(first, inner, 3, stride=2, padding=1)
        self.b2 = nn.Conv2d(inner, second, 3, padding=1)
        self.short = nn.Conv2d(first, second, 1, stride=2)
        self.fc = nn.Linear(second * 4, 5)

    def forward(self, maps):
        maps = torch.relu(self.stem(maps))
        maps = torch.relu(self.a2(torch.relu(self.a1(maps))) + maps)
        maps = torch.relu(self.b2(torch.relu(self.b1(maps))) + self.short(maps))
        return self.fc(nn.functional.max_pool2d(maps, 2).flatten(1))


class Chain(nn.Module):
    """Of which the fully connected layer reads flattened maps."""

    def __init__(self, first, second, third):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, first, 5), nn.Conv2d(first, second, 5)
        self.fc1, self.fc2 = nn.Linear(second * 16, third), nn.Linear(third, 10)

    def forward(self, maps):
        for conv in (self.conv1, self.conv2):
            maps = nn.functional.max_pool2d(conv(maps), 2)
        return self.fc2(torch.relu(self.fc1(maps.flatten(1))))


def group_of_layers(network, producers):
    for group in filter_groups(network):
        if [network.layers[number].name for number in group.producers] == producers:
            return group
    raise AssertionError(producers)


def read(module, *shape):
    return Network.from_torch(module, torch.zeros(1, *shape), name="net")


def test_producers_of_a_sum_go_together():
    network = read(Residual(8, 6, 12), 3, 8, 8)
    names = [layer.name for layer in network.layers]
    found = [
        (group.channels, {names[n] for n in group.producers}, {names[n] for n in group.readers})
        for group in filter_groups(network)
    ]
    assert (8, {"stem", "a2"}, {"a1", "b1", "short"}) in found
    assert (6, {"a1"}, {"a2"}) in found
    assert (6, {"b1"}, {"b2"}) in found
    assert len(found) == 3  # the sum of b2 and short is read flattened


@pytest.mark.parametrize(("first", "inner"), [(8, 6), (6, 3), (1, 1), (7, 6)])
def test_narrowed_residual_network_is_the_one_that_was_never_wider(first, inner):
    network = read(Residual(8, 6, 12), 3, 8, 8)
    kept = {
        group_of_layers(network, ["stem", "a2"]): first,
        group_of_layers(network, ["a1"]): inner,
        group_of_layers(network, ["b1"]): inner,
    }
    assert narrowed(network, kept) == read(Residual(first, inner, 12), 3, 8, 8)


@pytest.mark.parametrize("widths", [(20, 50, 500), (15, 38, 375), (10, 13, 50), (1, 1, 1)])
def test_narrowed_chain_is_the_one_that_was_never_wider(widths):
    network = read(Chain(20, 50, 500), 1, 28, 28)
    groups = filter_groups(network)
    assert [group.channels for group in groups] == [20, 50, 500]
    kept = dict(zip(groups, widths, strict=True))
    assert narrowed(network, kept) == read(Chain(*widths), 1, 28, 28)


def test_lenet_narrowed_is_written_down_by_hand():
    network = load_network("lenet")
    first, second, third = filter_groups(network)
    conv1, conv2, fc1, fc2 = narrowed(network, {first: 10, second: 25, third: 250}).layers
    assert (conv1.rows, conv1.columns, conv1.input_elements) == (25, 10, 784)
    assert conv1.vector_ops == 10 * 12 * 12 * 4  # 2 x 2 pooling
    assert (conv2.rows, conv2.columns, conv2.input_elements) == (250, 25, 10 * 12 * 12)
    assert (fc1.rows, fc1.columns, fc1.vector_ops) == (25 * 16, 250, 250)
    assert (fc2.rows, fc2.columns) == (250, 10)


@pytest.mark.parametrize(
    ("name", "count"),
    [("lenet", 3), ("mlp", 2), ("resnet8", 6), ("resnet18", 12), ("resnet50", 37)],
)
def test_groups_of_known_networks(name, count):
    network = load_network(name)
    groups = filter_groups(network)
    assert len(groups) == count
    assert len(network) - 1 not in {n for group in groups for n in group.producers}  # the scores


def test_shortcuts_filled_up_with_zeros_keep_their_filters():
    groups = filter_groups(load_network("resnet20"))
    names = [load_network("resnet20").layers[group.producers[0]].name for group in groups]
    assert names == [f"layer{s}.{b}.conv1" for s in (1, 2, 3) for b in (0, 1, 2)]


def test_what_stands_beside_others_keeps_its_filters():
    network = load_network("squeezenet1_1")
    producers = {network.layers[n].name for g in filter_groups(network) for n in g.producers}
    assert not any("expand" in name for name in producers)
    assert filter_groups(load_network("mobilenet_v2"))[0].producers != (0,)  # depth-wise reader


def test_a_network_without_edges_is_refused():
    network = Network("own", (Layer.linear("a", 4, 4), Layer.linear("b", 4, 4)))
    with pytest.raises(NetworkError, match="says which layer reads which, got 'own' without edges"):
        filter_groups(network)


def test_wrong_groups_and_counts_are_refused():
    network = load_network("lenet")
    first = filter_groups(network)[0]
    with pytest.raises(NetworkError, match="Expected 1 to 20 filters to be kept of layer 'conv1'"):
        narrowed(network, {first: 0})
    with pytest.raises(NetworkError, match="one that filter_groups finds"):
        narrowed(network, {first._replace(channels=3): 2})
