"""What layers take in a setting, as Python numbers: for one episode, step by step."""

from collections.abc import Sequence
from typing import Any

from lrmp.hardware.cost.setting_table import SettingTable


class LayerLookup:
    """Tables of tiles, cycles and accuracy, read one layer at a time.

    Args:
        sizes: How many values the knobs have.
        tiles: Of one copy of every layer.
        cycles: Of every layer with one copy.
        spent_beyond_plain: What settings add to the accuracy spent by the plain one; tables to sum.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        tiles: SettingTable[Any],
        cycles: SettingTable[Any],
        spent_beyond_plain: Sequence[SettingTable[Any]],
    ) -> None:
        self._tiles, self._cycles, *self._spent = (
            (table.values.tolist(), _strides(table.axes, sizes))
            for table in (tiles, cycles, *spent_beyond_plain)
        )
        self._most = [max(size - 1, 1) for size in sizes]

    def tiles(self, layer: int, setting: Sequence[int]) -> int:
        """Return the tiles of one copy of a layer."""
        rows, strides = self._tiles
        tiles: int = rows[layer][_place(strides, setting)]
        return tiles

    def cycles(self, layer: int, setting: Sequence[int]) -> int:
        """Return the cycles of a layer with one copy."""
        rows, strides = self._cycles
        cycles: int = rows[layer][_place(strides, setting)]
        return cycles

    def spent_beyond_plain(self, layer: int, setting: Sequence[int]) -> float:
        """Return what a setting of a layer adds to the accuracy spent."""
        spent: float = 0.0
        for rows, strides in self._spent:
            spent += rows[layer][_place(strides, setting)]
        return spent

    def knob_features(self, setting: Sequence[int]) -> list[float]:
        """Scale a setting to 0..1, as ``knob_features`` of observations does."""
        return [place / most for place, most in zip(setting, self._most, strict=True)]


def _place(strides: list[tuple[int, int]], setting: Sequence[int]) -> int:
    place = 0
    for axis, stride in strides:
        place += setting[axis] * stride
    return place


def _strides(axes: tuple[int, ...], sizes: tuple[int, ...]) -> list[tuple[int, int]]:
    """Say how far apart the values of knobs lie in a table of settings, the last one closest."""
    found, stride = [], 1
    for axis in reversed(axes):
        found.append((axis, stride))
        stride *= sizes[axis]
    return found
