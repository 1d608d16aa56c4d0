"""IDX files, the format of MNIST (LeCun et al.)."""

import gzip
import struct
import zlib
from io import BufferedReader
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.lab.images.image_set import ImageSet
from lrmp.errors import AccuracyDataError
from lrmp.foreign_file import open_foreign

UNSIGNED_BYTE = 8
MAX_DIMENSIONS = 8

#: Packed and unpacked; MNIST's training images have a third of that.
MAX_BYTES = 2**27


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an array of unsigned bytes.

    Args:
        path: The file; one that ends in ``.gz`` is unpacked on the way.

    Returns:
        The array.

    Raises:
        AccuracyDataError: If the file is missing, no such array, or not whole.
    """
    if not path.is_file():
        raise AccuracyDataError(f"Expected an IDX file at {path}, got no such file.")
    try:
        with open_foreign(path, MAX_BYTES) as file:
            if path.suffix != ".gz":
                return _read(file, path)
            with gzip.open(file) as unpacked:
                return _read(unpacked, path)
    except (EOFError, OSError, zlib.error) as error:
        raise AccuracyDataError(
            f"Expected {path} to be a whole gzip file: {error}. Fetch it again."
            if path.suffix == ".gz"
            else f"Expected a readable IDX file at {path}: {error}."
        ) from error


def _read(file: BufferedReader | gzip.GzipFile, path: Path) -> NDArray[np.uint8]:
    """Read the header, and as much behind it as it says."""
    data = file.read(4)
    if (
        len(data) < 4
        or data[:2] != b"\0\0"
        or data[2] != UNSIGNED_BYTE
        or not 0 < data[3] <= MAX_DIMENSIONS
    ):
        raise AccuracyDataError(
            f"Expected {path} to begin as an IDX file of unsigned bytes, 00 00 08 and 1 to "
            f"{MAX_DIMENSIONS} dimensions, got {data.hex(' ') or 'nothing'}."
        )
    dimensions = data[3]
    header = file.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise AccuracyDataError(
            f"Expected {4 + 4 * dimensions} bytes of header in {path}, got {4 + len(header)}. "
            "Fetch it again."
        )
    shape = struct.unpack(f">{dimensions}I", header)
    size = prod(shape)
    if size > MAX_BYTES:
        raise AccuracyDataError(
            f"Expected at most {MAX_BYTES} bytes behind the header of {path}, got shape {shape}."
        )
    pixels = file.read(size + 1)
    if len(pixels) != size:
        found = len(pixels) if len(pixels) < size else f"{len(pixels)} or more"
        raise AccuracyDataError(
            f"Expected {size} bytes behind the header of {path}, for shape {shape}, got {found}. "
            "Fetch it again."
        )
    return np.frombuffer(pixels, np.uint8).reshape(shape)


def read_idx_images(images: Path, labels: Path) -> ImageSet:
    """Read images and their labels.

    Args:
        images: IDX file of shape (N, height, width).
        labels: IDX file of shape (N,).

    Returns:
        Images of one channel.

    Raises:
        AccuracyDataError: If a file is damaged or the two do not belong together.
    """
    pixels, classes = read_idx(images), read_idx(labels)
    if pixels.ndim != 3 or classes.shape != pixels.shape[:1]:
        raise AccuracyDataError(
            f"Expected as many labels in {labels} as images in {images}, got shapes "
            f"{classes.shape} and {pixels.shape}."
        )
    return ImageSet(pixels[..., None], classes.astype(np.int64))
