"""ResNets for ImageNet (He et al., CVPR 2016) in torchvision's v1.5 layout and names."""

from functools import partial
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrmp.accuracy.lab.models.staged import Stage, StagedModel


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = shortcut(in_channels, width, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Compute the block.

        Args:
            maps: Shape (N, in_channels, height, width).

        Returns:
            Shape (N, width, height / stride, width / stride), not negative.
        """
        inner = F.relu(self.bn1(self.conv1(maps)))
        inner = self.bn2(self.conv2(inner))
        around = maps if self.downsample is None else self.downsample(maps)
        return F.relu(inner + around, inplace=True)


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions and a shortcut; the stride is at the 3 x 3."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = shortcut(in_channels, out_channels, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Compute the block.

        Args:
            maps: Shape (N, in_channels, height, width).

        Returns:
            Shape (N, 4 width, height / stride, width / stride), not negative.
        """
        inner = F.relu(self.bn1(self.conv1(maps)))
        inner = F.relu(self.bn2(self.conv2(inner)))
        inner = self.bn3(self.conv3(inner))
        around = maps if self.downsample is None else self.downsample(maps)
        return F.relu(inner + around, inplace=True)


def shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    """Build the projection of a shortcut where the shape changes.

    Args:
        in_channels: Channels of the block's input.
        out_channels: Channels of its output.
        stride: Of the block.

    Returns:
        Convolution and batch norm, or None for the identity.
    """
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
    )


class ResNet(StagedModel):
    """A ResNet for images of 224 x 224.

    Args:
        block: ``BasicBlock`` or ``Bottleneck``.
        blocks: How many in each of the four stages.
        classes: Number of classes.
    """

    input_shape = (3, 224, 224)

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        blocks: tuple[int, int, int, int],
        classes: int = 1000,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        channels = 64
        for index, count in enumerate(blocks):
            width, layers = 64 * 2**index, []
            for place in range(count):
                layers.append(block(channels, width, 2 if index > 0 and place == 0 else 1))
                channels = width * block.expansion
            self.add_module(f"layer{index + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(channels, classes)
        self.batch_norms = batch_norms_beside_convolutions(self)

    def stages(self) -> list[Stage]:
        """Return the stem, every block, and the classifier."""
        blocks = chain.from_iterable(
            self.get_submodule(f"layer{index}").children() for index in range(1, 5)
        )
        return [self._stem, *blocks, self._head]

    def _stem(self, images: Tensor) -> Tensor:
        return F.max_pool2d(F.relu(self.bn1(self.conv1(images))), 3, stride=2, padding=1)

    def _head(self, maps: Tensor) -> Tensor:
        scores: Tensor = self.fc(torch.mean(maps, dim=(2, 3)))
        return scores


def batch_norms_beside_convolutions(model: nn.Module) -> dict[str, str]:
    """Pair ``convN`` with ``bnN``, and the two modules of every ``downsample``.

    Args:
        model: A ResNet of any kind.

    Returns:
        Name of the batch norm by name of the convolution.
    """
    names = dict(model.named_modules())
    pairs = {}
    for name in names:
        parent, _, leaf = name.rpartition(".")
        if leaf.startswith("bn"):
            conv = f"{parent}.conv{leaf[2:]}".lstrip(".")
        elif parent.endswith("downsample") and leaf == "1":
            conv = f"{parent}.0"
        else:
            continue
        pairs[conv] = name
    return pairs


resnet18 = partial(ResNet, BasicBlock, (2, 2, 2, 2))
resnet34 = partial(ResNet, BasicBlock, (3, 4, 6, 3))
resnet50 = partial(ResNet, Bottleneck, (3, 4, 6, 3))
resnet101 = partial(ResNet, Bottleneck, (3, 4, 23, 3))
