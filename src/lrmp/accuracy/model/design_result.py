"""The result of running a design, and designs as text."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bits = tuple[list[int], list[int]]


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


def design_text(bits: NDArray[np.int64]) -> str:
    """Write a design as two words of digits, weights and activations.

    Args:
        bits: Shape (2, L), each 2..8.

    Returns:
        Such as ``"8654/8888"``.
    """
    return "/".join("".join(map(str, row)) for row in bits.tolist())


def design_bits(text: str) -> Bits:
    """Read a design back.

    Args:
        text: As ``design_text`` writes it.

    Returns:
        Weight and activation bits.
    """
    weights, _, activations = text.partition("/")
    return [int(digit) for digit in weights], [int(digit) for digit in activations]


def design_result(entry: dict[str, Any]) -> DesignResult:
    """Read the result of a design back.

    Args:
        entry: A line of the log.

    Returns:
        The result.
    """
    names = ("divergence", "images", "float_correct", "lost", "gained")
    return DesignResult(**{name: entry[name] for name in names})
