"""CIFAR-10's training images as sheets: 1,000 tiles in one lossless WebP image, ten to an archive.

Losslessly compressed this way, the 50,000 images take half of the room of their pixels.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.lab.images.archive import read_joined_files
from lrmp.accuracy.lab.images.image_file import decode_image
from lrmp.accuracy.lab.images.image_set import ImageSet, Pixels
from lrmp.errors import AccuracyDataError
from lrmp.whole_file import replacing

SIDE, CHANNELS = 32, 3
#: Tiles of a sheet, row by row.
ROWS, COLUMNS = 25, 40
SHEET_IMAGES = ROWS * COLUMNS
ARCHIVE_SHEETS = 10
ARCHIVE_IMAGES = ARCHIVE_SHEETS * SHEET_IMAGES
NAMES = ("webp", "offset", "label")


def read_sheets(paths: Sequence[Path], indices: NDArray[np.int64]) -> ImageSet:
    """Read some images of archives that follow each other; other sheets are not decoded.

    Args:
        paths: Archives of ten sheets, in order.
        indices: Which images, counted through all archives, in the wanted order.

    Returns:
        RGB images of 32 x 32.

    Raises:
        AccuracyDataError: If an archive does not hold ten sheets and their classes, or a sheet that
            is needed is damaged or no lossless WebP image of 1280 x 800.
    """
    pixels = np.empty((len(indices), SIDE, SIDE, CHANNELS), np.uint8)
    labels = np.empty(len(indices), np.int64)
    for number, path in enumerate(paths):
        wanted = indices // ARCHIVE_IMAGES == number
        if not wanted.any():
            continue
        joined, offsets, classes = read_joined_files(path, NAMES)
        if len(offsets) != ARCHIVE_SHEETS + 1 or len(classes) != ARCHIVE_IMAGES:
            raise AccuracyDataError(
                f"Expected {ARCHIVE_SHEETS} sheets and {ARCHIVE_IMAGES} classes in {path}, got "
                f"{len(offsets) - 1} and {len(classes)}. Fetch it again."
            )
        labels[wanted] = classes[indices[wanted] % ARCHIVE_IMAGES]
        sheets = indices % ARCHIVE_IMAGES // SHEET_IMAGES
        for sheet in np.unique(sheets[wanted]).tolist():
            data = joined[int(offsets[sheet]) : int(offsets[sheet + 1])].tobytes()
            tiles = _read_sheet(data, f"sheet {sheet} of {path} to be a whole lossless WebP file")
            places = wanted & (sheets == sheet)
            pixels[places] = tiles[indices[places] % SHEET_IMAGES]
    return ImageSet(pixels, labels)


def _read_sheet(data: bytes, what: str) -> Pixels:
    """Decode a sheet, whose header is checked before Pillow makes room for what it announces."""
    # RIFF, size, WEBP, VP8L, size, 0x2F, then 14 bits each of width - 1 and height - 1.
    if len(data) < 25 or data[:4] + data[8:16] + data[20:21] != b"RIFFWEBPVP8L\x2f":
        raise AccuracyDataError(f"Expected {what}, got another header. Fetch it again.")
    bits = int.from_bytes(data[21:25], "little")
    size = ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if size != (COLUMNS * SIDE, ROWS * SIDE):
        raise AccuracyDataError(
            f"Expected {what} of {COLUMNS * SIDE} x {ROWS * SIDE}, got {size[0]} x {size[1]}. "
            "Fetch it again."
        )
    sheet = np.asarray(decode_image(data, what, ("WEBP",)))
    tiles = sheet.reshape(ROWS, SIDE, COLUMNS, SIDE, CHANNELS).swapaxes(1, 2)
    return tiles.reshape(SHEET_IMAGES, SIDE, SIDE, CHANNELS)


def write_sheets(path: Path, images: ImageSet) -> None:
    """Write an archive that ``read_sheets`` reads.

    Args:
        path: A ``.npz`` file.
        images: 10,000 RGB images of 32 x 32.

    Raises:
        AccuracyDataError: If there are more or fewer images, or they have another size.
    """
    from PIL import Image

    shape = (ARCHIVE_IMAGES, SIDE, SIDE, CHANNELS)
    if images.pixels.shape != shape:
        raise AccuracyDataError(f"Expected images of shape {shape}, got {images.pixels.shape}.")
    tiles = images.pixels.reshape(ARCHIVE_SHEETS, ROWS, COLUMNS, SIDE, SIDE, CHANNELS)
    sheets = tiles.swapaxes(2, 3).reshape(ARCHIVE_SHEETS, ROWS * SIDE, COLUMNS * SIDE, CHANNELS)
    files = []
    for sheet in sheets:
        file = io.BytesIO()
        Image.fromarray(sheet).save(file, "WEBP", lossless=True, method=2)
        files.append(file.getvalue())
    with replacing(path) as temporary:
        np.savez(
            temporary,
            webp=np.frombuffer(b"".join(files), np.uint8),
            offset=np.cumsum([0, *map(len, files)], dtype=np.int64),
            label=images.labels.astype(np.uint8),
        )
