"""How well a table tells the drop of the designs that optimisers pick from it.

A search goes where its table flatters, so this is what a table is judged by: the proven best
designs of all objectives, and designs near them, run on images that neither the table nor a search
has seen.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.design_result import (
    DesignResult,
    design_result,
    mean_error,
    settings_of,
)
from lrmp.accuracy.model.sensitivity_table import SensitivityTable
from lrmp.accuracy.model.table_verdict import UNJUDGED, TableVerdict
from lrmp.errors import AccuracyTableError

#: What is wanted of a table: mean excess of the drop in points, unless its interval holds 0, ...
MOST_EXCESS = 0.2
#: ... divergence of the network over the table's, ...
LEAST_RATIO, MOST_RATIO = 0.85, 1.15
#: ... and so many designs near the best ones, to tell.
LEAST_NEAR = 30
NORMAL_95 = 1.96
LEAST_DIVERGENCE = 1e-9  # nats; ratios need more than 0


@dataclass(frozen=True)
class OptimisedFigures:
    """Some designs together, against the network.

    Attributes:
        designs: How many.
        table_drop: Mean drop by the table, in points.
        search_drop: Mean drop on the search images, by their labels.
        expected_search_drop: The same by the float network's class probabilities; the table's map
            is fitted to those.
        test_drop: Mean drop on the test images, by their labels.
        expected_test_drop: The same by the float network's class probabilities.
        test_error: Standard error of the mean drop on the test images, in points. All designs saw
            the same images, so it falls with the number of images alone.
        within: Share of the designs within their allowance on the test images.
        perfect_within: The share that would be expected if the true drops were the table's, since
            the test images are a sample.
        search_ratio: Divergence of the network over the table's, geometric mean, on search images.
        test_ratio: The same on the test images.
        search_ratio_error: Standard error of the ratio from the sample of search images, at most:
            as if an image that makes one design diverge more did so with all.
        test_ratio_error: The same of the test images.
    """

    designs: int
    table_drop: float
    search_drop: float
    expected_search_drop: float
    test_drop: float
    expected_test_drop: float
    test_error: float
    within: float
    perfect_within: float
    search_ratio: float
    test_ratio: float
    search_ratio_error: float
    test_ratio_error: float

    @property
    def excess(self) -> float:
        """Mean drop on the test images less the table's, in points."""
        return self.test_drop - self.table_drop

    @property
    def half_width(self) -> float:
        """Half of the 95 % interval of mean drop and excess, in points."""
        return NORMAL_95 * self.test_error

    @property
    def misses(self) -> tuple[str, ...]:
        """What is not as it is wanted, a phrase each."""
        misses = []
        if abs(self.excess) > max(MOST_EXCESS, self.half_width):
            low, high = self.excess - self.half_width, self.excess + self.half_width
            misses.append(
                f"test drop {self.excess:+.2f} points [{low:.2f}, {high:.2f}] from the table's"
            )
        for split, ratio in (("test", self.test_ratio), ("search", self.search_ratio)):
            if not LEAST_RATIO <= ratio <= MOST_RATIO:
                misses.append(f"divergence on {split} images {ratio:.2f} of the table's")
        return tuple(misses)


@dataclass(frozen=True, eq=False)
class OptimisedFidelity:
    """A table against its network on N designs that optimisers picked from it.

    Attributes:
        network: Its name.
        best: Which designs are the proven best for some objective and allowance, shape (N,).
        seen: Which of them the table was fitted to, on the search images, shape (N,).
        allowances: For every design the drops in points that it was picked for, increasing.
        predicted: The table's drops in points, shape (N,).
        divergences: The table's divergences in nats, shape (N,).
        search: Results on the search images.
        test: Results on the test images.
    """

    network: str
    best: NDArray[np.bool_]
    seen: NDArray[np.bool_]
    allowances: tuple[tuple[float, ...], ...]
    predicted: NDArray[np.float64]
    divergences: NDArray[np.float64]
    search: tuple[DesignResult, ...]
    test: tuple[DesignResult, ...]

    @property
    def near(self) -> int:
        """Number of designs near the best ones, without these."""
        return int((~self.best).sum())

    @property
    def judged_allowances(self) -> list[float]:
        """All drops in points that designs were picked for."""
        return sorted({allowed for each in self.allowances for allowed in each})

    @property
    def search_errors(self) -> tuple[float, float]:
        """Standard errors of a design's drop on the search images, in points, on average.

        By labels, and of the expected drop.
        """
        errors = [[each.drop_error, each.expected_drop_error] for each in self.search]
        by_labels, expected = np.mean(errors, axis=0).tolist()
        return by_labels, expected

    def figures(self, allowed: float | None = None) -> OptimisedFigures:
        """Compare designs with the network.

        Args:
            allowed: Those that were picked for this drop in points, and whether they are within it;
                None for all designs, each at the least drop that it was picked for.

        Returns:
            The comparison.

        Raises:
            AccuracyTableError: If no design was picked for that drop.
        """
        which = [
            place
            for place, each in enumerate(self.allowances)
            if allowed is None or allowed in each
        ]
        if not which:
            raise AccuracyTableError(
                f"Expected an allowed drop that designs of {self.network} were judged at, of "
                f"{', '.join(f'{each:g}' for each in self.judged_allowances)}; got {allowed}."
            )
        limits = [self.allowances[place][0] if allowed is None else allowed for place in which]
        search, test = ([results[place] for place in which] for results in (self.search, self.test))
        predicted, divergences = self.predicted[which], self.divergences[which]
        changes = np.array([result.changes for result in test])  # (N, images)
        search_ratio, search_ratio_error = _ratio(search, divergences)
        test_ratio, test_ratio_error = _ratio(test, divergences)
        return OptimisedFigures(
            designs=len(which),
            table_drop=float(predicted.mean()),
            search_drop=float(np.mean([result.drop for result in search])),
            expected_search_drop=float(np.mean([result.expected_drop for result in search])),
            test_drop=float(np.mean([result.drop for result in test])),
            expected_test_drop=float(np.mean([result.expected_drop for result in test])),
            test_error=mean_error(changes.mean(axis=0)),
            within=float(
                np.mean([found.drop <= limit for found, limit in zip(test, limits, strict=True)])
            ),
            perfect_within=float(
                np.mean(
                    [
                        _chance(limit - drop, result.drop_error)
                        for limit, drop, result in zip(limits, predicted, test, strict=True)
                    ]
                )
            ),
            search_ratio=search_ratio,
            test_ratio=test_ratio,
            search_ratio_error=search_ratio_error,
            test_ratio_error=test_ratio_error,
        )

    @property
    def verdict(self) -> TableVerdict:
        """Whether the table holds."""
        misses = self.figures().misses
        if not self.best.any():
            misses = ("no proven best design judged", *misses)
        if self.near < LEAST_NEAR:
            misses = (f"{self.near} of {LEAST_NEAR} designs near the best judged", *misses)
        return TableVerdict(misses)


