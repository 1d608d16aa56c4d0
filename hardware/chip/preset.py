"""Presets: accelerators as TOML files in which every number has a status and a source."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from lrmp.errors import ForeignTextError, PresetError, unknown_name
from lrmp.foreign_file import read_foreign_text
from lrmp.foreign_text import parse_toml
from lrmp.hardware.chip.accelerator import (
    LEFT_OUT,
    PARAMETERS,
    RARE,
    Accelerator,
    check_parameter,
)
from lrmp.hardware.chip.cell_noise import NOISE, NOISE_LEFT_OUT, DeviceNoise
from lrmp.hardware.chip.component import Component, check_amount
from lrmp.hardware.chip.event_energies import EVENTS, EventEnergies
from lrmp.hardware.chip.faults import Faults
from lrmp.hardware.chip.provenance import Provenance, read_provenance

SECTIONS = ("title", "like", "parameters", "energy", "components", "noise")
_NOISE_FOLDER = "noise"
_COMPONENT_KEYS = tuple(f.name for f in fields(Component) if f.name != "name")
_COMPONENT_AREAS = ("area_um2", "area_f2")
_COMPONENT_REQUIRED = ("part", "per", "count", "leakage_uw")
_AT_A_NODE = ("energy.", "components.")
#: Keys of ranges, and the fields of a component whose models they span.
_COMPONENT_RANGES = {"area_range_um2": "area_um2", "leakage_range_uw": "leakage_uw"}
_NOT_GIVEN = Provenance("assumed", "not given, so left out of the model")


def read_preset(path: Path) -> Accelerator:
    """Read a chip from a preset file.

    ``[parameters]`` gives every parameter of ``Accelerator``, but may omit those that are 0 where
    they are left out of the model, and ``[energy]``, if it is there, every field of
    ``EventEnergies``, each as ``{value = ..., status = ..., source = ...}``; an energy may have a
    ``range = [least, greatest]`` of what models say of it. Every
    table ``[components.NAME]`` has the fields of ``Component``, with ``area_um2`` or ``area_f2``
    (in squares of the feature size), status and source, and may have ``area_range_um2`` and
    ``leakage_range_uw``. ``[noise]``, if it is there, has fields
    of ``DeviceNoise`` like those of the parameters.

    ``like = "PRESET"`` takes all that the file does not give from a preset that ships with lrmp,
    as assumptions; at another ``technology_nm`` with energies and areas scaled to that.

    Args:
        path: The TOML file; its stem becomes the accelerator's name.

    Returns:
        The accelerator with its provenance.

    Raises:
        PresetError: If the file is missing, is no TOML, lacks a key, has one too many (units are
            part of the key), or a value is out of range; with all that is wrong at once.
    """
    try:
        text = read_foreign_text(path)
    except OSError as error:
        raise PresetError(f"Expected a readable preset at {path}: {error}.") from error
    return chip_of_text(path.stem, text)


def chip_of_text(name: str, text: str) -> Accelerator:
    """Read a chip from the text of a preset file.

    Args:
        name: Of the accelerator.
        text: As ``read_preset`` takes it.

    Returns:
        The accelerator with its provenance.

    Raises:
        PresetError: As ``read_preset``.
    """
    try:
        document = parse_toml(text)
    except ForeignTextError as error:
        raise PresetError(f"Expected preset {name!r} to be valid TOML: {error}.") from error
    return chip_of_document(name, document)


def chip_of_document(name: str, document: Mapping[str, Any]) -> Accelerator:
    """Read a chip from what stands in a preset file.

    Args:
        name: Of the accelerator.
        document: Its sections.

    Returns:
        The accelerator with its provenance.

    Raises:
        PresetError: As ``read_preset``.
    """
    faults = Faults()
    for sentence in unknown_sections(name, document, SECTIONS):
        faults.add(sentence)
    base = None
    with faults:
        base = _base(name, document)
    if base is None and document.get("like") is not None:
        faults.raise_all(name)  # what it lacks cannot be told from what it would have inherited
    provenance: dict[str, Provenance] = {} if base is None else dict(base.provenance)
    parameters = _parameters(name, document, base, provenance, faults)
    energy = None if base is None else base.energy
    if "energy" in document:
        energy = _energy(name, document["energy"], energy, provenance, faults)
    components = {} if base is None else {c.name: c for c in base.components}
    with faults:
        for key, entry in _table(name, "components", document.get("components", {})).items():
            with faults:
                node = parameters.get("technology_nm", 0)
                check_parameter(name, "technology_nm", node)
                components[key] = _component(name, key, entry, node, provenance)
    noise = None if base is None else base.noise
    if "noise" in document:
        with faults:
            noise = _noise(name, document["noise"], provenance)
    faults.raise_all(name)
    return replace(
        Accelerator(name=name, **parameters),
        energy=energy,
        components=tuple(components.values()),
        noise=noise,
        provenance=provenance,
    )


def list_presets() -> list[str]:
    """Name the presets that ship with lrmp.

    Returns:
        Names for ``load_preset``, sorted.
    """
    files = resources.files("lrmp.hardware.presets").iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


@cache
def load_preset(name: str) -> Accelerator:
    """Load a preset that ships with lrmp.

    Args:
        name: Paper, venue and year, such as ``"lrmp_frontiers_2024"``.

    Returns:
        The accelerator; the same object for the same name.

    Raises:
        PresetError: If there is no such preset.
    """
    return chip_of_text(name, _shipped_text(name))


@cache
def preset_title(name: str) -> str:
    """Say what a preset that ships with lrmp describes.

    Args:
        name: As for ``load_preset``.

    Returns:
        One line.

    Raises:
        PresetError: If there is no such preset.
    """
    return str(tomllib.loads(_shipped_text(name))["title"])


def list_noise() -> list[str]:
    """Name the statistics of devices that ship with lrmp.

    Returns:
        Names for ``load_noise``, sorted.
    """
    files = resources.files("lrmp.hardware.presets").joinpath(_NOISE_FOLDER).iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


def load_noise(name: str) -> tuple[DeviceNoise, dict[str, Provenance]]:
    """Load statistics of devices that ship with lrmp.

    Args:
        name: Device and publication, such as ``"pcm_rasch_2023"``.

    Returns:
        The statistics, and where each number comes from, by ``noise.key``: what a chip's
        ``provenance`` is to have.

    Raises:
        PresetError: If there are no such statistics.
    """
    if name not in list_noise():
        raise PresetError(unknown_name("noise", name, list_noise()))
    folder = resources.files("lrmp.hardware.presets").joinpath(_NOISE_FOLDER)
    document = tomllib.loads(folder.joinpath(f"{name}.toml").read_text("utf-8"))
    provenance: dict[str, Provenance] = {}
    return _noise(name, document["noise"], provenance), provenance


def with_noise(chip: Accelerator, name: str, **changes: Any) -> Accelerator:
    """Build a chip of noisy cells.

    Args:
        chip: Any.
        name: Of statistics that ``load_noise`` knows.
        **changes: Fields of ``DeviceNoise``, such as ``elapsed_s``.

    Returns:
        The chip, named after both; what was changed says that it was assumed.

    Raises:
        PresetError: If there are no such statistics, or a change does not fit them.
    """
    noise, sources = load_noise(name)
    if unknown := sorted(set(changes) - set(NOISE)):
        raise PresetError(unknown_name("field of the noise", unknown[0], NOISE))
    chosen = {f"noise.{key}": Provenance("assumed", "chosen for this chip") for key in changes}
    return replace(
        chip,
        name=f"{chip.name}+{name}",
        noise=replace(noise, **changes),
        provenance={**chip.provenance, **sources, **chosen},
    )


def with_number(
    chip: Accelerator, name: str, field: str, value: Any, source: Provenance
) -> Accelerator:
    """Build a chip that differs in one number.

    Args:
        chip: Any.
        name: Of the new one.
        field: Of ``Accelerator``.
        value: Its number.
        source: Where that comes from.

    Returns:
        The chip; everything else, and where it comes from, as before.
    """
    provenance = {**chip.provenance, field: source}
    return replace(chip, name=name, provenance=provenance, **{field: value})


def _shipped_text(name: str) -> str:
    if name not in list_presets():
        raise PresetError(unknown_name("preset", name, list_presets()))
    return resources.files("lrmp.hardware.presets").joinpath(f"{name}.toml").read_text("utf-8")


def unknown_sections(name: str, document: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    """Word what is wrong with the sections that there are not.

    Args:
        name: Of the preset.
        document: Its sections.
        known: What there is.

    Returns:
        A sentence for each, in order.
    """
    unknown = sorted(set(document) - set(known))
    return [unknown_name(f"each section of preset {name!r}", each, known) for each in unknown]


def _base(name: str, document: Mapping[str, Any]) -> Accelerator | None:
    """Find the preset that a chip is like; all that it inherits is an assumption."""
    like = document.get("like")
    if like is None:
        return None
    if not isinstance(like, str):
        raise PresetError(f"Expected like of preset {name!r} to name a preset, got {like!r}.")
    preset, scaled = load_preset(like), ""
    base = preset
    parameters = document.get("parameters")
    entry = parameters.get("technology_nm") if isinstance(parameters, dict) else None
    node = entry.get("value") if isinstance(entry, dict) else None
    if type(node) is int and node > 0 and base.technology_nm not in (0, node):
        base = base.scaled_to(node)
        scaled = f", scaled from {preset.technology_nm} nm"
    assumed = {
        key: Provenance(
            "assumed",
            f"as {like}{scaled if key.startswith(_AT_A_NODE) else ''}: {origin.source}",
            {} if scaled else origin.ranges,  # models were asked at their own node
        )
        for key, origin in preset.provenance.items()
    }
    return replace(base, provenance=assumed)


def _parameters(
    name: str,
    document: Mapping[str, Any],
    base: Accelerator | None,
    provenance: dict[str, Provenance],
    faults: Faults,
) -> dict[str, Any]:
    """Take all parameters that the file gives, and the others from what it is like."""
    inherited = {} if base is None else base.parameters
    entries = document.get("parameters", None if base is None else {})
    given = _numbers(
        name,
        "parameters",
        entries,
        PARAMETERS,
        provenance,
        faults=faults,
        inherited=tuple(inherited),
    )
    for key, value in given.items():
        with faults:
            check_parameter(name, key, value)
    return inherited | given


def _energy(
    name: str,
    entries: Any,
    base: EventEnergies | None,
    provenance: dict[str, Provenance],
    faults: Faults,
) -> EventEnergies | None:
    inherited = {} if base is None else asdict(base)
    given = _numbers(
        name, "energy", entries, EVENTS, provenance, faults=faults, inherited=tuple(inherited)
    )
    for key, value in given.items():
        with faults:
            check_amount(f"energy {key}", value)
    return None if faults else EventEnergies(**(inherited | given))


def _noise(name: str, entries: Any, provenance: dict[str, Provenance]) -> DeviceNoise:
    """Read the table of a device's statistics."""
    faults = Faults()
    found = _numbers(name, "noise", entries, NOISE, provenance, NOISE_LEFT_OUT, faults=faults)
    faults.raise_all(name)
    given: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in found.items()
    }
    return DeviceNoise(**given)


