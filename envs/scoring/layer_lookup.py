"""What layers take in a setting, as Python numbers: for one episode, step by step."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from lrmp.hardware.cost.setting_table import SettingTable
from lrmp.hardware.space.design_space import DesignSpace

MOST_REMEMBERED = 2**14


class LayerEntry(NamedTuple):
    """What one layer takes with one setting.

    Attributes:
        tiles: Of one copy.
        cycles: With one copy.
        spent_beyond_plain: What the setting adds to the accuracy spent by the plain one; of several
            networks an array with a number for each.
        features: The setting scaled to 0..1, as ``knob_features`` of observations does.
        numbers: The setting by the names of the knobs, as infos have it.
    """

    tiles: int
    cycles: int
    spent_beyond_plain: Any
    features: tuple[float, ...]
    numbers: dict[str, np.int64]


class LayerLookup:
    """Tables of tiles, cycles and accuracy, read one layer at a time; what was read is remembered.

    Args:
        space: The knobs.
        tiles: Of one copy of every layer.
        cycles: Of every layer with one copy.
        spent_beyond_plain: What settings add to the accuracy spent by the plain one; tables to sum.
        by_network: Gives what a layer spends to its network, where there are several.
    """

    def __init__(
        self,
        space: DesignSpace,
        tiles: SettingTable[Any],
        cycles: SettingTable[Any],
        spent_beyond_plain: Sequence[SettingTable[Any]],
        by_network: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        self._space, self._by_network = space, by_network
        self._tiles, self._cycles, *self._spent = (
            (table.values.tolist(), _strides(table.axes, space.sizes))
            for table in (tiles, cycles, *spent_beyond_plain)
        )
        self._found: dict[tuple[int, ...], LayerEntry] = {}

    def __call__(self, layer: int, setting: Sequence[int]) -> LayerEntry:
        """Look a layer up.

        Args:
            layer: Its number.
            setting: Places of values, K of them.

        Returns:
            What it takes; the same object for the same setting.
        """
        key = (layer, *setting)
        entry = self._found.get(key)
        if entry is None:
            if len(self._found) >= MOST_REMEMBERED:
                self._found.clear()
            entry = self._found[key] = self._look_up(layer, setting)
        return entry

    def _look_up(self, layer: int, setting: Sequence[int]) -> LayerEntry:
        spent: Any = 0.0
        for rows, strides in self._spent:
            spent += rows[layer][_place(strides, setting)]
        if self._by_network is not None:
            spent = self._by_network(np.array(spent), np.array(layer))
        knobs = list(zip(self._space.knobs, setting, strict=True))
        return LayerEntry(
            tiles=self._tiles[0][layer][_place(self._tiles[1], setting)],
            cycles=self._cycles[0][layer][_place(self._cycles[1], setting)],
            spent_beyond_plain=spent,
            features=tuple(place / max(len(knob) - 1, 1) for knob, place in knobs),
            numbers={knob.name: np.int64(knob.numbers[place]) for knob, place in knobs},
        )


def _place(strides: list[tuple[int, int]], setting: Sequence[int]) -> int:
    return sum(setting[axis] * stride for axis, stride in strides)


def _strides(axes: tuple[int, ...], sizes: tuple[int, ...]) -> list[tuple[int, int]]:
    """Say how far apart the values of knobs lie in a table of settings, the last one closest."""
    found, stride = [], 1
    for axis in reversed(axes):
        found.append((axis, stride))
        stride *= sizes[axis]
    return found
