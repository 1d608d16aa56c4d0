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
from lrmp.errors import AccuracyDataError, unknown_name

Indices = NDArray[np.int64]


def _mnist(part: str, root: Path, indices: Indices) -> ImageSet:
    folder = root / "mnist"
    return read_idx_images(
        folder / f"{part}-images-idx3-ubyte.gz", folder / f"{part}-labels-idx1-ubyte.gz"
    ).take(indices)


def _cifar10(part: str, root: Path, indices: Indices) -> ImageSet:
    path = root / "cifar10" / "cifar10_lossless_subset.npz"
    return read_pixel_archive(path, f"x_{part}", f"y_{part}").take(indices)


def _cifar10_jpeg(part: str, root: Path, indices: Indices) -> ImageSet:
    names = (f"jpeg_{part}", f"offset_{part}", f"label_{part}")
    return read_jpeg_archive(root / "cifar10" / "cifar10_jpeg.npz", indices, names)


def _imagenet(name: str, root: Path, indices: Indices) -> ImageSet:
    return read_jpeg_archive(root / "imagenet" / f"{name}.npz", indices)


#: Image set -> number of images, reader of some of them from a data folder.
SOURCES: dict[str, tuple[int, Callable[[Path, Indices], ImageSet]]] = {
    "mnist-train": (60_000, partial(_mnist, "train")),
    "mnist-test": (10_000, partial(_mnist, "t10k")),
    "cifar10-lossless-train": (4_000, partial(_cifar10, "train")),
    "cifar10-lossless-test": (1_000, partial(_cifar10, "test")),
    "cifar10-jpeg-train": (50_000, partial(_cifar10_jpeg, "train")),
    "cifar10-jpeg-test": (10_000, partial(_cifar10_jpeg, "test")),
    "imagenet-sample1000": (1_000, partial(_imagenet, "images_sample1000")),
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
