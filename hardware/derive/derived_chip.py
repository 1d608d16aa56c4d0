"""A chip's file with energies, areas and leakage that models say."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lrmp.errors import ForeignTextError, PresetError
from lrmp.foreign_text import parse_toml
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.component import Component
from lrmp.hardware.chip.preset import SECTIONS, chip_of_document, unknown_sections
from lrmp.hardware.chip.preset_text import preset_text
from lrmp.hardware.derive.derivable import Derivable
from lrmp.hardware.derive.estimate import Estimate, ModelError
from lrmp.hardware.derive.models import Asked
from lrmp.hardware.derive.specification import SECTION, Wanted, read_specification

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class DerivedNumber:
    """A number that was derived.

    Attributes:
        key: As provenance has it, and the field of a component.
        unit: Of the values.
        before: What the chip had otherwise; None where it had none.
        value: What the first model says.
        second: What the second one says; None where it says nothing.
    """

    key: str
    unit: str
    before: float | None
    value: float
    second: float | None

    @property
    def spread(self) -> float | None:
        """How many times the larger of both is the smaller; None where there are not two."""
        ends = sorted((self.value, self.second or 0))
        return ends[1] / ends[0] if ends[0] else None


@dataclass(frozen=True, slots=True)
class DerivedChip:
    """A chip with derived numbers.

    Attributes:
        chip: It, as its file is read.
        text: Of its file.
        numbers: That were derived.
        notes: What a reader must know of them.
    """

    chip: Accelerator
    text: str
    numbers: tuple[DerivedNumber, ...]
    notes: tuple[str, ...]


def derive_chip(name: str, text: str) -> DerivedChip:
    """Fill in what models say of a chip's components.

    Args:
        name: Of the chip.
        text: A chip's file, as ``read_preset`` takes it, with tables ``[derive.NAME]`` of what is
            to be derived; an energy or a component that the file gives too is refused.

    Returns:
        The chip. What is derived has the status ``"modelled"``, the model with package, version,
        class and arguments as its source, and the range of both models.

    Raises:
        PresetError: If the file is malformed, or a number out of range.
        MissingExtraError: If the component library is not installed.
    """
    try:
        document = parse_toml(text)
    except ForeignTextError as error:
        raise PresetError(f"Expected {name!r} to be valid TOML: {error}.") from error
    if unknown := unknown_sections(name, document, (*SECTIONS, SECTION)):
        raise PresetError(unknown[0])
    section = document.pop(SECTION, None)
    base = _base(name, document)
    wanted = read_specification(name, section, base)
    energy, components = (_table(name, document, key) for key in ("energy", "components"))
    numbers: list[DerivedNumber] = []
    notes: list[str] = []
    for each in wanted:
        what = each.what
        replaced = [c for c in base.components if _is_replaced(what, c)]
        _check_given(name, what, energy, [c.name for c in replaced if c.name in components])
        estimates = _ask(each, base, notes)
        first, second = estimates
        source = _source(first, second, each.second)
        energy[what.event] = _entry(first.energy_fj, _energy(second), source)
        before = None if base.energy is None else float(getattr(base.energy, what.event))
        numbers.append(
            _number(f"energy.{what.event}", "fJ", before, 1, (first.energy_fj, _energy(second)))
        )
        numbers += _derive_component(each, base, components, replaced, estimates, source)
    document |= {"energy": energy, "components": components}
    chip = chip_of_document(name, document)
    return DerivedChip(chip, preset_text(document), tuple(numbers), tuple(notes))


def _base(name: str, document: Mapping[str, Any]) -> Accelerator:
    """Read the chip before anything is derived; without a chip that it is like, no energies."""
    known = {key: entry for key, entry in document.items() if key != "energy" or "like" in document}
    return chip_of_document(name, known)


def _table(name: str, document: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Copy a table of the file, to be filled in."""
    table = document.get(key, {})
    if not isinstance(table, dict):
        raise PresetError(f"Expected preset {name!r} to have a [{key}] table, got {table!r}.")
    return dict(table)


