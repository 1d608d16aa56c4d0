"""The knobs that come with lrmp, by name: what files may name."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lrmp.errors import DesignError, unknown_name
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob
from lrmp.hardware.space.precision import PRECISION

KNOBS: dict[str, Knob] = {knob.name: knob for knob in PRECISION}


def is_catalogued(space: DesignSpace) -> bool:
    """Say whether ``space_from_json`` gives the same space again.

    Args:
        space: Any.

    Returns:
        Whether all knobs are lrmp's own, perhaps of other values: the same effects under the same
        names.
    """
    return all(
        knob.name in KNOBS
        and knob == replace(KNOBS[knob.name], values=knob.values, plain=knob.plain)
        for knob in space
    )


def space_from_json(data: Mapping[str, Any]) -> DesignSpace:
    """Read what ``DesignSpace.to_json`` returns.

    Args:
        data: ``"knobs"``, each a name or a mapping of name, values and plain value; and
            ``"allowed"``, by knob the values that each layer may have.

    Returns:
        The space.

    Raises:
        DesignError: If a knob is none of lrmp's, or something is missing or of the wrong kind.
    """
    try:
        knobs = tuple(_knob(given) for given in data["knobs"])
        allowed = {name: list(layers) for name, layers in data.get("allowed", {}).items()}
        return DesignSpace(knobs, tuple((n, tuple(map(tuple, v))) for n, v in allowed.items()))
    except (KeyError, TypeError, AttributeError) as error:
        raise DesignError(
            f"Expected a design space as a list of knobs, got {data!r}: {error!r}."
        ) from error


def _knob(given: str | Mapping[str, Any]) -> Knob:
    name = given if isinstance(given, str) else given["name"]
    if name not in KNOBS:
        raise DesignError(unknown_name("knob", str(name), KNOBS))
    if isinstance(given, str):
        return KNOBS[name]
    return replace(KNOBS[name], values=tuple(given["values"]), plain=given["plain"])
