"""The result of running a design, and how both stand in files."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Value


@dataclass(frozen=True)
class DesignResult:
    """A design against the float network, image by image.

    Attributes:
        divergence: Mean Kullback-Leibler divergence of the class probabilities, in nats.
        images: Number of images, N.
        float_correct: Images that the float network classifies correctly.
        lost: Images that only the float network classifies correctly.
        gained: Images that only the design classifies correctly.
    """

    divergence: float
    images: int
    float_correct: int
    lost: int
    gained: int

    @property
    def drop(self) -> float:
        """Accuracy drop in percentage points."""
        return 100 * (self.lost - self.gained) / self.images

    @property
    def top1(self) -> float:
        """Accuracy of the design in percent."""
        return 100 * (self.float_correct - self.lost + self.gained) / self.images

    def interval(self, level: float = 0.95, resamples: int = 10_000) -> tuple[float, float]:
        """Bootstrap the drop, resampling images with both networks' answers on them.

        Every image loses, gains or changes nothing, so resampled counts are multinomial.

        Args:
            level: Of confidence.
            resamples: How many.

        Returns:
            Percentile interval of the drop in points.
        """
        shares = np.array([self.lost, self.gained, self.images - self.lost - self.gained])
        counts = np.random.default_rng(0).multinomial(
            self.images, shares / self.images, size=resamples
        )
        drops = 100 * (counts[:, 0] - counts[:, 1]) / self.images
        low, high = np.quantile(drops, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)


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
    names = ("divergence", "images", "float_correct", "lost", "gained")
    return DesignResult(**{name: entry[name] for name in names})
