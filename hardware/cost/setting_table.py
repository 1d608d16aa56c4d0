"""Tables over the knobs that a quantity depends on, and where settings stand in them."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.frozen_arrays import IntArray, read_only

Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, eq=False)
class SettingTable(Generic[Number]):
    """A quantity of L layers, for every setting of the knobs that it depends on.

    Attributes:
        axes: Places of those knobs in the design space, ascending.
        values: Shape (..., L, n): any axes of its own, the layers, and the settings of these knobs,
            the last one changing fastest.
    """

    axes: tuple[int, ...]
    values: NDArray[Number]

    @staticmethod
    def of(array: NDArray[Number], knobs: int, layers: int) -> "SettingTable[Number]":
        """Leave out the knobs that play no part.

        Args:
            array: Shape (..., V or 1 for every knob, L or 1).
            knobs: K.
            layers: L.

        Returns:
            The table, which cannot be written.
        """
        own = array.ndim - knobs - 1
        axes = tuple(knob for knob in range(knobs) if array.shape[own + knob] > 1)
        if array.shape[-1] != layers:
            array = np.broadcast_to(array, (*array.shape[:-1], layers))
        *before, last = range(array.ndim)
        by_layer = array.transpose(*before[:own], last, *before[own:])
        values = np.ascontiguousarray(by_layer).reshape(*array.shape[:own], layers, -1)
        values.flags.writeable = False
        return SettingTable(axes, values)

    def of_settings(self, places: "Places") -> NDArray[Number]:
        """Look the quantity up.

        Args:
            places: Of the settings, shape (..., L).

        Returns:
            Shape (own axes of the table, ..., L); not to be written.
        """
        if self.axes or not places.in_order:
            return self._flat.take(places.along(self.axes), axis=-1)
        before = len(places.shape) - 1
        if not before:
            return self._flat
        *own, layers = self._flat.shape
        every = self._flat.reshape(*own, *(1,) * before, layers)
        return np.broadcast_to(every, (*own, *places.shape))

    @cached_property
    def _flat(self) -> NDArray[Number]:
        return self.values.reshape(*self.values.shape[:-2], -1)


class Places:
    """Where settings stand in tables; found once for all tables of the same knobs.

    Attributes:
        in_order: Whether their last axis but one is that of the layers.

    Args:
        settings: Shape (..., L, K), or (..., K) with the layers they are for.
        sizes: How many values the K knobs have.
        layers: L.
        of: The layer of every setting, shape (...); None for the layers in their order.
    """

    def __init__(
        self,
        settings: IntArray,
        sizes: tuple[int, ...],
        layers: int,
        of: IntArray | None = None,
    ) -> None:
        self._settings, self._sizes, self._layers, self._of = settings, sizes, layers, of
        self.in_order = of is None
        self._found: dict[tuple[int, ...], IntArray] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the settings less their last axis."""
        return self._settings.shape[:-1]

    def along(self, axes: tuple[int, ...]) -> IntArray:
        """Find the places in a table.

        Args:
            axes: Places of the knobs that the table depends on, ascending.

        Returns:
            Places in its flat layers and settings, shape (..., L); for no axes, the layers.
        """
        found = self._found.get(axes)
        if found is not None:
            return found
        count = 1
        for axis in axes:
            count *= self._sizes[axis]
        found = _starts(self._layers, count) if self._of is None else self._of * count
        if axes:
            place = self._settings[..., axes[0]]
            for axis in axes[1:]:
                place = place * self._sizes[axis]
                place += self._settings[..., axis]
            found = place + found
        self._found[axes] = found
        return found


@lru_cache(maxsize=256)
def _starts(layers: int, count: int) -> IntArray:
    """Return where the settings of every layer begin."""
    return read_only(np.arange(layers) * count)
