import pytest

from lrmp.errors import NetworkError
from lrmp.hardware import NETWORKS, load_network

# Mapped layers and MACs as LRMP's benchmarks have them. Weights: torchvision's parameter counts
# less batch normalisation (two per channel) and the 1000 biases of fc, for example
# 11 689 512 - 9 600 - 1 000 for ResNet-18.
RESNETS = {
    "resnet18": (21, "1.814", 11_689_512 - 9_600 - 1_000),
    "resnet34": (37, "3.664", 21_797_672 - 17_024 - 1_000),
    "resnet50": (54, "4.089", 25_557_032 - 53_120 - 1_000),
    "resnet101": (105, "7.801", 44_549_160 - 105_344 - 1_000),
}


@pytest.mark.parametrize("name", RESNETS)
def test_resnets_have_the_published_layers_macs_and_weights(name):
    layers, giga_macs, weights = RESNETS[name]
    network = load_network(name)
    assert len(network) == layers
    assert f"{network.macs / 1e9:.3f}" == giga_macs
    assert sum(layer.weights for layer in network.layers) == weights


@pytest.mark.parametrize("name", RESNETS)
def test_resnets_map_the_first_the_downsampling_and_the_last_layers(name):
    names = [layer.name for layer in load_network(name).layers]
    assert names[0] == "conv1"
    assert names[-1] == "fc"
    # Stages 2 to 4 always change size; stage 1 changes width only with bottleneck blocks.
    first = ["layer1.0.downsample"] if name in ("resnet50", "resnet101") else []
    assert [n for n in names if n.endswith("downsample")] == [
        *first,
        *(f"layer{stage}.0.downsample" for stage in (2, 3, 4)),
    ]


def test_resnet50_strides_in_the_middle_convolution():
    strides = {layer.name: layer.stride for layer in load_network("resnet50").layers}
    assert strides["layer2.0.conv1"] == 1
    assert strides["layer2.0.conv2"] == 2
    assert strides["layer2.0.downsample"] == 2


def test_digits_cnn_layer_by_layer():
    # 8 x 8 images; kernel 3 with padding 1; conv3 and conv4 halve the side: 8 -> 4 -> 2.
    layers = load_network("digits_cnn").layers
    assert [(layer.rows, layer.columns, layer.positions) for layer in layers] == [
        (9 * 1, 16, 64),
        (9 * 16, 32, 64),
        (9 * 32, 48, 16),
        (9 * 48, 48, 4),
        (48 * 4, 10, 1),
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_registered_network_carries_its_name(name):
    assert load_network(name).name == name
    assert load_network(name) is load_network(name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("resnet-18", r" Did you mean 'resnet18'\?$"),
        ("ResNet101", r" Did you mean 'resnet101'\?$"),
        ("vgg", r"got 'vgg'\.$"),
    ],
)
def test_unknown_network_names_the_known_and_the_nearest(name, hint):
    with pytest.raises(
        NetworkError, match=rf"network to be one of digits_cnn, resnet101, .*{hint}"
    ):
        load_network(name)
