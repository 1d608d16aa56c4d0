"""Sensitivity tables as they are shipped: numbers, map and provenance in one text file."""

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.drop_map import DropMap
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.errors import AccuracyTableError, unknown_name, unlike_names
from lrmp.foreign_text import parse_json
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION

FOLDER = "lrmp.accuracy.tables"
FORMAT = 1
BIT_WIDTHS = tuple(range(2, 9))  # TODO helper: by knob

TableKind = Literal["measured", "predicted"]


@dataclass(frozen=True)
class SensitivityTable:
    """Divergence of every layer by operand and bits, and the map from their sum to a drop.

    Attributes:
        network: Its name.
        kind: ``"measured"`` on the network, or ``"predicted"`` from other networks' tables.
        layers: Names in network order.
        weight: Mean Kullback-Leibler divergence in nats when only this layer's weights are
            rounded to 2..8 bits, shape (L, 7).
        activation: The same for the layer's input.
        drop_map: From the sum over layers to percentage points.
        provenance: Weights, images, recipe, command and versions.
    """

    network: str
    kind: TableKind
    layers: tuple[str, ...]
    weight: NDArray[np.float64]
    activation: NDArray[np.float64]
    drop_map: DropMap
    provenance: dict[str, Any]

    def sums(self, weight_bits: Any, activation_bits: Any) -> NDArray[np.float64]:
        """Sum the divergences of designs.

        Args:
            weight_bits: Shape (..., L), each 2..8.
            activation_bits: Shape (..., L), each 2..8.

        Returns:
            Shape (...), in nats.
        """
        return table_sums(self.weight, self.activation, weight_bits, activation_bits)

    def accuracy(self, space: DesignSpace = PRECISION) -> TableAccuracy:
        """Return the accuracy model that tasks use.

        Args:
            space: The knobs.

        Returns:
            The model; predicted tables are estimates.
        """
        weights = self.provenance.get("weights", "")
        return TableAccuracy(
            {"weight_bits": self.weight, "activation_bits": self.activation},
            f"{self.kind} sensitivity table of {self.network}"
            + (
                f" ({self.provenance.get('recipe', 'no recipe named')}; {weights})"
                if weights
                else ""
            ),
            is_estimate=self.kind == "predicted",
            drop_map=self.drop_map,
            space=space,
        )

    def to_text(self) -> str:
        """Write the table as JSON with one line per layer, so that changes show in a diff.

        Returns:
            The text.
        """
        rows = [
            f"    {json.dumps({'name': name})[:-1]}, "
            f'"weight": {_numbers(weight)}, "activation": {_numbers(activation)}}}'
            for name, weight, activation in zip(
                self.layers, self.weight, self.activation, strict=True
            )
        ]
        head = {"format": FORMAT, "network": self.network, "kind": self.kind}
        lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
        provenance = json.dumps(self.provenance, indent=2).replace("\n", "\n  ")
        return "\n".join(
            [
                "{",
                *lines,
                f'  "provenance": {provenance},',
                f'  "bits": {list(BIT_WIDTHS)},',
                '  "layers": [',
                ",\n".join(rows),
                "  ],",
                '  "drop_map": {',
                f'    "sums": {self.drop_map.sums.tolist()},',
                f'    "drops": {self.drop_map.drops.tolist()},',
                f'    "ceiling": {self.drop_map.ceiling}',
                "  }",
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
            if document["format"] != FORMAT or document["bits"] != list(BIT_WIDTHS):
                raise AccuracyTableError(
                    f"Expected format {FORMAT} and bits 2..8 of a sensitivity table, got "
                    f"{document['format']!r} and {document['bits']!r}."
                )
            if document["kind"] not in ("measured", "predicted"):
                raise AccuracyTableError(
                    f"Expected kind measured or predicted, got {document['kind']!r}."
                )
            weight, activation = (
                np.array([row[operand] for row in document["layers"]], dtype=np.float64)
                for operand in ("weight", "activation")
            )
            layers = tuple(row["name"] for row in document["layers"])
            for name, kind, values in (
                ("names of network and layers as text", str, (document["network"], *layers)),
                ("provenance by name", dict, (document["provenance"],)),
            ):
                if wrong := [value for value in values if not isinstance(value, kind)]:
                    raise AccuracyTableError(f"Expected {name}, got {wrong[0]!r}.")
            return cls(
                document["network"],
                document["kind"],
                layers,
                weight,
                activation,
                DropMap(**document["drop_map"]),
                document["provenance"],
            )
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, AccuracyTableError):
                raise
            raise AccuracyTableError(
                f"Expected a sensitivity table, got a text that is none: {error!r}."
            ) from error


def table_sums(
    weight: NDArray[np.float64],
    activation: NDArray[np.float64],
    weight_bits: Any,
    activation_bits: Any,
) -> NDArray[np.float64]:
    """Sum the divergences of designs.

    Args:
        weight: Divergences by layer and weight bits, shape (L, 7).
        activation: Divergences by layer and activation bits, shape (L, 7).
        weight_bits: Shape (..., L), each 2..8.
        activation_bits: Shape (..., L), each 2..8.

    Returns:
        Shape (...), in nats.
    """
    place, least = np.arange(len(weight)), BIT_WIDTHS[0]
    weights = weight[place, np.asarray(weight_bits) - least].sum(-1)
    activations = activation[place, np.asarray(activation_bits) - least].sum(-1)
    total: NDArray[np.float64] = weights + activations
    return total


def shipped_networks() -> list[str]:
    """List the networks whose tables come with lrmp.

    Returns:
        Names, sorted.
    """
    names = (entry.name for entry in resources.files(FOLDER).iterdir())
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


def load_table(network: str) -> SensitivityTable:
    """Load a table that comes with lrmp.

    Args:
        network: Its name.

    Returns:
        The table.

    Raises:
        AccuracyTableError: If there is none.
    """
    file = resources.files(FOLDER).joinpath(f"{network}.json")
    if not file.is_file():
        raise AccuracyTableError(
            f"{unknown_name('network with a sensitivity table', network, shipped_networks())} "
            "Measure one with lrmp accuracy measure."
        )
    return SensitivityTable.from_text(file.read_text("utf-8"))


def load_designs(network: str) -> list[dict[str, Any]]:
    """Load the designs that a shipped table was fitted to and judged on.

    Args:
        network: Its name.

    Returns:
        Results as ``lrmp accuracy measure`` wrote them; none for a predicted table.
    """
    file = resources.files(FOLDER).joinpath(f"{network}.designs.jsonl")
    if not file.is_file():
        return []
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def shipped_accuracy(network: Network, space: DesignSpace = PRECISION) -> TableAccuracy:
    """Build the accuracy model of a network from its shipped table.

    Args:
        network: Its topology.
        space: The knobs.

    Returns:
        The model.

    Raises:
        AccuracyTableError: If there is no table, or its layers are not the network's.
    """
    table = load_table(network.name)
    layers = tuple(layer.name for layer in network.layers)
    if table.layers != layers:
        raise AccuracyTableError(
            f"Expected the table of {network.name} to hold its "
            f"{unlike_names('layers', layers, table.layers)}."
        )
    return table.accuracy(space)


def _numbers(values: NDArray[np.float64]) -> str:
    return f"[{', '.join(f'{value:.5g}' for value in values.tolist())}]"
