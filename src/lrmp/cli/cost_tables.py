"""Costs of a network on chips as tables and as JSON."""

from collections.abc import Callable, Mapping
from typing import Any

from lrmp.cli.chip_cost import ChipCost
from lrmp.cli.output import format_column
from lrmp.errors import LRMPError
from lrmp.si_prefix import format_number, format_quantity
from lrmp.text_table import format_table

#: What became of every chip: its cost, or why it has none.
ChipCosts = Mapping[str, ChipCost | LRMPError]


def format_chips(costs: ChipCosts) -> str:
    """Write one line per chip.

    Args:
        costs: By name of the chip.

    Returns:
        A table with ``-`` for what is not known, and footnotes.
    """
    known = [cost if isinstance(cost, ChipCost) else None for cost in costs.values()]

    def values(read: Callable[[ChipCost], float | None]) -> list[float | None]:
        return [None if cost is None else read(cost) for cost in known]

    columns = [
        ("chip", list(costs)),
        ("tiles", [f"{cost.tiles:,}" if cost else "-" for cost in known]),
        ("copies", [_copies(cost) if cost else "-" for cost in known]),
        format_column("latency", values(lambda cost: cost.report.latency_s), "s"),
        format_column("throughput", values(lambda cost: cost.report.throughput_per_s), "/s"),
        format_column("energy", values(lambda cost: cost.energy_j), "J"),
        ("area (mm²)", _cells(values(lambda cost: cost.area_mm2))),
        ("TOPS/W", _cells(values(lambda cost: cost.tops_per_w))),
        format_column("EDP", values(lambda cost: cost.edp_js), "J s"),
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
        columns.append(("notes", marks))
    header = [name for name, _ in columns]
    rows = list(zip(*(cells for _, cells in columns), strict=True))
    footnotes = [f"  {number} {note}" for number, note in enumerate(notes, start=1)]
    return "\n".join([format_table(header, rows), *footnotes])


def _cells(values: list[float | None]) -> list[str]:
    return ["-" if value is None else format_number(value) for value in values]


def _copies(cost: ChipCost) -> str:
    least, most = cost.design.replication.min(), cost.design.replication.max()
    return str(least) if least == most else f"{least}..{most}"


def format_layers(cost: ChipCost) -> str:
    """Write one line per layer, and the totals.

    A knob has a column where its values differ between the layers.

    Args:
        cost: Of one chip.

    Returns:
        Two tables and the notes.
    """
    report, design = cost.report, cost.design
    utilisation = cost.model.utilisation(design.settings)
    # What is the same in all layers is said below.
    values = {name: design[name].tolist() for name in design.space.names}
    turned = {name: own for name, own in values.items() if len(set(own)) > 1}
    time_header, times = format_column(
        "time", (report.layer_cycles / report.clock_hz).tolist(), "s"
    )
    header = ["layer", "rows x columns", "positions", *turned, "copies", "tiles", "used", "cycles"]
    header += [time_header, "share"]
    energies: list[str] | None = None
    if cost.energy_j is not None:
        name, energies = format_column("energy", (report.layer_energy_fj * 1e-15).tolist(), "J")
        header.append(name)
    rows = []
    for index, layer in enumerate(cost.network.layers):
        row = [
            layer.name,
            f"{layer.rows} x {layer.columns}",
            f"{layer.positions:,}",
            *(str(own[index]) for own in turned.values()),
            f"{design.replication[index]}",
            f"{report.layer_tiles[index]:,}",
            f"{utilisation[index]:.1%}" if report.layer_tiles[index] else "-",
            f"{report.layer_cycles[index]:,}",
            times[index],
            f"{report.layer_cycles[index] / report.latency_cycles:.1%}",
        ]
        rows.append([*row, energies[index]] if energies else row)
    return "\n".join([format_table(header, rows), "", *_totals(cost)])


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
    if cost.area_mm2 is not None:
        shares = _shares(cost.chip.area_um2(cost.budget))
        lines.append(f"  area         {format_number(cost.area_mm2)} mm²; {shares}")
    if cost.tops_per_w is not None:
        lines.append(f"  efficiency   {format_number(cost.tops_per_w)} TOPS/W")
    if cost.edp_js is not None:
        lines.append(f"  EDP          {format_quantity(cost.edp_js, 'J s')}")
    return [*lines, *(f"  note: {note}" for note in cost.notes)]


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
