"""From a measurement to the files that are shipped: a table, and the designs behind it."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lrmp.accuracy.lab.measurement import FIT_DESIGNS, FIT_SEED, JUDGE_SEED, Measurement
from lrmp.accuracy.lab.protocol import Protocol
from lrmp.accuracy.model.drop_map_fit import fit_drop_map
from lrmp.accuracy.model.sensitivity_table import SensitivityTable, load_designs, load_table
from lrmp.errors import AccuracyTableError
from lrmp.whole_file import write_whole


def build_table(
    measurement: Measurement,
    command: str,
    fit_designs: int = FIT_DESIGNS,
    limit: int | None = None,
) -> SensitivityTable:
    """Measure what is missing, on the calibration and search images alone, and fit the map.

    Args:
        measurement: Of the network.
        command: What was called, for the provenance.
        fit_designs: Random designs that are drawn for the fit of the map.
        limit: How many of them are run; None for all.

    Returns:
        The table.
    """
    measurement.measure_divergences()
    results = measurement.measure_designs("search", fit_designs, FIT_SEED, limit)
    measured = measurement.table()
    protocol, evaluator = measurement.protocol, measurement.evaluator
    float_top1 = round(evaluator.float_top1("search"), 2)
    return SensitivityTable(
        network=protocol.network,
        kind="measured",
        layers=tuple(evaluator.layers),
        space=measurement.space,
        terms=measured.terms,
        drop_map=fit_drop_map(measured, results, float_top1),
        provenance={
            "weights": protocol.about,
            **_conditions(protocol),
            "fit_designs": len(results),
            "fit_seed": FIT_SEED,
            "judge_seed": JUDGE_SEED,
            "search_float_top1": float_top1,
            "command": command,
            "lrmp": version("lrmp"),
            "torch": version("torch"),
        },
    )


def _conditions(protocol: Protocol) -> dict[str, Any]:
    """Return what the numbers of a table depend on, as its provenance states it."""
    return {
        "sha256": protocol.sha256,
        "preprocessing": protocol.preprocessing,
        "recipe": protocol.recipe,
        "calibration": str(protocol.calibration),
        "search": str(protocol.search),
        "sensitivity_images": protocol.sensitivity_images,
    }


def extend_shipped(measurement: Measurement) -> None:
    """Put the results of the shipped table into an empty log, so that they are not measured again.

    Args:
        measurement: Whose log is filled; one that holds results is left as it is.

    Raises:
        AccuracyTableError: If no table is shipped, or one of other weights, images or recipe.
    """
    if measurement.log.results:
        return
    protocol = measurement.protocol
    table = load_table(protocol.network)
    conditions = _conditions(protocol)
    differing = [name for name in conditions if table.provenance.get(name) != conditions[name]]
    if differing:
        raise AccuracyTableError(
            f"Expected a shipped table of {protocol.network} measured as now, got one with other "
            f"{', '.join(differing)}. Measure without --extend."
        )
    for axes, entries in table.terms.items():
        (knob,) = axes  # what is measured turns one knob at a time
        for name, row in zip(table.layers, entries.tolist(), strict=True):
            for value, divergence in zip(table.space[knob].values, row, strict=True):
                measurement.log.append(
                    {"layer": name, "knob": knob, "value": value, "divergence": divergence}
                )
    for result in load_designs(protocol.network):
        measurement.log.append(result)


def write_table(table: SensitivityTable, measurement: Measurement, folder: Path) -> Path:
    """Write ``NETWORK.json`` and ``NETWORK.designs.jsonl``.

    Args:
        table: The table.
        measurement: Whose log holds the designs.
        folder: Made if it is not there.

    Returns:
        The table's file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{table.network}.json"
    write_whole(path, table.to_text())
    fitted = measurement.designs("search")
    held_out = [
        result
        for result in measurement.designs("test")
        if result["design"] not in [other["design"] for other in fitted]
    ]
    lines = (json.dumps(result, separators=(",", ":")) + "\n" for result in fitted + held_out)
    write_whole(folder / f"{table.network}.designs.jsonl", "".join(lines))
    return path
