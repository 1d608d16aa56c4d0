"""The image sets that protocols name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.lab.images.archive import read_jpeg_archive, read_pixel_archive
from lrmp.accuracy.lab.images.idx import read_idx_images
from lrmp.accuracy.lab.images.image_folder import ImageFolder
from lrmp.accuracy.lab.images.image_set import ImageSet
from lrmp.accuracy.lab.images.sheets import read_sheets
from lrmp.errors import AccuracyDataError, unknown_name

#: Files of CIFAR-10's training images, 10,000 in each.
CIFAR10_SHEETS = tuple(f"cifar10_train_lossless_{part}of5.npz" for part in range(1, 6))

Indices = NDArray[np.int64]


def _mnist(part: str, root: Path, indices: Indices) -> ImageSet:
    folder = root / "mnist"
    images = folder / f"{part}-images-idx3-ubyte.gz"
    labels = folder / f"{part}-labels-idx1-ubyte.gz"
    return read_idx_images(images, labels).take(indices, images)


def _cifar10(part: str, root: Path, indices: Indices) -> ImageSet:
    path = root / "cifar10" / "cifar10_lossless_subset.npz"
    return read_pixel_archive(path, f"x_{part}", f"y_{part}").take(indices, path)


def _cifar10_sheets(root: Path, indices: Indices) -> ImageSet:
    return read_sheets([root / "cifar10" / name for name in CIFAR10_SHEETS], indices)


def _imagenet(name: str, root: Path, indices: Indices) -> ImageSet:
    return read_jpeg_archive(root / "imagenet" / f"{name}.npz", indices)


#: Image set -> number of images, reader of some of them from a data folder.
SOURCES: dict[str, tuple[int, Callable[[Path, Indices], ImageSet]]] = {
    "mnist-train": (60_000, partial(_mnist, "train")),
    "mnist-test": (10_000, partial(_mnist, "t10k")),
    "cifar10-lossless-train": (4_000, partial(_cifar10, "train")),
    "cifar10-lossless-test": (1_000, partial(_cifar10, "test")),
    "cifar10-train": (50_000, _cifar10_sheets),
    "imagenet-sample1000": (1_000, partial(_imagenet, "images_sample1000")),
    "imagenet-val900": (900, partial(_imagenet, "images_val900")),
    "imagenet-nips17": (500, partial(_imagenet, "images_nips17")),
}


#: What images of a kind of set look like: short side that folders are resized to, side, channels.
SHAPES = {"mnist": (28, 28, 1), "cifar10": (32, 32, 3), "imagenet": (256, 224, 3)}

Source = str | ImageFolder


def source_size(source: Source) -> int:
    """Count the images of a set.

    Args:
        source: A key of ``SOURCES``, or a folder.

    Returns:
        How many there are.

    Raises:
        AccuracyDataError: If there is no such set or folder.
    """
    if isinstance(source, ImageFolder):
        return len(source)
    if source not in SOURCES:
        raise AccuracyDataError(unknown_name("image set", source, SOURCES))
    return SOURCES[source][0]


def load_images(source: Source, indices: Indices, root: Path) -> ImageSet:
    """Load some images of a set.

    Args:
        source: A key of ``SOURCES``, or a folder.
        indices: Which, in the wanted order.
        root: The data folder.

    Returns:
        The images.

    Raises:
        AccuracyDataError: If there is no such set, or its files are missing or damaged.
    """
    if isinstance(source, ImageFolder):
        return source.load(indices)
    if source not in SOURCES:
        raise AccuracyDataError(unknown_name("image set", source, SOURCES))
    return SOURCES[source][1](root, indices)
