"""Sensitivity tables as they are shipped: numbers, map and provenance in one text file."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any, Literal, Self

import numpy as np

from lrmp.accuracy.model.drop_map import DropMap
from lrmp.accuracy.model.table import Axes, Floats, TableAccuracy, check_exponent
from lrmp.accuracy.model.table_verdict import PREDICTED, TableVerdict
from lrmp.accuracy.model.turn import TIMES, entries_of, turned_of
from lrmp.errors import AccuracyTableError, unknown_name, unlike_names
from lrmp.foreign_text import parse_json
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.families.precision import PRECISION as PRECISION_FAMILY
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob, Value
from lrmp.hardware.space.precision import PRECISION

FOLDER = "lrmp.accuracy.tables"
FORMAT = 3
_OF_FAMILY = "-"  # joins network and family in the name of a file

TableKind = Literal["measured", "predicted"]


@dataclass(frozen=True)
class SensitivityTable:
    """Divergences of every layer by the values of its knobs, and the map from their sum to a drop.

    Attributes:
        network: Its name.
        kind: ``"measured"`` on the network, or ``"predicted"`` from other networks' tables.
        layers: Names in network order.
        space: The knobs that were turned, with their values.
        terms: What one knob of a layer, or a few together, add to the sum of a design, in
            nats^(1 / exponent); shape (L, V, ...), an axis per knob.
        drop_map: From the sum over layers and terms to percentage points.
        provenance: Weights, images, recipe, command, versions, and the verdict.
        exponent: The sum to this power is the mean Kullback-Leibler divergence in nats.
        family: Of the tasks that it is for.

    Raises:
        AccuracyTableError: If a term has no number for some value or layer.
        DesignError: If a term is one of an unknown knob.
    """

    network: str
    kind: TableKind
    layers: tuple[str, ...]
    space: DesignSpace
    terms: Mapping[tuple[str, ...], Floats]
    drop_map: DropMap
    provenance: dict[str, Any]
    exponent: float = 1.0
    family: str = PRECISION_FAMILY.name

    def __post_init__(self) -> None:
        check_exponent(self.exponent)
        for axes, entries in self.terms.items():
            shape = (len(self.layers), *(len(self.space[name]) for name in axes))
            if entries.shape != shape:
                raise AccuracyTableError(
                    f"Expected the divergences of {TIMES.join(axes)} to be of shape {shape}, for "
                    f"layers and values; got {entries.shape}."
                )

    @property
    def name(self) -> str:
        """Of its file."""
        return table_name(self.network, self.family)

    def sums(self, settings: IntArray) -> Floats:
        """Sum the divergences of designs.

        Args:
            settings: Places of values in the table's own space, shape (..., L, K).

        Returns:
            Shape (...), in nats^(1 / exponent).
        """
        return self._in_own_space.sums(settings)

    def divergences(self, settings: IntArray) -> Floats:
        """Tell the divergences of designs.

        Args:
            settings: Places of values in the table's own space, shape (..., L, K).

        Returns:
            Shape (...), in nats.
        """
        powers: Floats = self.sums(settings) ** self.exponent
        return powers

    @property
    def verdict(self) -> TableVerdict:
        """Whether the table was found true on designs that optimisers picked from it."""
        if self.kind == "predicted":
            return PREDICTED
        return TableVerdict.of_provenance(self.provenance)

    def divergence_of(self, design: Design) -> float | None:
        """Tell the divergence of a design of any space.

        Args:
            design: Of L layers.

        Returns:
            Nats; None if the table lacks a knob or a value of it.
        """
        try:
            return float(self.accuracy(design.space).sums(design.settings) ** self.exponent)
        except AccuracyTableError:
            return None

    def accuracy(self, space: DesignSpace = PRECISION) -> TableAccuracy:
        """Return the accuracy model that tasks use.

        Args:
            space: Knobs of the table, with some or all of their values; one that is left out keeps
                its plain value.

        Returns:
            The model; predicted tables are estimates.

        Raises:
            AccuracyTableError: If the table lacks a knob or a value of the space.
        """
        terms: dict[Axes, Floats] = {}
        for axes, entries in self.terms.items():
            kept, values = self._within(space, axes, entries)
            terms[kept] = terms.get(kept, 0) + values
        covered = {name for axes in terms for name in axes}
        if missing := [name for name in space.names if name not in covered]:
            raise AccuracyTableError(
                f"Expected the sensitivity table of {self.network} to hold every knob of the "
                f"design space, got none for {missing[0]}: it holds {', '.join(self.space.names)}. "
                "Measure the network again with that knob."
            )
        constant = terms.pop((), None)
        if constant is not None:
            first = next(iter(terms))
            terms[first] = (terms[first].T + constant).T
        weights = self.provenance.get("weights", "")
        return TableAccuracy(
            terms,
            f"{self.kind} sensitivity table of {self.network}"
            + (
                f" ({self.provenance.get('recipe', 'no recipe named')}; {weights})"
                if weights
                else ""
            ),
            is_estimate=self.kind == "predicted",
            drop_map=self.drop_map,
            space=space,
            exponent=self.exponent,
            verdict=self.verdict,
        )

    def _within(
        self, space: DesignSpace, axes: tuple[str, ...], entries: Floats
    ) -> tuple[tuple[str, ...], Floats]:
        """Take the values of a space from a term: its knobs in their order, the others plain."""
        kept = tuple(name for name in space.names if name in axes)
        order = [0, *(1 + axes.index(name) for name in kept)]
        for axis, name in enumerate(axes, start=1):
            own = self.space[name]
            if name not in kept:
                entries = entries.take([own.plain_index], axis)
                order.append(axis)
                continue
            if missing := [value for value in space[name].values if value not in own.values]:
                raise AccuracyTableError(
                    f"Expected {name} {own.range}, which the sensitivity table of {self.network} "
                    f"holds, got {missing[0]}. Take these values, or measure the network again."
                )
            entries = entries.take([own.values.index(value) for value in space[name].values], axis)
        ordered = entries.transpose(order)
        return kept, ordered.reshape(ordered.shape[: 1 + len(kept)])

    @cached_property
    def _in_own_space(self) -> TableAccuracy:
        return self.accuracy(self.space)

    def to_text(self) -> str:
        """Write the table as JSON with one line per layer, so that changes show in a diff.

        Returns:
            The text.
        """
        knobs = [f"    {json.dumps(knob.to_json())}" for knob in self.space]
        rows = [
            f"    {json.dumps({'name': name})[:-1]}"
            + "".join(
                f", {json.dumps(TIMES.join(axes))}: {_numbers(entries[place])}"
                for axes, entries in self.terms.items()
            )
            + "}"
            for place, name in enumerate(self.layers)
        ]
        head = {"format": FORMAT, "network": self.network, "kind": self.kind}
        if self.family != PRECISION_FAMILY.name:
            head["family"] = self.family
        lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
        provenance = json.dumps(self.provenance, indent=2).replace("\n", "\n  ")
        return "\n".join(
            [
                "{",
                *lines,
                f'  "provenance": {provenance},',
                '  "knobs": [',
                ",\n".join(knobs),
                "  ],",
                '  "layers": [',
                ",\n".join(rows),
                "  ],",
                '  "drop_map": {',
                f'    "sums": {self.drop_map.sums.tolist()},',
                f'    "drops": {self.drop_map.drops.tolist()},',
                f'    "ceiling": {self.drop_map.ceiling}',
                "  },",
                f'  "exponent": {self.exponent}',
                "}",
                "",
            ]
        )

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read a table.

        Args:
            text: As ``to_text`` writes it.

        Returns:
            The table.

        Raises:
            AccuracyTableError: If it is no such table.
        """
        try:
            document = parse_json(text)
            if document["format"] != FORMAT:
                raise AccuracyTableError(
                    f"Expected format {FORMAT} of a sensitivity table, got {document['format']!r}."
                )
            if document["kind"] not in ("measured", "predicted"):
                raise AccuracyTableError(
                    f"Expected kind measured or predicted, got {document['kind']!r}."
                )
            rows, family = document["layers"], document.get("family", PRECISION_FAMILY.name)
            layers = tuple(row["name"] for row in rows)
            for name, kind, values in (
                (
                    "names of network, family and layers as text",
                    str,
                    (document["network"], family, *layers),
                ),
                ("provenance by name", dict, (document["provenance"],)),
            ):
                if wrong := [value for value in values if not isinstance(value, kind)]:
                    raise AccuracyTableError(f"Expected {name}, got {wrong[0]!r}.")
            return cls(
                document["network"],
                document["kind"],
                layers,
                DesignSpace(tuple(_knob(**entry) for entry in document["knobs"])),
                {
                    tuple(term.split(TIMES)): np.array([row[term] for row in rows], np.float64)
                    for term in rows[0]
                    if term != "name"
                },
                DropMap(**document["drop_map"]),
                document["provenance"],
                float(document["exponent"]),
                family,
            )
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            if isinstance(error, AccuracyTableError):
                raise
            raise AccuracyTableError(
                f"Expected a sensitivity table, got a text that is none: {error!r}."
            ) from error


