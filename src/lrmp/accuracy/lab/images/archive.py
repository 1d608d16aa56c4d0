"""Image sets in NumPy archives: arrays of pixels, or image files laid end to end."""

import lzma
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.lab.images.image_file import decode_image
from lrmp.accuracy.lab.images.image_set import ImageSet, check_indices
from lrmp.errors import AccuracyDataError
from lrmp.foreign_file import open_foreign

#: Of a file, and of each array when unpacked.
MAX_ARCHIVE_BYTES = 2**30
MAX_DIMENSIONS = 8

#: By version of the format; ``np.load`` would believe a header before it reads what it announces.
_HEADERS: dict[tuple[int, int], Callable[[Any], Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

#: What zipfile and NumPy raise on damage; an encrypted member is a RuntimeError.
_DAMAGE = (
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    TypeError,
    ValueError,
    OverflowError,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_array_names(path: Path) -> list[str]:
    """List the arrays of an archive.

    Args:
        path: A ``.npz`` file.

    Returns:
        Their names.

    Raises:
        AccuracyDataError: If the file is missing or damaged.
    """
    if not path.is_file():
        raise AccuracyDataError(f"Expected images at {path}, got no such file.")
    try:
        with open_foreign(path, MAX_ARCHIVE_BYTES) as file, zipfile.ZipFile(file) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except _DAMAGE as error:
        raise AccuracyDataError(
            f"Expected {path} to be a whole archive of plain arrays: {error}. Fetch it again."
        ) from error


def read_arrays(path: Path, names: tuple[str, ...]) -> list[NDArray[Any]]:
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
        with open_foreign(path, MAX_ARCHIVE_BYTES) as file, zipfile.ZipFile(file) as archive:
            members = {member.filename: member for member in archive.infolist()}
            if missing := [name for name in names if f"{name}.npy" not in members]:
                raise AccuracyDataError(
                    f"Expected arrays {', '.join(names)} in {path}: {missing[0]} missing."
                )
            return [_read_array(archive, members[f"{name}.npy"]) for name in names]
    except AccuracyDataError:
        raise
    except _DAMAGE as error:
        raise AccuracyDataError(
            f"Expected {path} to be a whole archive of plain arrays: {error}. Fetch it again."
        ) from error


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """Read an array that is as large as the archive and its own header say."""
    if member.file_size > MAX_ARCHIVE_BYTES:
        raise ValueError(f"{member.filename} takes {member.file_size} bytes when unpacked")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"{member.filename} has format {version}")
        shape, fortran, dtype = _HEADERS[version](file)
        if dtype.hasobject:
            raise ValueError(f"{member.filename} holds pickled objects, and allow_pickle is off")
        size, found = prod(shape) * dtype.itemsize, member.file_size - file.tell()
        if size != found or len(shape) > MAX_DIMENSIONS or not all(n >= 0 for n in shape):
            raise ValueError(f"{member.filename} has shape {shape} but {found} bytes")
        array = np.frombuffer(file.read(size), dtype)
    return array.reshape(shape, order="F" if fortran else "C")


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
    _check_integers(path, labels, classes)
    return ImageSet(pixels, classes.astype(np.int64))


def _check_integers(path: Path, name: str, array: NDArray[np.generic]) -> None:
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise AccuracyDataError(
            f"Expected {name} in {path} as a row of integers, got {array.dtype} of shape "
            f"{array.shape}."
        )


def read_joined_files(
    path: Path, names: tuple[str, str, str]
) -> tuple[NDArray[np.uint8], NDArray[np.integer[Any]], NDArray[np.integer[Any]]]:
    """Read files that are laid end to end, without decoding them.

    Args:
        path: A ``.npz`` file.
        names: Arrays of the joined files, of their offsets and of classes.

    Returns:
        The files' bytes, where each of F files begins and the last one ends, shape (F + 1,), and
        the classes, shape (N,).

    Raises:
        AccuracyDataError: If the archive does not hold them.
    """
    arrays = read_arrays(path, names)
    for name, array in zip(names, arrays, strict=True):
        _check_integers(path, name, array)
    joined, offsets, classes = arrays
    if joined.dtype != np.uint8:
        raise AccuracyDataError(f"Expected {names[0]} in {path} as uint8, got {joined.dtype}.")
    return joined, offsets, classes


def read_jpeg_archive(path: Path, indices: NDArray[np.int64] | None = None) -> ImageSet:
    """Read images of one size that are stored as JPEG files.

    Args:
        path: A ``.npz`` file with the joined files ``jpeg`` (uint8), their N + 1 offsets
            ``offset`` and the N classes ``label``.
        indices: Which images to decode; None for all.

    Returns:
        The images, RGB.

    Raises:
        AccuracyDataError: If the file does not hold them, or a JPEG file is damaged.
    """
    joined, offsets, classes = read_joined_files(path, ("jpeg", "offset", "label"))
    if len(offsets) != len(classes) + 1:
        raise AccuracyDataError(
            f"Expected an offset more than classes in {path}, got {len(offsets)} offsets and "
            f"{len(classes)} classes."
        )
    if indices is None:
        indices = np.arange(len(classes))
    check_indices(indices, len(classes), path)
    pixels: list[NDArray[np.uint8]] = []
    for index in indices.tolist():
        data = joined[int(offsets[index]) : int(offsets[index + 1])].tobytes()
        image = decode_image(data, f"image {index} of {path} to be a whole JPEG file")
        pixels.append(np.asarray(image))
        if pixels[-1].shape != pixels[0].shape:
            raise AccuracyDataError(
                f"Expected images of one size in {path}, got {pixels[0].shape} and "
                f"{pixels[-1].shape}."
            )
    return ImageSet(np.stack(pixels), classes[indices].astype(np.int64))
