"""Costs of a network on chips as tables and as JSON."""

from collections.abc import Callable, Mapping
from typing import Any

from lrmp.cli.chip_cost import ChipCost
from lrmp.cli.output import quantities
from lrmp.errors import LRMPError
from lrmp.si_prefix import format_number, format_quantity
from lrmp.text_table import Column, fold, format_table

#: What became of every chip: its cost, or why it has none.
ChipCosts = Mapping[str, ChipCost | LRMPError]


def format_chips(costs: ChipCosts, width: int | None = None) -> str:
    """Write one line per chip.

    Args:
        costs: By name of the chip.
        width: Characters of a line; None for as many as it takes.

    Returns:
        A table with ``-`` for what is not known, and footnotes.
    """
    known = [cost if isinstance(cost, ChipCost) else None for cost in costs.values()]

    def values(read: Callable[[ChipCost], float | None]) -> list[float | None]:
        return [None if cost is None else read(cost) for cost in known]

    rates = values(lambda cost: cost.report.throughput_per_s)
    columns = [
        Column("chip", list(costs), text=True, fit="shorten"),
        Column("tiles", [f"{cost.tiles:,}" if cost else "-" for cost in known]),
        Column("copies", [_copies(cost) if cost else "-" for cost in known], leaves=2),
        quantities("latency", values(lambda cost: cost.report.latency_s), "s"),
        quantities("throughput", rates, "/s", leaves=1),
        quantities("energy", values(lambda cost: cost.energy_j), "J"),
        Column("area (mm²)", _cells(values(lambda cost: cost.area_mm2))),
        Column("TOPS/W", _cells(values(lambda cost: cost.tops_per_w)), leaves=3),
        quantities("EDP", values(lambda cost: cost.edp_js), "J s", leaves=4),
    ]
    notes: list[str] = []
    marks = []
    for name, cost in costs.items():
        # Without its name, what several chips lack is one note.
        why = str(cost).replace(f"accelerator {name!r}", "the accelerator")
        own = cost.notes if isinstance(cost, ChipCost) else (why,)
        notes += [note for note in own if note not in notes]
        marks.append(" ".join(str(notes.index(note) + 1) for note in own))
    if notes:
        columns.append(Column("notes", marks))
    footnotes = [
        fold(f"  {number} {note}", width, indent=4) for number, note in enumerate(notes, start=1)
    ]
    return "\n".join([format_table(columns, width), *footnotes])


def _cells(values: list[float | None]) -> list[str]:
    return ["-" if value is None else format_number(value) for value in values]


def _copies(cost: ChipCost) -> str:
    least, most = cost.design.replication.min(), cost.design.replication.max()
    return str(least) if least == most else f"{least}..{most}"


def format_layers(cost: ChipCost, width: int | None = None) -> str:
    """Write one line per layer, and the totals.

    A knob has a column where its values differ between the layers.

    Args:
        cost: Of one chip.
        width: Characters of a line; None for as many as it takes.

    Returns:
        Two tables and the notes.
    """
    report, design, layers = cost.report, cost.design, cost.network.layers
    used = zip(cost.model.utilisation(design.settings), report.layer_tiles, strict=True)
    # What is the same in all layers is said below.
    values = {name: design[name].tolist() for name in design.space.names}
    times_s = (report.layer_cycles / report.clock_hz).tolist()
    shares = report.layer_cycles / report.latency_cycles
    columns = [
        Column("layer", [layer.name for layer in layers], text=True, fit="shorten"),
        Column("rows x columns", [f"{layer.rows} x {layer.columns}" for layer in layers]),
        Column("positions", [f"{layer.positions:,}" for layer in layers], leaves=3),
        *(Column(name, [*map(str, own)]) for name, own in values.items() if len(set(own)) > 1),
        Column("copies", [*map(str, design.replication)]),
        Column("tiles", [f"{tiles:,}" for tiles in report.layer_tiles]),
        Column("used", [f"{share:.1%}" if tiles else "-" for share, tiles in used], leaves=2),
        Column("cycles", [f"{cycles:,}" for cycles in report.layer_cycles], leaves=1),
        quantities("time", times_s, "s"),
        Column("share", [f"{share:.1%}" for share in shares], leaves=4),
    ]
    if cost.energy_j is not None:
        columns.append(quantities("energy", (report.layer_energy_fj * 1e-15).tolist(), "J"))
    totals = [fold(line, width, indent=15) for line in _totals(cost)]
    return "\n".join([format_table(columns, width), "", *totals])


