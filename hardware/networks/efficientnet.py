"""EfficientNet-Lite0."""

from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.mobilenet import add_inverted_residual
from lrmp.hardware.networks.network import Network
from lrmp.hardware.networks.network_builder import NetworkBuilder

#: Repeats, kernel, stride of the first, expansion, input and output channels, as in the authors'
#: ``efficientnet_builder.py``.
BLOCKS = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)


def efficientnet_lite0() -> Network:
    """Lay out EfficientNet-Lite0 for 224 x 224 images.

    Tan and Le's EfficientNet (ICML 2019) without squeeze-and-excitation and with ReLU6, as its
    authors released it in 2020; names as in its port to PyTorch.

    Returns:
        50 layers, of which 16 convolve every channel by itself.
    """
    net = NetworkBuilder("efficientnet_lite0")
    stem = Layer.conv2d("_conv_stem", 3, 32, kernel_size=3, input_size=224, stride=2)
    net.add(stem, vector_ops=stem.outputs)
    channels, size, place = 32, 112, 0
    for repeats, kernel_size, first_stride, expansion, _, width in BLOCKS:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            names = [
                f"_blocks.{place}.{part}_conv" for part in ("_expand", "_depthwise", "_project")
            ]
            add_inverted_residual(
                net,
                names if expansion > 1 else names[1:],
                (channels, channels * expansion, width),
                kernel_size=kernel_size,
                input_size=size,
                stride=stride,
            )
            channels, size, place = width, size // stride, place + 1
    head = Layer.conv2d("_conv_head", channels, 1280, 1, size)
    net.add(head, vector_ops=2 * head.outputs)  # ReLU6 and global average pooling
    return net.add(Layer.linear("_fc", 1280, 1000)).build()
