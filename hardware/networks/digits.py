"""A small convolutional network for the handwritten digits that scikit-learn ships."""

from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network
from lrmp.hardware.networks.network_builder import NetworkBuilder


def digits_cnn() -> Network:
    """Lay out the network of ``LRMP-Digits-v0`` for 8 x 8 images; this project's own.

    Returns:
        Four convolutions, each with ReLU, and a classifier.
    """
    net = NetworkBuilder("digits_cnn")
    for layer in (
        Layer.conv2d("conv1", 1, 16, kernel_size=3, input_size=8),
        Layer.conv2d("conv2", 16, 32, kernel_size=3, input_size=8),
        Layer.conv2d("conv3", 32, 48, kernel_size=3, input_size=8, stride=2),
        Layer.conv2d("conv4", 48, 48, kernel_size=3, input_size=4, stride=2),
    ):
        net.add(layer, vector_ops=layer.outputs)
    return net.add(Layer.linear("fc", 48 * 2 * 2, 10)).build()
