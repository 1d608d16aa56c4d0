"""Image sets in NumPy archives: arrays of pixels, or JPEG files laid end to end."""

import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lrmp.envs.accuracy.data.image_set import ImageSet
from lrmp.errors import AccuracyDataError


def read_arrays(path: Path, names: tuple[str, ...]) -> list[NDArray[np.generic]]:
    """Read arrays by name; pickled objects are refused.

    Args:
        path: A ``.npz`` file.
        names: Which arrays.

    Returns:
        The arrays.

    Raises:
        AccuracyDataError: If the file is missing or damaged, or an array is missing or pickled.
    """
    if not path.is_file():
        raise AccuracyDataError(f"Expected images at {path}, got no such file.")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return [archive[name] for name in names]
    except KeyError as error:
        raise AccuracyDataError(
            f"Expected arrays {', '.join(names)} in {path}: {error}."
        ) from error
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise AccuracyDataError(
            f"Expected {path} to be a whole archive of plain arrays: {error}. Fetch it again."
        ) from error


def read_pixel_archive(path: Path, images: str, labels: str) -> ImageSet:
    """Read images that are stored as pixels.

    Args:
        path: A ``.npz`` file.
        images: Name of the array of shape (N, height, width, channels).
        labels: Name of the array of shape (N,).

    Returns:
        The images.

    Raises:
        AccuracyDataError: If the file does not hold them.
    """
    pixels, classes = read_arrays(path, (images, labels))
    return ImageSet(np.asarray(pixels, dtype=pixels.dtype), classes.astype(np.int64))


def read_jpeg_archive(
    path: Path,
    indices: NDArray[np.int64] | None = None,
    names: tuple[str, str, str] = ("jpeg", "offset", "label"),
) -> ImageSet:
    """Read images of one size that are stored as JPEG files.

    Args:
        path: A ``.npz`` file.
        indices: Which images to decode; None for all.
        names: Arrays of the joined files (uint8), their offsets (N + 1) and the classes (N).

    Returns:
        The images, RGB.

    Raises:
        AccuracyDataError: If the file does not hold them, or a JPEG file is damaged.
    """
    from PIL import Image, UnidentifiedImageError

    joined, offsets, classes = (np.asarray(array) for array in read_arrays(path, names))
    if indices is None:
        indices = np.arange(len(classes))
    pixels = []
    for index in indices.tolist():
        data = joined[int(offsets[index]) : int(offsets[index + 1])].tobytes()
        try:
            pixels.append(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
        except (UnidentifiedImageError, OSError) as error:
            raise AccuracyDataError(
                f"Expected image {index} of {path} to be a whole JPEG file: {error}. "
                "Fetch it again."
            ) from error
    return ImageSet(np.stack(pixels), classes[indices].astype(np.int64))
