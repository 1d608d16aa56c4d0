"""A quick lower bound on the accuracy drop of digits designs, from a few of the search images."""

import numpy as np

from lrmp.accuracy.model.digits import (
    DigitsAccuracy,
    Floats,
    load_digits_split,
    load_quantized_layers,
    to_maps,
)
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.networks import load_network

IMAGES = 64  # most designs that a search meets misclassify enough of them to be ruled out


class DigitsScreen:
    """Bounds the drop of a design from below: all images that are not run count as correct.

    It computes as ``DigitsAccuracy`` does, with the same layers, on the first 64 search images; a
    design that begins like the one before starts where they part.

    Args:
        accuracy: The model whose drop is bounded.
    """

    def __init__(self, accuracy: DigitsAccuracy) -> None:
        images = load_digits_split("search")
        self._space = accuracy.space
        self._layers = load_quantized_layers(load_network("digits_cnn"))
        self._pixels, self._labels = images.pixels[:IMAGES], images.labels[:IMAGES]
        self._count = len(images.labels)
        self._float_correct = accuracy.float_correct("search")
        self._prefix: list[tuple[tuple[int, int], Floats]] = []

    def least_drop(self, settings: IntArray) -> float:
        """Bound the drop.

        Args:
            settings: Of every layer, shape (5, 2).

        Returns:
            Percentage points that the drop on all search images reaches at least.
        """
        values = self._space.decode(settings)
        weights, activations = values["weight_bits"], values["activation_bits"]
        pairs = list(zip(weights.tolist(), activations.tolist(), strict=True))
        kept = 0
        while kept < len(self._prefix) and self._prefix[kept][0] == pairs[kept]:
            kept += 1
        del self._prefix[kept:]
        maps = self._prefix[-1][1] if kept else self._pixels
        for pair, layer in zip(pairs[kept:], self._layers[kept:], strict=True):
            outputs = layer(maps, *pair)
            last = layer is self._layers[-1]
            maps = outputs[:, 0, :] if last else to_maps(np.maximum(outputs, 0))
            self._prefix.append((pair, maps))
        wrong = int(np.count_nonzero(maps.argmax(axis=1) != self._labels))
        return 100 * (self._float_correct - (self._count - wrong)) / self._count
