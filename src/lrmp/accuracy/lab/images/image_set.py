"""A set of labelled images in memory."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrmp.errors import AccuracyDataError

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class ImageSet:
    """Images of one size with their classes.

    Attributes:
        pixels: Shape (N, height, width, channels), 0 to 255.
        labels: Shape (N,), classes from 0.

    Raises:
        AccuracyDataError: If shapes or types are others.
    """

    pixels: Pixels
    labels: Labels

    def __post_init__(self) -> None:
        if self.pixels.ndim != 4 or self.pixels.dtype != np.uint8:
            raise AccuracyDataError(
                "Expected pixels as uint8 of shape (N, height, width, channels), got "
                f"{self.pixels.dtype} of {self.pixels.shape}."
            )
        if self.labels.shape != self.pixels.shape[:1] or self.labels.dtype != np.int64:
            raise AccuracyDataError(
                f"Expected {len(self.pixels)} labels as int64, got {self.labels.dtype} of shape "
                f"{self.labels.shape}."
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.int64]) -> "ImageSet":
        """Select images.

        Args:
            indices: Which, in the wanted order.

        Returns:
            Those images.
        """
        return ImageSet(self.pixels[indices], self.labels[indices])
