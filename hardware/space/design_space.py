"""A design space: the knobs of a task, and which of their values a layer may have."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrmp.errors import DesignError, unknown_name
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.hardware.space.computation import Computation
from lrmp.hardware.space.knob import Knob, Value


@dataclass(frozen=True)
class DesignSpace:
    """K knobs that every layer has.

    A *setting* is one value of every knob, for one layer. Inside, settings are places of values:
    integer arrays of shape (..., L, K). People see values by the name of the knob.

    Attributes:
        knobs: K knobs of different names.
        allowed: For some knobs, by name: the values that each of L layers may have, at least one,
            the plain one among them. Other knobs have all their values in every layer.

    Raises:
        DesignError: If two knobs share a name, or what is allowed does not fit them.
    """

    knobs: tuple[Knob, ...]
    allowed: tuple[tuple[str, tuple[tuple[Value, ...], ...]], ...] = ()

    def __post_init__(self) -> None:
        if not self.knobs or len(set(self.names)) < len(self.knobs):
            raise DesignError(f"Expected knobs of different names, got {', '.join(self.names)}.")
        given = self.allowed.items() if isinstance(self.allowed, Mapping) else self.allowed
        allowed = tuple((name, tuple(map(tuple, layers))) for name, layers in given)
        object.__setattr__(self, "allowed", allowed)
        if len({len(layers) for _, layers in allowed}) > 1:
            raise DesignError("Expected allowed values of every knob for the same layers.")
        for name, layers in allowed:
            knob = self[name]
            for layer, values in enumerate(layers):
                if knob.plain not in values or not set(values) <= set(knob.values):
                    raise DesignError(
                        f"Expected the allowed values of {name} in layer {layer} {knob.range}, "
                        f"the plain {knob.plain} among them, got {values}."
                    )

    def __len__(self) -> int:
        return len(self.knobs)

    def __iter__(self) -> Iterator[Knob]:
        return iter(self.knobs)

    def __getitem__(self, name: str) -> Knob:
        return self.knobs[self.place(name)]

    def place(self, name: str) -> int:
        """Find a knob.

        Args:
            name: Of the knob.

        Returns:
            Its place, 0..K-1.

        Raises:
            DesignError: If there is none of the name.
        """
        if name not in self.names:
            raise DesignError(unknown_name("knob", name, self.names))
        return self.names.index(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the knobs."""
        return tuple(knob.name for knob in self.knobs)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many values the knobs have, K numbers."""
        return tuple(map(len, self.knobs))

    @cached_property
    def settings(self) -> IntArray:
        """All settings, the last knob changing fastest, shape (S, K)."""
        return read_only(list(product(*map(range, self.sizes))))

    @cached_property
    def plain(self) -> IntArray:
        """The setting of the plain chip, shape (K,)."""
        return read_only([knob.plain_index for knob in self.knobs])

    def plain_settings(self, layers: int) -> IntArray:
        """Give every layer the setting of the plain chip.

        Args:
            layers: L.

        Returns:
            Shape (L, K).
        """
        return np.tile(self.plain, (layers, 1))

    def uniform(self, layers: int) -> IntArray:
        """Give all layers the same setting, as far as they may have it.

        Args:
            layers: L.

        Returns:
            For every setting of the space the nearest that each layer may have, shape (S, L, K).
        """
        return self.nearest(np.repeat(self.settings[:, None], layers, axis=1))

    def choices(self, layer: int) -> tuple[IntArray, ...]:
        """List what one layer may have.

        Args:
            layer: Its number.

        Returns:
            For every knob the places of its allowed values, ascending.
        """
        if not self.allowed:
            return self._all_choices
        allowed = dict(self.allowed)
        return tuple(
            np.sort(knob.encode(allowed[knob.name][layer])) if knob.name in allowed else every
            for knob, every in zip(self.knobs, self._all_choices, strict=True)
        )

    def masks(self, layers: int) -> tuple[NDArray[np.bool_], ...]:
        """Say what layers may have.

        Args:
            layers: L.

        Returns:
            For every knob whether a layer may have a value, shape (L, V).
        """
        masks = tuple(np.zeros((layers, size), dtype=bool) for size in self.sizes)
        for layer in range(layers):
            for mask, places in zip(masks, self.choices(layer), strict=True):
                mask[layer, places] = True
        return masks

    def allows(self, settings: IntArray) -> NDArray[np.bool_]:
        """Say which layers have a setting that they may have.

        Args:
            settings: Shape (..., L, K), each a place of a value.

        Returns:
            Shape (..., L).
        """
        layers = np.arange(settings.shape[-2])
        allowed = np.ones(settings.shape[:-1], dtype=bool)
        if self.allowed:
            for place, mask in enumerate(self.masks(len(layers))):
                allowed &= mask[layers, settings[..., place]]
        return allowed

    def nearest(self, settings: IntArray, layers: IntArray | None = None) -> IntArray:
        """Move settings to values that the layers may have.

        Args:
            settings: Places of values, shape (..., L, K).
            layers: The layer of every setting, shape (...), if the settings are of shape (..., K).

        Returns:
            The nearest allowed places, the lower of two as near; same shape.
        """
        if not self.allowed:
            return settings
        of = np.arange(settings.shape[-2]) if layers is None else layers
        columns = [table[of, settings[..., k]] for k, table in enumerate(self._nearest)]
        return np.stack(columns, axis=-1)

    def sample(self, rng: np.random.Generator, layers: int, count: int | None = None) -> IntArray:
        """Draw settings, every allowed value of a knob as likely.

        Args:
            rng: Random generator.
            layers: L.
            count: Designs; None for one without an axis of its own.

        Returns:
            Shape (count, L, K), or (L, K).
        """
        shape = () if count is None else (count,)
        choices = [self.choices(layer) for layer in range(layers)]
        counts = np.array([list(map(len, of_layer)) for of_layer in choices]).T
        # Drawn knob by knob.
        drawn = np.moveaxis(rng.integers(0, counts, (*shape, *counts.shape)), -2, -1)
        if self.allowed:
            for layer, of_layer in enumerate(choices):
                for place, allowed in enumerate(of_layer):
                    drawn[..., layer, place] = allowed[drawn[..., layer, place]]
        return drawn

    def neighbours(self, settings: IntArray) -> IntArray:
        """List the designs that differ by one step of one knob in one layer.

        Args:
            settings: Shape (L, K).

        Returns:
            Shape (N, L, K): layer by layer, knob by knob, the step down before the step up.
        """
        found = []
        for layer in range(len(settings)):
            for place, choices in enumerate(self.choices(layer)):
                here = int(np.searchsorted(choices, settings[layer, place]))
                for step in (here - 1, here + 1):
                    if 0 <= step < len(choices):
                        near = settings.copy()
                        near[layer, place] = choices[step]
                        found.append(near)
        return np.array(found).reshape(-1, *settings.shape)

    def check(self, settings: ArrayLike, layers: Sequence[str]) -> IntArray:
        """Check settings that somebody else made.

        Args:
            settings: Shape (..., L, K).
            layers: Names of the L layers.

        Returns:
            The settings as int64.

        Raises:
            DesignError: If the shape is wrong, or a layer has a setting that it may not have.
        """
        found = np.asarray(settings)
        shape = (len(layers), len(self))
        if found.dtype.kind not in "iu" or found.shape[-2:] != shape:
            raise DesignError(
                f"Expected settings as places of values, integers of shape (..., {shape[0]}, "
                f"{shape[1]}) for the layers and the knobs {', '.join(self.names)}, got "
                f"{found.dtype} of shape {found.shape}."
            )
        # As unsigned numbers the negative ones are huge: one comparison.
        wrong = found.astype(np.uint64) >= np.array(self.sizes, dtype=np.uint64)
        if wrong.any():
            where = tuple(int(i) for i in np.argwhere(wrong)[0])
            knob, layer = self.knobs[where[-1]], where[-2]
            raise DesignError(
                f"Expected a place of 0 to {len(knob) - 1} for {knob.name}, got {found[where]} for "
                f"layer {layer}{_in_brackets(layers[layer])}."
            )
        places: IntArray = found.astype(np.int64, copy=False)
        if self.allowed and not (allowed := self.allows(places)).all():
            where = tuple(int(i) for i in np.argwhere(~allowed)[0])
            layer, setting = where[-1], places[where]
            for knob, place, choices in zip(self.knobs, setting, self.choices(layer), strict=True):
                if place not in choices:
                    values = ", ".join(map(str, knob.decode(choices).tolist()))
                    raise DesignError(
                        f"Expected {knob.name} of layer {layer}{_in_brackets(layers[layer])} among "
                        f"{values}; got {knob.values[place]}."
                    )
        return places

    def encode(self, values: Mapping[str, ArrayLike], layers: Sequence[str]) -> IntArray:
        """Turn values by name into settings.

        Args:
            values: For each knob its value in every layer, shape (..., L), or one for all layers.
                A knob that is left out keeps its plain value.
            layers: Names of the L layers.

        Returns:
            Shape (..., L, K).

        Raises:
            DesignError: If there is no such knob or value, or the shapes do not fit.
        """
        for name in values:
            self.place(name)
        names = tuple(layers)
        columns = [
            self._column(knob, values.get(knob.name, knob.plain), names) for knob in self.knobs
        ]
        try:
            settings = np.stack(np.broadcast_arrays(*columns), axis=-1)
        except ValueError as error:
            shapes = ", ".join(str(column.shape) for column in columns)
            raise DesignError(
                f"Expected {' and '.join(self.names)} of shapes that broadcast, got {shapes}."
            ) from error
        return self.check(settings, names)

    def decode(self, settings: IntArray) -> dict[str, NDArray[Any]]:
        """Turn settings into values by name.

        Args:
            settings: Shape (..., K).

        Returns:
            For every knob its values, shape (...).
        """
        return {
            knob.name: knob.decode(settings[..., place]) for place, knob in enumerate(self.knobs)
        }

    def shown(self, setting: IntArray) -> str:
        """Write a setting in a few characters.

        Args:
            setting: Shape (K,).

        Returns:
            The values in the order of the knobs, such as ``"6/4"``.
        """
        places = setting.tolist()
        return "/".join(str(knob.values[k]) for knob, k in zip(self.knobs, places, strict=True))

    def compute(self, computation: Computation) -> Computation:
        """Apply the effects of all knobs, in their order.

        Args:
            computation: On the plain chip, every array of shape (1, ..., 1, L).

        Returns:
            For every setting; arrays with an axis per knob and the layers last.
        """
        for place, knob in enumerate(self.knobs):
            shape = [1] * (len(self) + 1)
            shape[place] = len(knob)
            computation = knob.effect(computation, knob.array.reshape(shape))
        return computation

    def to_json(self) -> dict[str, Any]:
        """Return what the space is as plain JSON values.

        Returns:
            A mapping that ``from_json`` takes.
        """
        allowed = {name: [list(values) for values in layers] for name, layers in self.allowed}
        return {"knobs": [knob.to_json() for knob in self.knobs], "allowed": allowed}

    @cached_property
    def _nearest(self) -> list[IntArray]:
        """For every knob the nearest allowed place of each layer and value, shape (L, V)."""
        layers = len(self.allowed[0][1])
        tables = [np.empty((layers, size), dtype=np.int64) for size in self.sizes]
        for layer in range(layers):
            for table, choices in zip(tables, self.choices(layer), strict=True):
                distance = np.abs(np.arange(table.shape[1])[:, None] - choices)
                table[layer] = choices[distance.argmin(axis=1)]
        return tables

    @cached_property
    def _all_choices(self) -> tuple[IntArray, ...]:
        return tuple(read_only(range(size)) for size in self.sizes)

    @staticmethod
    def _column(knob: Knob, values: ArrayLike, layers: tuple[str, ...]) -> IntArray:
        places = knob.encode(values, layers)
        if places.ndim == 0:
            return np.full(len(layers), places)
        if places.shape[-1] != len(layers):
            raise DesignError(
                f"Expected {len(layers)} {knob.name}, one per layer, got {places.shape[-1]}."
            )
        return places


def _in_brackets(name: str) -> str:
    return f" ({name})" if name else ""


def size_of(space: DesignSpace, layers: int) -> int:
    """Count the designs of a network, copies apart.

    Args:
        space: The knobs.
        layers: L.

    Returns:
        The product over layers and knobs of how many values are allowed.
    """
    return prod(len(choices) for layer in range(layers) for choices in space.choices(layer))