def table_name(network: str, family: str) -> str:
    """Name the file of a table.

    Args:
        network: Its name.
        family: Of the tasks that it is for.

    Returns:
        The name without its ending.
    """
    return network if family == PRECISION_FAMILY.name else f"{network}{_OF_FAMILY}{family}"


def shipped_tables() -> list[tuple[str, str]]:
    """List the tables that come with lrmp.

    Returns:
        Network and family of each, sorted.
    """
    names = (entry.name for entry in resources.files(FOLDER).iterdir())
    stems = (name.removesuffix(".json") for name in names if name.endswith(".json"))
    parts = (stem.partition(_OF_FAMILY) for stem in stems)
    return sorted((network, family or PRECISION_FAMILY.name) for network, _, family in parts)


def shipped_networks(family: str = PRECISION_FAMILY.name) -> list[str]:
    """List the networks whose tables come with lrmp.

    Args:
        family: Of the tables.

    Returns:
        Names, sorted.
    """
    return [network for network, found in shipped_tables() if found == family]


def load_table(network: str, family: str = PRECISION_FAMILY.name) -> SensitivityTable:
    """Load a table that comes with lrmp.

    Args:
        network: Its name.
        family: Of the tasks that it is for.

    Returns:
        The table.

    Raises:
        AccuracyTableError: If there is none.
    """
    file = resources.files(FOLDER).joinpath(f"{table_name(network, family)}.json")
    if not file.is_file():
        known = shipped_networks(family)
        what = "network with a sensitivity table"
        if family != PRECISION_FAMILY.name:
            what += f" of the family {family}"
        raise AccuracyTableError(
            f"{unknown_name(what, network, known)} Measure one with lrmp accuracy measure."
        )
    return SensitivityTable.from_text(file.read_text("utf-8"))