def _totals(cost: ChipCost) -> list[str]:
    report, baseline = cost.report, cost.model.baseline
    settings = cost.design.settings_summary
    kinds = {None: "one copy of every layer", True: "optimal copies", False: "fast copies"}
    copies = kinds[cost.proven_optimal]
    gain = baseline.latency_cycles / report.latency_cycles
    rate = baseline.bottleneck_cycles / report.bottleneck_cycles
    latency, shares = format_quantity(report.latency_s, "s"), _shares(report.cycle_breakdown)
    lines = [
        f"{cost.network.name} on {cost.chip.name}: {settings}, {copies}",
        "  gains over plain settings and one copy of every layer",
        f"  tiles        {cost.tiles:,} of {cost.budget:,}",
        f"  latency      {latency}, {gain:.2f}x; {shares}",
        f"  throughput   {format_quantity(report.throughput_per_s, '/s')}, {rate:.2f}x",
    ]
    if cost.energy_j is not None:
        saving = baseline.energy_fj / report.energy_fj
        shares = _shares(report.energy_breakdown_fj)
        lines.append(
            f"  energy       {format_quantity(cost.energy_j, 'J')}, {saving:.2f}x; {shares}"
        )
        lines += _model_ends(cost)
    if cost.area_mm2 is not None:
        shares = _shares(cost.chip.area_um2(cost.budget))
        lines.append(f"  area         {format_number(cost.area_mm2)} mm²; {shares}")
    if cost.tops_per_w is not None:
        lines.append(f"  efficiency   {format_number(cost.tops_per_w)} TOPS/W")
    if cost.edp_js is not None:
        lines.append(f"  EDP          {format_quantity(cost.edp_js, 'J s')}")
    return [*lines, *(f"  note: {note}" for note in cost.notes)]


def _model_ends(cost: ChipCost) -> list[str]:
    """Say what the energy is where all models of the chip say their least, or their greatest."""
    if not cost.model_ends:
        return []
    ends = [f"{format_quantity(energy, 'J')} ({gain:.2f}x)" for energy, gain in cost.model_ends]
    return [f"               {' to '.join(ends)} by the least and the greatest of models"]


def _shares(parts: Mapping[Any, int]) -> str:
    """Write what makes up at least a hundredth, largest first."""
    total = max(1, sum(parts.values()))
    large = sorted(parts.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {part / total:.0%}" for name, part in large if part / total >= 0.01)


def chips_json(costs: ChipCosts) -> list[dict[str, Any]]:
    """Return the totals of every chip.

    Args:
        costs: By name of the chip.

    Returns:
        One mapping per chip; null for what is not known.
    """
    return [
        _totals_json(name, cost)
        if isinstance(cost, ChipCost)
        else {"accelerator": name, "error": str(cost)}
        for name, cost in costs.items()
    ]


def _totals_json(name: str, cost: ChipCost) -> dict[str, Any]:
    report = cost.report
    energy_known = report.component_energy_fj is not None
    return {
        "accelerator": name,
        "network": cost.network.name,
        "macs": cost.network.macs,
        "tiles": cost.tiles,
        "budget_tiles": cost.budget,
        "proven_optimal": cost.proven_optimal,
        "latency_cycles": report.latency_cycles,
        "latency_s": report.latency_s,
        "bottleneck_cycles": report.bottleneck_cycles,
        "throughput_per_s": report.throughput_per_s,
        "baseline_latency_s": cost.model.baseline.latency_s,
        "energy_j": cost.energy_j,
        "energy_range_j": [energy for energy, _ in cost.model_ends] or None,
        "area_mm2": cost.area_mm2,
        "tops_per_w": cost.tops_per_w,
        "edp_js": cost.edp_js,
        "cycle_breakdown": report.cycle_breakdown,
        "energy_breakdown_fj": report.energy_breakdown_fj if energy_known else None,
        "area_um2": cost.chip.area_um2(cost.budget) if cost.chip.components else None,
        "design": cost.design.to_json(),
        "notes": list(cost.notes),
    }


def layers_json(cost: ChipCost) -> list[dict[str, Any]]:
    """Return what ``format_layers`` writes.

    Args:
        cost: Of one chip.

    Returns:
        One mapping per layer.
    """
    report, design = cost.report, cost.design
    utilisation = cost.model.utilisation(design.settings)
    values = {name: design[name].tolist() for name in design.space.names}
    energy_known = report.component_energy_fj is not None
    return [
        {
            "layer": layer.name,
            "kind": layer.kind,
            "rows": layer.rows,
            "columns": layer.columns,
            "positions": layer.positions,
            **{name: own[index] for name, own in values.items()},
            "copies": int(design.replication[index]),
            "tiles": int(report.layer_tiles[index]),
            "utilisation": float(utilisation[index]),
            "cycles": int(report.layer_cycles[index]),
            "energy_fj": int(report.layer_energy_fj[index]) if energy_known else None,
        }
        for index, layer in enumerate(cost.network.layers)
    ]
