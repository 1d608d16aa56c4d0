"""Images of a user's own: a folder of PNG and JPEG files, or an archive of arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.lab.images.archive import read_array_names, read_arrays
from lrmp.accuracy.lab.images.image_file import MAX_FILE_BYTES, decode_image
from lrmp.accuracy.lab.images.image_folder import ENDINGS, read_image
from lrmp.errors import AccuracyDataError
from lrmp.foreign_file import read_foreign

IMAGES, LABELS = "images", "labels"
#: Of a folder or archive; more are a mistake, or need a loader of their own.
MOST_IMAGES = 1_000_000


@dataclass(frozen=True)
class Pixels:
    """How pixels become what a network takes: ``(pixel / scale - mean) / std``, by channel.

    Attributes:
        scale: What pixels are divided by; None for 255 where they are bytes.
        mean: Of every channel, or one for all.
        std: Of every channel, or one for all.
        resize: The short side that files are resized to before their middle is cut out; None where
            they have the right size.

    Raises:
        AccuracyDataError: If a number is out of range.
    """

    scale: float | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    resize: int | None = None

    def __post_init__(self) -> None:
        scale = () if self.scale is None else (self.scale,)
        for name, values in (("scale", scale), ("std", self.std)):
            if not all(0 < value < np.inf for value in values):
                raise AccuracyDataError(f"Expected {name} above 0, got {_words(values)}.")
        if not all(np.isfinite(self.mean)):
            raise AccuracyDataError(f"Expected finite means, got {_words(self.mean)}.")
        if self.resize is not None and self.resize < 1:
            raise AccuracyDataError(f"Expected to resize to at least 1 pixel, got {self.resize}.")

    @property
    def given(self) -> bool:
        """Whether anything was said of the values."""
        return self.scale is not None or bool(self.mean or self.std)

    def __call__(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Turn pixels into inputs.

        Args:
            pixels: Shape (N, C, H, W).

        Returns:
            Same shape.

        Raises:
            AccuracyDataError: If there are means or deviations for another number of channels.
        """
        channels = pixels.shape[1]
        values = pixels.astype(np.float32) / np.float32(255 if self.scale is None else self.scale)
        for name, given in (("mean", self.mean), ("std", self.std)):
            if len(given) not in (0, 1, channels):
                raise AccuracyDataError(
                    f"Expected one {name} for all channels, or {channels}, got {len(given)}: "
                    f"{_words(given)}."
                )
        if self.mean:
            values -= np.array(self.mean, np.float32).reshape(1, -1, 1, 1)
        if self.std:
            values /= np.array(self.std, np.float32).reshape(1, -1, 1, 1)
        return values


#: Bytes divided by 255.
UNIT = Pixels()


@dataclass(frozen=True, eq=False)
class OwnImages:
    """Images as a network takes them.

    Attributes:
        inputs: Shape (N, C, H, W), or (N, ...) of an archive.
        labels: Their classes, shape (N,); None where nobody knows them.
    """

    inputs: NDArray[Any]
    labels: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.inputs)


def read_own_images(
    path: Path, shape: Sequence[int] | None, pixels: Pixels, least: int, use: str
) -> OwnImages:
    """Read images.

    Args:
        path: A folder, or a ``.npz`` file with ``images`` and, where they are known, ``labels``. A
            folder holds the images themselves, without labels, or a folder for every class: named
            by its number, or as many as there are classes, which are numbered as their names sort.
            Arrays of bytes are pixels, (N, H, W, C), (N, C, H, W) or (N, H, W); floats are taken as
            the network takes them.
        shape: What the network takes, without the batch; None for that of an archive.
        pixels: What is done to pixels.
        least: Images that are needed.
        use: What they are for, for error messages.

    Returns:
        The images, those of a folder by class and name.

    Raises:
        AccuracyDataError: If there are none or too few, or of another size or number of channels.
    """
    if path.is_dir():
        found = _of_folder(path, shape, pixels)
    elif path.suffix == ".npz":
        found = _of_archive(path, shape, pixels)
    else:
        raise AccuracyDataError(
            f"Expected a folder of images ({', '.join(ENDINGS)}) or an archive (.npz) at {path}, "
            f"got {'another kind of file' if path.exists() else 'nothing there'}."
        )
    if len(found) < least:
        raise AccuracyDataError(
            f"Expected at least {least} {use} images in {path}, got {len(found)}."
        )
    return found


def _of_folder(path: Path, shape: Sequence[int] | None, pixels: Pixels) -> OwnImages:
    if shape is None or len(shape) != 3 or shape[0] not in (1, 3):
        raise AccuracyDataError(
            "Expected a network that takes images of 1 or 3 channels, (C, H, W), for a folder of "
            f"images, got {'an unknown shape' if shape is None else tuple(shape)}. Say it with "
            "--input-shape 1,3,224,224, or give an archive (.npz)."
        )
    folders = sorted(each for each in path.iterdir() if each.is_dir())
    files, labels = list[Path](), list[int]()
    for number, folder in enumerate(folders):
        found = _images_in(folder)
        files += found
        labels += [_class(folder.name, number, folders)] * len(found)
    if not folders:
        files = _images_in(path)
    if len(files) > MOST_IMAGES:
        raise AccuracyDataError(f"Expected at most {MOST_IMAGES:,} images, got {len(files):,}.")
    arrays = [_pixels(file, shape, pixels.resize) for file in files]
    stacked = np.stack(arrays).transpose(0, 3, 1, 2)
    return OwnImages(pixels(stacked), np.array(labels, np.int64) if folders else None)