def judge_optimised(
    table: SensitivityTable, lines: Sequence[dict[str, Any]]
) -> OptimisedFidelity | None:
    """Compare a table with the designs that judge it.

    Args:
        table: Of the network.
        lines: What was measured on it.

    Returns:
        The comparison; None if no optimised design was run on the test images.

    Raises:
        AccuracyTableError: If a judging design was not run on the search images.
    """
    judging = [
        line for line in lines if line.get("split") == "test" and any(map(_judges, line["origins"]))
    ]
    if not judging:
        return None
    on_search = [line for line in lines if line.get("split") == "search"]
    settings, of_search = (
        settings_of(each, table.space, table.layers) for each in (judging, on_search)
    )
    known = {found.tobytes(): line for found, line in zip(of_search, on_search, strict=True)}
    search = [known[found.tobytes()] for found in settings if found.tobytes() in known]
    if len(search) < len(judging):
        raise AccuracyTableError(
            f"Expected all {len(judging)} designs that judge the table of {table.network} to be "
            f"run on the search images, too, got {len(search)}. Run lrmp accuracy refine again."
        )
    picked = [[origin for origin in line["origins"] if _judges(origin)] for line in judging]
    return OptimisedFidelity(
        table.name,
        np.array([any(origin["how"] == "best" for origin in origins) for origins in picked]),
        np.array([not all(map(_judges, line["origins"])) for line in search]),
        tuple(tuple(sorted({origin["allowed"] for origin in origins})) for origins in picked),
        table.drop_map(table.sums(settings)),
        table.divergences(settings),
        tuple(map(design_result, search)),
        tuple(map(design_result, judging)),
    )


def judged(table: SensitivityTable, lines: Sequence[dict[str, Any]]) -> SensitivityTable:
    """Write into a table whether it holds on optimised designs, so that whoever loads it knows.

    Args:
        table: Of the network.
        lines: What was measured on it.

    Returns:
        The table with verdict and figures in its provenance.

    Raises:
        AccuracyTableError: If a judging design was not run on the search images.
    """
    found = judge_optimised(table, lines)
    verdict: dict[str, Any] = UNJUDGED.to_json()
    if found is not None:
        figures = {
            name: value if type(value) is int else round(value, 4)
            for name, value in asdict(found.figures()).items()
        }
        verdict = found.verdict.to_json() | {"judged": figures}
    kept = {key: value for key, value in table.provenance.items() if key != "judged"}
    return replace(table, provenance=kept | verdict)


def _judges(origin: dict[str, Any]) -> bool:
    return origin.get("judges") is True


def _chance(room: float, error: float) -> float:
    """Return the probability that a normal error of mean 0 is at most the room that is left."""
    return NormalDist(0, error).cdf(room) if error > 0 else float(room >= 0)


def _ratio(
    results: Sequence[DesignResult], divergences: NDArray[np.float64]
) -> tuple[float, float]:
    """Return the geometric mean of measured over given divergences, and at most its error."""
    measured = np.array([max(result.divergence, LEAST_DIVERGENCE) for result in results])
    errors = np.array([result.divergence_error for result in results])
    ratio = np.exp(np.log(measured / np.maximum(divergences, LEAST_DIVERGENCE)).mean())
    return float(ratio), float(ratio * (errors / measured).mean())
