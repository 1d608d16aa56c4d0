"""What the elements of observations mean: the documented tables, derived from the knobs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob

#: Meaning and normalisation.
Words = tuple[str, str]

INDEX = "index of the layer"
LINEAR = "1 for a fully connected layer"
SIZES = {
    "rows": "inputs of the weight matrix",
    "columns": "outputs of the weight matrix",
    "positions": "matrix-vector products per inference",
}
_LAYER: dict[str, Words] = {
    "depth": (INDEX, "min-max"),
    "linear": (LINEAR, "min-max"),
    **{name: (meaning, "log2, min-max") for name, meaning in SIZES.items()},
    "kernel_size": ("side of the kernel", "min-max"),
    "stride": ("stride", "min-max"),
    "weights": ("rows x columns", "log2, min-max"),
    "baseline_cycles": ("cycles of the plain setting, one copy", "log2, min-max"),
    "baseline_tiles": ("tiles of the plain setting, one copy", "log2, min-max"),
    "network": ("number of the layer's network", "min-max"),
}
_TOTALS: dict[str, Words] = {
    "tiles": ("tiles, one copy of every layer", "/ budget, or the most of any design"),
    "accuracy_spent": ("accuracy spent so far, s; 0 if negative", "s / (s + allowance)"),
    "cycles": ("cycles, one copy of every layer", "/ the most of any design"),
    "bottleneck": (
        "cycles from image to image, one copy",
        "/ the most of any design",
    ),
}
_TIME: dict[str, Words] = {
    "steps_left": ("steps to the end", "/ horizon"),
    "rounds_left": ("rounds to the end", "/ rounds"),
}
_FLAGS: dict[str, Words] = {
    "decided": ("1 once the layer is decided", "as it is"),
    "to_decide": ("1 for the layer to decide", "as it is"),
    "own_layer": ("1 for the agent's layer", "as it is"),
}
_OWN = ("a feature of your own", "min-max")


@dataclass(frozen=True)
class Element:
    """One element of an observation.

    Attributes:
        number: Its place in the observation.
        name: As in ``feature_names``.
        meaning: What it says.
        normalisation: How it is scaled to 0..1.
    """

    number: int
    name: str
    meaning: str
    normalisation: str


@dataclass(frozen=True)
class ObservationTable:
    """The elements of an observation, in order; its text is a table in Markdown.

    Attributes:
        elements: All of them.
    """

    elements: tuple[Element, ...]

    def __len__(self) -> int:
        return len(self.elements)

    def __iter__(self) -> Iterator[Element]:
        return iter(self.elements)

    def __str__(self) -> str:
        head = "| Num | Observation | Meaning | Normalisation |\n| --- | --- | --- | --- |"
        rows = (f"| {e.number} | {e.name} | {e.meaning} | {e.normalisation} |" for e in self)
        return "\n".join([head, *rows])


def describe_elements(
    space: DesignSpace, names: Sequence[str], network: Network | None = None
) -> ObservationTable:
    """Say what elements mean; every form of environment does so of its own.

    Args:
        space: The knobs.
        names: Of the elements, in order.
        network: Where there are elements of every layer.

    Returns:
        A row per element; a name that is not documented is that of a feature of the user's own.
    """
    words = {**_LAYER, **_TOTALS, **_TIME, **_FLAGS, **_spent_words(names)}
    layers = () if network is None else [layer.name for layer in network.layers]
    for knob in space:
        words |= _knob_words(knob, layers)
    return table_of(names, words, _OWN)


def describe_edges(network: Network | None = None) -> ObservationTable:
    """Say what the edges of a graph mean.

    Args:
        network: Whose they are; None for those of several.

    Returns:
        A row for the source and one for the target. Where the network does not know its edges, they
        say that a chain is assumed.
    """
    known = network is None or network.edges is not None
    assumed = "" if known else "; a chain is assumed, for the network's edges are not known"
    words = {
        "source": (f"layer whose outputs are read{assumed}", "its number"),
        "target": ("layer that reads them", "its number"),
    }
    return table_of(tuple(words), words, _OWN)


def table_of(names: Sequence[str], words: Mapping[str, Words], own: Words) -> ObservationTable:
    """Number elements and look up what they mean.

    Args:
        names: Of the elements, in order.
        words: What documented elements mean.
        own: What is said of the others.

    Returns:
        A row per element.
    """
    return ObservationTable(
        tuple(Element(number, name, *words.get(name, own)) for number, name in enumerate(names))
    )


def joined(*tables: ObservationTable) -> ObservationTable:
    """Put tables one behind the other.

    Args:
        *tables: Any.

    Returns:
        Their rows, numbered anew.
    """
    rows = chain.from_iterable(tables)
    return ObservationTable(
        tuple(replace(element, number=number) for number, element in enumerate(rows))
    )


def harm_words(knob: Knob, place: int) -> str:
    """Say what a value does to the accuracy spent, beside the plain one.

    Args:
        knob: Which.
        place: Of the value.

    Returns:
        Such as ``"harm of weight_bits 4 alone"``.
    """
    effect = "harm of" if place < knob.plain_index else "relief by"
    return f"{effect} {knob.name} {knob.values[place]} alone"


def _spent_words(names: Sequence[str]) -> dict[str, Words]:
    """Describe what the networks of a workload have spent, where they are told apart."""
    meaning = "accuracy spent so far by network {}, s, as a share of its allowance; 0 if negative"
    stem = "accuracy_spent_"
    return {
        name: (meaning.format(name.removeprefix(stem)), "s / (s + 1)")
        for name in names
        if name.startswith(stem)
    }


def _knob_words(knob: Knob, layers: Sequence[str]) -> dict[str, Words]:
    """Describe the elements of a knob."""
    scale = f"place / {max(len(knob) - 1, 1)}"
    sensitivity = "log10, min-max of all"
    return {
        f"{knob.name}_sensitivity": (harm_words(knob, knob.probe_index), sensitivity),
        f"previous_{knob.name}": (
            f"{knob.name} of the layer before, {knob.plain} at first",
            scale,
        ),
        knob.name: (f"{knob.name} of the layer, {knob.plain} at first", scale),
        **{
            f"{knob.name}_{number}": (f"{knob.name} of layer {number}, {layer}", scale)
            for number, layer in enumerate(layers)
        },
    }
