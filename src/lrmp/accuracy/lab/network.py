"""Accuracy of the real quantised network on the images of its protocol."""

from collections import OrderedDict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.lab.images import data_root
from lrmp.accuracy.lab.protocol import Protocol, SplitName, identity
from lrmp.accuracy.model.accuracy_model import AccuracyKind, bit_index
from lrmp.accuracy.model.sensitivity_table import load_table, shipped_networks
from lrmp.errors import MissingExtraError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import MIN_BITS

if TYPE_CHECKING:
    from lrmp.accuracy.lab.evaluator import NetworkEvaluator

REMEMBERED_DESIGNS = 4096


class NetworkAccuracy:
    """Drop of a design by running it: on the search images for searches, on the test images once.

    Weights and images are loaded, and the network is calibrated, when the first design comes. The
    latest 4096 designs are remembered.

    Args:
        protocol: Weights, images and recipe.
        root: The data folder; None for ``LRMP_DATA`` or its default.
        device: Where torch computes.
    """

    kind: AccuracyKind = "network"
    is_estimate = False

    def __init__(self, protocol: Protocol, root: Path | None = None, device: str = "cpu") -> None:
        self.protocol = protocol
        self._root, self._device = data_root(root), device
        self._remembered: OrderedDict[tuple[SplitName, bytes], float] = OrderedDict()

    @property
    def provenance(self) -> str:
        """Recipe, weights and images, in one line."""
        return (
            f"quantised {self.protocol.network} ({self.protocol.recipe}) on "
            f"{self.protocol.search}; {self.protocol.about}"
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of weights, images and recipe."""
        return identity(self.protocol)

    @cached_property
    def evaluator(self) -> "NetworkEvaluator":
        """What runs the designs.

        Raises:
            MissingExtraError: If torch or Pillow is not installed.
            AccuracyDataError: If weights or images are missing.
        """
        try:
            from lrmp.accuracy.lab.evaluator import NetworkEvaluator
        except ImportError as error:
            raise MissingExtraError(
                f"Expected {error.name} for accuracies of the network itself; run pip install "
                '"lrmp[accuracy]", or use accuracy="table".'
            ) from error
        return NetworkEvaluator(self.protocol, self._root, self._device)

    def drop(self, weight_bits: IntArray, activation_bits: IntArray) -> float:
        """Measure the drop on the search images.

        Args:
            weight_bits: Shape (L,), each 2..8.
            activation_bits: Shape (L,), each 2..8.

        Returns:
            Percentage points against the float network.
        """
        return self._drop(weight_bits, activation_bits, "search")

    def sensitivities(self) -> NDArray[np.float64] | None:
        """Return those of the network's shipped table, in nats, shape (L, 2); None without one."""
        if self.protocol.network not in shipped_networks():
            return None
        return load_table(self.protocol.network).accuracy().sensitivities()

    def test_drop(self, weight_bits: IntArray, activation_bits: IntArray) -> float:
        """Measure the drop on the test images.

        Args:
            weight_bits: Shape (L,), each 2..8.
            activation_bits: Shape (L,), each 2..8.

        Returns:
            Percentage points against the float network.
        """
        return self._drop(weight_bits, activation_bits, "test")

    def _drop(self, weight_bits: IntArray, activation_bits: IntArray, split: SplitName) -> float:
        count = len(self.evaluator.layers)
        weights = bit_index("weight_bits", weight_bits, count) + MIN_BITS
        activations = bit_index("activation_bits", activation_bits, count) + MIN_BITS
        key = (split, bytes(weights.tolist()) + bytes(activations.tolist()))
        if key not in self._remembered:
            if len(self._remembered) >= REMEMBERED_DESIGNS:
                self._remembered.popitem(last=False)
            result = self.evaluator.evaluate(weights, activations, split)
            self._remembered[key] = result.drop
        return self._remembered[key]
