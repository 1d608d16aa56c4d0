"""The built-in networks by name."""

from functools import cache, partial

from lrmp.errors import NetworkError, unknown_name
from lrmp.hardware.networks.digits import digits_cnn
from lrmp.hardware.networks.lenet import lenet
from lrmp.hardware.networks.lstm import ptb_lstm
from lrmp.hardware.networks.mlp import mlp
from lrmp.hardware.networks.mobilenet import mobilenet_v2
from lrmp.hardware.networks.network import Network, NetworkFactory
from lrmp.hardware.networks.resnet import cifar_resnet, imagenet_resnet, resnet8
from lrmp.hardware.networks.squeezenet import squeezenet1_1
from lrmp.hardware.networks.transformer import bert_base, llama_7b, vit_b_32
from lrmp.hardware.networks.vgg import vgg8, vgg16

NETWORKS: dict[str, NetworkFactory] = {
    "bert_base": bert_base,
    "digits_cnn": digits_cnn,
    "lenet": lenet,
    "llama_7b": llama_7b,
    "lstm_ptb_large": partial(ptb_lstm, "lstm_ptb_large", 1500),
    "lstm_ptb_medium": partial(ptb_lstm, "lstm_ptb_medium", 650),
    "mlp": mlp,
    "mobilenet_v2": mobilenet_v2,
    "resnet8": resnet8,
    "resnet18": partial(imagenet_resnet, "resnet18", (2, 2, 2, 2), bottleneck=False),
    "resnet20": partial(cifar_resnet, 20),
    "resnet32": partial(cifar_resnet, 32),
    "resnet34": partial(imagenet_resnet, "resnet34", (3, 4, 6, 3), bottleneck=False),
    "resnet50": partial(imagenet_resnet, "resnet50", (3, 4, 6, 3), bottleneck=True),
    "resnet56": partial(cifar_resnet, 56),
    "resnet101": partial(imagenet_resnet, "resnet101", (3, 4, 23, 3), bottleneck=True),
    "squeezenet1_1": squeezenet1_1,
    "vgg8": vgg8,
    "vgg16": vgg16,
    "vit_b_32": vit_b_32,
}


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
    return NETWORKS[name]()
