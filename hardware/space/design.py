"""A design: what an agent and the oracle decide together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lrmp.errors import DesignError, LRMPError
from lrmp.hardware.frozen_arrays import FrozenArrays, IntArray, read_only
from lrmp.hardware.layer_table import LayerTable, Row, rows_of
from lrmp.hardware.short_repr import short_range, short_repr

MIN_BITS = 2
MAX_BITS = 8
BIT_WIDTHS = tuple(range(MIN_BITS, MAX_BITS + 1))


def as_integers(
    name: str, values: ArrayLike, error_class: type[LRMPError] = DesignError
) -> IntArray:
    """Convert to int64 without ever rounding.

    Args:
        name: What the values are, for the error message.
        values: Integers of any shape.
        error_class: What to raise.

    Returns:
        The values as an int64 array.

    Raises:
        LRMPError: Of the given class, if a value is not an integer of at most 64 bits.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:  # ragged nesting
        raise error_class(f"Expected {name} to be an array of integers, got {values!r}.") from error
    if array.dtype.kind == "i":
        return array.astype(np.int64, copy=False)
    if array.dtype.kind == "u" and (array.size == 0 or array.max() <= np.iinfo(np.int64).max):
        return array.astype(np.int64)
    raise error_class(
        f"Expected {name} to be integers of at most 64 bits, got {array.dtype} {values!r}."
    )


def check_bits(name: str, bits: ArrayLike, layers: Sequence[str], most: int = MAX_BITS) -> IntArray:
    """Check bit widths, one per layer in the last axis.

    Args:
        name: ``"weight_bits"`` or ``"activation_bits"``.
        bits: Integers of shape (..., L).
        layers: Names of the L layers.
        most: Widest allowed.

    Returns:
        The bits as int64, shape (..., L).

    Raises:
        DesignError: If the shape is wrong or a value is outside 2..most.
    """
    array = as_integers(name, bits)
    if array.ndim == 0 or array.shape[-1] != len(layers):
        got = "a single number" if array.ndim == 0 else str(array.shape[-1])
        raise DesignError(f"Expected {len(layers)} {name}, one per layer, got {got}.")
    wrong = (array < MIN_BITS) | (array > most)
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise DesignError(
            f"Expected {name} between {MIN_BITS} and {most}, got {array[where]} for layer "
            f"{where[-1]} ({layers[where[-1]]})."
        )
    return array


@dataclass(frozen=True, eq=False)
class Design(FrozenArrays, LayerTable):
    """Bits and copies of every layer.

    Attributes:
        weight_bits: Shape (L,), each 2..8.
        activation_bits: Shape (L,), each 2..8.
        replication: Copies of every layer, shape (L,), each at least 1.

    Raises:
        DesignError: If the three differ in length, or a value is no integer or out of range.
    """

    weight_bits: IntArray
    activation_bits: IntArray
    replication: IntArray

    def __post_init__(self) -> None:
        count = np.asarray(self.weight_bits, dtype=object).size
        names = [str(i) for i in range(count)]
        for field in ("weight_bits", "activation_bits"):
            bits = check_bits(field, getattr(self, field), names)
            if bits.ndim != 1:
                raise DesignError(f"Expected {field} of shape ({count},), got {bits.shape}.")
            object.__setattr__(self, field, read_only(bits))
        copies = as_integers("replication", self.replication)
        if copies.shape != (count,):
            raise DesignError(
                f"Expected {count} replication counts, one per layer, got {copies.size}."
            )
        if (copies < 1).any():
            layer = int(np.argmax(copies < 1))
            raise DesignError(
                f"Expected replication of at least 1, got {copies[layer]} for layer {layer}."
            )
        object.__setattr__(self, "replication", read_only(copies))

    def __len__(self) -> int:
        return len(self.weight_bits)

    def __repr__(self) -> str:
        if not len(self):
            return short_repr(self, "0 layers")
        return short_repr(
            self,
            f"{len(self)} layers",
            short_range("weight bits", self.weight_bits),
            short_range("activation bits", self.activation_bits),
            short_range("copies", self.replication),
        )

    @classmethod
    def uniform(cls, layers: int, weight_bits: int, activation_bits: int) -> "Design":
        """Give every layer the same bits and one copy.

        Args:
            layers: Number of layers.
            weight_bits: Bits of every weight.
            activation_bits: Bits of every activation.

        Returns:
            The design.
        """
        return cls(
            weight_bits=np.full(layers, weight_bits),
            activation_bits=np.full(layers, activation_bits),
            replication=np.ones(layers, dtype=np.int64),
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain lists of integers, as stored in records.

        Returns:
            A mapping with the three fields.
        """
        return {
            "weight_bits": self.weight_bits.tolist(),
            "activation_bits": self.activation_bits.tolist(),
            "replication": self.replication.tolist(),
        }

    def to_table(self) -> list[Row]:
        """Return bits and copies of every layer.

        Returns:
            One mapping per layer; ``"layer"`` is its number, from 0.
        """
        return rows_of(
            {
                "layer": range(len(self)),
                "weight_bits": self.weight_bits.tolist(),
                "activation_bits": self.activation_bits.tolist(),
                "copies": self.replication.tolist(),
            }
        )
