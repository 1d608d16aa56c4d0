"""The interface between a task and whatever says how accurate a design is."""

from typing import Literal, Protocol

from lrmp.hardware.frozen_arrays import IntArray

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