def _check_given(
    name: str, what: Derivable, energy: Mapping[str, Any], components: Sequence[str]
) -> None:
    given = [what.event] * (what.event in energy) + [f"components.{each}" for each in components]
    if given:
        raise PresetError(
            f"Expected {name!r} to give {given[0]} or to derive it ([{SECTION}.{what.name}]), got "
            "both. Leave one out."
        )


def _ask(wanted: Wanted, base: Accelerator, notes: list[str]) -> tuple[Estimate, Estimate | None]:
    """Ask both models; the second may not run."""
    asked = Asked(base.technology_nm, wanted.values)
    models, where = wanted.what.models, f"[{SECTION}.{wanted.what.name}]"
    try:
        first = models[wanted.model](asked)
    except ModelError as error:
        raise PresetError(
            f"Expected model {wanted.model!r} of {where} to run, got: {error}. Or choose another: "
            f"{', '.join(each for each in models if each != wanted.model)}."
        ) from error
    try:
        return first, models[wanted.second](asked)
    except ModelError as error:
        notes.append(f"{where} has no second value: {error}")
        return first, None


def _derive_component(
    wanted: Wanted,
    base: Accelerator,
    components: dict[str, Any],
    replaced: Sequence[Component],
    estimates: tuple[Estimate, Estimate | None],
    source: str,
) -> Iterator[DerivedNumber]:
    """Fill in the component; what it stands for besides counts nothing any more."""
    what = wanted.what
    name = replaced[0].name if replaced else what.name
    count = _rounded(what.count(wanted.values))
    component: dict[str, Any] = {"part": what.part, "per": what.per, "count": count}
    per_tile = base.per_tile(Component(name, what.part, what.per, count, 0))
    for field, range_key, unit in (
        ("area_um2", "area_range_um2", "um2"),
        ("leakage_uw", "leakage_range_uw", "uW"),
    ):
        values = [getattr(each, field) for each in estimates if each is not None]
        known = [_rounded(value) for value in values if value is not None] or [0.0]
        component[field] = known[0]
        if len(known) > 1:
            component[range_key] = sorted(known)
        before = sum(base.per_tile(c) * getattr(c, field) for c in replaced) if replaced else None
        ends = known[0], known[1] if len(known) > 1 else None
        yield _number(f"components.{name}.{field}", f"{unit} per tile", before, per_tile, ends)
    components[name] = component | {"status": "modelled", "source": source}
    for other in replaced[1:]:
        components[other.name] = {
            "part": other.part,
            "per": other.per,
            "count": 0,
            "area_um2": 0,
            "leakage_uw": 0,
            "status": "modelled",
            "source": f"part of components.{name}",
        }


def _is_replaced(what: Derivable, component: Component) -> bool:
    return component.part == what.part and (not what.replaces or component.name in what.replaces)


def _number(
    key: str,
    unit: str,
    before: float | None,
    factor: float,
    values: tuple[float, float | None],
) -> DerivedNumber:
    first, second = values
    return DerivedNumber(
        key, unit, before, _rounded(factor * first), second and _rounded(factor * second)
    )


def _energy(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.energy_fj


def _entry(value: float, other: float | None, source: str) -> Mapping[str, Any]:
    value = _rounded(value)
    ends = {} if other is None else {"range": sorted((value, _rounded(other)))}
    return {"value": value} | ends | {"status": "modelled", "source": source}


def _source(first: Estimate, second: Estimate | None, name: str) -> str:
    if second is None:
        return f"{first.source}; no second value, as {name} does not run"
    return f"{first.source}; second model: {second.source}, {_rounded(second.energy_fj):g} fJ"


def _rounded(value: float) -> float:
    """Keep the digits that a model can mean; a whole number is an integer."""
    number = float(f"{value:.{_DIGITS}g}")
    return int(number) if number.is_integer() else number
