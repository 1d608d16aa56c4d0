"""The built-in networks."""

from functools import cache, partial

from lrmp.errors import NetworkError, unknown_name
from lrmp.hardware.layer import Layer
from lrmp.hardware.network import Network, NetworkFactory


def _resnet(name: str, blocks: tuple[int, int, int, int], *, bottleneck: bool) -> Network:
    """Lay out a ResNet for 224 x 224 images (He et al., CVPR 2016; torchvision's v1.5 strides)."""
    expansion = 4 if bottleneck else 1
    layers = [Layer.conv2d("conv1", 3, 64, kernel_size=7, input_size=224, stride=2)]
    in_channels, size = 64, 56  # after the 3 x 3 max pooling
    for stage, count in enumerate(blocks):
        width = 64 * 2**stage
        for block in range(count):
            prefix = f"layer{stage + 1}.{block}"
            stride = 2 if stage > 0 and block == 0 else 1
            conv = partial(Layer.conv2d, input_size=size // stride)
            if bottleneck:
                layers += [
                    Layer.conv2d(f"{prefix}.conv1", in_channels, width, 1, size),
                    Layer.conv2d(f"{prefix}.conv2", width, width, 3, size, stride),
                    conv(f"{prefix}.conv3", width, width * expansion, 1),
                ]
            else:
                layers += [
                    Layer.conv2d(f"{prefix}.conv1", in_channels, width, 3, size, stride),
                    conv(f"{prefix}.conv2", width, width, 3),
                ]
            if stride > 1 or in_channels != width * expansion:
                layers.append(
                    Layer.conv2d(
                        f"{prefix}.downsample", in_channels, width * expansion, 1, size, stride
                    )
                )
            in_channels, size = width * expansion, size // stride
    layers.append(Layer.linear("fc", in_channels, 1000))
    return Network(name, tuple(layers))


def _digits_cnn() -> Network:
    """Lay out the small convolutional network for 8 x 8 handwritten digits."""
    return Network(
        "digits_cnn",
        (
            Layer.conv2d("conv1", 1, 16, kernel_size=3, input_size=8),
            Layer.conv2d("conv2", 16, 32, kernel_size=3, input_size=8),
            Layer.conv2d("conv3", 32, 48, kernel_size=3, input_size=8, stride=2),
            Layer.conv2d("conv4", 48, 48, kernel_size=3, input_size=4, stride=2),
            Layer.linear("fc", 48 * 2 * 2, 10),
        ),
    )


NETWORKS: dict[str, NetworkFactory] = {
    "digits_cnn": _digits_cnn,
    "resnet18": partial(_resnet, "resnet18", (2, 2, 2, 2), bottleneck=False),
    "resnet34": partial(_resnet, "resnet34", (3, 4, 6, 3), bottleneck=False),
    "resnet50": partial(_resnet, "resnet50", (3, 4, 6, 3), bottleneck=True),
    "resnet101": partial(_resnet, "resnet101", (3, 4, 23, 3), bottleneck=True),
}


@cache
def load_network(name: str) -> Network:
    """Look up a built-in network.

    Args:
        name: A key of ``NETWORKS``.

    Returns:
        The network; the same object for the same name.

    Raises:
        NetworkError: If there is no such network.
    """
    if name not in NETWORKS:
        raise NetworkError(unknown_name("network", name, NETWORKS))
    return NETWORKS[name]()
