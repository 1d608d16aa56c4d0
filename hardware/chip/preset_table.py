"""The presets at a glance."""

from collections import Counter
from typing import get_args

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.peak import peak_ops_per_s
from lrmp.hardware.chip.preset import list_presets, load_preset
from lrmp.hardware.chip.provenance import Status

_HEADER = (
    "preset",
    "node",
    "crossbar",
    "bits per cell",
    "ADC",
    "rows at once",
    "tiles",
    "peak TOPS, 8/8 bits",
    "peak TOPS, native",
    "area mm2",
    *get_args(Status),
)


def format_presets() -> str:
    """Lay out the presets that ship with lrmp as a Markdown table.

    Returns:
        One line per preset, without a newline at the end: geometry, peak throughput at 8-bit
        weights and activations and at one cell per weight and one input step, area, and how many
        numbers have which status.
    """
    rows = [_HEADER, ("---",) * len(_HEADER)]
    rows += [_row(load_preset(name)) for name in list_presets()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _row(chip: Accelerator) -> tuple[str, ...]:
    statuses = Counter(provenance.status for provenance in chip.provenance.values())
    native = peak_ops_per_s(chip, chip.cell_bits, chip.dac_bits)
    area = "-"
    if chip.components:
        area = f"{sum(chip.area_um2(chip.tiles).values()) / 1e6:.1f}"
    return (
        f"`{chip.name}`",
        f"{chip.technology_nm} nm" if chip.technology_nm else "-",
        f"{chip.crossbar_rows} x {chip.crossbar_columns}",
        str(chip.cell_bits),
        "-" if chip.adc == "none" else f"{chip.adc_bits} bits",
        str(chip.active_rows),
        f"{chip.tiles:,}",
        _tops(peak_ops_per_s(chip, 8, 8)),
        _tops(native),
        area,
        *(str(statuses[status]) for status in get_args(Status)),
    )


def _tops(ops_per_s: float) -> str:
    """Write three digits, never as a power of ten."""
    tops = ops_per_s / 1e12
    return f"{tops:.0f}" if tops >= 100 else f"{tops:.3g}"
