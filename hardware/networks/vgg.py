"""VGG networks."""

from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network
from lrmp.hardware.networks.network_builder import NetworkBuilder
from lrmp.hardware.networks.vector_operations import pool_ops


def vgg8() -> Network:
    """Lay out the VGG-8 for CIFAR-10 that NeuroSim ships.

    Six 3 x 3 convolutions with ReLU in pairs of 128, 256 and 512 channels, each pair before a
    2 x 2 maximum pooling, then 1024 and 10 units (Peng et al., IEDM 2019; ``models/VGG.py`` of
    DNN+NeuroSim V1.3 and V1.4, whose module names these are).

    Returns:
        Eight layers.
    """
    return _vgg("vgg8", 32, ((128, 128), (256, 256), (512, 512)), (1024, 10), (0, 2))


def vgg16() -> Network:
    """Lay out VGG-16 for 224 x 224 images.

    Configuration D of Simonyan and Zisserman, ICLR 2015, without batch norm; names as in
    torchvision's ``vgg16``, whose average pooling to 7 x 7 computes nothing at this size.

    Returns:
        Sixteen layers.
    """
    blocks = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
    return _vgg("vgg16", 224, blocks, (4096, 4096, 1000), (0, 3, 6))


def _vgg(
    name: str,
    size: int,
    blocks: tuple[tuple[int, ...], ...],
    units: tuple[int, ...],
    places: tuple[int, ...],
) -> Network:
    """Lay out blocks of convolutions before a pooling, and linear layers at places in a row."""
    net = NetworkBuilder(name)
    channels, place = 3, 0
    for block in blocks:
        for width in block:
            layer = Layer.conv2d(f"features.{place}", channels, width, 3, size)
            net.add(layer, vector_ops=layer.outputs)
            channels, place = width, place + 2  # a ReLU is a module of its own
        size, place = size // 2, place + 1
        net.add_vector_ops(pool_ops(channels * size**2, 4))
    features = channels * size**2
    for place, width in zip(places, units, strict=True):
        last = place == places[-1]
        net.add(
            Layer.linear(f"classifier.{place}", features, width), vector_ops=0 if last else width
        )
        features = width
    return net.build()
