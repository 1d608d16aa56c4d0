"""CIFAR-10 in its binary version (Krizhevsky, 2009): a byte of class, 3072 bytes of pixels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lrmp.accuracy.lab.images.image_set import ImageSet
from lrmp.errors import AccuracyDataError
from lrmp.foreign_file import read_foreign

SIDE, CHANNELS, CLASSES = 32, 3, 10
RECORD = 1 + CHANNELS * SIDE * SIDE
MAX_BYTES = 2**28  # a batch has an eighth of that


def read_cifar10_binary(paths: Sequence[Path]) -> ImageSet:
    """Read one or more batch files.

    Args:
        paths: Such as ``data_batch_1.bin``, in order.

    Returns:
        RGB images of 32 x 32.

    Raises:
        AccuracyDataError: If a file is missing, truncated or holds another class.
    """
    batches = []
    for path in paths:
        if not path.is_file():
            raise AccuracyDataError(f"Expected a CIFAR-10 batch at {path}, got no such file.")
        try:
            data = np.frombuffer(read_foreign(path, MAX_BYTES), np.uint8)
        except OSError as error:
            raise AccuracyDataError(
                f"Expected a readable CIFAR-10 batch at {path}: {error}."
            ) from error
        if len(data) == 0 or len(data) % RECORD:
            raise AccuracyDataError(
                f"Expected {path} to hold records of {RECORD} bytes, got {len(data)} bytes. "
                "Fetch it again; the binary version is wanted, not the Python one."
            )
        records = data.reshape(-1, RECORD)
        if records[:, 0].max() >= CLASSES:
            raise AccuracyDataError(
                f"Expected classes 0 to {CLASSES - 1} in {path}, got {records[:, 0].max()}."
            )
        batches.append(records)
    records = np.concatenate(batches)
    pixels = records[:, 1:].reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)
    return ImageSet(np.ascontiguousarray(pixels), records[:, 0].astype(np.int64))
