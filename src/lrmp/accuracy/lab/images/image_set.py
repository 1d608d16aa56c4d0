"""A set of labelled images in memory."""

from dataclasses import dataclass
from pathlib import Path

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

    def take(self, indices: NDArray[np.int64], path: Path) -> "ImageSet":
        """Select images.

        Args:
            indices: Which, in the wanted order.
            path: Where they come from, for the error message.

        Returns:
            Those images.

        Raises:
            AccuracyDataError: If there are fewer.
        """
        check_indices(indices, len(self), path)
        return ImageSet(self.pixels[indices], self.labels[indices])


def check_indices(indices: NDArray[np.int64], count: int, path: Path) -> None:
    """Check that a file or folder holds the images that are asked for.

    Args:
        indices: Which.
        count: How many it holds.
        path: The file or folder.

    Raises:
        AccuracyDataError: If there are fewer.
    """
    if len(indices) and not 0 <= indices.min() <= indices.max() < count:
        raise AccuracyDataError(
            f"Expected at least {indices.max() + 1} images in {path}, got {count}. Fetch it again."
        )
