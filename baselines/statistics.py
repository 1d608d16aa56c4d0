"""Statistics of a few runs: interquartile mean and bootstrap interval (Agarwal et al., 2021)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def interquartile_mean(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Average the middle half of the values.

    Args:
        values: At least one number; ``floor(n / 4)`` are dropped at each end.

    Returns:
        The mean of the rest.

    Raises:
        ValueError: If there are no values.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    if ordered.ndim != 1 or not ordered.size:
        raise ValueError(f"Expected a list of at least one number, got shape {ordered.shape}.")
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean())


def bootstrap_interval(
    values: Sequence[float] | NDArray[np.float64],
    *,
    seed: int = 0,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Estimate a percentile-bootstrap interval of the interquartile mean.

    Args:
        values: One number per run.
        seed: Fixes the resamples.
        resamples: How many.
        confidence: Share of the resampled means inside the interval.

    Returns:
        Lower and upper end.
    """
    runs = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    samples = np.sort(runs[rng.integers(0, len(runs), (resamples, len(runs)))], axis=1)
    cut = len(runs) // 4
    means = samples[:, cut : len(runs) - cut].mean(axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
