"""The chip: crossbar geometry, converters and clock, read from a preset."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self, get_args

from lrmp.errors import PresetError, unknown_name

Status = Literal["published", "second-hand", "derived", "assumed", "calibrated"]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a number comes from.

    Attributes:
        status: How far the number can be trusted.
        source: The publication, file or argument it was taken from.
    """

    status: Status
    source: str


@dataclass(frozen=True, slots=True)
class Accelerator:
    """An in-memory-computing chip of crossbar tiles.

    One tile is one crossbar with its converters. The bit slices of a weight sit on separate
    crossbars; inputs stream in bit by bit; a crossbar drives ``active_rows`` rows at once and each
    of its ADCs reads ``columns_per_adc`` columns one after the other.

    Attributes:
        name: Name of the preset, or any name of your own.
        crossbar_rows: R, word lines of a crossbar.
        crossbar_columns: C, bit lines of a crossbar.
        cell_bits: Bits held by one cell.
        dac_bits: Input bits applied per cycle.
        active_rows: Rows driven at the same time.
        columns_per_adc: Columns that share one ADC.
        clock_mhz: Clock in MHz; one ADC conversion per cycle.
        output_elements_per_cycle: Output elements that leave a layer per cycle, however many
            copies it has; 0 leaves the output path out of the model.
        provenance: Where each number comes from; empty for a chip of your own.

    Raises:
        PresetError: If a number is out of range.
    """

    name: str
    crossbar_rows: int
    crossbar_columns: int
    cell_bits: int
    dac_bits: int
    active_rows: int
    columns_per_adc: int
    clock_mhz: int
    output_elements_per_cycle: int
    provenance: Mapping[str, Provenance] = field(default_factory=dict, compare=False, hash=False)

    def __post_init__(self) -> None:
        for key in PARAMETERS:
            value, least = getattr(self, key), 0 if key == "output_elements_per_cycle" else 1
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise PresetError(
                    f"Expected {key} of accelerator {self.name!r} to be an integer >= {least}, "
                    f"got {value!r}."
                )
        if self.active_rows > self.crossbar_rows:
            raise PresetError(
                f"Expected active_rows of accelerator {self.name!r} to be at most its "
                f"crossbar_rows ({self.crossbar_rows}), got {self.active_rows}."
            )

    @property
    def adc_bits(self) -> int:
        """ADC resolution in bits that loses nothing: every sum of a column has its own code."""
        levels: int = self.active_rows * (2**self.cell_bits - 1) * (2**self.dac_bits - 1)
        return levels.bit_length()

    @property
    def clock_hz(self) -> int:
        """Clock in Hz."""
        return self.clock_mhz * 1_000_000

    @property
    def parameters(self) -> dict[str, int]:
        """The numbers that define the chip, by name."""
        return {key: getattr(self, key) for key in PARAMETERS}

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Read a chip from a preset file.

        Every key of ``[parameters]`` is a table with ``value``, ``status`` and ``source``.

        Args:
            path: The TOML file; its stem becomes the accelerator's name.

        Returns:
            The accelerator with its provenance.

        Raises:
            PresetError: If the file is missing, is no TOML, lacks a key, has one too many, or a
                value is out of range.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PresetError(f"Expected a readable preset at {path}: {error}.") from error
        return cls._parse(path.stem, text)

    @classmethod
    def _parse(cls, name: str, text: str) -> Self:
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise PresetError(f"Expected preset {name!r} to be valid TOML: {error}.") from error
        entries = document.get("parameters")
        if not isinstance(entries, dict):
            got = "none" if entries is None else repr(entries)
            raise PresetError(f"Expected preset {name!r} to have a [parameters] table, got {got}.")
        if missing := sorted(set(PARAMETERS) - set(entries)):
            raise PresetError(
                f"Expected preset {name!r} to give {', '.join(PARAMETERS)}; "
                f"{', '.join(missing)} missing."
            )
        if unknown := sorted(set(entries) - set(PARAMETERS)):
            raise PresetError(
                unknown_name(f"each parameter of preset {name!r}", unknown[0], PARAMETERS)
            )
        provenance = {key: _provenance(name, key, entry) for key, entry in entries.items()}
        values = {key: entry["value"] for key, entry in entries.items()}
        return cls(name=name, provenance=provenance, **values)


PARAMETERS = tuple(f.name for f in fields(Accelerator) if f.name not in ("name", "provenance"))


def _provenance(preset: str, key: str, entry: Any) -> Provenance:
    if not isinstance(entry, dict) or set(entry) != {"value", "status", "source"}:
        raise PresetError(
            f"Expected {key} of preset {preset!r} to be a table with exactly value, status and "
            f"source, got {entry!r}."
        )
    if entry["status"] not in get_args(Status):
        raise PresetError(
            unknown_name(f"status of {key} in preset {preset!r}", entry["status"], get_args(Status))
        )
    if not isinstance(entry["source"], str) or not entry["source"].strip():
        raise PresetError(
            f"Expected {key} of preset {preset!r} to name its source, got {entry['source']!r}."
        )
    return Provenance(status=entry["status"], source=entry["source"])


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
    if name not in list_presets():
        raise PresetError(unknown_name("preset", name, list_presets()))
    text = resources.files("lrmp.hardware.presets").joinpath(f"{name}.toml").read_text("utf-8")
    return Accelerator._parse(name, text)
