"""MobileNetV2."""

from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network
from lrmp.hardware.networks.network_builder import NetworkBuilder

#: Expansion, output channels, repeats, stride of the first (table 2 of the paper).
BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2() -> Network:
    """Lay out MobileNetV2 of width 1.0 for 224 x 224 images.

    Sandler et al., CVPR 2018; names as in torchvision's ``mobilenet_v2``.

    Returns:
        53 layers, of which 17 convolve every channel by itself.
    """
    net = NetworkBuilder("mobilenet_v2")
    stem = Layer.conv2d("features.0.0", 3, 32, kernel_size=3, input_size=224, stride=2)
    net.add(stem, vector_ops=stem.outputs)
    channels, size, place = 32, 112, 1
    for expansion, width, repeats, first_stride in BLOCKS:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            prefix, step, inner = f"features.{place}.conv", 0, channels * expansion
            if expansion > 1:
                expand = Layer.conv2d(f"{prefix}.0.0", channels, inner, 1, size)
                net.add(expand, vector_ops=expand.outputs)
                step = 1
            depthwise = Layer.conv2d(
                f"{prefix}.{step}.0", inner, inner, 3, size, stride, groups=inner
            )
            net.add(depthwise, vector_ops=depthwise.outputs)
            size //= stride
            project = Layer.conv2d(f"{prefix}.{step + 1}", inner, width, 1, size)
            adds_input = stride == 1 and channels == width
            net.add(project, vector_ops=project.outputs if adds_input else 0)
            channels, place = width, place + 1
    head = Layer.conv2d(f"features.{place}.0", channels, 1280, 1, size)
    net.add(head, vector_ops=2 * head.outputs)  # ReLU6 and global average pooling
    return net.add(Layer.linear("classifier.1", 1280, 1000)).build()
