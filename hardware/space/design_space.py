"""A design space: the knobs of a task, and which of their values a layer may have."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrmp.errors import DesignError, unknown_name
from lrmp.hardware.frozen_arrays import FrozenArrays, IntArray, read_only
from lrmp.hardware.integers import as_integers
from lrmp.hardware.space.computation import Computation
from lrmp.hardware.space.knob import Knob, Value

_FIELDS = tuple(field.name for field in fields(Computation))
#: What may be 0; all other numbers are 1 or more.
_FROM_ZERO = ("sram_kept_percent",)
#: For each layer the values that it may have.
LayerValues = Sequence[Sequence[Value]]


@dataclass(frozen=True, eq=False, init=False)
class DesignSpace(FrozenArrays):
    """K knobs that every layer has.

    A *setting* is one value of every knob, for one layer. Inside, settings are places of values:
    integer arrays of shape (..., L, K). People see values by the name of the knob.

    Attributes:
        knobs: K knobs of different names.
        allowed: For some knobs, in their order: the name, and for each of L layers the values that
            it may have, in the order of the knob. Other knobs have all their values in every layer.

    Args:
        knobs: At least one.
        allowed: By the names of knobs, for each of L layers the values that it may have, the plain
            one among them.

    Raises:
        DesignError: If two knobs share a name, or what is allowed does not fit them.
    """

    knobs: tuple[Knob, ...]
    allowed: tuple[tuple[str, tuple[tuple[Value, ...], ...]], ...]

    def __init__(
        self,
        knobs: Iterable[Knob],
        allowed: Mapping[str, LayerValues] | Iterable[tuple[str, LayerValues]] = (),
    ) -> None:
        object.__setattr__(self, "knobs", tuple(knobs))
        if not self.knobs or len(set(self.names)) < len(self.knobs):
            raise DesignError(
                f"Expected knobs of different names, got {', '.join(self.names) or 'none'}."
            )
        by_name: dict[str, LayerValues] = dict(allowed)
        for name in by_name:
            self.place(name)
        given = [(knob, by_name[knob.name]) for knob in self.knobs if knob.name in by_name]
        lengths = {knob.name: len(layers) for knob, layers in given}
        if len(set(lengths.values())) > 1:
            raise DesignError(
                f"Expected allowed values of every knob for the same layers, got {lengths}."
            )
        canonical = tuple(
            (knob.name, tuple(_allowed(knob, *each) for each in enumerate(layers)))
            for knob, layers in given
        )
        object.__setattr__(self, "allowed", canonical)

    def __reduce__(self) -> tuple[Any, ...]:
        return (DesignSpace, (self.knobs, self.allowed))  # without the arrays below

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
    def acting_together(self) -> tuple[tuple[str, ...], ...]:
        """Names of the knobs, in their order, those in one tuple that act on a network together."""
        groups = [{name} for name in self.names]
        for knob in self.knobs:
            pair = {knob.name, knob.acts_with}.intersection(self.names)
            joined = set().union(*(group for group in groups if group & pair))
            groups = [group for group in groups if not group & pair] + [joined]
        ordered = (tuple(sorted(group, key=self.names.index)) for group in groups)
        return tuple(sorted(ordered, key=lambda group: self.names.index(group[0])))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many values the knobs have, K numbers."""
        return tuple(map(len, self.knobs))

    @cached_property
    def last_places(self) -> IntArray:
        """Of the knobs' last values, shape (K,); 1 for a knob of one value, to divide by."""
        return read_only(np.maximum(np.array(self.sizes) - 1, 1))

    @cached_property
    def settings(self) -> IntArray:
        """All settings, in the order of ``every_setting``, shape (S, K)."""
        return every_setting(self.sizes)

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

    @property
    def layers(self) -> int | None:
        """How many layers the allowed values are for; None if any number."""
        return len(self.allowed[0][1]) if self.allowed else None

    def uniform(self, layers: int) -> IntArray:
        """Give all layers the same setting, as far as they may have it.

        Args:
            layers: L.

        Returns:
            For every setting of the space the nearest that each layer may have, shape (S, L, K).
        """
        return self.nearest(np.repeat(self.settings[:, None], layers, axis=1))

    def for_layers(self, layers: slice) -> "DesignSpace":
        """Return the space of some of the layers.

        Args:
            layers: Which.

        Returns:
            The same knobs; what is allowed in these layers.
        """
        if not self.allowed:
            return self
        return DesignSpace(self.knobs, {name: each[layers] for name, each in self.allowed})

    def choices(self, layer: int) -> tuple[IntArray, ...]:
        """List what one layer may have.

        Args:
            layer: Its number.

        Returns:
            For every knob the places of its allowed values, ascending.
        """
        mask = self._mask[layer if self.allowed else 0]
        return tuple(np.flatnonzero(row) for row in mask)

    def masks(self, layers: int) -> tuple[NDArray[np.bool_], ...]:
        """Say what layers may have.

        Args:
            layers: L.

        Returns:
            For every knob whether a layer may have a value, shape (L, V).

        Raises:
            DesignError: If the allowed values are for another number of layers.
        """
        self._require_layers(layers)
        masks = np.broadcast_to(self._mask, (layers, *self._mask.shape[1:]))
        return tuple(masks[:, place, :size].copy() for place, size in enumerate(self.sizes))

    def allows(self, settings: IntArray) -> NDArray[np.bool_]:
        """Say which layers have a setting that they may have.

        Args:
            settings: Places of values, shape (..., L, K).

        Returns:
            Shape (..., L).
        """
        if not self.allowed:
            return np.ones(settings.shape[:-1], dtype=bool)
        each: NDArray[np.bool_] = self._mask.take(settings + self._starts)
        every: NDArray[np.bool_] = np.all(each, axis=-1)
        return every

    def nearest(self, settings: IntArray, layers: IntArray | None = None) -> IntArray:
        """Move settings to values that the layers may have.

        Args:
            settings: Places of values, shape (..., L, K).
            layers: The layer of every setting, shape (...), if the settings are of shape (..., K).

        Returns:
            The nearest allowed places, the lower of two as near; same shape. The settings
            themselves where everything is allowed.
        """
        if not self.allowed:
            return settings
        starts = self._starts if layers is None else self._starts[layers]
        return self._nearest.take(settings + starts)

    def sample(self, rng: np.random.Generator, layers: int, count: int | None = None) -> IntArray:
        """Draw settings, every allowed value of a knob as likely.

        Args:
            rng: Random generator.
            layers: L.
            count: Designs; None for one without an axis of its own.

        Returns:
            Shape (count, L, K), or (L, K).

        Raises:
            DesignError: If the allowed values are for another number of layers.
        """
        self._require_layers(layers)
        counts = np.broadcast_to(self._mask.sum(axis=-1), (layers, len(self)))
        shape = (*(() if count is None else (count,)), *counts.T.shape)
        drawn = np.moveaxis(rng.integers(0, counts.T, shape), -2, -1)  # knob by knob
        return self._allowed_first.take(drawn + self._starts) if self.allowed else drawn

    def count_designs(self, layers: int) -> int:
        """Count the designs of a network, copies apart.

        Args:
            layers: L.

        Returns:
            The product over layers and knobs of how many values are allowed.
        """
        return prod(len(allowed) for layer in range(layers) for allowed in self.choices(layer))

    def neighbours(self, settings: IntArray) -> IntArray:
        """List the designs that differ by one step of one knob in one layer.

        Args:
            settings: Shape (L, K).

        Returns:
            Shape (N, L, K): layer by layer, knob by knob, the step down before the step up.
        """
        steps = []
        for layer, setting in enumerate(settings.tolist()):
            for knob, (here, choices) in enumerate(zip(setting, self.choices(layer), strict=True)):
                near = (*choices[choices < here][-1:], *choices[choices > here][:1])
                steps += [(layer, knob, place) for place in near]
        found = np.repeat(settings[None], len(steps), axis=0)
        for design, (layer, knob, place) in zip(found, steps, strict=True):
            design[layer, knob] = place
        return found

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
        if self.allowed:
            self._require_layers(len(layers))
        shape = (len(layers), len(self.knobs))
        places = as_integers("settings", settings)
        if places.shape[-2:] != shape:
            raise DesignError(
                f"Expected settings as places of values, integers of shape (..., {shape[0]}, "
                f"{shape[1]}) for the layers and the knobs {', '.join(self.names)}, got shape "
                f"{places.shape}."
            )
        if self._outside(places):
            wrong = (places < 0) | (places >= self.sizes)
            where = tuple(int(i) for i in np.argwhere(wrong)[0])
            knob, layer = self.knobs[where[-1]], where[-2]
            raise DesignError(
                f"Expected a place of 0 to {len(knob) - 1} for {knob.name}, got {places[where]} "
                f"for layer {layer}{_in_brackets(layers[layer])}."
            )
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

    def numbers(self, settings: IntArray) -> dict[str, IntArray]:
        """Turn settings into numbers by name, as infos and learning libraries want them.

        Args:
            settings: Shape (..., K).

        Returns:
            For every knob its values, or where they are labels their places; shape (...).
        """
        return {
            knob.name: self._numbers[place][settings[..., place]]
            for place, knob in enumerate(self.knobs)
        }

    @cached_property
    def _numbers(self) -> tuple[IntArray, ...]:
        return tuple(read_only(knob.numbers) for knob in self.knobs)

    def from_numbers(self, numbers: Mapping[str, IntArray]) -> IntArray:
        """Turn back what ``numbers`` returns.

        Args:
            numbers: For every knob, shape (...).

        Returns:
            Settings, shape (..., K).
        """
        columns = [np.searchsorted(knob.numbers, numbers[knob.name]) for knob in self.knobs]
        return np.stack(columns, axis=-1)

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

        Raises:
            DesignError: If an effect returns no integers >= 1 and < 2**31, or other axes.
        """
        given = (getattr(computation, field) for field in _FIELDS)
        layers = max(array.shape[-1] for array in given if array is not None)
        for place, knob in enumerate(self.knobs):
            shape = [1] * (len(self) + 1)
            shape[place] = len(knob)
            changed = knob.effect(computation, knob.array.reshape(shape))
            computation = _checked(computation, changed, knob.name, (*self.sizes, layers))
        return computation

    def to_json(self) -> dict[str, Any]:
        """Return what the space is as plain JSON values.

        Returns:
            A mapping that ``from_json`` takes.
        """
        allowed = {name: [list(values) for values in layers] for name, layers in self.allowed}
        return {"knobs": [knob.to_json() for knob in self.knobs], "allowed": allowed}

    def _require_layers(self, layers: int) -> None:
        """Refuse another number of layers than the allowed values are for."""
        if self.layers not in (None, layers):
            raise DesignError(
                f"Expected {self.layers} layers, those of the allowed values of the space, got "
                f"{layers}."
            )

    def _outside(self, places: IntArray) -> bool:
        """Whether some number, of shape (..., L, K), is no place of a value."""
        if not places.size:
            return False
        unsigned = places.view(np.uint64)  # negative numbers are huge
        if self._is_even:  # faster than knob by knob
            return bool(unsigned.max() >= self.sizes[0])
        return any(unsigned[..., k].max() >= size for k, size in enumerate(self.sizes))

    @cached_property
    def _is_even(self) -> bool:
        """Whether all knobs have as many values."""
        return len(set(self.sizes)) == 1

    @cached_property
    def _mask(self) -> NDArray[np.bool_]:
        """Whether a layer may have a value, shape (L, K, V); one layer if all have everything.

        V is that of the largest knob. The arrays below are read flat, from ``_starts`` on.
        """
        by_name = dict(self.allowed)
        mask = np.zeros((self.layers or 1, len(self), max(self.sizes)), dtype=bool)
        for place, knob in enumerate(self.knobs):
            for row, values in zip(
                mask[:, place], by_name.get(knob.name, [knob.values] * len(mask)), strict=True
            ):
                row[knob.encode(values)] = True
        mask.flags.writeable = False
        return mask

    @cached_property
    def _starts(self) -> IntArray:
        """Where the values of a layer and knob begin, shape (L, K)."""
        layers, knobs, values = self._mask.shape
        return read_only(values * np.arange(layers * knobs).reshape(layers, knobs))

    @cached_property
    def _allowed_first(self) -> IntArray:
        """Places of values, the allowed ones first, shape (L, K, V)."""
        return read_only(np.argsort(~self._mask, axis=-1, kind="stable"))

    @cached_property
    def _nearest(self) -> IntArray:
        """The nearest allowed place of every value, shape (L, K, V)."""
        places = np.arange(self._mask.shape[-1])
        distance = np.abs(places[:, None] - places)  # from a value to an allowed one
        far = np.where(self._mask[:, :, None], distance, len(places))
        return read_only(far.argmin(axis=-1))

    @staticmethod
    def _column(knob: Knob, values: ArrayLike, layers: tuple[str, ...]) -> IntArray:
        """Find the places of a knob's values in every layer, shape (..., L)."""
        places = knob.encode(values, layers)
        if places.ndim == 0:
            return np.full(len(layers), places)
        if places.shape[-1] != len(layers):
            raise DesignError(
                f"Expected {len(layers)} {knob.name}, one per layer, got {places.shape[-1]}."
            )
        return places


