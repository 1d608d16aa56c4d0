"""Networks for 32 x 32 images as published comparisons of crossbar chips use them."""

from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network
from lrmp.hardware.networks.network_builder import NetworkBuilder
from lrmp.hardware.networks.vector_operations import pool_ops


def cifar_alexnet() -> Network:
    """Lay out the AlexNet that is common for CIFAR-10.

    Five convolutions, the first of 11 x 11 with stride 4, and one linear layer.

    Returns:
        Six layers, 15 million multiply-accumulates.
    """
    net = NetworkBuilder("cifar_alexnet")
    channels = 3
    for place, (width, kernel, size, stride, padding, pooled) in enumerate(
        (
            (64, 11, 32, 4, 5, True),
            (192, 5, 4, 1, 2, True),
            (384, 3, 2, 1, 1, False),
            (256, 3, 2, 1, 1, False),
            (256, 3, 2, 1, 1, True),
        )
    ):
        layer = Layer.conv2d(f"conv{place + 1}", channels, width, kernel, size, stride, padding)
        net.add(layer, vector_ops=layer.outputs)
        if pooled:
            net.add_vector_ops(layer.outputs)  # 2 x 2 pooling: every element is in one window
        channels = width
    return net.add(Layer.linear("fc", channels, 10)).build()


def cifar_vgg16() -> Network:
    """Lay out VGG-16 with one linear layer.

    Returns:
        Fourteen layers, 313 million multiply-accumulates.
    """
    net = NetworkBuilder("cifar_vgg16")
    channels, size, place = 3, 32, 0
    for widths in ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3):
        for width in widths:
            place += 1
            layer = Layer.conv2d(f"conv{place}", channels, width, 3, size)
            net.add(layer, vector_ops=layer.outputs)
            channels = width
        size //= 2
        net.add_vector_ops(pool_ops(channels * size**2, 4))
    return net.add(Layer.linear("fc", channels, 10)).build()


def cifar_resnet18() -> Network:
    """Lay out ResNet-18 with a 3 x 3 stem of stride 1 and no pooling behind it.

    Returns:
        Twenty-one layers, 555 million multiply-accumulates.
    """
    net = NetworkBuilder("cifar_resnet18")
    stem = Layer.conv2d("conv1", 3, 64, 3, 32)
    net.add(stem, vector_ops=stem.outputs)
    channels, size = 64, 32
    for stage in range(4):
        width = 64 * 2**stage
        for block in range(2):
            prefix, stride = f"layer{stage + 1}.{block}", 2 if stage and not block else 1
            first = Layer.conv2d(f"{prefix}.conv1", channels, width, 3, size, stride)
            second = Layer.conv2d(f"{prefix}.conv2", width, width, 3, size // stride)
            net.add(first, vector_ops=first.outputs)
            net.add(second, vector_ops=2 * second.outputs)  # addition of the shortcut, ReLU
            if stride > 1:
                net.add(Layer.conv2d(f"{prefix}.downsample", channels, width, 1, size, stride))
            channels, size = width, size // stride
    net.add_vector_ops(channels * size**2)  # global average pooling
    return net.add(Layer.linear("fc", channels, 10)).build()
