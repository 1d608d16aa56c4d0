"""Accuracy from an additive table: microseconds per design, no images needed."""

import hashlib
import json

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind, bit_index
from lrmp.accuracy.model.drop_map import DropMap, IdentityMap
from lrmp.errors import AccuracyTableError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import BIT_WIDTHS, MIN_BITS

SENSITIVITY_BITS = 4  # where the layers of all measured networks differ most clearly
LARGEST = float(np.finfo(float).max) / 16  # sums and differences of a few such are floats


class TableAccuracy:
    """Drop of a design from the sum of one entry per layer and operand, through an increasing map.

    ``drop = drop_map(sum over layers of weight_table[l, bits] + activation_table[l, bits])``, where
    the map increases strictly: the least drop for some cost is the least sum.

    Args:
        weight_table: Entries by layer and weight bits 2..8, shape (L, 7); copied.
        activation_table: Entries by layer and activation bits 2..8, shape (L, 7); copied.
        provenance: Where the numbers come from, one line.
        is_estimate: Whether they were not measured on the network itself.
        drop_map: From the sum to percentage points; None if the entries are points already.

    Raises:
        AccuracyTableError: If a shape is wrong, a number or the sum of a design is not finite, or
            the map is none.
    """

    kind: AccuracyKind = "table"

    def __init__(
        self,
        weight_table: ArrayLike,
        activation_table: ArrayLike,
        provenance: str,
        *,
        is_estimate: bool,
        drop_map: DropMap | IdentityMap | None = None,
    ) -> None:
        if not isinstance(drop_map, DropMap | IdentityMap | None):
            raise AccuracyTableError(
                f"Expected drop_map to be a DropMap, or None for points, got {drop_map!r}."
            )
        self.weight_table = _entries("weight_table", weight_table)
        layers = len(self.weight_table)
        self.activation_table = _entries("activation_table", activation_table, layers)
        with np.errstate(over="ignore"):
            largest = sum(
                float(np.abs(table).max(axis=1).sum())
                for table in (self.weight_table, self.activation_table)
            )
        if largest > LARGEST:
            raise AccuracyTableError(
                f"Expected entries whose sum over the layers is at most {LARGEST:.0e}, got up to "
                f"{largest:.0e}. Give them a larger unit, or what must not be used a smaller entry."
            )
        self.provenance = provenance
        self.is_estimate = is_estimate
        self.drop_map = drop_map or IdentityMap()
        self._layers = np.arange(layers)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of every bit of the tables, of the map, and of whether this is an estimate.

        As with chips, where the numbers come from is not part.
        """
        definition = {
            "weights": self.weight_table.tolist(),
            "activations": self.activation_table.tolist(),
            "drop_map": self.drop_map.definition,
            "is_estimate": bool(self.is_estimate),
        }
        text = json.dumps(definition, sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def table_sum(self, weight_bits: IntArray, activation_bits: IntArray) -> float:
        """Sum the entries of a design.

        Args:
            weight_bits: Shape (L,), each 2..8.
            activation_bits: Shape (L,), each 2..8.

        Returns:
            In the unit of the tables.

        Raises:
            DesignError: If the bits are out of range or not one per layer.
        """
        count = len(self._layers)
        weights = bit_index("weight_bits", weight_bits, count)
        activations = bit_index("activation_bits", activation_bits, count)
        return float(
            self.weight_table[self._layers, weights].sum()
            + self.activation_table[self._layers, activations].sum()
        )

    def drop(self, weight_bits: IntArray, activation_bits: IntArray) -> float:
        """Map the sum of a design's entries to its drop.

        Args:
            weight_bits: Shape (L,), each 2..8.
            activation_bits: Shape (L,), each 2..8.

        Returns:
            Percentage points.

        Raises:
            DesignError: If the bits are out of range or not one per layer.
        """
        return float(self.drop_map(self.table_sum(weight_bits, activation_bits)))

    def drops(self, weight_bits: IntArray, activation_bits: IntArray) -> NDArray[np.float64]:
        """Map the sums of many designs to their drops, the same numbers as one by one.

        Args:
            weight_bits: Shape (B, L), each 2..8; not checked.
            activation_bits: Shape (B, L), each 2..8; not checked.

        Returns:
            Percentage points, shape (B,).
        """
        return self.drop_map(
            self.weight_table[self._layers, weight_bits - MIN_BITS].sum(axis=1)
            + self.activation_table[self._layers, activation_bits - MIN_BITS].sum(axis=1)
        )

    def sensitivities(self) -> NDArray[np.float64]:
        """Return what 4 bits add to the sum, in the unit of the tables, shape (L, 2)."""
        tables = np.stack([self.weight_table, self.activation_table], axis=1)
        added: NDArray[np.float64] = tables[:, :, SENSITIVITY_BITS - MIN_BITS] - tables[:, :, -1]
        return np.maximum(added, 0)

    def test_drop(self, weight_bits: IntArray, activation_bits: IntArray) -> None:
        """Return None: a table holds no test images.

        Args:
            weight_bits: Shape (L,), each 2..8.
            activation_bits: Shape (L,), each 2..8.
        """
        return


def _entries(name: str, values: ArrayLike, layers: int | None = None) -> NDArray[np.float64]:
    """Copy a table into an array that cannot be written."""
    try:
        table = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise AccuracyTableError(
            f"Expected {name} to be numbers, {len(BIT_WIDTHS)} for every layer: {error}."
        ) from error
    rows = max((1, *table.shape[:1])) if layers is None else layers
    expected = (rows, len(BIT_WIDTHS))
    if table.shape != expected or not np.isfinite(table).all():
        raise AccuracyTableError(
            f"Expected {name} to be finite and of shape {expected}, got shape "
            f"{table.shape} with {np.count_nonzero(~np.isfinite(table))} non-finite values."
        )
    table += 0.0  # -0.0 is 0.0
    table.flags.writeable = False
    return table
