"""A design: what an agent and the oracle decide together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrmp.errors import DesignError, unknown_name
from lrmp.hardware.frozen_arrays import FrozenArrays, IntArray, read_only
from lrmp.hardware.integers import as_integers
from lrmp.hardware.layer_table import LayerTable, Row, rows_of
from lrmp.hardware.short_repr import short_range, short_repr
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION

#: The name that a design's copies have in records.
REPLICATION = "replication"


@dataclass(frozen=True, eq=False)
class Design(FrozenArrays, LayerTable):
    """Settings and copies of every layer. ``design["weight_bits"]`` are the values of a knob.

    Attributes:
        space: K knobs.
        settings: Places of the layers' values, shape (L, K).
        replication: Copies of every layer, shape (L,), each at least 1.

    Raises:
        DesignError: If the shapes do not fit, or a value is no integer or out of range.
    """

    space: DesignSpace
    settings: IntArray
    replication: IntArray

    def __post_init__(self) -> None:
        settings = as_integers("settings", self.settings)
        if settings.ndim != 2:
            raise DesignError(
                f"Expected settings of shape (layers, {len(self.space)}), got {settings.shape}."
            )
        settings = self.space.check(settings, [""] * len(settings))
        object.__setattr__(self, "settings", read_only(settings))
        copies = as_integers(REPLICATION, self.replication)
        if copies.shape != (len(settings),):
            raise DesignError(
                f"Expected {len(settings)} replication counts, one per layer, got {copies.size}."
            )
        if (copies < 1).any():
            layer = int(np.argmax(copies < 1))
            raise DesignError(
                f"Expected replication of at least 1, got {copies[layer]} for layer {layer}."
            )
        object.__setattr__(self, REPLICATION, read_only(copies))

    @classmethod
    def of(
        cls,
        values: Mapping[str, ArrayLike],
        replication: ArrayLike | None = None,
        *,
        layers: int | None = None,
        space: DesignSpace = PRECISION,
    ) -> "Design":
        """Make a design from values by the names of the knobs.

        Args:
            values: For each knob its value in every layer, shape (L,), or one for all layers. A
                knob that is left out keeps its plain value.
            replication: Copies of every layer, shape (L,); None for one each.
            layers: L; None if some value or the copies say it.
            space: The knobs.

        Returns:
            The design.

        Raises:
            DesignError: If there is no such knob or value, or lengths differ.
        """
        given = dict(values) if replication is None else {**values, REPLICATION: replication}
        shapes = {name: _shape(name, value) for name, value in given.items()}
        for name, shape in shapes.items():
            if len(shape) > 1:
                raise DesignError(f"Expected {name} of shape (layers,), got {shape}.")
        if layers is None:
            lengths = [shape[0] for shape in shapes.values() if shape]
            if not lengths:
                raise DesignError(
                    "Expected a value per layer for some knob, or the number of layers; got "
                    f"one value for all: {given}."
                )
            layers = lengths[0]
        settings = space.encode(values, [""] * layers)
        copies = np.ones(layers, dtype=np.int64) if replication is None else replication
        return cls(space, settings, copies)  # type: ignore[arg-type]

    @classmethod
    def plain(cls, layers: int, space: DesignSpace = PRECISION) -> "Design":
        """Give every layer the plain setting and one copy.

        Args:
            layers: L.
            space: The knobs.

        Returns:
            The design that others are compared with.
        """
        return cls.of({}, layers=layers, space=space)

    @classmethod
    def from_json(
        cls,
        data: Mapping[str, Any],
        space: DesignSpace = PRECISION,
        layers: Sequence[str] | None = None,
    ) -> "Design":
        """Read what ``to_json`` returns.

        Args:
            data: A list per knob and ``"replication"``.
            space: The knobs.
            layers: Names of the L layers; None where the lists say how many there are.

        Returns:
            The design.

        Raises:
            DesignError: If a knob or the copies are missing, there are others, a list is not one
                entry per layer, or a layer may not have a value.
        """
        if not isinstance(data, Mapping):
            raise DesignError(f"Expected a design as lists by name, got {data!r:.80}.")
        expected = (*space.names, REPLICATION)
        if unknown := [name for name in data if name not in expected]:
            raise DesignError(unknown_name("each part of a design", str(unknown[0]), expected))
        if missing := [name for name in expected if name not in data]:
            raise DesignError(
                f"Expected a design with {', '.join(expected)}; {', '.join(missing)} missing."
            )
        lists = {name: data[name] for name in expected}
        if wrong := [name for name, values in lists.items() if not isinstance(values, list)]:
            raise DesignError(
                f"Expected {wrong[0]} as a list, one entry per layer, got {lists[wrong[0]]!r:.80}."
            )
        names = [""] * len(lists[expected[0]]) if layers is None else layers
        for name, values in lists.items():
            if len(values) != len(names):
                raise DesignError(
                    f"Expected {len(names)} {name}, one per layer, got {len(values)}."
                )
            knob = space[name] if name in space.names else None
            kind = int if knob is None else knob.kind
            wanted = "as integers of at least 1" if knob is None else knob.range
            for layer, value in enumerate(values):
                if type(value) is not kind:  # NumPy would take True for 1, and 1 for "1"
                    where = f"layer {layer} ({names[layer]})" if names[layer] else f"layer {layer}"
                    raise DesignError(f"Expected {name} {wanted}, got {value!r:.80} for {where}.")
        copies = lists.pop(REPLICATION)
        return cls(space, space.encode(lists, names), copies)

    def __len__(self) -> int:
        return len(self.settings)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return the values of a knob, shape (L,)."""
        place = self.space.place(name)
        return self.space.knobs[place].decode(self.settings[:, place])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Be one thing in an array: NumPy would take what has a length for a sequence."""
        array = np.empty((), dtype=object)
        array[()] = self
        return array

    def __repr__(self) -> str:
        if not len(self):
            return short_repr(self, "0 layers")
        return short_repr(self, f"{len(self)} layers", self.summary)

    @property
    def summary(self) -> str:
        """Between what values settings and copies lie, such as ``"weight bits 2..8, copies 1"``."""
        return f"{self.settings_summary}, {short_range('copies', self.replication)}"

    @property
    def settings_summary(self) -> str:
        """Between what values the settings lie, such as ``"weight bits 2..8"``."""
        return ", ".join(map(self._shown, self.space.names))

    def to_json(self) -> dict[str, Any]:
        """Return plain lists, as stored in records.

        Returns:
            A list per knob, by its name, and ``"replication"``.
        """
        values = {name: self[name].tolist() for name in self.space.names}
        return values | {REPLICATION: self.replication.tolist()}

    def to_table(self) -> list[Row]:
        """Return the setting and the copies of every layer.

        Returns:
            One mapping per layer; ``"layer"`` is its number, from 0.
        """
        values = {name: self[name].tolist() for name in self.space.names}
        return rows_of({"layer": range(len(self))} | values | {"copies": self.replication.tolist()})

    def _shown(self, name: str) -> str:
        """Say between what values of a knob the layers lie, or which labels they have."""
        words, place = name.replace("_", " "), self.space.place(name)
        if self.space[name].is_label:
            used = self.space[name].decode(np.unique(self.settings[:, place]))
            return f"{words} {'/'.join(used)}"
        return short_range(words, self[name])


def _shape(name: str, values: ArrayLike) -> tuple[int, ...]:
    """Return the shape of what was given for a field."""
    try:
        return np.shape(values)
    except ValueError as error:  # ragged nesting
        raise DesignError(f"Expected {name} to be an array of values, got {values!r}.") from error
