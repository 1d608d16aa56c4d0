"""EfficientNet-Lite0 (Tan and Le, ICML 2019; Lite, 2020) in the names of its port to PyTorch."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrmp.accuracy.lab.models.staged import Stage, StagedModel
from lrmp.hardware.networks.efficientnet import BLOCKS


class LiteBlock(nn.Module):
    """Expand, convolve by channel, project; the input is added where the shape stays."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        inner = in_channels * expansion
        if expansion > 1:
            self._expand_conv = nn.Conv2d(in_channels, inner, 1, bias=False)
            self._bn0 = batch_norm(inner)
        self._depthwise_conv = nn.Conv2d(
            inner, inner, kernel_size, stride, kernel_size // 2, groups=inner, bias=False
        )
        self._bn1 = batch_norm(inner)
        self._project_conv = nn.Conv2d(inner, out_channels, 1, bias=False)
        self._bn2 = batch_norm(out_channels)
        self.expands = expansion > 1
        self.adds_input = stride == 1 and in_channels == out_channels

    def forward(self, maps: Tensor) -> Tensor:
        """Compute the block.

        Args:
            maps: Shape (N, in_channels, height, width).

        Returns:
            Shape (N, out_channels, height / stride, width / stride), of either sign.
        """
        inner = F.relu6(self._bn0(self._expand_conv(maps))) if self.expands else maps
        inner = F.relu6(self._bn1(self._depthwise_conv(inner)))
        projected: Tensor = self._bn2(self._project_conv(inner))
        return maps + projected if self.adds_input else projected


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Build a batch norm as TensorFlow's EfficientNets have it.

    Args:
        channels: How many.

    Returns:
        The module.
    """
    return nn.BatchNorm2d(channels, eps=1e-3)


class EfficientNetLite0(StagedModel):
    """EfficientNet-Lite0 for images of 224 x 224.

    Args:
        classes: Number of classes.
    """

    input_shape = (3, 224, 224)

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 32, 3, stride=2, padding=1, bias=False)
        self._bn0 = batch_norm(32)
        self._blocks = nn.ModuleList(
            LiteBlock(width if place else channels, width, kernel, 1 if place else stride, ratio)
            for repeats, kernel, stride, ratio, channels, width in BLOCKS
            for place in range(repeats)
        )
        self._conv_head = nn.Conv2d(320, 1280, 1, bias=False)
        self._bn1 = batch_norm(1280)
        self._fc = nn.Linear(1280, classes)
        norms = {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}
        self.batch_norms = {"_conv_stem": "_bn0", "_conv_head": "_bn1"} | {
            f"_blocks.{index}.{conv}": f"_blocks.{index}.{norm}"
            for index, block in enumerate(self._blocks)
            for conv, norm in norms.items()
            if hasattr(block, conv)
        }

    def stages(self) -> list[Stage]:
        """Return the stem, every block, and the classifier."""
        return [self._stem, *self._blocks, self._head]

    def _stem(self, images: Tensor) -> Tensor:
        return F.relu6(self._bn0(self._conv_stem(images)))

    def _head(self, maps: Tensor) -> Tensor:
        maps = F.relu6(self._bn1(self._conv_head(maps)))
        scores: Tensor = self._fc(torch.mean(maps, dim=(2, 3)))
        return scores
