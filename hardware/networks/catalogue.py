"""The built-in networks: one entry each, from which tasks, models, tables and tests derive."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Literal

from lrmp.errors import NetworkError, unknown_name
from lrmp.hardware.networks.digits import digits_cnn
from lrmp.hardware.networks.efficientnet import efficientnet_lite0
from lrmp.hardware.networks.lenet import lenet
from lrmp.hardware.networks.lstm import ptb_lstm
from lrmp.hardware.networks.mlp import mlp
from lrmp.hardware.networks.mobilenet import mobilenet_v2
from lrmp.hardware.networks.network import Network
from lrmp.hardware.networks.resnet import cifar_resnet, imagenet_resnet, resnet8
from lrmp.hardware.networks.squeezenet import squeezenet1_1
from lrmp.hardware.networks.transformer import bert_base, llama_7b, vit_b_32
from lrmp.hardware.networks.vgg import vgg8, vgg16

#: How the accuracy of a network is known in its tasks: by running it, by a table that was measured
#: on it, or by one that was predicted from other networks'.
KnownBy = Literal["network", "table", "prediction"]


@dataclass(frozen=True)
class NetworkEntry:
    """All that the suite has to be told of a built-in network.

    Attributes:
        name: For ``load_network``; that of the network.
        title: For people.
        layout: Lays out the layers.
        layers: How many there are, for what must not lay them out; a test holds it equal.
        torch_model: The same network in ``lrmp.accuracy.lab.models``, as ``module:callable``; None
            where no weights are at hand. A test holds their layers equal.
        label: In the ids of its tasks; None where it has none.
        known_by: How its tasks know the accuracy of a design.
    """

    name: str
    title: str
    layout: Callable[[], Network]
    layers: int
    torch_model: str | None = None
    label: str | None = None
    known_by: KnownBy = "table"


_ENTRIES = (
    NetworkEntry(
        "digits_cnn",
        "small CNN for scikit-learn's digits",
        digits_cnn,
        5,
        label="Digits",
        known_by="network",
    ),
    NetworkEntry("mlp", "perceptron for MNIST", mlp, 3, "mnist:MLP", "MLP"),
    NetworkEntry("lenet", "LeNet for MNIST", lenet, 4, "mnist:LeNet", "LeNet"),
    NetworkEntry(
        "resnet8", "ResNet-8 of MLPerf Tiny", resnet8, 10, "cifar_resnet:ResNet8", "ResNet8"
    ),
    NetworkEntry(
        "resnet20",
        "ResNet-20 for CIFAR-10",
        partial(cifar_resnet, 20),
        20,
        "cifar_resnet:resnet20",
        "ResNet20",
    ),
    NetworkEntry(
        "resnet32", "ResNet-32 for CIFAR-10", partial(cifar_resnet, 32), 32, "cifar_resnet:resnet32"
    ),
    NetworkEntry(
        "resnet56", "ResNet-56 for CIFAR-10", partial(cifar_resnet, 56), 56, "cifar_resnet:resnet56"
    ),
    NetworkEntry(
        "squeezenet1_1", "SqueezeNet 1.1", squeezenet1_1, 26, "squeezenet:SqueezeNet", "SqueezeNet"
    ),
    NetworkEntry(
        "mobilenet_v2", "MobileNetV2", mobilenet_v2, 53, "mobilenet:MobileNetV2", "MobileNetV2"
    ),
    NetworkEntry(
        "efficientnet_lite0",
        "EfficientNet-Lite0",
        efficientnet_lite0,
        50,
        "efficientnet:EfficientNetLite0",
        "EfficientNetLite0",
    ),
    NetworkEntry(
        "resnet18",
        "ResNet-18",
        partial(imagenet_resnet, "resnet18", (2, 2, 2, 2), bottleneck=False),
        21,
        "resnet:resnet18",
        "ResNet18",
    ),
    NetworkEntry(
        "resnet50",
        "ResNet-50",
        partial(imagenet_resnet, "resnet50", (3, 4, 6, 3), bottleneck=True),
        54,
        "resnet:resnet50",
        "ResNet50",
    ),
    NetworkEntry(
        "resnet34",
        "ResNet-34",
        partial(imagenet_resnet, "resnet34", (3, 4, 6, 3), bottleneck=False),
        37,
        "resnet:resnet34",
        "ResNet34",
        "prediction",
    ),
    NetworkEntry(
        "resnet101",
        "ResNet-101",
        partial(imagenet_resnet, "resnet101", (3, 4, 23, 3), bottleneck=True),
        105,
        "resnet:resnet101",
        "ResNet101",
        "prediction",
    ),
    NetworkEntry("vgg8", "NeuroSim's VGG-8 for CIFAR-10", vgg8, 8),
    NetworkEntry("vgg16", "VGG-16", vgg16, 16),
    NetworkEntry("vit_b_32", "ViT-B/32", vit_b_32, 74),
    NetworkEntry("bert_base", "BERT-base, 128 tokens", bert_base, 97),
    NetworkEntry("llama_7b", "LLaMA-7B, a prompt of 128 tokens", llama_7b, 289),
    NetworkEntry(
        "lstm_ptb_medium",
        "LSTM of 650 units for the Penn Treebank",
        partial(ptb_lstm, "lstm_ptb_medium", 650),
        3,
    ),
    NetworkEntry(
        "lstm_ptb_large",
        "LSTM of 1,500 units for the Penn Treebank",
        partial(ptb_lstm, "lstm_ptb_large", 1500),
        3,
    ),
)

#: Built-in networks by name, in the order in which tasks and tables list them.
NETWORKS = {entry.name: entry for entry in _ENTRIES}


def list_networks() -> list[str]:
    """Name the built-in networks.

    Returns:
        Names for ``load_network``, sorted.
    """
    return sorted(NETWORKS)


@cache
def load_network(name: str) -> Network:
    """Look up a built-in network.

    Args:
        name: A key of ``NETWORKS``.

    Returns:
        The network; the same object for the same name.

    Raises:
        NetworkError: If there is no such network.
    """
    if name not in NETWORKS:
        raise NetworkError(unknown_name("network", name, NETWORKS))
    return NETWORKS[name].layout()
