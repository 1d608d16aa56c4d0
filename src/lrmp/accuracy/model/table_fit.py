"""Fits a table, terms, exponent and map alike, to the designs that were run on the network.

``python -m lrmp.accuracy.model.table_fit`` fits all measured tables that are shipped again, to the
measurements beside them; no network is run.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.design_result import design_result, settings_of
from lrmp.accuracy.model.drop_map import DropMap
from lrmp.accuracy.model.optimised_fidelity import judged
from lrmp.accuracy.model.sensitivity_table import (
    SensitivityTable,
    load_measured,
    load_table,
    measured_terms,
    shipped_tables,
)
from lrmp.accuracy.model.table import Floats, TableAccuracy
from lrmp.accuracy.model.term_fit import Stiffness, fit_terms
from lrmp.errors import AccuracyTableError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.whole_file import write_whole

#: Exponents that are tried; the one with the least error in cross-validation is taken.
EXPONENTS = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)
FOLDS = 5
#: Factors of the usual stiffness that are tried, on so many of the latest rounds; one that lowers
#: the error to this share is clearly better.
FACTORS, LATEST, CLEARLY = (1.0, 10.0, 1e4), 2, 0.8
#: How the plain design came into the log.
PLAIN = "plain"
#: What a random design counts beside one that an optimiser picked.
RANDOM_WEIGHT = 0.2
#: Designs of larger drops are broken; they count next to nothing.
MOST_DROP, BROKEN_WEIGHT = 15.0, 0.05
#: Points at which the map's error is told.
JUDGED_DROPS = (0.5, 1.0, 2.0)


@dataclass(frozen=True)
class TableFit:
    """A table fitted to measured designs.

    Attributes:
        terms: By layer and value, in nats^(1 / exponent).
        exponent: Of the sum of terms; the power is the divergence in nats.
        stiffness: How closely the terms were kept to the measured ones.
        drop_map: From the sum to percentage points.
        error: Root mean square of the logarithm of measured over fitted divergence, of designs that
            the fit had not seen (cross-validation).
        map_errors: Standard errors of the map, in points, where it is 0.5, 1 and 2 points, from the
            sample of images.
    """

    terms: dict[tuple[str, ...], Floats]
    exponent: float
    stiffness: Stiffness
    drop_map: DropMap
    error: float
    map_errors: tuple[float, ...]

    @property
    def provenance(self) -> dict[str, Any]:
        """How well it fits, as the provenance of a table states it."""
        return {
            "divergence_error": round(self.error, 4),
            "stiffness": self.stiffness.layer,
            "map_errors": dict(zip(map(str, JUDGED_DROPS), self.map_errors, strict=True)),
        }


def fit_table(
    measured: TableAccuracy,
    results: Sequence[dict[str, Any]],
    ceiling: float,
    exponents: Sequence[float] = EXPONENTS,
) -> TableFit:
    """Fit a table.

    Args:
        measured: Divergences with one knob of one layer turned at a time, in nats.
        results: Lines of designs that were run on the search images.
        ceiling: What the map stays below, in points.
        exponents: Those that are tried.

    Returns:
        The fit.

    Raises:
        AccuracyTableError: If there are too few designs, or their drops do not grow with their
            divergences.
    """
    space = measured.space
    settings = settings_of(results, space, [""] * measured.layers)
    found = [design_result(line) for line in results]
    divergences = np.array([max(each.divergence, 1e-9) for each in found])
    parts = np.array([each.expected_drops for each in found])
    drops = np.array([each.expected_drop for each in found])
    if len(results) < 2 * FOLDS:
        raise AccuracyTableError(
            f"Expected at least {2 * FOLDS} designs to fit a table to, got {len(results)}. "
            "Measure more designs."
        )
    random = np.array([is_random(line) for line in results])
    plain = np.array([is_plain(line) for line in results])
    weights = np.where(random & ~(random | plain).all(), RANDOM_WEIGHT, 1.0)
    weights = weights * np.where(drops > MOST_DROP, BROKEN_WEIGHT, 1.0)
    # The plain design says where the map begins; its divergence, a thousandth of what designs worth
    # having have, would only bend the terms.
    of_terms = settings[~plain], divergences[~plain], weights[~plain]
    errors = {exponent: _held_out_error(measured, *of_terms, exponent) for exponent in exponents}
    exponent = min(errors, key=errors.__getitem__)
    rounds = np.array([_round(line) for line in results])[~plain]
    stiffness = _stiffness(measured, *of_terms, rounds, exponent)
    terms = fit_terms(measured.terms, space, *of_terms, exponent, stiffness)
    sums = _sums(terms, space, settings)
    drop_map = DropMap.fit(sums, drops, weights, ceiling)
    return TableFit(
        terms,
        exponent,
        stiffness,
        drop_map,
        errors[exponent],
        _map_errors(drop_map, sums, parts, weights),
    )


def _held_out_error(
    measured: TableAccuracy,
    settings: IntArray,
    divergences: NDArray[np.float64],
    weights: NDArray[np.float64],
    exponent: float,
) -> float:
    folds = np.random.default_rng(0).permutation(len(settings)) % FOLDS
    errors = np.empty(len(settings))
    for fold in range(FOLDS):
        out = folds == fold
        terms = fit_terms(
            measured.terms,
            measured.space,
            settings[~out],
            divergences[~out],
            weights[~out],
            exponent,
        )
        sums = _sums(terms, measured.space, settings[out])
        errors[out] = np.log(divergences[out]) - exponent * np.log(sums)
    return float(np.sqrt(np.average(errors**2, weights=weights)))


def _stiffness(
    measured: TableAccuracy,
    settings: IntArray,
    divergences: NDArray[np.float64],
    weights: NDArray[np.float64],
    rounds: IntArray,
    exponent: float,
) -> Stiffness:
    """Choose how closely terms are kept to the measured ones, by what refinement is for.

    A fit to few designs of a deep network bends its terms to them, and the next winners are where
    it bent too far; designs left out of the same rounds do not show that. So the terms are fitted
    to the rounds before each of the latest ones, and the stiffness that tells those best is taken.
    """
    last = int(rounds.max())
    if last < 1:  # of one round nothing is known of the next
        return Stiffness()
    found: dict[float, float] = {}
    for factor in FACTORS:
        stiffness, errors = Stiffness().times(factor), []
        for number in range(max(1, last + 1 - LATEST), last + 1):
            before, then = rounds < number, rounds == number
            given = settings[before], divergences[before], weights[before]
            terms = fit_terms(measured.terms, measured.space, *given, exponent, stiffness)
            sums = _sums(terms, measured.space, settings[then])
            errors.append(np.log(divergences[then]) - exponent * np.log(sums))
        found[factor] = float((np.concatenate(errors) ** 2).mean())
    best = min(found, key=found.__getitem__)
    # Another than usual has to be clearly better.
    return Stiffness().times(best if found[best] < CLEARLY**2 * found[1.0] else 1.0)


def _round(line: dict[str, Any]) -> int:
    """Return the first round in which a design was picked; -1 for one that was drawn."""
    if is_random(line):
        return -1
    return min((origin["round"] for origin in line["origins"] if "round" in origin), default=-1)


def _map_errors(
    drop_map: DropMap,
    sums: NDArray[np.float64],
    parts: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> tuple[float, ...]:
    """Delete a tenth of the images at a time, fit the map again: the jackknife over groups."""
    places = [drop_map.threshold(drop) for drop in JUDGED_DROPS]
    count = parts.shape[1]
    found = np.array(
        [
            DropMap.fit(sums, np.delete(parts, part, 1).mean(1), weights, drop_map.ceiling)(places)
            for part in range(count)
        ]
    )
    variance = (count - 1) / count * ((found - found.mean(0)) ** 2).sum(0)
    return tuple(float(f"{error:.2g}") for error in np.sqrt(variance))


def _sums(
    terms: dict[tuple[str, ...], Floats], space: DesignSpace, settings: IntArray
) -> NDArray[np.float64]:
    return TableAccuracy(terms, "fit", is_estimate=False, space=space).sums(settings)


def refit(
    table: SensitivityTable,
    lines: Sequence[dict[str, Any]],
    exponents: Sequence[float] = EXPONENTS,
) -> SensitivityTable:
    """Fit a table again.

    Args:
        table: Measured.
        lines: What was measured on its network, as it is shipped.
        exponents: Those that are tried.

    Returns:
        The table that the measurements give, judged by the designs that judged it before.
    """
    terms = measured_terms(lines, table.space, table.layers, tuple(table.terms))
    measured = TableAccuracy(terms, "measured", is_estimate=False, space=table.space)
    fit = fit_table(measured, fitted_lines(lines), table.drop_map.ceiling, exponents)
    fitted = replace(
        table,
        terms=fit.terms,
        exponent=fit.exponent,
        drop_map=fit.drop_map,
        provenance=table.provenance | fit.provenance,
    )
    return judged(fitted, lines)


def fitted_lines(
    lines: Sequence[dict[str, Any]], rounds: int | None = None
) -> list[dict[str, Any]]:
    """Choose the designs that a table is fitted to.

    Args:
        lines: What was measured on a network.
        rounds: Of refinement, whose designs count; None for all.

    Returns:
        Those of the search images: the plain one, random ones and winners of these rounds; none
        that were run to judge the table alone.
    """
    return [
        line
        for line in lines
        if line.get("split") == "search"
        and (
            is_random(line)
            or is_plain(line)
            or any(
                "round" in origin and (rounds is None or origin["round"] < rounds)
                for origin in line["origins"]
            )
        )
    ]


def is_random(line: dict[str, Any]) -> bool:
    """Say whether a design was drawn.

    Args:
        line: Of a design that was run.

    Returns:
        False for designs that optimisers picked.
    """
    return any(origin["how"] == "random" for origin in line["origins"])


def is_plain(line: dict[str, Any]) -> bool:
    """Say whether a design is that of the plain chip.

    Args:
        line: Of a design that was run.

    Returns:
        Whether every layer has the plain values of its knobs.
    """
    return any(origin["how"] == PLAIN for origin in line["origins"])


def main() -> None:
    """Write the tables beside this file anew."""
    folder = Path(__file__).resolve().parents[1] / "tables"
    for network, family in shipped_tables():
        table = load_table(network, family)
        if table.kind == "measured":
            path = folder / f"{table.name}.json"
            write_whole(path, refit(table, load_measured(network, family)).to_text())
            print(f"wrote {path}")


if __name__ == "__main__":
    main()
