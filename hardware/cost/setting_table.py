"""Tables over the knobs that a quantity depends on, and where settings stand in them."""

from dataclasses import dataclass
from functools import lru_cache
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
        values: Shape (..., n L): any axes of its own, then the settings of these knobs, the last
            one changing fastest, layer by layer.
    """

    axes: tuple[int, ...]
    values: NDArray[Number]

    @staticmethod
    def of(array: IntArray, knobs: int, layers: int) -> "SettingTable[np.int64]":
        """Leave out the knobs that play no part.

        Args:
            array: Shape (..., V or 1 for every knob, L or 1); not copied where that can be avoided.
            knobs: K.
            layers: L.

        Returns:
            The table.
        """
        own = array.ndim - knobs - 1
        axes = tuple(knob for knob in range(knobs) if array.shape[own + knob] > 1)
        if array.shape[-1] != layers:
            array = np.broadcast_to(array, (*array.shape[:-1], layers))
        values = array.reshape(*array.shape[:own], -1)
        values.flags.writeable = False
        return SettingTable(axes, values)

    def of_settings(self, places: "Places") -> NDArray[Number]:
        """Look the quantity up.

        Args:
            places: Of the settings, shape (..., L).

        Returns:
            Shape (own axes of the table, ..., L); not to be written.
        """
        if not self.axes and places.in_order:
            *own, layers = self.values.shape
            before = len(places.shape) - 1
            if not before:
                return self.values
            every = self.values.reshape(*own, *(1,) * before, layers)
            return np.broadcast_to(every, (*own, *places.shape))
        found: NDArray[Number] = self.values.take(places.along(self.axes), axis=-1)
        return found


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
        self._settings, self._sizes, self._layers = settings, sizes, layers
        self.in_order = of is None
        self._found: dict[tuple[int, ...], IntArray] = {(): np.arange(layers) if of is None else of}

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the settings less their last axis."""
        return self._settings.shape[:-1]

    def along(self, axes: tuple[int, ...]) -> IntArray:
        """Find the places in a table.

        Args:
            axes: Places of the knobs that the table depends on, ascending.

        Returns:
            Places in its flat settings and layers, shape (..., L); for no axes, of the layers.
        """
        found = self._found.get(axes)
        if found is None:
            others, stride = axes[1:], self._layers
            for axis in others:
                stride *= self._sizes[axis]
            found = self._settings[..., axes[0]] * stride
            found += self.along(others)
            self._found[axes] = found
        return found


@lru_cache(maxsize=64)
def _numbers(count: int) -> IntArray:
    return read_only(range(count))