def _images_in(folder: Path) -> list[Path]:
    found = sorted(each for each in folder.iterdir() if each.suffix.lower() in ENDINGS)
    if not found:
        raise AccuracyDataError(f"Expected images ({', '.join(ENDINGS)}) in {folder}, got none.")
    return found


def _class(name: str, number: int, folders: Sequence[Path]) -> int:
    """Return the class of a folder: its name, where all are numbers, or its place."""
    return int(name) if all(folder.name.isdecimal() for folder in folders) else number


def class_folders(path: Path) -> int | None:
    """Count the folders of classes that are told by their order alone.

    Args:
        path: A folder of images, or an archive.

    Returns:
        As many classes the network must have; None where labels are numbers, or not known.
    """
    if not path.is_dir():
        return None
    names = [each.name for each in path.iterdir() if each.is_dir()]
    return None if not names or all(map(str.isdecimal, names)) else len(names)


def _pixels(file: Path, shape: Sequence[int], resize: int | None) -> NDArray[np.uint8]:
    """Decode a file, shape (H, W, C)."""
    channels, height, width = shape
    if resize is not None:
        if height != width or resize < height:
            raise AccuracyDataError(
                f"Expected to resize to a short side of at least {height} for square images, got "
                f"{resize} for {width} x {height}."
            )
        array = read_image((file, resize, height))
    else:
        try:
            data = read_foreign(file, MAX_FILE_BYTES)
        except OSError as error:
            raise AccuracyDataError(f"Expected a readable image at {file}: {error}.") from error
        array = np.asarray(decode_image(data, f"{file} to be a whole image"))
        if array.shape[:2] != (height, width):
            raise AccuracyDataError(
                f"Expected images of {width} x {height}, got {array.shape[1]} x {array.shape[0]} "
                f"in {file}. Resize them, or let --resize {max(height, width)} do it."
            )
    if channels == 3:
        return array
    if (array != array[..., :1]).any():
        raise AccuracyDataError(
            f"Expected shades of grey, which the network takes, got colours in {file}."
        )
    return array[..., :1]


def _of_archive(path: Path, shape: Sequence[int] | None, pixels: Pixels) -> OwnImages:
    names = read_array_names(path)
    if IMAGES not in names:
        raise AccuracyDataError(
            f"Expected an array {IMAGES!r} in {path}, and {LABELS!r} where classes are known, got "
            f"{', '.join(names) or 'none'}."
        )
    wanted = (IMAGES, LABELS) if LABELS in names else (IMAGES,)
    images, *classes = read_arrays(path, wanted)
    labels = None
    if classes:
        (labels,) = classes
        if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
            raise AccuracyDataError(
                f"Expected {len(images)} whole numbers as {LABELS!r} in {path}, got "
                f"{labels.dtype} of shape {labels.shape}."
            )
        labels = labels.astype(np.int64)
    if images.dtype != np.uint8:
        if images.dtype.kind != "f":
            raise AccuracyDataError(
                f"Expected {IMAGES!r} in {path} as bytes (pixels) or floats (ready for the "
                f"network), got {images.dtype}."
            )
        if pixels.given or pixels.resize is not None:
            raise AccuracyDataError(
                "Expected no --mean, --std, --scale or --resize for an archive of floats, which "
                f"are taken as the network takes them: {path}."
            )
        return OwnImages(_fitting(path, images.astype(np.float32), shape), labels)
    if pixels.resize is not None:
        raise AccuracyDataError(f"Expected no --resize for an archive: {path}. Resize its images.")
    if images.ndim == 3:
        images = images[:, None]
    return OwnImages(pixels(_channels_first(path, images, shape)), labels)


def _channels_first(path: Path, images: NDArray[Any], shape: Sequence[int] | None) -> NDArray[Any]:
    if shape is not None and images.shape[1:] == tuple(shape):
        return images
    last = np.moveaxis(images, -1, 1)
    if shape is None:
        return last if images.shape[-1] in (1, 3) else images
    return _fitting(path, last if last.shape[1:] == tuple(shape) else images, shape)


def _fitting(path: Path, images: NDArray[Any], shape: Sequence[int] | None) -> NDArray[Any]:
    if shape is not None and images.shape[1:] != tuple(shape):
        raise AccuracyDataError(
            f"Expected images of shape {tuple(shape)}, as the network takes them, got "
            f"{images.shape[1:]} in {path}."
        )
    return images


def _words(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
