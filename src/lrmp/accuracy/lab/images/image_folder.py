"""A folder of images with one folder per class, as ImageNet's validation set is often kept."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from lrmp.accuracy.lab.images.image_file import MAX_FILE_BYTES, MAX_PIXELS, decode_image
from lrmp.accuracy.lab.images.image_set import ImageSet, Pixels
from lrmp.errors import AccuracyDataError
from lrmp.foreign_file import read_foreign

ENDINGS = (".jpeg", ".jpg", ".png")


@dataclass(frozen=True)
class ImageFolder:
    """A folder of images as a source of a split: listed at once, decoded when asked for.

    Attributes:
        root: The folder; that of class 0, 1, and so on are its subfolders by name. So sort
            ImageNet's WordNet ids, CIFAR-10's names and digits.
        classes: How many subfolders there are.
        short_side: As for ``read_image_folder``.
        side: As for ``read_image_folder``.
        channels: 3, or 1 for shades of grey.
    """

    root: str
    classes: int
    short_side: int
    side: int
    channels: int

    def __str__(self) -> str:
        return Path(self.root).name

    def files(self) -> tuple[list[Path], list[int]]:
        """List the images.

        Returns:
            Files and their classes, by class and name.

        Raises:
            AccuracyDataError: If there is no such folder, a class has no images, or there are
                more or fewer classes.
        """
        root = Path(self.root)
        if not root.is_dir():
            raise AccuracyDataError(f"Expected a folder of images at {root}, got no such folder.")
        names = sorted(path.name for path in root.iterdir() if path.is_dir())
        if len(names) != self.classes:
            raise AccuracyDataError(
                f"Expected a folder for each of {self.classes} classes in {root}, got {len(names)} "
                "folders. Name them so that they sort as the classes do."
            )
        return _list(root, names, None)

    def __len__(self) -> int:
        return len(self.files()[0])

    def load(self, indices: NDArray[np.int64]) -> ImageSet:
        """Decode some images.

        Args:
            indices: Which, in the wanted order.

        Returns:
            The images.

        Raises:
            AccuracyDataError: As ``files``, or if an image is damaged.
        """
        files, labels = self.files()
        images = _read(
            [files[index] for index in indices],
            [labels[index] for index in indices],
            self.short_side,
            self.side,
        )
        if self.channels == 3:
            return images
        # Of a grey image all three channels are the same.
        return ImageSet(images.pixels[..., : self.channels], images.labels)


def read_image_folder(
    root: Path,
    classes: Sequence[str],
    *,
    short_side: int = 256,
    side: int = 224,
    limit: int | None = None,
    processes: int = 1,
) -> ImageSet:
    """Read ``root/CLASS/*.jpeg``, resized and cropped as torchvision's weights are tested.

    Args:
        root: The folder.
        classes: Name of the folder of class 0, 1, and so on.
        short_side: Images are resized to this short side, bilinear, with antialiasing.
        side: A square of this side is cut from the middle.
        limit: Images per class, the first by name; None for all.
        processes: Worker processes that decode.

    Returns:
        The images, by class and name.

    Raises:
        AccuracyDataError: If a class folder is missing or empty, or an image is damaged.
    """
    if not root.is_dir():
        raise AccuracyDataError(f"Expected a folder of images at {root}, got no such folder.")
    missing = [name for name in classes if not (root / name).is_dir()]
    if missing:
        raise AccuracyDataError(
            f"Expected a folder for each of {len(classes)} classes in {root}, got none for "
            f"{len(missing)}: {', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}."
        )
    return _read(*_list(root, classes, limit), short_side, side, processes)


def _list(root: Path, classes: Sequence[str], limit: int | None) -> tuple[list[Path], list[int]]:
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = sorted(p for p in (root / name).iterdir() if p.suffix.lower() in ENDINGS)[:limit]
        if not found:
            raise AccuracyDataError(
                f"Expected images ({', '.join(ENDINGS)}) in {root / name}, got none."
            )
        files += found
        labels += [label] * len(found)
    return files, labels


def _read(
    files: Sequence[Path], labels: Sequence[int], short_side: int, side: int, processes: int = 1
) -> ImageSet:
    jobs = [(path, short_side, side) for path in files]
    if processes > 1:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            decoded = pool.map(read_image, jobs, chunksize=32)
            pixels = list(tqdm(decoded, "reading images", len(jobs), leave=False, disable=None))
    else:
        pixels = [
            read_image(job) for job in tqdm(jobs, "reading images", leave=False, disable=None)
        ]
    return ImageSet(np.stack(pixels), np.array(labels, dtype=np.int64))


def read_image(job: tuple[Path, int, int]) -> Pixels:
    """Read, resize and crop one image.

    Args:
        job: File, short side, side of the crop.

    Returns:
        Shape (side, side, 3).

    Raises:
        AccuracyDataError: If the file is no whole image.
    """
    from PIL import Image

    path, short_side, side = job
    try:
        data = read_foreign(path, MAX_FILE_BYTES)
    except OSError as error:
        raise AccuracyDataError(
            f"Expected {path} to be a whole image: {error}. Fetch it again."
        ) from error
    image = decode_image(data, f"{path} to be a whole image")
    width, height = image.size
    # torchvision truncates the long side and rounds the corner of the crop.
    if width <= height:
        size = (short_side, int(short_side * height / width))
    else:
        size = (int(short_side * width / height), short_side)
    if size[0] * size[1] > MAX_PIXELS:
        raise AccuracyDataError(
            f"Expected {path} to have at most {MAX_PIXELS} pixels when its short side is "
            f"{short_side}, got {width} x {height}, which makes {size[0]} x {size[1]}."
        )
    image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = round((size[0] - side) / 2), round((size[1] - side) / 2)
    return np.asarray(image.crop((left, top, left + side, top + side)))