def _in_brackets(name: str) -> str:
    """Write the name of a layer, if there is one, after its number."""
    return f" ({name})" if name else ""


def _allowed(knob: Knob, layer: int, values: Sequence[Value]) -> tuple[Value, ...]:
    """Check what one layer may have, and return it in the order of the knob."""
    given = values if isinstance(values, list | tuple) else ()
    if knob.plain not in given or any(value not in knob.values for value in given):
        raise DesignError(
            f"Expected the allowed values of {knob.name} in layer {layer} {knob.range}, the plain "
            f"{knob.plain} among them, got {values!r}."
        )
    return tuple(value for value in knob.values if value in given)


def every_setting(sizes: Sequence[int]) -> IntArray:
    """List all settings of knobs; the number of a setting is its place in this list.

    Args:
        sizes: How many values the K knobs have.

    Returns:
        Places of values, the last knob changing fastest, shape (S, K); read-only.
    """
    return read_only(np.indices(tuple(sizes)).reshape(len(sizes), -1).T)


def _checked(
    before: Computation, after: Computation, name: str, sizes: tuple[int, ...]
) -> Computation:
    """Check what the effect of a knob changed, for settings and layers of some sizes."""
    arrays = {field: getattr(after, field) for field in _FIELDS}
    for field, values in arrays.items():
        if values is getattr(before, field):
            continue
        array = np.asarray(values)
        fits = array.ndim == len(sizes) and all(
            size in (1, most) for size, most in zip(array.shape, sizes, strict=True)
        )
        least = 0 if field in _FROM_ZERO else 1
        inside = fits and least <= array.min() and array.max() < 2**31
        if array.dtype.kind not in "iu" or not inside:
            raise DesignError(
                f"Expected the effect of {name} to leave {field} as integers >= {least} and "
                f"< 2**31, of sizes {sizes} or 1 for the knobs and the layers, got {array.dtype} "
                f"of shape {array.shape}: {array.ravel()[:5]}."
            )
        arrays[field] = array.astype(np.int64, copy=False)
    return Computation(**arrays)
