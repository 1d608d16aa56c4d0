"""Fetching MNIST and CIFAR-10 for users who have a network, with checksums.

``python -m lrmp.accuracy.lab.images.download mnist cifar10`` writes to the data folder.
"""

import argparse
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from lrmp.accuracy.lab.images.cifar_binary import read_cifar10_binary
from lrmp.accuracy.lab.images.location import data_root
from lrmp.accuracy.lab.images.sheets import write_sheets
from lrmp.accuracy.lab.images.sources import CIFAR10_SHEETS
from lrmp.errors import AccuracyDataError, MissingExtraError, unknown_name
from lrmp.whole_file import replacing

#: File -> checksum. MNIST's are those of the original files, which torchvision 0.20 lists;
#: CIFAR-10's stands on its author's page.
MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MNIST = {
    "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
}
CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/"
CIFAR10 = {"cifar-10-binary.tar.gz": "md5:c32a1d4ab5d03f1284b67883e8d87530"}
SETS = ("mnist", "cifar10")


def fetch(url: str, name: str, checksum: str, folder: Path) -> Path:
    """Fetch a file, unless it is there already, and check it.

    Args:
        url: Address of its folder, with a slash at the end.
        name: Of the file.
        checksum: Algorithm and digits, such as ``"md5:0123..."``.
        folder: Where it is kept.

    Returns:
        The file.

    Raises:
        MissingExtraError: If pooch is not installed.
        AccuracyDataError: If it cannot be fetched, or is another file.
    """
    try:
        import pooch
    except ImportError as error:
        raise MissingExtraError.of("pooch", "for downloads", "accuracy") from error
    downloader: Any = None if url.startswith("file:") else pooch.HTTPDownloader(progressbar=True)
    if url.startswith("file:"):
        downloader = _copy
    try:
        return Path(
            pooch.retrieve(url + name, checksum, fname=name, path=folder, downloader=downloader)
        )
    except ValueError as error:  # pooch: the hash differs
        raise AccuracyDataError(
            f"Expected {url}{name} to have checksum {checksum}: {error}. Try another time, or put "
            f"the file into {folder} yourself."
        ) from error
    except OSError as error:
        raise AccuracyDataError(
            f"Expected to fetch {url}{name}: {error}. Put the file into {folder} yourself."
        ) from error


def _copy(url: str, output_file: str, _pooch: Any) -> None:
    """Fetch a file of this machine."""
    Path(output_file).write_bytes(Path(url.removeprefix("file://")).read_bytes())


def download_mnist(root: Path, url: str = MNIST_URL) -> list[Path]:
    """Fetch the four files of MNIST, as the protocols expect them.

    Args:
        root: The data folder.
        url: Address of the folder of the files.

    Returns:
        The files.

    Raises:
        AccuracyDataError: If one cannot be fetched, or is another file.
    """
    return [fetch(url, name, checksum, root / "mnist") for name, checksum in MNIST.items()]


def download_cifar10(root: Path, url: str = CIFAR10_URL, files: Any = None) -> Path:
    """Fetch CIFAR-10's binary version and write the images that the protocols expect.

    Args:
        root: The data folder.
        url: Address of the folder of the archive.
        files: Archive and checksum; None for the original.

    Returns:
        ``cifar10_lossless_subset.npz``: the first 4,000 training and 1,000 test images. The files
        beside it, ``CIFAR10_SHEETS``, hold all 50,000 training images.

    Raises:
        AccuracyDataError: If the archive cannot be fetched, or is another or damaged file.
    """
    folder = root / "cifar10"
    ((archive_name, checksum),) = (files or CIFAR10).items()
    archive = fetch(url, archive_name, checksum, folder)
    inner = "cifar-10-batches-bin"
    batches = [f"data_batch_{number}.bin" for number in range(1, 6)]
    try:
        with tarfile.open(archive) as tar:
            for member in (*batches, "test_batch.bin"):
                tar.extract(f"{inner}/{member}", folder, filter="data")
    except (tarfile.TarError, KeyError, EOFError, OSError) as error:
        raise AccuracyDataError(
            f"Expected {archive} to be a whole archive of {inner}: {error}. Delete it and repeat."
        ) from error
    for member, name in zip(batches, CIFAR10_SHEETS, strict=True):
        write_sheets(folder / name, read_cifar10_binary([folder / inner / member]))
    first, last = folder / inner / batches[0], folder / inner / "test_batch.bin"
    train = read_cifar10_binary([first]).take(np.arange(4000), first)
    test = read_cifar10_binary([last]).take(np.arange(1000), last)
    path = folder / "cifar10_lossless_subset.npz"
    with replacing(path) as temporary:
        np.savez(
            temporary,
            x_train=train.pixels,
            y_train=train.labels.astype(np.uint8),
            x_test=test.pixels,
            y_test=test.labels.astype(np.uint8),
        )
    return path


def main(arguments: list[str] | None = None) -> None:
    """Fetch image sets by name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+", help=" or ".join(SETS))
    parser.add_argument("--data", type=Path, help="data folder")
    options = parser.parse_args(arguments)
    root = data_root(options.data)
    for name in options.sets:
        if name not in SETS:
            raise AccuracyDataError(unknown_name("image set", name, SETS))
        found = download_mnist(root) if name == "mnist" else download_cifar10(root)
        print(f"{name}: {found}")


if __name__ == "__main__":
    main()
