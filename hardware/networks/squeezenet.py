"""SqueezeNet."""

from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network
from lrmp.hardware.networks.network_builder import NetworkBuilder
from lrmp.hardware.networks.vector_operations import pool_ops

#: Place in ``features``: channels in, squeezed, expanded by each of the two kernels. The places
#: between are poolings.
FIRES = {
    3: (64, 16, 64),
    4: (128, 16, 64),
    6: (128, 32, 128),
    7: (256, 32, 128),
    9: (256, 48, 192),
    10: (384, 48, 192),
    11: (384, 64, 256),
    12: (512, 64, 256),
}


def squeezenet1_1() -> Network:
    """Lay out SqueezeNet 1.1 for 224 x 224 images.

    Iandola et al., arXiv 1602.07360, 2016, in the authors' version 1.1; names, unpadded first
    convolution and pooling in ceil mode as in torchvision's ``squeezenet1_1``.

    Returns:
        26 convolutions; of the two of an expansion the 1 x 1 runs first.
    """
    net = NetworkBuilder("squeezenet1_1")
    stem = Layer.conv2d("features.0", 3, 64, kernel_size=3, input_size=224, stride=2, padding=0)
    net.add(stem, vector_ops=stem.outputs)
    channels, size = 64, 111
    for place, (in_channels, squeezed, expanded) in FIRES.items():
        if place - 1 not in FIRES:
            size = size // 2  # 3 x 3 windows, stride 2, ceil mode: 111 -> 55 -> 27 -> 13
            net.add_vector_ops(pool_ops(channels * size**2, 3 * 3))
        prefix = f"features.{place}"
        squeeze = Layer.conv2d(f"{prefix}.squeeze", in_channels, squeezed, 1, size)
        net.add(squeeze, vector_ops=squeeze.outputs)
        narrow, halves = net.output, []
        for kernel in (1, 3):
            expand = Layer.conv2d(
                f"{prefix}.expand{kernel}x{kernel}", squeezed, expanded, kernel, size
            )
            net.add(expand, vector_ops=expand.outputs, reads=narrow)
            halves.append(net.output)
        net.join(*halves)
        channels = 2 * expanded
    classifier = Layer.conv2d("classifier.1", channels, 1000, 1, size)
    # ReLU and global average pooling
    return net.add(classifier, vector_ops=2 * classifier.outputs).build()
