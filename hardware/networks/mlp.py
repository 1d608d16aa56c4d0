"""A multi-layer perceptron for MNIST, the first of LRMP's benchmarks."""

from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network
from lrmp.hardware.networks.network_builder import NetworkBuilder


def mlp(sizes: tuple[int, ...] = (784, 512, 512, 10)) -> Network:
    """Lay out fully connected layers with ReLU between them.

    LRMP (Nallathambi et al., Frontiers in AI 7:1268317, 2024) evaluates an MLP on MNIST; its sizes
    are not known to this project. 784-512-512-10 is a common choice, for example of the Keras
    example ``mnist_mlp``.

    Args:
        sizes: Inputs, outputs of every hidden layer, classes.

    Returns:
        Layers ``fc1``, ``fc2``, ...
    """
    net = NetworkBuilder("mlp")
    for index in range(1, len(sizes)):
        last = index == len(sizes) - 1
        net.add(
            Layer.linear(f"fc{index}", sizes[index - 1], sizes[index]),
            vector_ops=0 if last else sizes[index],
        )
    return net.build()
