"""SqueezeNet 1.1 (Iandola et al., 2016) in torchvision's layout and names."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrmp.accuracy.lab.models.staged import Stage, StagedModel


class Fire(nn.Module):
    """A 1 x 1 convolution that squeezes, then 1 x 1 and 3 x 3 ones side by side."""

    def __init__(self, in_channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """Compute the module.

        Args:
            maps: Shape (N, in_channels, height, width).

        Returns:
            Shape (N, 2 expanded, height, width), not negative.
        """
        maps = F.relu(self.squeeze(maps))
        return torch.cat([F.relu(self.expand1x1(maps)), F.relu(self.expand3x3(maps))], 1)


class SqueezeNet(StagedModel):
    """SqueezeNet 1.1 for images of 224 x 224.

    Args:
        classes: Number of classes.
    """

    input_shape = (3, 224, 224)

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            Fire(64, 16, 64),
            Fire(128, 16, 64),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            Fire(128, 32, 128),
            Fire(256, 32, 128),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            Fire(512, 64, 256),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Conv2d(512, classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )

    def stages(self) -> list[Stage]:
        """Return the modules of the feature extractor, and the classifier."""
        return [*self.features, self._classify]

    def _classify(self, maps: Tensor) -> Tensor:
        scores: Tensor = self.classifier(maps)
        return scores.flatten(1)
