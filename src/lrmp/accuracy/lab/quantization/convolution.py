"""The convolutions that crossbars compute: of one, two and three dimensions."""

from torch import nn

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
