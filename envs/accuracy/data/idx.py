"""IDX files, the format of MNIST (LeCun et al.)."""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lrmp.envs.accuracy.data.image_set import ImageSet
from lrmp.errors import AccuracyDataError

UNSIGNED_BYTE = 8


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
    data = path.read_bytes()
    if path.suffix == ".gz":
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError, zlib.error) as error:
            raise AccuracyDataError(
                f"Expected {path} to be a whole gzip file: {error}. Fetch it again."
            ) from error
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != UNSIGNED_BYTE or data[3] == 0:
        raise AccuracyDataError(
            f"Expected {path} to begin as an IDX file of unsigned bytes, 00 00 08 and the number "
            f"of dimensions, got {data[:4].hex(' ') or 'nothing'}."
        )
    dimensions = data[3]
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise AccuracyDataError(
            f"Expected {start} bytes of header in {path}, got {len(data)}. Fetch it again."
        )
    shape = struct.unpack(f">{dimensions}I", data[4:start])
    size = int(np.prod(shape, dtype=np.uint64))
    if len(data) - start != size:
        raise AccuracyDataError(
            f"Expected {size} bytes behind the header of {path}, for shape {shape}, got "
            f"{len(data) - start}. Fetch it again."
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


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