def load_measured(network: str, family: str = PRECISION_FAMILY.name) -> list[dict[str, Any]]:
    """Load what was measured on the network of a shipped table.

    Args:
        network: Its name.
        family: Of the table.

    Returns:
        Divergences of single knobs of layers, and results of designs, as the log of the
        measurement holds them; none for a predicted table.
    """
    file = resources.files(FOLDER).joinpath(f"{table_name(network, family)}.measured.jsonl")
    if not file.is_file():
        return []
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def load_designs(network: str, family: str = PRECISION_FAMILY.name) -> list[dict[str, Any]]:
    """Load the designs that a shipped table was fitted to and judged on.

    Args:
        network: Its name.
        family: Of the table.

    Returns:
        Their results; none for a predicted table.
    """
    return [line for line in load_measured(network, family) if "design" in line]


def measured_terms(
    lines: Sequence[dict[str, Any]],
    space: DesignSpace,
    layers: Sequence[str],
    together: Sequence[tuple[str, ...]] | None = None,
) -> dict[tuple[str, ...], Floats]:
    """Lay out the divergences with one knob of one layer turned at a time, or a few together.

    Args:
        lines: What was measured on a network.
        space: The knobs.
        layers: Names of the L layers.
        together: Names of the knobs that act together, each in one tuple; None for what the knobs
            say, which those of a file do not.

    Returns:
        By layer and value, shape (L, V) for every knob, or (L, V, ...) for several, in nats; NaN
        for what was not measured.
    """
    found = {turned_of(line): line["divergence"] for line in lines if "layer" in line}
    terms = {}
    for names in space.acting_together if together is None else together:
        values = entries_of(space, names)
        each = [[found.get((name, names, value), np.nan) for value in values] for name in layers]
        terms[names] = np.array(each).reshape(len(layers), *(len(space[name]) for name in names))
    return terms


