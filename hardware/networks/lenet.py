"""LeNet for MNIST."""

from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network
from lrmp.hardware.networks.network_builder import NetworkBuilder
from lrmp.hardware.networks.vector_operations import pool_ops


def lenet() -> Network:
    """Lay out Caffe's variant of LeNet-5 for 28 x 28 images.

    LeCun et al., Proceedings of the IEEE 86(11), 1998, with the sizes 20-50-500-10 of Caffe's
    ``lenet.prototxt``: unpadded 5 x 5 convolutions without activation function, each before a
    2 x 2 maximum pooling, and ReLU behind ``fc1``.

    Returns:
        Layers ``conv1``, ``conv2``, ``fc1``, ``fc2``.
    """
    return (
        NetworkBuilder("lenet")
        .add(Layer.conv2d("conv1", 1, 20, 5, 28, padding=0), vector_ops=pool_ops(20 * 12**2, 4))
        .add(Layer.conv2d("conv2", 20, 50, 5, 12, padding=0), vector_ops=pool_ops(50 * 4**2, 4))
        .add(Layer.linear("fc1", 50 * 4**2, 500), vector_ops=500)
        .add(Layer.linear("fc2", 500, 10))
        .build()
    )
