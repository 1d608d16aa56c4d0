"""Tables over the knobs that a quantity depends on, and where settings stand in them."""

from dataclasses import dataclass
from math import prod
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
            array: Shape (..., V or 1 for every knob, L or 1).
            knobs: K.
            layers: L.

        Returns:
            The table.
        """
        own = array.ndim - knobs - 1
        axes = tuple(knob for knob in range(knobs) if array.shape[own + knob] > 1)
        sizes = [array.shape[own + knob] for knob in axes]
        full = np.broadcast_to(array, (*array.shape[:-1], layers))
        return SettingTable(axes, read_only(full.reshape(*array.shape[:own], prod(sizes) * layers)))

    def of_settings(self, places: "Places") -> NDArray[Number]:
        """Look the quantity up.

        Args:
            places: Of the settings, shape (..., L).

        Returns:
            Shape (own axes of the table, ..., L).
        """
        found: NDArray[Number] = self.values.take(places.along(self.axes), axis=-1)
        return found


class Places:
    """Where settings stand in tables; found once for all tables of the same knobs.

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
        self._of = np.arange(layers) if of is None else of
        self._found: dict[tuple[int, ...], IntArray] = {}

    def along(self, axes: tuple[int, ...]) -> IntArray:
        """Find the places in a table.

        Args:
            axes: Places of the knobs that the table depends on.

        Returns:
            Places in its flat settings and layers, shape (..., L).
        """
        if axes not in self._found:
            if not axes:
                shape = self._settings.shape[:-1]
                self._found[axes] = np.broadcast_to(self._of, shape)
            else:
                place = self._settings[..., axes[0]]
                for axis in axes[1:]:
                    place = place * self._sizes[axis] + self._settings[..., axis]
                self._found[axes] = place * self._layers + self._of
        return self._found[axes]
