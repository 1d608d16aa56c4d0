"""ResNets for 32 x 32 images: He et al.'s with option A shortcuts, and MLPerf Tiny's ResNet-8."""

from functools import partial
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrmp.accuracy.lab.models.resnet import batch_norms_beside_convolutions
from lrmp.accuracy.lab.models.staged import Stage, StagedModel, pad_channels

WIDTHS = (16, 32, 64)


class OptionABlock(nn.Module):
    """Two 3 x 3 convolutions; the shortcut subsamples and adds channels of zeros, no weights."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride, self.width = stride, width

    def forward(self, maps: Tensor) -> Tensor:
        """Compute the block.

        Args:
            maps: Shape (N, in_channels, height, width).

        Returns:
            Shape (N, width, height / stride, width / stride), not negative.
        """
        inner = F.relu(self.bn1(self.conv1(maps)))
        inner = self.bn2(self.conv2(inner))
        around = maps if self.stride == 1 else maps[:, :, :: self.stride, :: self.stride]
        return F.relu(inner + pad_channels(around, self.width), inplace=True)


class CifarResNet(StagedModel):
    """ResNet-20, -32, -44, -56 or -110 (He et al., CVPR 2016, section 4.2).

    Args:
        depth: Layers with weights, 6n + 2.
        classes: Number of classes.
    """

    input_shape = (3, 32, 32)

    def __init__(self, depth: int, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        channels = 16
        for index, width in enumerate(WIDTHS):
            blocks = []
            for place in range((depth - 2) // 6):
                blocks.append(OptionABlock(channels, width, 2 if index and not place else 1))
                channels = width
            self.add_module(f"layer{index + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, classes)
        self.batch_norms = batch_norms_beside_convolutions(self)

    def stages(self) -> list[Stage]:
        """Return the stem, every block, and the classifier."""
        blocks = chain.from_iterable(
            self.get_submodule(f"layer{index}").children() for index in range(1, 4)
        )
        return [self._stem, *blocks, self._head]

    def _stem(self, images: Tensor) -> Tensor:
        return F.relu(self.bn1(self.conv1(images)))

    def _head(self, maps: Tensor) -> Tensor:
        scores: Tensor = self.linear(torch.mean(maps, dim=(2, 3)))
        return scores


class TinyBlock(nn.Module):
    """A block of MLPerf Tiny's ResNet-8: convolutions with biases, TensorFlow's "same" padding."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        # With stride 2 TensorFlow pads 32 x 32 maps on the right and at the bottom alone.
        self.pad = nn.ZeroPad2d((0, 1, 0, 1) if stride == 2 else 1)
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride)
        self.bn1 = nn.BatchNorm2d(width, eps=1e-3)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(width, eps=1e-3)
        self.shortcut = nn.Conv2d(in_channels, width, 1, stride) if stride == 2 else None

    def forward(self, maps: Tensor) -> Tensor:
        """Compute the block.

        Args:
            maps: Shape (N, in_channels, height, width).

        Returns:
            Shape (N, width, height / stride, width / stride), not negative.
        """
        inner = F.relu(self.bn1(self.conv1(self.pad(maps))))
        inner = self.bn2(self.conv2(inner))
        around = maps if self.shortcut is None else self.shortcut(maps)
        return F.relu(inner + around, inplace=True)


class ResNet8(StagedModel):
    """MLPerf Tiny's ResNet-8 (Banbury et al., 2021). It expects raw pixels, 0 to 255.

    Args:
        classes: Number of classes.
    """

    input_shape = (3, 32, 32)

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(16, eps=1e-3)
        self.layer1 = TinyBlock(16, 16, 1)
        self.layer2 = TinyBlock(16, 32, 2)
        self.layer3 = TinyBlock(32, 64, 2)
        self.fc = nn.Linear(64, classes)
        self.batch_norms = batch_norms_beside_convolutions(self)

    def stages(self) -> list[Stage]:
        """Return the stem, the three blocks, and the classifier."""
        return [self._stem, self.layer1, self.layer2, self.layer3, self._head]

    def _stem(self, images: Tensor) -> Tensor:
        return F.relu(self.bn1(self.conv1(images)))

    def _head(self, maps: Tensor) -> Tensor:
        scores: Tensor = self.fc(torch.mean(maps, dim=(2, 3)))
        return scores


resnet20 = partial(CifarResNet, 20)
resnet32 = partial(CifarResNet, 32)
resnet56 = partial(CifarResNet, 56)
