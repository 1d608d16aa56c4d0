"""The interface between a task and whatever says how accurate a design is."""

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.drop_map import DropMap, IdentityMap
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import Design

AccuracyKind = Literal["table", "network"]


class AccuracyModel(Protocol):
    """Accuracy drop of a design, in percentage points against the float network.

    It is built for a network, a chip and a design space, and sees whole designs: settings and
    copies. What it draws at random, such as noise, comes from seeds of its own: a design has one
    drop.
    """

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

    @property
    def drop_map(self) -> DropMap | IdentityMap | None:
        """Turns divergences into drops, and back an allowed drop into a divergence.

        None where several networks share a chip: their drops do not follow from one divergence.
        """
        ...

    def divergence(self, design: Design) -> float:
        """Say how far a design is from the float network; rewards count it.

        Args:
            design: Settings and copies of L layers.

        Returns:
            The sum of a table, which nothing bounds from above: a power of it, ``exponent`` if the
            model says so, is in nats. Where no map follows, the drop itself.
        """
        ...

    def divergences(self, settings: IntArray, replication: IntArray) -> NDArray[np.float64]:
        """Return the divergences of many designs, the same as one by one.

        Args:
            settings: Places of values, shape (B, L, K).
            replication: Copies, shape (B, L).

        Returns:
            Shape (B,).
        """
        ...

    def drop(self, design: Design) -> float:
        """Return the drop that searches may look at: ``drop_map`` of the divergence.

        Args:
            design: Settings and copies of L layers.

        Returns:
            Percentage points; negative if the design beats the float network.
        """
        ...

    def drops(self, settings: IntArray, replication: IntArray) -> NDArray[np.float64]:
        """Return the drops of many designs, the same as one by one.

        Args:
            settings: Places of values, shape (B, L, K).
            replication: Copies, shape (B, L).

        Returns:
            Percentage points, shape (B,).
        """
        ...

    def sensitivities(self) -> NDArray[np.float64] | None:
        """Say how much turning one knob of one layer alone matters; agents see it.

        Returns:
            For every layer and knob, shape (L, K), at least 0, in any one unit; None if it is not
            known.
        """
        ...

    def test_drop(self, design: Design) -> float | None:
        """Return the drop on images no search has seen; only the leaderboard asks.

        Args:
            design: Settings and copies of L layers.

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
