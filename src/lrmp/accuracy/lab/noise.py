"""Noise of layers: drawn at random, and the same in every run of the same seed.

What is drawn depends on the seed, the layer, the purpose and the image, and on nothing else: not on
the batches that images come in, the designs that run together, or the process.
"""

from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from lrmp.accuracy.lab.protocol import SplitName
from lrmp.errors import AccuracyDataError

_SPLITS: tuple[SplitName, ...] = ("calibration", "search", "test", "training")


@dataclass
class NoiseRun:
    """What the layers of a network draw for at the moment.

    Attributes:
        seed: Of the run; None if it has none, so that nobody may draw.
        split: Number of the split that the images are of, from 1.
        first: Place of the first image of the batch in its split.
        images: How many there are; None where nobody has said it.
        batch: Counts the batches, each of which draws anew.
    """

    seed: int | None = None
    split: int = 1
    first: int = 0
    images: int | None = None
    batch: int = 0

    def start_batch(self, split: SplitName, first: int, images: int) -> None:
        """Say which images run next.

        Args:
            split: What they are of.
            first: Place of the first one in it.
            images: How many.
        """
        self.split, self.first, self.images = _SPLITS.index(split) + 1, first, images
        self.batch += 1


@lru_cache(maxsize=64)  # some designs run by turns, and draw alike
def _fixed_normal(words: tuple[int, ...], shape: tuple[int, ...]) -> Tensor:
    generator = np.random.default_rng([*words, 0, 0])
    return torch.from_numpy(generator.standard_normal(shape, np.float32))


class Noise:
    """What a layer draws for one purpose; two purposes have nothing in common.

    Args:
        run: Of the network.
        layer: Number of the layer.
        purpose: Any text, such as ``"reads"``.

    Raises:
        AccuracyDataError: If the run has no seed.
    """

    def __init__(self, run: NoiseRun, layer: int, purpose: str) -> None:
        if run.seed is None:
            raise AccuracyDataError(
                f"Expected a run with a seed, which the noise {purpose!r} of a knob is drawn from, "
                "got one without. Give NetworkAccuracy, NetworkEvaluator or Measurement "
                "noise_seeds=(0, 1, 2); fine-tuning knows no noise."
            )
        self._run = run
        self._words = (run.seed, layer, crc32(purpose.encode()))
        self._batch = -1
        self._of_images: list[np.random.Generator] = []

    def generator(self) -> np.random.Generator:
        """Begin what is the same for all images, such as errors of programmed weights.

        Returns:
            A generator; it draws the same whenever it is asked for.
        """
        return np.random.default_rng([*self._words, 0, 0])

    def fixed_normal(self, shape: tuple[int, ...]) -> Tensor:
        """Draw standard normal numbers, the same for all images.

        Args:
            shape: Of what is drawn, such as the weights of a layer.

        Returns:
            Of this shape, kept for the next design; not to be written.
        """
        return _fixed_normal(self._words, shape)

    def normal(self, outputs: Tensor) -> Tensor:
        """Draw standard normal numbers, others for every image and every call of a pass.

        Args:
            outputs: Shape (B, ...), an image in every row. Where rows are something else, what is
                drawn depends on the batch.

        Returns:
            Same shape.
        """
        run, rows = self._run, outputs.shape[0]
        each = run.images in (rows, None)
        if self._batch != run.batch or len(self._of_images) != (rows if each else 1):
            self._batch = run.batch
            self._of_images = [
                np.random.default_rng([*self._words, run.split, run.first + image + 1])
                for image in range(rows if each else 1)
            ]
        drawn = np.empty(tuple(outputs.shape), np.float32)
        if each:
            for row, generator in zip(drawn, self._of_images, strict=True):
                row[...] = generator.standard_normal(row.shape, np.float32)
        else:
            drawn[...] = self._of_images[0].standard_normal(drawn.shape, np.float32)
        return torch.from_numpy(drawn).to(outputs)
