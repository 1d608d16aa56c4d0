"""A chip with the least, and with the greatest, that models say of its numbers."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.event_energies import EVENTS


def at_model_ends(chip: Accelerator) -> tuple[Accelerator, Accelerator] | None:
    """Take the ends of all ranges of a chip's numbers at once.

    Energy only grows with an event's energy and with leakage, so the energies of all chips between
    the models lie between those of these two.

    Args:
        chip: Read from a preset, with provenance.

    Returns:
        The chip with all that has a range at its least, and at its greatest; None where no number
        has a range.
    """
    if not any(origin.ranges for origin in chip.provenance.values()):
        return None
    return _at(chip, 0), _at(chip, 1)


def _at(chip: Accelerator, end: int) -> Accelerator:
    energy = chip.energy
    if energy is not None:
        for key in EVENTS:
            ranges = _ranges(chip, f"energy.{key}", {"value": getattr(energy, key)})
            if ranges:
                energy = replace(energy, **{key: ranges["value"][end]})
    components = []
    for component in chip.components:
        ranges = _ranges(chip, f"components.{component.name}", asdict(component))
        ends: dict[str, Any] = {field: pair[end] for field, pair in ranges.items()}
        components.append(replace(component, **ends))
    return replace(chip, energy=energy, components=tuple(components))


def _ranges(
    chip: Accelerator, key: str, values: Mapping[str, Any]
) -> dict[str, tuple[float, float]]:
    """Return the ranges of a number, but for what a chip of one's own has moved out of its own."""
    origin = chip.provenance.get(key)
    if origin is None:
        return {}
    return {
        field: ends for field, ends in origin.ranges.items() if ends[0] <= values[field] <= ends[1]
    }