def _table(preset: str, section: str, entries: Any) -> Mapping[str, Any]:
    if not isinstance(entries, dict):
        got = "none" if entries is None else repr(entries)
        raise PresetError(f"Expected preset {preset!r} to have a [{section}] table, got {got}.")
    return entries


def _numbers(
    preset: str,
    section: str,
    entries: Any,
    keys: tuple[str, ...],
    provenance: dict[str, Provenance],
    left_out: tuple[str, ...] = LEFT_OUT,
    *,
    faults: Faults,
    inherited: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Take the values of a section that has no other keys, and all but what may be left out."""
    try:
        table = _table(preset, section, entries)
    except PresetError as error:
        faults.add(str(error))
        return {}
    for key in sorted(set(table) - set(keys)):
        faults.add(unknown_name(f"each key of [{section}] in preset {preset!r}", key, keys))
    absent = [key for key in keys if key not in (*table, *inherited, *RARE)]
    if missing := [key for key in absent if key not in left_out]:
        faults.add(
            f"Expected [{section}] of preset {preset!r} to give every number that the model needs; "
            f'{", ".join(missing)} missing. Give them, or like = "PRESET" at the top, whose '
            "numbers then count as assumed."
        )
    prefix = "" if section == "parameters" else f"{section}."
    values = {}
    for key, entry in table.items():
        may = {"range"} if section == "energy" else set()
        if not isinstance(entry, dict) or {*entry} - may != {"value", "status", "source"}:
            more = " (and range, where models differ)" if section == "energy" else ""
            faults.add(
                f"Expected {key} of preset {preset!r} to be a table with exactly value, status "
                f"and source{more}, got {entry!r}."
            )
        elif key in keys:
            values[key] = entry["value"]
            with faults:
                ranges = {"range": ("value", entry["value"])} if "range" in entry else {}
                provenance[prefix + key] = read_provenance(preset, key, entry, ranges)
    provenance.update({prefix + key: _NOT_GIVEN for key in absent})
    return values


def _component(
    preset: str,
    name: str,
    entry: Any,
    technology_nm: int,
    provenance: dict[str, Provenance],
) -> Component:
    known = (*_COMPONENT_KEYS, "area_f2", *_COMPONENT_RANGES, "status", "source")
    what = f"component {name!r} of preset {preset!r}"
    if not isinstance(entry, dict):
        raise PresetError(f"Expected {what} to be a table, got {entry!r}.")
    if unknown := sorted(set(entry) - set(known)):
        raise PresetError(unknown_name(f"each key of {what}", unknown[0], known))
    required = (*_COMPONENT_REQUIRED, "status", "source")
    if missing := [key for key in required if key not in entry]:
        raise PresetError(
            f"Expected {what} to give {', '.join(required)}; {', '.join(missing)} missing."
        )
    if len(areas := [key for key in _COMPONENT_AREAS if key in entry]) != 1:
        raise PresetError(
            f"Expected {what} to give either area_um2 or area_f2, got "
            f"{' and '.join(areas) or 'neither'}."
        )
    values = {key: entry[key] for key in _COMPONENT_KEYS if key in entry}
    if areas == ["area_f2"]:
        if isinstance(entry["area_f2"], bool) or not isinstance(entry["area_f2"], (int, float)):
            raise PresetError(
                f"Expected area_f2 of {what} to be a number, got {entry['area_f2']!r}."
            )
        values["area_um2"] = entry["area_f2"] * (technology_nm / 1000) ** 2
    component = Component(name=name, **values)
    ranges = {
        key: (field, getattr(component, field))
        for key, field in _COMPONENT_RANGES.items()
        if key in entry
    }
    provenance[f"components.{name}"] = read_provenance(preset, name, entry, ranges)
    return component
