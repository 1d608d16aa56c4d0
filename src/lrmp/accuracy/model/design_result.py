"""The result of running a design, and how both stand in files."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Value


@dataclass(frozen=True)
class DesignResult:
    """A design against the float network, image by image.

    Attributes:
        divergence: Mean Kullback-Leibler divergence of the class probabilities, in nats.
        divergence_error: Standard error of that mean over the images, in nats.
        images: Number of images, N.
        float_correct: How many of them the float network classifies correctly.
        lost_images: Places, from 0, of the images that only the float network classifies correctly;
            image i of run r is at r N + i.
        gained_images: Places of those that only the design classifies correctly.
        expected_drops: The drop in points that the float network's own probabilities of the classes
            let expect, on every tenth image, from the first, from the second, and so on: labels say
            the same, with far more noise.
        runs: How often the design saw every image: once, or once with the noise of every seed, over
            which the means here go.
    """

    divergence: float
    divergence_error: float
    images: int
    float_correct: int
    lost_images: tuple[int, ...]
    gained_images: tuple[int, ...]
    expected_drops: tuple[float, ...]
    runs: int = 1

    @property
    def lost(self) -> int:
        """Number of images, in all runs, that only the float network classifies correctly."""
        return len(self.lost_images)

    @property
    def gained(self) -> int:
        """Number of images, in all runs, that only the design classifies correctly."""
        return len(self.gained_images)

    @property
    def _by_run(self) -> NDArray[np.int8]:
        """What every run does to every image, shape (runs, N)."""
        found = np.zeros(self.runs * self.images, np.int8)
        found[list(self.lost_images)] = 1
        found[list(self.gained_images)] = -1
        return found.reshape(self.runs, self.images)

    @property
    def changes(self) -> NDArray[np.float64]:
        """What happens to every image: 1 lost, -1 gained, 0 neither, mean over runs; shape (N,)."""
        changes: NDArray[np.float64] = self._by_run.mean(axis=0)
        return changes

    @property
    def drop(self) -> float:
        """Accuracy drop in percentage points, the mean over the runs."""
        return 100 * (self.lost - self.gained) / (self.runs * self.images)

    @property
    def drops(self) -> NDArray[np.float64]:
        """Accuracy drop of every run in percentage points, shape (runs,)."""
        drops: NDArray[np.float64] = 100 * self._by_run.mean(axis=1)
        return drops

    @property
    def drop_error(self) -> float:
        """Standard error of the drop over the images, in points."""
        return mean_error(self.changes)

    @property
    def top1(self) -> float:
        """Accuracy of the design in percent, the mean over the runs."""
        right = self.runs * self.float_correct - self.lost + self.gained
        return 100 * right / (self.runs * self.images)

    @property
    def expected_drop(self) -> float:
        """Drop in points that the float network's own probabilities let expect."""
        parts = len(self.expected_drops)
        sizes = [len(range(part, self.images, parts)) for part in range(parts)]
        return float(np.average(self.expected_drops, weights=sizes))

    @property
    def expected_drop_error(self) -> float:
        """Standard error of the expected drop over the images, in points, from its parts."""
        parts = len(self.expected_drops)
        return float(np.std(self.expected_drops, ddof=1) / np.sqrt(parts)) if parts > 1 else np.inf

    def interval(self, level: float = 0.95, resamples: int = 10_000) -> tuple[float, float]:
        """Bootstrap the drop, resampling images with all networks' answers on them.

        Every image loses, gains or changes nothing in a run, so resampled counts are multinomial.
        What other seeds of noise would give is another question, which ``drops`` answers.

        Args:
            level: Of confidence.
            resamples: How many.

        Returns:
            Percentile interval of the drop in points.
        """
        changed = self._by_run.sum(axis=0, dtype=np.int64)  # -runs to runs, by image
        kinds = sorted({*changed.tolist(), 1, -1, 0}, key=lambda kind: (-abs(kind), -kind))
        shares = np.array([np.count_nonzero(changed == kind) for kind in kinds]) / self.images
        counts = np.random.default_rng(0).multinomial(self.images, shares, size=resamples)
        drops = 100 * (counts @ np.array(kinds)) / (self.runs * self.images)
        low, high = np.quantile(drops, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def to_json(self) -> dict[str, Any]:
        """Write the result down, as ``design_result`` reads it.

        Returns:
            The fields as plain JSON values, without the runs where there is one.
        """
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if name != "runs" or value != 1
        }


def mean_error(changes: NDArray[Any]) -> float:
    """Tell how well a mean over images is known.

    Args:
        changes: What is done to every image, shape (N,); one that is lost counts 1.

    Returns:
        Standard error of the mean, in points.
    """
    return float(100 * changes.std(ddof=1) / np.sqrt(len(changes)))


def settings_of(
    results: Sequence[dict[str, Any]], space: DesignSpace, layers: Sequence[str]
) -> IntArray:
    """Read the designs of results.

    Args:
        results: N lines of a designs' file.
        space: The knobs.
        layers: Names of the L layers.

    Returns:
        Settings, shape (N, L, K).

    Raises:
        DesignError: If a design has other knobs, values or layers.
    """
    settings = [space.encode(line["design"], layers) for line in results]
    return np.array(settings, dtype=np.int64).reshape(-1, len(layers), len(space))


def design_values(settings: IntArray, space: DesignSpace) -> dict[str, list[Value]]:
    """Write a design down.

    Args:
        settings: Shape (L, K).
        space: The knobs.

    Returns:
        For every knob its value in every layer.
    """
    return {name: values.tolist() for name, values in space.decode(settings).items()}


def design_result(entry: dict[str, Any]) -> DesignResult:
    """Read the result of a design back.

    Args:
        entry: A line of the designs' file.

    Returns:
        The result.
    """
    names = [field.name for field in fields(DesignResult)]
    values = {name: entry[name] for name in names if name != "runs"}
    for name in ("lost_images", "gained_images", "expected_drops"):
        values[name] = tuple(values[name])
    return DesignResult(**values, runs=entry.get("runs", 1))
