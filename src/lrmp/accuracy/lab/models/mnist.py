"""Networks for the digits of MNIST: a multi-layer perceptron and Caffe's LeNet."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrmp.accuracy.lab.models.staged import Stage, StagedModel


class MLP(StagedModel):
    """Fully connected layers with ReLU between them.

    Args:
        sizes: Inputs, outputs of every hidden layer, classes.
    """

    input_shape = (1, 28, 28)

    def __init__(self, sizes: tuple[int, ...] = (784, 512, 512, 10)) -> None:
        super().__init__()
        for index, (before, after) in enumerate(pairwise(sizes)):
            self.add_module(f"fc{index + 1}", nn.Linear(before, after))

    def stages(self) -> list[Stage]:
        """Return the layers, each with the activation function that comes before it."""
        first, *others = self.children()

        def behind_relu(layer: nn.Module) -> Stage:
            return lambda features: layer(F.relu(features))

        return [lambda images: first(images.flatten(1)), *map(behind_relu, others)]


class LeNet(StagedModel):
    """Caffe's variant of LeNet-5: no activation function after the convolutions.

    Args:
        classes: Number of classes.
    """

    input_shape = (1, 28, 28)

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.fc1 = nn.Linear(800, 500)
        self.fc2 = nn.Linear(500, classes)

    def stages(self) -> list[Stage]:
        """Return the layers, each with the pooling or ReLU that comes after it."""
        return [
            lambda images: max_pool(self.conv1(images)),
            lambda maps: max_pool(self.conv2(maps)),
            lambda maps: F.relu(self.fc1(maps.flatten(1))),
            self._classify,
        ]

    def _classify(self, features: Tensor) -> Tensor:
        scores: Tensor = self.fc2(features)
        return scores


def max_pool(maps: Tensor) -> Tensor:
    """Take the largest of every 2 x 2 values, vectorised in inference: ``F.max_pool2d(maps, 2)``.

    Whoever counts operators, or differentiates, sees the pooling itself.

    Args:
        maps: Shape (N, C, height, width), both even.

    Returns:
        Shape (N, C, height / 2, width / 2).
    """
    if not torch.is_inference_mode_enabled():
        return F.max_pool2d(maps, 2)
    rows = torch.maximum(maps[:, :, ::2], maps[:, :, 1::2])
    return torch.maximum(rows[..., ::2], rows[..., 1::2])
