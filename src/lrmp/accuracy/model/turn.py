"""What is turned in one layer while a table is measured: a knob, or knobs that act together."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Value

#: Joins the knobs of a term in files.
TIMES = " x "
#: Names of knobs, and a value of each, in one layer.
Turn = tuple[tuple[str, ...], tuple[Value, ...]]
#: Layer, names of knobs, and a value of each.
Turned = tuple[str, tuple[str, ...], tuple[Value, ...]]


def turns(space: DesignSpace) -> Iterator[Turn]:
    """List what can be turned in one layer, all else plain.

    Args:
        space: The knobs.

    Yields:
        Names of knobs that act together on a network, and values: all of a knob that acts alone,
        all combinations of several.
    """
    for names in space.acting_together:
        for values in product(*(space[name].values for name in names)):
            yield names, values


def turned_of(line: Mapping[str, Any]) -> Turned:
    """Read what a line of a log was measured with.

    Args:
        line: Of one layer.

    Returns:
        Layer, knobs and values.
    """
    names, given = tuple(line["knob"].split(TIMES)), line["value"]
    return line["layer"], names, tuple(given) if isinstance(given, list) else (given,)


def line_of(turned: Turned, divergence: float) -> dict[str, Any]:
    """Write what was measured.

    Args:
        turned: In which layer, and what.
        divergence: In nats.

    Returns:
        A line of a log.
    """
    layer, names, values = turned
    return {
        "layer": layer,
        "knob": TIMES.join(names),
        "value": values[0] if len(values) == 1 else list(values),
        "divergence": divergence,
    }


def entries_of(space: DesignSpace, names: Sequence[str]) -> list[tuple[Value, ...]]:
    """List the values of knobs in the order of a term's entries.

    Args:
        space: The knobs.
        names: Some of them.

    Returns:
        Combinations, the last knob changing fastest.
    """
    return list(product(*(space[name].values for name in names)))
