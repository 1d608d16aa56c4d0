"""Accuracy from an additive table: microseconds per design, no images needed."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.accuracy.model.drop_map import DropMap, IdentityMap
from lrmp.accuracy.model.table_verdict import UNJUDGED, TableVerdict
from lrmp.errors import AccuracyTableError
from lrmp.hardware.cost.setting_table import Places, SettingTable
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION

LARGEST = float(np.finfo(float).max) / 16  # sums and differences of a few such are floats

Floats = NDArray[np.float64]
#: What a term depends on: the name of a knob, or those of several in the order of the space.
Axes = str | tuple[str, ...]


def check_exponent(exponent: float) -> None:
    """Check the power of a table's sum that is the divergence.

    Args:
        exponent: Of the table.

    Raises:
        AccuracyTableError: If it is no positive number below 100.
    """
    if not 0 < exponent < 100:  # NaN, too
        raise AccuracyTableError(f"Expected a positive exponent below 100, got {exponent!r}.")


class TableAccuracy:
    """Drop of a design from a sum of terms, through an increasing map.

    ``drop = drop_map(sum over layers and terms of the term at the layer's setting)``. A term
    depends on one knob, or on a few together, and the map increases strictly: the least drop for
    some cost is the least sum.

    Args:
        terms: For every term the knobs that it depends on, and its entries by layer and their
            values, shape (L, V, ...); copied. Every knob of the space has some term.
        provenance: Where the numbers come from, one line.
        is_estimate: Whether they were not measured on the network itself.
        drop_map: From the sum to percentage points; None if the entries are points already.
        space: The knobs.
        exponent: Of the sum; the power is the divergence in nats.
        verdict: Whether the drops were found true on designs that optimisers picked.

    Raises:
        AccuracyTableError: If a knob is unknown or has no term, a shape is wrong, a number or the
            sum of a design is not finite, or map or exponent are none.
    """

    kind: AccuracyKind = "table"

    def __init__(
        self,
        terms: Mapping[Axes, ArrayLike] | Mapping[tuple[str, ...], Floats] | Mapping[str, Floats],
        provenance: str,
        *,
        is_estimate: bool,
        drop_map: DropMap | IdentityMap | None = None,
        space: DesignSpace = PRECISION,
        exponent: float = 1.0,
        verdict: TableVerdict = UNJUDGED,
    ) -> None:
        if not isinstance(drop_map, DropMap | IdentityMap | None):
            raise AccuracyTableError(
                f"Expected drop_map to be a DropMap, or None for points, got {drop_map!r}."
            )
        check_exponent(exponent)
        self.space, self.exponent = space, exponent
        self.provenance = provenance
        self.is_estimate = is_estimate
        self.verdict = verdict
        self.drop_map = drop_map or IdentityMap()
        self.terms: dict[tuple[str, ...], Floats] = {}
        for given, values in terms.items():
            axes = (given,) if isinstance(given, str) else tuple(given)
            self.terms[axes] = self._entries(axes, values)
        covered = {name for axes in self.terms for name in axes}
        if missing := [name for name in space.names if name not in covered]:
            raise AccuracyTableError(
                f"Expected a term for every knob, got none for {missing[0]}. Give one that changes "
                "nothing a row of zeros per layer."
            )
        with np.errstate(over="ignore"):
            largest = sum(
                float(np.abs(values).reshape(len(values), -1).max(axis=1).sum())
                for values in self.terms.values()
            )
        if largest > LARGEST:
            raise AccuracyTableError(
                f"Expected entries whose sum over the layers is at most {LARGEST:.0e}, got up to "
                f"{largest:.0e}. Give them a larger unit, or what must not be used a smaller entry."
            )
        self.layers = len(next(iter(self.terms.values())))
        self.tables = [
            SettingTable(tuple(map(space.place, axes)), values.reshape(self.layers, -1))
            for axes, values in self.terms.items()
        ]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of every bit of the terms, of the map, and of whether this is an estimate.

        As with chips, where the numbers come from is not part; nor is the verdict on them.
        """
        definition: dict[str, Any] = {
            "terms": [[list(axes), values.tolist()] for axes, values in self.terms.items()],
            "space": self.space.to_json(),
            "drop_map": self.drop_map.definition,
            "is_estimate": bool(self.is_estimate),
        }
        if self.exponent != 1:
            definition["exponent"] = self.exponent
        text = json.dumps(definition, sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def term_values(self, settings: IntArray, layers: IntArray | None = None) -> list[Floats]:
        """Look the terms up.

        Args:
            settings: Places of values, shape (..., L, K); not checked.
            layers: The layer of every setting, shape (...), if the settings are of shape (..., K).

        Returns:
            For every term its values, of the shape of the settings less their last axis.
        """
        places = Places(settings, self.space.sizes, self.layers, layers)
        return [table.of_settings(places) for table in self.tables]

    def sums(self, settings: IntArray) -> Floats:
        """Sum the terms of designs.

        Args:
            settings: Places of values, shape (..., L, K); not checked.

        Returns:
            Shape (...), in the unit of the terms.
        """
        first, *others = self.term_values(settings)
        total: Floats = first.sum(axis=-1)
        for values in others:
            total = total + values.sum(axis=-1)
        return total

    def divergence(self, design: Design) -> float:
        """Sum the terms of a design.

        Args:
            design: Of L layers.

        Returns:
            In the unit of the terms.
        """
        return float(self.sums(design.settings))

    def divergences(self, settings: IntArray, replication: IntArray) -> Floats:
        """Sum the terms of many designs, the same numbers as one by one.

        Args:
            settings: Places of values, shape (B, L, K); not checked.
            replication: Copies, shape (B, L); they play no part.

        Returns:
            In the unit of the terms, shape (B,).
        """
        return self.sums(settings)

    def drop(self, design: Design) -> float:
        """Map the sum of a design's terms to its drop.

        Args:
            design: Of L layers.

        Returns:
            Percentage points.
        """
        return float(self.drop_map(self.sums(design.settings)))

    def drops(self, settings: IntArray, replication: IntArray) -> Floats:
        """Map the sums of many designs to their drops, the same numbers as one by one.

        Args:
            settings: Places of values, shape (B, L, K); not checked.
            replication: Copies, shape (B, L); they play no part.

        Returns:
            Percentage points, shape (B,).
        """
        return self.drop_map(self.sums(settings))

    def sensitivities(self) -> Floats:
        """Say what turning one knob of one layer matters to the sum.

        Returns:
            What the knob's probe, 4 bits, or the nearest that the layer may have adds to plain; of
            a probe above the plain value what it takes off. In the unit of the terms, shape (L, K).
        """
        plain = self.space.plain_settings(self.layers)
        at_plain = sum(self.term_values(plain))
        added = np.empty(plain.shape)
        for place, knob in enumerate(self.space):
            turned = plain.copy()
            turned[:, place] = knob.probe_index
            change = sum(self.term_values(self.space.nearest(turned))) - at_plain
            added[:, place] = -change if knob.probe_index > knob.plain_index else change
        return np.maximum(added, 0)

    def with_fixed(self, name: str, places: IntArray) -> "TableAccuracy":
        """Return the table of what is left to choose once a knob is fixed.

        Args:
            name: Of the knob; there is another.
            places: Of its values by layer, shape (L,).

        Returns:
            A table of the other knobs, with the same drops.

        Raises:
            AccuracyTableError: If the places are not some of its values' for every layer.
            DesignError: If there is no such knob, or no other.
        """
        size = len(self.space[name])
        if places.shape != (self.layers,) or places.min() < 0 or places.max() >= size:
            raise AccuracyTableError(
                f"Expected a place of 0 to {size - 1} of {name} for each of {self.layers} layers, "
                f"got {places.tolist()}."
            )
        kept = DesignSpace(
            (knob for knob in self.space if knob.name != name),
            [entry for entry in self.space.allowed if entry[0] != name],
        )
        terms: dict[tuple[str, ...], Floats] = {}
        for axes, values in self.terms.items():
            if name in axes:
                axis = 1 + axes.index(name)
                which = places.reshape(-1, *[1] * (values.ndim - 1))
                values = np.take_along_axis(values, which, axis).squeeze(axis)
                axes = tuple(each for each in axes if each != name)
            terms[axes] = terms.get(axes, 0) + values
        constant = terms.pop((), np.zeros(self.layers))
        first = next(iter(terms))
        terms[first] = (terms[first].T + constant).T
        return TableAccuracy(
            terms,
            self.provenance,
            is_estimate=self.is_estimate,
            drop_map=self.drop_map,
            space=kept,
            exponent=self.exponent,
            verdict=self.verdict,
        )

    def test_drop(self, design: Design) -> None:
        """Return None: a table holds no test images.

        Args:
            design: Any.
        """
        return

    def _entries(self, axes: tuple[str, ...], values: ArrayLike) -> Floats:
        """Copy a term into an array that cannot be written."""
        shown = " and ".join(axes)
        if unknown := [name for name in axes if name not in self.space.names]:
            raise AccuracyTableError(
                f"Expected terms of the knobs {', '.join(self.space.names)}; got one of "
                f"{unknown[0]!r}."
            )
        places = [self.space.place(name) for name in axes]
        if not axes or sorted(set(places)) != places:
            raise AccuracyTableError(
                f"Expected the knobs of a term in the order of the space, got {axes}."
            )
        sizes = [self.space.sizes[place] for place in places]
        try:
            table = np.array(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise AccuracyTableError(
                f"Expected the term of {shown} to be numbers, {' x '.join(map(str, sizes))} for "
                f"every layer: {error}."
            ) from error
        known = len(next(iter(self.terms.values()))) if self.terms else max(1, *table.shape[:1], 1)
        expected = (known, *sizes)
        if table.shape != expected or not np.isfinite(table).all():
            raise AccuracyTableError(
                f"Expected the term of {shown} to be finite and of shape {expected}, got shape "
                f"{table.shape} with {np.count_nonzero(~np.isfinite(table))} non-finite values."
            )
        table += 0.0  # -0.0 is 0.0
        table.flags.writeable = False
        return table
