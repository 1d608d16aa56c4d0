"""From a measurement to the files that are shipped: a table, and the designs behind it."""

import json
from importlib.metadata import version
from pathlib import Path

from lrmp.accuracy.lab.measurement import FIT_DESIGNS, FIT_SEED, JUDGE_SEED, Measurement
from lrmp.accuracy.model.sensitivity_table import SensitivityTable, load_measured, load_table
from lrmp.accuracy.model.table_fit import fit_table, fitted_lines, is_plain, is_random
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
    measurement.measure_designs("search", fit_designs, FIT_SEED, limit)
    measurement.measure_plain()
    return fitted_table(measurement, command)


def fitted_table(
    measurement: Measurement, command: str, rounds: int | None = None
) -> SensitivityTable:
    """Fit a table to what the log holds.

    Args:
        measurement: Of the network, with divergences and designs of the search images.
        command: What was called, for the provenance.
        rounds: Optimised designs of so many rounds of refinement count; None for all. So a
            refinement that was interrupted fits the same tables again.

    Returns:
        The table.

    Raises:
        AccuracyTableError: If something is not measured yet.
    """
    subject, evaluator = measurement.subject, measurement.evaluator
    results = fitted_lines(measurement.designs("search"), rounds)
    float_top1 = round(evaluator.float_top1("search"), 2)
    fit = fit_table(measurement.table(), results, float_top1)
    random = sum(map(is_random, results))
    optimised = sum(not (is_random(line) or is_plain(line)) for line in results)
    return SensitivityTable(
        network=subject.name,
        kind="measured",
        layers=tuple(evaluator.layers),
        space=measurement.space,
        terms=fit.terms,
        drop_map=fit.drop_map,
        exponent=fit.exponent,
        family=measurement.family,
        provenance={
            "weights": subject.about,
            **subject.conditions,
            **measurement.surroundings,
            "random_designs": random,
            "optimised_designs": optimised,
            "fit_seed": FIT_SEED,
            "judge_seed": JUDGE_SEED,
            "search_float_top1": float_top1,
            **fit.provenance,
            "command": command,
            "lrmp": version("lrmp"),
            "torch": version("torch"),
        },
    )


def extend_shipped(measurement: Measurement) -> None:
    """Put the results of the shipped table into an empty log, so that they are not measured again.

    Args:
        measurement: Whose log is filled; one that holds results is left as it is.

    Raises:
        AccuracyTableError: If no table is shipped, or one of other weights, images or recipe.
    """
    if measurement.log.results:
        return
    subject = measurement.subject
    table = load_table(subject.name, measurement.family)
    conditions = subject.conditions | measurement.surroundings
    differing = [name for name in conditions if table.provenance.get(name) != conditions[name]]
    if differing:
        raise AccuracyTableError(
            f"Expected a shipped table of {subject.name} measured as now, got one with other "
            f"{', '.join(differing)}. Measure without --extend."
        )
    for line in load_measured(subject.name, measurement.family):
        measurement.log.append(line)


def write_table(table: SensitivityTable, measurement: Measurement, folder: Path) -> Path:
    """Write ``NAME.json``, and what it was made of as ``NAME.measured.jsonl``.

    Args:
        table: The table.
        measurement: Whose log holds all that was measured.
        folder: Made if it is not there.

    Returns:
        The table's file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{table.name}.json"
    write_whole(path, table.to_text())
    lines = (json.dumps(line, separators=(",", ":")) + "\n" for line in measurement.log.results)
    write_whole(folder / f"{table.name}.measured.jsonl", "".join(lines))
    return path
