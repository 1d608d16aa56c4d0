"""MobileNetV2 (Sandler et al., CVPR 2018), batch norm folded, in torchvision's indices."""

import torch
from torch import Tensor, nn

from lrmp.accuracy.lab.models.staged import Stage, StagedModel
from lrmp.hardware.networks.mobilenet import BLOCKS


def convolution(
    in_channels: int, out_channels: int, kernel_size: int = 1, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Build a convolution with bias and ReLU6; its place in the sequence is 0.

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        kernel_size: 1 or 3.
        stride: 1, or 2 with TensorFlow's padding on the right and at the bottom alone.
        groups: Groups of channels.

    Returns:
        The modules.
    """
    if stride == 1:
        conv: nn.Module = nn.Conv2d(
            in_channels, out_channels, kernel_size, padding=kernel_size // 2, groups=groups
        )
    else:
        conv = TensorFlowPaddedConv2d(in_channels, out_channels, kernel_size, stride, groups=groups)
    return nn.Sequential(conv, nn.ReLU6())


class TensorFlowPaddedConv2d(nn.Conv2d):
    """A 3 x 3 convolution of stride 2 with "same" padding as TensorFlow does it on even sizes."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  as the parent's
        """Convolve.

        Args:
            input: Shape (N, C, height, width), height and width even.

        Returns:
            Shape (N, M, height / 2, width / 2).
        """
        return super().forward(nn.functional.pad(input, (0, 1, 0, 1)))


class InvertedResidual(nn.Module):
    """Expand, convolve by channel, project; the input is added where the shape stays."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = in_channels * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(convolution(in_channels, inner))
        layers += [
            convolution(inner, inner, 3, stride, groups=inner),
            nn.Conv2d(inner, out_channels, 1),
        ]
        self.conv = nn.Sequential(*layers)
        self.adds_input = stride == 1 and in_channels == out_channels

    def forward(self, maps: Tensor) -> Tensor:
        """Compute the block.

        Args:
            maps: Shape (N, in_channels, height, width).

        Returns:
            Shape (N, out_channels, height / stride, width / stride), of either sign.
        """
        inner: Tensor = self.conv(maps)
        return maps + inner if self.adds_input else inner


class MobileNetV2(StagedModel):
    """MobileNetV2 of width 1.0 for images of 224 x 224.

    Args:
        classes: Number of classes.
    """

    input_shape = (3, 224, 224)

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        features: list[nn.Module] = [convolution(3, 32, 3, stride=2)]
        channels = 32
        for expansion, width, repeats, stride in BLOCKS:
            for place in range(repeats):
                features.append(
                    InvertedResidual(channels, width, stride if place == 0 else 1, expansion)
                )
                channels = width
        features.append(convolution(channels, 1280))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def stages(self) -> list[Stage]:
        """Return the modules of the feature extractor, and the classifier."""
        return [*self.features, self._classify]

    def _classify(self, maps: Tensor) -> Tensor:
        scores: Tensor = self.classifier(torch.mean(maps, dim=(2, 3)))
        return scores
