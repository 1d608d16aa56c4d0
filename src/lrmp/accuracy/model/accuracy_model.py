"""The interface between a task and whatever says how accurate a design is."""

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from lrmp.errors import DesignError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import MAX_BITS, MIN_BITS

AccuracyKind = Literal["table", "network"]


class AccuracyModel(Protocol):
    """Accuracy drop of a design, in percentage points against the float network."""

    @property
    def kind(self) -> AccuracyKind:
        """``"table"``, an additive table over layers, or ``"network"``, the quantised network."""
        ...

    @property
    def is_estimate(self) -> bool:
        """Whether the numbers were not measured on the network itself; shown beside the drop."""
        ...

    @property
    def provenance(self) -> str:
        """Where the numbers come from, in one line."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything that defines the model."""
        ...

    def drop(self, weight_bits: IntArray, activation_bits: IntArray) -> float:
        """Return the drop that searches may look at.

        Args:
            weight_bits: Shape (L,), each 2..8.
            activation_bits: Shape (L,), each 2..8.

        Returns:
            Percentage points; negative if the design beats the float network.
        """
        ...

    def sensitivities(self) -> NDArray[np.float64] | None:
        """Say how much rounding one operand of one layer alone matters; agents see it.

        Returns:
            Weights and input of every layer, shape (L, 2), at least 0, in any one unit; None if
            it is not known.
        """
        ...

    def test_drop(self, weight_bits: IntArray, activation_bits: IntArray) -> float | None:
        """Return the drop on images no search has seen; only the leaderboard asks.

        Args:
            weight_bits: Shape (L,), each 2..8.
            activation_bits: Shape (L,), each 2..8.

        Returns:
            Percentage points, or None where the model has no test images.
        """
        ...


def accuracy_label(kind: AccuracyKind, is_estimate: bool) -> str:
    """Say in a word or two what a drop is worth; shown beside it everywhere.

    Args:
        kind: Of the accuracy model.
        is_estimate: Of the accuracy model.

    Returns:
        ``"network"``, ``"table"`` or ``"table (estimate)"``.
    """
    return kind + (" (estimate)" if is_estimate else "")


def bit_index(name: str, bits: IntArray, layers: int) -> IntArray:
    """Turn bits into places in a table over the widths 2..8.

    Args:
        name: ``"weight_bits"`` or ``"activation_bits"``.
        bits: Shape (L,).
        layers: L.

    Returns:
        Indices 0..6, shape (L,).

    Raises:
        DesignError: If there is not one width of 2..8 per layer.
    """
    index: IntArray = np.asarray(bits) - MIN_BITS
    # As unsigned numbers the negative ones are huge: one comparison, in every step of an episode.
    if index.shape != (layers,) or (index.astype(np.uint64) > MAX_BITS - MIN_BITS).any():
        raise DesignError(
            f"Expected {layers} {name} between {MIN_BITS} and {MAX_BITS}, got {bits}."
        )
    return index
