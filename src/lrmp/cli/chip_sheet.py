"""The data sheet of a chip: every number with unit, status and source, and what follows from it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.peak import peak_ops_per_s
from lrmp.si_prefix import format_number, format_quantity
from lrmp.text_table import Column, format_table

#: Units of numbers by the end of their key, the first that fits; the others are counts or names.
_UNITS = {
    "_bits_per_cycle": "bits/cycle",
    "_bits_per_tile": "bits",
    "_per_cycle": "1/cycle",
    "_lanes": "1/cycle",
    "_bits": "bits",
    "_cycles": "cycles",
    "_mhz": "MHz",
    "_nm": "nm",
    "_microsiemens": "uS",
    "_s": "s",
    "_fj": "fJ",
    "_fj_per_bit": "fJ/bit",
    "_fj_per_bit_hop": "fJ/(bit hop)",
}
_PEAK_BITS = 8  # of weights and activations, as papers give the peak


def chip_json(chip: Accelerator) -> dict[str, Any]:
    """Collect everything that is known of a chip.

    Args:
        chip: Read from a preset, with provenance.

    Returns:
        Plain data: ``parameters``, ``energy``, ``components`` and, where it has any, ``noise`` with
        unit, status and source of every number, and ``derived``.
    """

    def entry(key: str, value: Any, where: str = "") -> dict[str, Any]:
        origin = chip.provenance[where + key]
        unit = next((unit for end, unit in _UNITS.items() if key.endswith(end)), "")
        value = list(value) if isinstance(value, tuple) else value
        return {"value": value, "unit": unit} | origin.to_json()

    parameters = {
        key: entry(key, value) for key, value in chip.parameters.items() if key in chip.provenance
    }
    energy = None
    if chip.energy is not None:
        energy = {key: entry(key, value, "energy.") for key, value in asdict(chip.energy).items()}
    components = {
        c.name: asdict(c) | chip.provenance[f"components.{c.name}"].to_json()
        for c in chip.components
    }
    sheet = {
        "accelerator": chip.name,
        "parameters": parameters,
        "energy": energy,
        "components": components,
        "derived": _derived(chip),
    }
    if chip.noise is not None:
        sheet["noise"] = {
            key: entry(key, value, "noise.") for key, value in asdict(chip.noise).items()
        }
    return sheet


def _derived(chip: Accelerator) -> dict[str, Any]:
    steps = -(-_PEAK_BITS // chip.dac_bits) + chip.extra_input_steps
    groups = -(-chip.crossbar_rows // chip.active_rows)
    peak = peak_ops_per_s(chip, _PEAK_BITS, _PEAK_BITS, tiles=1)
    derived: dict[str, Any] = {
        "adc_bits": None if chip.adc == "none" else chip.adc_bits,
        "lossless_adc_bits": None if chip.adc == "none" else chip.lossless_adc_bits,
        "adc_is_lossy": chip.adc_is_lossy,
        "read_and_convert_cycles": chip.read_and_convert_cycles,
        "row_groups_per_crossbar": groups,
        "mvm_cycles_8_bit": steps * groups * chip.read_and_convert_cycles,
        "noc_hops": chip.noc_hops,
        "peak_tile_ops_per_s_8_bit": peak,
        "peak_chip_ops_per_s_8_bit": peak * chip.tiles if chip.tiles else None,
        "tile_area_um2": None,
        "chip_area_mm2": None,
        "tile_leakage_uw": None,
        "chip_leakage_uw": None,
        "peak_power_w": None,
    }
    if chip.components:
        derived["tile_area_um2"] = sum(chip.per_tile(c) * c.area_um2 for c in chip.components)
        derived["tile_leakage_uw"] = chip.tile_leakage_uw
    if chip.components and chip.tiles:
        derived["chip_area_mm2"] = sum(chip.area_um2(chip.tiles).values()) * 1e-6
        leakage = chip.tiles * chip.tile_leakage_uw + chip.chip_leakage_uw
        derived["chip_leakage_uw"] = leakage
        if all(c.peak_power_uw is not None for c in chip.components):
            derived["peak_power_w"] = sum(chip.peak_power_uw(chip.tiles).values()) * 1e-6
    return derived


def format_chip(chip: Accelerator, title: str = "", width: int | None = None) -> str:
    """Write the data sheet of a chip.

    Args:
        chip: Read from a preset, with provenance.
        title: One line that describes it.
        width: Characters of a line; None for as many as it takes.

    Returns:
        A table per kind of number, and what follows from them.
    """
    sheet = chip_json(chip)
    sections = [("parameter", _entries(sheet["parameters"]))]
    if sheet["energy"] is not None:
        sections.append(("energy of one event", _entries(sheet["energy"])))
    if sheet["components"]:
        sections.append(("component", _components(sheet["components"])))
    if "noise" in sheet:
        sections.append(("noise", _entries(sheet["noise"])))
    blocks = [f"{chip.name}: {title}" if title else chip.name]
    blocks += [_format_sources(name, rows, width) for name, rows in sections]
    gaps = {"energy": chip.energy is None, "area and leakage": not chip.components}
    blocks += [f"{gap} not known" for gap, missing in gaps.items() if missing]
    lines = [f"  {name:<38}  {value}" for name, value in _derived_lines(chip, sheet["derived"])]
    return "\n\n".join([*blocks, "\n".join(["derived", *lines])])


def _entries(entries: dict[str, dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    return [
        (
            key,
            f"{_plain(entry['value'])}{_range(entry, 'value')} {entry['unit']}".rstrip(),
            entry["status"],
            entry["source"],
        )
        for key, entry in entries.items()
    ]


def _plain(value: Any) -> str:
    """Write a value as it was given, large numbers with commas."""
    if isinstance(value, tuple | list):
        return " ".join(map(_plain, value))
    return value if isinstance(value, str) else f"{value:,.10g}"


def _range(entry: dict[str, Any], key: str) -> str:
    """Write what models say of a number, where that is known."""
    ends = entry.get("ranges", {}).get(key)
    return f" ({' to '.join(format_number(end) for end in ends)})" if ends else ""


def _components(components: dict[str, dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    rows = []
    for name, c in components.items():
        area = f"{_plain(c['area_um2'])}{_range(c, 'area_um2')}"
        value = f"{_plain(c['count'])} per {c['per']}, {area} µm²"
        for key, what in (("leakage_uw", "leaks"), ("peak_power_uw", "peak")):
            if c[key] or _range(c, key):
                value += f", {what} {_plain(c[key])}{_range(c, key)} µW"
        rows.append((f"{name} ({c['part']})", value, c["status"], c["source"]))
    return rows


def _format_sources(name: str, rows: Sequence[tuple[str, str, str, str]], width: int | None) -> str:
    names, values, statuses, sources = zip(*rows, strict=True)
    return format_table(
        [
            Column(name, names, text=True),
            Column("value", values, text=True, fit="wrap"),
            Column("status", statuses, text=True),
            Column("source", sources, text=True, fit="wrap"),
        ],
        width,
    )


def _derived_lines(chip: Accelerator, derived: dict[str, Any]) -> list[tuple[str, str]]:
    needed = f"{derived['lossless_adc_bits']} bits lose nothing"
    kind = f"lossy: {needed}" if derived["adc_is_lossy"] else f"lossless: {needed}"
    lines = [
        (
            "ADC resolution",
            f"{derived['adc_bits']} bits, {kind}" if derived["adc_bits"] else "no ADC",
        ),
        ("read and conversions of a row group", f"{derived['read_and_convert_cycles']} cycles"),
        ("row groups of a full crossbar", str(derived["row_groups_per_crossbar"])),
        ("full crossbar times 8-bit inputs", f"{derived['mvm_cycles_8_bit']:,} cycles"),
        ("hops between two layers", str(derived["noc_hops"])),
        (
            "peak of one tile, 8/8 bits",
            format_quantity(derived["peak_tile_ops_per_s_8_bit"], "OPS"),
        ),
    ]
    quantities = (
        (f"peak of {chip.tiles:,} tiles, 8/8 bits", "peak_chip_ops_per_s_8_bit", 1, "OPS"),
        ("leakage of a tile", "tile_leakage_uw", 1e-6, "W"),
        (f"leakage of {chip.tiles:,} tiles", "chip_leakage_uw", 1e-6, "W"),
        (f"peak power of {chip.tiles:,} tiles", "peak_power_w", 1, "W"),
    )
    for name, key, factor, unit in quantities:
        if derived[key] is not None:
            lines.append((name, format_quantity(derived[key] * factor, unit)))
    if derived["tile_area_um2"] is not None:
        lines.append(("area of a tile", f"{format_number(derived['tile_area_um2'])} µm²"))
    if derived["chip_area_mm2"] is not None:
        area = f"{format_number(derived['chip_area_mm2'])} mm²"
        lines.append((f"area of {chip.tiles:,} tiles", area))
    return lines
