"""The knobs that come with lrmp, by name: what files may name."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lrmp.errors import DesignError, unknown_name
from lrmp.hardware.space.adc_clip_bits import ADC_CLIP_BITS
from lrmp.hardware.space.alignment_bits import ALIGNMENT_BITS
from lrmp.hardware.space.analog_ranges import COLUMN_RANGE, INPUT_RANGE
from lrmp.hardware.space.averaging import AVERAGING_COPIES
from lrmp.hardware.space.block_circulant import BLOCK_SIZE, ROTATIONS
from lrmp.hardware.space.column_nonzeros import column_nonzeros
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob
from lrmp.hardware.space.mean_weight_bits import MEAN_WEIGHT_BITS
from lrmp.hardware.space.precision import PRECISION
from lrmp.hardware.space.pruning import PRUNING_METHOD, PRUNING_RATIO
from lrmp.hardware.space.sram_residual import SRAM_BITS, SRAM_SHIFT, SRAM_SPARSITY

_PARTS = ("knobs", "allowed")
KNOBS: dict[str, Knob] = {
    knob.name: knob
    for knob in (
        *PRECISION,
        column_nonzeros(),
        ADC_CLIP_BITS,
        ALIGNMENT_BITS,
        MEAN_WEIGHT_BITS,
        BLOCK_SIZE,
        ROTATIONS,
        AVERAGING_COPIES,
        INPUT_RANGE,
        COLUMN_RANGE,
        PRUNING_RATIO,
        PRUNING_METHOD,
        SRAM_SPARSITY,
        SRAM_BITS,
        SRAM_SHIFT,
    )
}


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
        if unknown := sorted(set(data) - set(_PARTS)):
            raise DesignError(unknown_name("part of a design space", unknown[0], _PARTS))
        return DesignSpace(map(_knob, data["knobs"]), data.get("allowed", {}))
    except (KeyError, TypeError, AttributeError) as error:
        raise DesignError(
            f"Expected a design space as a list of knobs, got {data!r}: {error!r}."
        ) from error


def _knob(given: str | Mapping[str, Any]) -> Knob:
    """Read one knob: a name, or a mapping as ``Knob.to_json`` returns."""
    name = given if isinstance(given, str) else given["name"]
    if name not in KNOBS:
        raise DesignError(unknown_name("knob", str(name), KNOBS))
    if isinstance(given, str):
        return KNOBS[name]
    knob = replace(KNOBS[name], values=tuple(given["values"]), plain=given["plain"])
    if knob.is_label != KNOBS[name].is_label:
        raise DesignError(
            f"Expected values of {name} like {KNOBS[name].values}, got {knob.values}."
        )
    return knob
