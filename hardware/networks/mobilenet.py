"""MobileNetV2."""

from collections.abc import Sequence

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
            places = ("0.0", "1.0", "2") if expansion > 1 else ("0.0", "1")
            add_inverted_residual(
                net,
                [f"features.{place}.conv.{step}" for step in places],
                (channels, channels * expansion, width),
                kernel_size=3,
                input_size=size,
                stride=stride,
            )
            channels, size, place = width, size // stride, place + 1
    head = Layer.conv2d(f"features.{place}.0", channels, 1280, 1, size)
    net.add(head, vector_ops=2 * head.outputs)  # ReLU6 and global average pooling
    return net.add(Layer.linear("classifier.1", 1280, 1000)).build()


def add_inverted_residual(
    net: NetworkBuilder,
    names: Sequence[str],
    channels: tuple[int, int, int],
    *,
    kernel_size: int,
    input_size: int,
    stride: int,
) -> None:
    """Append a block that expands, convolves by channel and projects.

    Its input is added to its output where the shape stays.

    Args:
        net: What is built.
        names: Of the expansion, the depthwise convolution and the projection; of the last two where
            nothing is expanded.
        channels: Of the input, of the depthwise convolution, of the output.
        kernel_size: Of the depthwise convolution.
        input_size: Side of the input.
        stride: Of the depthwise convolution.
    """
    block_input = net.output
    outside, inner, width = channels
    *expansion, depthwise_name, project_name = names
    for name in expansion:
        expand = Layer.conv2d(name, outside, inner, 1, input_size)
        net.add(expand, vector_ops=expand.outputs)
    depthwise = Layer.conv2d(
        depthwise_name, inner, inner, kernel_size, input_size, stride, groups=inner
    )
    net.add(depthwise, vector_ops=depthwise.outputs)
    project = Layer.conv2d(project_name, inner, width, 1, input_size // stride)
    adds_input = stride == 1 and outside == width
    net.add(project, vector_ops=project.outputs if adds_input else 0)
    if adds_input:
        net.join(net.output, block_input)
