"""ResNets for ImageNet and CIFAR-10, and MLPerf Tiny's ResNet-8."""

from collections.abc import Iterable
from functools import partial

from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network
from lrmp.hardware.networks.network_builder import NetworkBuilder
from lrmp.hardware.networks.vector_operations import pool_ops


def imagenet_resnet(name: str, blocks: tuple[int, int, int, int], *, bottleneck: bool) -> Network:
    """Lay out a ResNet for 224 x 224 images.

    He et al., CVPR 2016, with the strides of torchvision (v1.5: in the 3 x 3 convolution of a
    bottleneck) and its module names, but ``downsample`` for ``downsample.0``.

    Args:
        name: Name of the network.
        blocks: Residual blocks of the four stages.
        bottleneck: Blocks of 1 x 1, 3 x 3 and 1 x 1 instead of two 3 x 3 convolutions.

    Returns:
        Layers in the order in which they run: a shortcut's convolution closes its block.
    """
    expansion = 4 if bottleneck else 1
    net = NetworkBuilder(name)
    stem = Layer.conv2d("conv1", 3, 64, kernel_size=7, input_size=224, stride=2)
    in_channels, size = 64, 56
    net.add(stem, vector_ops=stem.outputs + pool_ops(in_channels * size**2, 3 * 3))
    for stage, count in enumerate(blocks):
        width = 64 * 2**stage
        for block in range(count):
            prefix = f"layer{stage + 1}.{block}"
            stride = 2 if stage > 0 and block == 0 else 1
            conv = partial(Layer.conv2d, input_size=size // stride)
            if bottleneck:
                layers = [
                    Layer.conv2d(f"{prefix}.conv1", in_channels, width, 1, size),
                    Layer.conv2d(f"{prefix}.conv2", width, width, 3, size, stride),
                    conv(f"{prefix}.conv3", width, width * expansion, 1),
                ]
            else:
                layers = [
                    Layer.conv2d(f"{prefix}.conv1", in_channels, width, 3, size, stride),
                    conv(f"{prefix}.conv2", width, width, 3),
                ]
            shortcut = None
            if stride > 1 or in_channels != width * expansion:
                shortcut = Layer.conv2d(
                    f"{prefix}.downsample", in_channels, width * expansion, 1, size, stride
                )
            _add_block(net, layers, shortcut)
            in_channels, size = width * expansion, size // stride
    net.add_vector_ops(in_channels * size**2)  # global average pooling
    return net.add(Layer.linear("fc", in_channels, 1000)).build()


def cifar_resnet(depth: int) -> Network:
    """Lay out a ResNet for 32 x 32 images.

    He et al., CVPR 2016, section 4.2: three stages of 16, 32 and 64 channels; shortcuts without
    weights (option A). Names as in ``akamaster/pytorch_resnet_cifar10``.

    Args:
        depth: Layers with weights, 6n + 2.

    Returns:
        Layers in the order in which they run.
    """
    net = NetworkBuilder(f"resnet{depth}")
    stem = Layer.conv2d("conv1", 3, 16, kernel_size=3, input_size=32)
    net.add(stem, vector_ops=stem.outputs)
    in_channels, size = 16, 32
    for stage, width in enumerate((16, 32, 64)):
        for block in range((depth - 2) // 6):
            prefix = f"layer{stage + 1}.{block}"
            stride = 2 if stage > 0 and block == 0 else 1
            layers = [
                Layer.conv2d(f"{prefix}.conv1", in_channels, width, 3, size, stride),
                Layer.conv2d(f"{prefix}.conv2", width, width, 3, size // stride),
            ]
            _add_block(net, layers, None)
            in_channels, size = width, size // stride
    net.add_vector_ops(in_channels * size**2)
    return net.add(Layer.linear("linear", in_channels, 10)).build()


def resnet8() -> Network:
    """Lay out MLPerf Tiny's ResNet-8 for CIFAR-10.

    Banbury et al., NeurIPS 2021 (datasets and benchmarks): one block per stage of 16, 32 and 64
    channels, 1 x 1 convolutions as shortcuts of the last two.

    Returns:
        Ten layers; a shortcut's convolution closes its block.
    """
    net = NetworkBuilder("resnet8")
    stem = Layer.conv2d("conv1", 3, 16, kernel_size=3, input_size=32)
    net.add(stem, vector_ops=stem.outputs)
    in_channels, size = 16, 32
    for stage, width in enumerate((16, 32, 64)):
        prefix, stride = f"layer{stage + 1}", 2 if stage else 1
        layers = [
            Layer.conv2d(f"{prefix}.conv1", in_channels, width, 3, size, stride),
            Layer.conv2d(f"{prefix}.conv2", width, width, 3, size // stride),
        ]
        shortcut = None
        if stage:
            shortcut = Layer.conv2d(f"{prefix}.shortcut", in_channels, width, 1, size, stride)
        _add_block(net, layers, shortcut)
        in_channels, size = width, size // stride
    net.add_vector_ops(in_channels * size**2)
    return net.add(Layer.linear("fc", in_channels, 10)).build()


def _add_block(net: NetworkBuilder, layers: Iterable[Layer], shortcut: Layer | None) -> None:
    """Add a residual block: ReLU behind every layer, the last one behind the addition."""
    *inner, last = layers
    block_input = net.output
    for layer in inner:
        net.add(layer, vector_ops=layer.outputs)
    net.add(last)
    main, side = net.output, block_input
    if shortcut is not None:
        net.add(shortcut, reads=block_input)
        side = net.output
    net.join(main, side).add_vector_ops(2 * last.outputs)
