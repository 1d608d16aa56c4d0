"""What is to be derived: the tables ``[derive.NAME]`` beside those of a chip's file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lrmp.errors import PresetError, unknown_name
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.faults import Faults
from lrmp.hardware.derive.derivable import DERIVABLE, NODES_NM, Derivable, Quantity

SECTION = "derive"
_CHOICES = ("model", "second")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A component that is to be derived.

    Attributes:
        what: The component.
        values: Of its quantities, given or the chip's.
        model: Name of the model that is taken.
        second: Name of the model beside it.
    """

    what: Derivable
    values: Mapping[str, float]
    model: str
    second: str


def read_specification(name: str, section: Any, chip: Accelerator) -> list[Wanted]:
    """Read what is to be derived.

    Args:
        name: Of the chip's file.
        section: Its table ``[derive]``.
        chip: What the file says otherwise.

    Returns:
        The components, in the order of ``DERIVABLE``.

    Raises:
        PresetError: If a component, key or model is unknown, a number missing or out of range, or
            the chip's node is; with all that is wrong at once.
    """
    if not isinstance(section, dict) or not section:
        raise PresetError(
            f"Expected {name!r} to have tables [{SECTION}.NAME] of what is to be derived, NAME one "
            f"of {', '.join(DERIVABLE)}; got {section!r}."
        )
    faults = Faults()
    least, most = NODES_NM
    if not least <= chip.technology_nm <= most:
        faults.add(
            f"Expected technology_nm of {name!r} from {least} to {most}, between which the "
            f"component library scales, got {chip.technology_nm}."
        )
    for key in section:
        if key not in DERIVABLE:
            faults.add(unknown_name(f"each table of [{SECTION}] in {name!r}", key, DERIVABLE))
    found: list[Wanted] = []
    for key, what in DERIVABLE.items():
        if key in section:
            found += _wanted(name, what, section[key], chip, faults)
    faults.raise_all(name)
    return found


def _wanted(
    name: str, what: Derivable, table: Any, chip: Accelerator, faults: Faults
) -> Iterator[Wanted]:
    where = f"[{SECTION}.{what.name}] in {name!r}"
    if not isinstance(table, dict):
        faults.add(f"Expected {where} to be a table, got {table!r}.")
        return
    known = (*(quantity.key for quantity in what.quantities), *_CHOICES)
    for key in table:
        if key not in known:
            faults.add(unknown_name(f"each key of {where}", key, known))
    if what.name == "adc" and chip.adc == "none":
        faults.add(f"Expected the chip of {where} to have ADCs, got adc 'none'.")
        return
    values: dict[str, float] = {}
    for quantity in what.quantities:
        with faults:
            values[quantity.key] = _value(where, quantity, table, chip)
    with faults:
        model, second = _models(where, what, table)
        yield Wanted(what, values, model, second)


def _value(where: str, quantity: Quantity, table: Mapping[str, Any], chip: Accelerator) -> float:
    key, given = quantity.key, quantity.key in table
    value = table[key] if given else quantity.of_chip(chip)
    if value is None:
        raise PresetError(f"Expected {where} to give {key}, which the chip does not tell.")
    number = isinstance(value, int if quantity.whole else int | float)
    if isinstance(value, bool) or not number or not quantity.least <= value <= quantity.most:
        kind = "a whole number" if quantity.whole else "a number"
        origin = "" if given else " from the chip"
        raise PresetError(
            f"Expected {key} of {where} to be {kind} from {quantity.least:g} to {quantity.most:g}, "
            f"got {value!r}{origin}."
        )
    return float(value) if not quantity.whole else int(value)


def _models(where: str, what: Derivable, table: Mapping[str, Any]) -> tuple[str, str]:
    """Take the two models that are asked for, or the first ones."""
    chosen = dict.fromkeys(_CHOICES, "")
    for key in _CHOICES:
        if key in table:
            if table[key] not in what.models:
                raise PresetError(unknown_name(f"{key} of {where}", table[key], what.models))
            chosen[key] = table[key]
    if chosen["model"] and chosen["model"] == chosen["second"]:
        raise PresetError(
            f"Expected model and second of {where} to differ, got {chosen['model']!r} twice."
        )
    for key, other in (_CHOICES, _CHOICES[::-1]):
        if not chosen[key]:
            chosen[key] = next(each for each in what.models if each != chosen[other])
    return chosen["model"], chosen["second"]
