"""A knob: what a designer may turn, layer by layer, declared in one place."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrmp.errors import DesignError
from lrmp.hardware.frozen_arrays import FrozenArrays, IntArray
from lrmp.hardware.integers import as_integers
from lrmp.hardware.space.computation import Computation

Value = int | str
#: Says how a knob changes what the crossbars compute. Takes the computation so far and the knob's
#: values, integers or labels along the knob's own axis (all others are of size 1); returns the new
#: computation, integers >= 1 and < 2**31. A function of a module, so that designs can be pickled.
Effect = Callable[[Computation, NDArray[Any]], Computation]

#: The ``network_effect`` of a knob that does nothing to a network, and so need not be measured.
NO_NETWORK_EFFECT = "lrmp.accuracy.lab.network_effect:change_nothing"

#: What records can hold and commands can name; the published schema of records has the same.
NAME_PATTERN = "[A-Za-z][A-Za-z0-9_]{0,39}"
LABEL_PATTERN = "[A-Za-z0-9][A-Za-z0-9._+-]{0,39}"
#: Fields of a design, and of tables of layers, that are no knobs.
RESERVED = ("replication", "copies", "layer", "layers", "tiles", "cycles")


def no_effect(computation: Computation, values: NDArray[Any]) -> Computation:
    """Change nothing: the effect of a knob that costs nothing.

    Args:
        computation: What the crossbars compute.
        values: Of the knob.

    Returns:
        The same computation.
    """
    return computation


@dataclass(frozen=True, eq=False)
class Knob(FrozenArrays):
    """A per-layer choice among a few values.

    Attributes:
        name: In records, observations and commands, such as ``"weight_bits"``.
        values: V integers, ascending, or V labels, from the cheapest to the most accurate. A label
            has letters, digits and ._+- only, so that commands can name it.
        plain: The value on the plain chip that designs are compared with.
        effect: What a value does to the cost of a layer.
        network_effect: What a value does to a layer of a real network, for who measures accuracies:
            ``"package.module:function"`` names a function of the quantised layer and the value.
            It is imported when it is first needed. Empty if nobody has said it.
        unit: Of the values; empty for a label or a number without one.
        about: What it is, a sentence for the documentation.
        acts_with: Name of another knob, where only both together say what is done to a network, so
            that accuracies are measured for every pair of their values; empty if there is none.

    Raises:
        DesignError: If the name is no identifier, the values are not in order or not distinct, a
            label cannot stand in a command, or the plain value is none of them.
    """

    name: str
    values: tuple[Value, ...]
    plain: Value
    effect: Effect = no_effect
    network_effect: str = ""
    unit: str = ""
    about: str = ""
    acts_with: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(NAME_PATTERN, self.name) or self.name in RESERVED:
            raise DesignError(
                f"Expected the name of a knob to be an identifier such as 'adc_bits' of at most 40 "
                f"characters, none of {', '.join(RESERVED)}; got {self.name!r}."
            )
        object.__setattr__(self, "values", tuple(self.values))
        numbers = [value for value in self.values if type(value) is int]
        labels = [value for value in self.values if type(value) is str]
        ascending = self.values == tuple(sorted(set(numbers)))
        distinct = self.values == tuple(dict.fromkeys(labels))
        if not self.values or not (ascending or distinct):
            raise DesignError(
                f"Expected {self.name} to have ascending integers as values, or distinct labels, "
                f"got {self.values}."
            )
        for label in labels:
            if not re.fullmatch(LABEL_PATTERN, label):
                raise DesignError(
                    f"Expected labels of {self.name} of at most 40 letters, digits and ._+-, got "
                    f"{label!r}."
                )
        if numbers:
            as_integers(f"values of {self.name}", numbers)
        if self.plain not in self.values or type(self.plain) is not type(self.values[0]):
            raise DesignError(
                f"Expected the plain value of {self.name} to be one of its values, got "
                f"{self.plain!r}."
            )

    def __len__(self) -> int:
        return len(self.values)

    @property
    def is_label(self) -> bool:
        """Whether the values are labels."""
        return type(self.values[0]) is str

    @property
    def changes_network(self) -> bool:
        """Whether its values differ in what they do to a network, or nobody has said."""
        return self.network_effect != NO_NETWORK_EFFECT

    @property
    def kind(self) -> type[Value]:
        """What the values are: integers or labels."""
        return str if self.is_label else int

    @cached_property
    def array(self) -> NDArray[Any]:
        """The values, shape (V,)."""
        array = np.array(self.values, dtype=None if self.is_label else np.int64)
        array.flags.writeable = False
        return array

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The values or, where they are labels, their places: V ascending integers."""
        return tuple(range(len(self))) if self.is_label else self.values  # type: ignore[return-value]

    @property
    def plain_index(self) -> int:
        """The place of the plain value."""
        return self.values.index(self.plain)

    @property
    def farthest_index(self) -> int:
        """The place of the first value or, where that is the plain one, of the last."""
        return 0 if self.plain_index else len(self) - 1

    @property
    def probe_index(self) -> int:
        """Where sensitivities are read: two thirds of the way to the farthest, such as 4 bits."""
        return self.plain_index + round(2 * (self.farthest_index - self.plain_index) / 3)

    @property
    def range(self) -> str:
        """The values in words, such as ``"between 2 and 8"``."""
        first, last = self.values[0], self.values[-1]
        if not self.is_label and len(self.values) == int(last) - int(first) + 1 > 2:
            return f"between {first} and {last}"
        return f"among {', '.join(map(str, self.values))}"

    def encode(self, values: ArrayLike, layers: tuple[str, ...] = ()) -> IntArray:
        """Find the places of values.

        Args:
            values: Integers or labels of any shape; the last axis is that of the layers.
            layers: Their names, for the error message.

        Returns:
            Places 0..V-1, same shape.

        Raises:
            DesignError: If a value is none of the knob's.
        """
        if self.is_label:
            given = self._labels(values)
            index = np.full(given.shape, -1, dtype=np.int64)
            for place, label in enumerate(self.values):
                index[given == label] = place
        else:
            given = as_integers(self.name, values)
            found = np.minimum(np.searchsorted(self.array, given), len(self) - 1)
            index = np.where(self.array[found] == given, found, -1)
        if (index < 0).any():
            where = tuple(int(i) for i in np.argwhere(index < 0)[0])
            layer = ""
            if where:
                layer = f" for layer {where[-1]}"
                if where[-1] < len(layers) and layers[where[-1]]:
                    layer += f" ({layers[where[-1]]})"
            raise DesignError(f"Expected {self.name} {self.range}, got {given[where]}{layer}.")
        return index

    def _labels(self, values: ArrayLike) -> NDArray[Any]:
        """Convert to an array of labels, whatever their lengths."""
        try:
            given = np.asarray(values)
        except ValueError as error:  # ragged nesting
            raise DesignError(
                f"Expected {self.name} to be an array of labels, got {values!r}."
            ) from error
        if given.dtype.kind not in "UO":
            raise DesignError(f"Expected {self.name} to be labels, got {given.dtype} {values!r}.")
        return given

    def decode(self, index: IntArray) -> NDArray[Any]:
        """Return the values at places.

        Args:
            index: Places 0..V-1, any shape.

        Returns:
            Integers or labels, same shape.
        """
        values: NDArray[Any] = self.array[index]
        return values

    def parse(self, text: str, where: str = "") -> Value:
        """Read a value that a user wrote.

        Args:
            text: Such as ``"4"`` or a label.
            where: For the error message, such as ``" for layer 2 (fc)"``.

        Returns:
            The value.

        Raises:
            DesignError: If it is none of the knob's.
        """
        for value in self.values:
            if str(value) == text.strip():
                return value
        raise DesignError(f"Expected {self.name} {self.range}, got {text.strip()!r}{where}.")

    def to_json(self) -> dict[str, Any]:
        """Return what the knob is as plain JSON values.

        Returns:
            Name, values and plain value.
        """
        return {"name": self.name, "values": list(self.values), "plain": self.plain}
