"""How well a table tells the real drop of held-out random designs, run on the test images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.design_result import design_result, settings_of
from lrmp.accuracy.model.optimised_fidelity import NORMAL_95
from lrmp.accuracy.model.sensitivity_table import SensitivityTable
from lrmp.accuracy.model.table_fit import is_random
from lrmp.errors import AccuracyTableError

#: What a table must reach: rank correlation, and mean error where the true drop is small.
LEAST_SPEARMAN, MOST_ERROR, SMALL_DROP = 0.95, 1.0, 5.0
LEAST_DESIGNS = 100


@dataclass(frozen=True)
class Fidelity:
    """A table against the network itself.

    Attributes:
        network: Its name.
        images: Test images per design.
        sums: Table sums of the designs, shape (N,), in nats.
        divergences: Their measured divergences on the test images.
        drops: Their measured drops in points.
        predicted: The table's drops in points.
        half_widths: Half of the 95 % bootstrap interval of every measured drop, in points.
        float_top1: Accuracy of the float network on the test images, in percent.
    """

    network: str
    images: int
    sums: NDArray[np.float64]
    divergences: NDArray[np.float64]
    drops: NDArray[np.float64]
    predicted: NDArray[np.float64]
    half_widths: NDArray[np.float64]
    float_top1: float

    @property
    def spearman(self) -> float:
        """Rank correlation of summed and true divergence."""
        return spearman(self.sums, self.divergences)

    @property
    def small(self) -> NDArray[np.bool_]:
        """Which designs have a true drop of at most 5 points."""
        return self.drops <= SMALL_DROP

    @property
    def mean_error(self) -> float:
        """Mean absolute error of the drop where the true drop is small, in points; NaN for none."""
        return _mean(np.abs(self.predicted - self.drops)[self.small])

    @property
    def bias(self) -> float:
        """Mean of predicted minus true drop where this is small, in points; NaN for none."""
        return _mean((self.predicted - self.drops)[self.small])

    @property
    def sampling_error(self) -> float:
        """Mean error that a perfect prediction would show, since the test images are a sample.

        A normal error of standard deviation s is s * sqrt(2 / pi) on average.
        """
        deviations = self.half_widths[self.small] / NORMAL_95
        return _mean(deviations) * math.sqrt(2 / math.pi)

    def misses(self) -> list[str]:
        """Name the figures that are not met.

        Returns:
            One phrase per miss.
        """
        misses = []
        if len(self.drops) < LEAST_DESIGNS:
            misses.append(f"{len(self.drops)} of {LEAST_DESIGNS} designs")
        if self.spearman < LEAST_SPEARMAN:
            misses.append(f"Spearman short by {LEAST_SPEARMAN - self.spearman:.3f}")
        if self.mean_error > MOST_ERROR:
            misses.append(f"error over by {self.mean_error - MOST_ERROR:.2f} points")
        return misses


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else math.nan


def held_out(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Choose the random designs that judge a table.

    Args:
        lines: What was measured on a network.

    Returns:
        Those of the test images.
    """
    return [line for line in lines if line.get("split") == "test" and is_random(line)]


def judge(table: SensitivityTable, lines: Sequence[dict[str, Any]]) -> Fidelity:
    """Compare a table with held-out random designs.

    Args:
        table: Of the network.
        lines: What was measured on it.

    Returns:
        The comparison.

    Raises:
        AccuracyTableError: If no random design was run on the test images.
    """
    lines = held_out(lines)
    if not lines:
        raise AccuracyTableError(
            f"Expected random designs of {table.network} that were run on the test images, got "
            "none. Measure with --judge."
        )
    outcomes = [design_result(line) for line in lines]
    sums = table.sums(settings_of(lines, table.space, table.layers))
    intervals = np.array([outcome.interval() for outcome in outcomes])
    return Fidelity(
        table.name,
        outcomes[0].images,
        sums,
        np.array([outcome.divergence for outcome in outcomes]),
        np.array([outcome.drop for outcome in outcomes]),
        table.drop_map(sums),
        (intervals[:, 1] - intervals[:, 0]) / 2,
        100 * outcomes[0].float_correct / outcomes[0].images,
    )


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Correlate ranks; ties share their mean rank.

    Args:
        a: Shape (N,).
        b: Shape (N,).

    Returns:
        -1 to 1.
    """
    from scipy.stats import spearmanr  # only reports need it

    return float(spearmanr(a, b).statistic)