def table_for(network: str, space: DesignSpace) -> SensitivityTable:
    """Load the table of a network that knows the knobs of a space.

    Args:
        network: Its name.
        space: The knobs.

    Returns:
        The first that holds them all, LRMP's own before those of families; LRMP's own where none
        does.

    Raises:
        AccuracyTableError: If the network has no table at all.
    """
    if not set(space.names) <= set(PRECISION.names):
        for name, family in shipped_tables():
            if name == network and family != PRECISION_FAMILY.name:
                table = load_table(name, family)
                if set(space.names) <= set(table.space.names):
                    return table
    return load_table(network)


def shipped_accuracy(
    network: Network, space: DesignSpace = PRECISION, chip: Accelerator | None = None
) -> TableAccuracy:
    """Build the accuracy model of a network from its shipped table.

    Args:
        network: Its topology.
        space: The knobs.
        chip: The one that they are turned on; None where it plays no part.

    Returns:
        The model.

    Raises:
        AccuracyTableError: If there is no table, or its layers are not the network's, or it lacks
            a knob or a value of the space, or was measured on another chip.
    """
    table = table_for(network.name, space)
    layers = tuple(layer.name for layer in network.layers)
    if table.layers != layers:
        raise AccuracyTableError(
            f"Expected the table of {network.name} to hold its "
            f"{unlike_names('layers', layers, table.layers)}."
        )
    measured_on = table.provenance.get("chip")
    if chip is not None and measured_on not in (None, chip_identity(chip)):
        raise AccuracyTableError(
            f"Expected the chip that the {table.family} table of {network.name} was measured on, "
            f"{str(measured_on).partition(',')[0]}, got {chip.name} or one of other parameters: "
            "what these knobs do depends on it. Take that chip, or measure the network on yours."
        )
    return table.accuracy(space)


def chip_identity(chip: Accelerator) -> str:
    """Name a chip and its definition, as the provenance of a table does.

    Args:
        chip: Any.

    Returns:
        Name and SHA-256.
    """
    definition = json.dumps(chip.definition, sort_keys=True)
    return f"{chip.name}, {hashlib.sha256(definition.encode()).hexdigest()}"


def shipped_divergences(network: str, space: DesignSpace) -> TableAccuracy | None:
    """Look for what is known of a network's divergences.

    Args:
        network: Its name.
        space: The knobs.

    Returns:
        The model of its shipped table; None if there is no table, or it lacks a knob or a value.
    """
    try:
        return table_for(network, space).accuracy(space)
    except AccuracyTableError:
        return None


def _numbers(values: Floats) -> str:
    if values.ndim == 0:
        return f"{values:.5g}"
    return f"[{', '.join(map(_numbers, values))}]"


def _knob(name: str, values: list[Value], plain: Value) -> Knob:
    """Read a knob without its effects: a table says what they do to the network."""
    return Knob(name, tuple(values), plain)
