"""A chip with the least, and with the greatest, that models say of its numbers."""

from dataclasses import replace

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.component import Component


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
        ranged = {
            key.removeprefix("energy."): origin.ranges["value"][end]
            for key, origin in chip.provenance.items()
            if key.startswith("energy.") and origin.ranges
        }
        energy = replace(energy, **ranged)
    return replace(
        chip, energy=energy, components=tuple(_component(chip, c, end) for c in chip.components)
    )


def _component(chip: Accelerator, component: Component, end: int) -> Component:
    origin = chip.provenance.get(f"components.{component.name}")
    if origin is None:
        return component
    return replace(component, **{field: ends[end] for field, ends in origin.ranges.items()})
