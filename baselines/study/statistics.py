"""Statistics of a few runs on a few tasks (Agarwal et al., NeurIPS 2021, arXiv 2108.13264).

Scores are matrices of runs x tasks, shape (R, T), normalised so that tasks may be pooled; the
scores of one task may be given as a list. Statistics reduce the last two axes, so that all
resamples of a bootstrap are reduced at once.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]


def interquartile_mean(scores: ArrayLike) -> float:
    """Average the middle half of all scores.

    Args:
        scores: Shape (R, T) or (R,), at least one number; of the n = R * T numbers ``floor(n / 4)``
            are dropped at each end.

    Returns:
        The mean of the rest.

    Raises:
        ValueError: If there are no scores.
    """
    return float(interquartile_means(_matrix(scores)))


def interquartile_means(samples: Floats) -> Floats:
    """Average the middle half of every resample.

    Args:
        samples: Shape (..., R, T).

    Returns:
        Interquartile means, shape (...).
    """
    ordered = np.sort(samples.reshape(*samples.shape[:-2], -1), axis=-1)
    cut = ordered.shape[-1] // 4
    means: Floats = ordered[..., cut : ordered.shape[-1] - cut].mean(axis=-1)
    return means


def optimality_gaps(samples: Floats) -> Floats:
    """Average by how much scores fall short of 1, the optimum; above it nothing is gained.

    Args:
        samples: Shape (..., R, T), normalised so that the certified optimum is 1.

    Returns:
        Optimality gaps, shape (...).
    """
    gaps: Floats = np.maximum(1 - samples, 0).mean(axis=(-2, -1))
    return gaps


def bootstrap_interval(
    scores: ArrayLike,
    statistic: Statistic = interquartile_means,
    *,
    seed: int = 0,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Estimate a confidence interval by the stratified bootstrap: runs are redrawn task by task.

    The resampled statistics of R runs spread less than the statistic itself does, and their tails
    are those of a normal distribution with the runs' own variance. So the ends of the percentile
    interval are moved away from the statistic, each by the factor ``sqrt(R / (R - 1)) * t / z``,
    with the quantiles of Student's t of R - 1 degrees of freedom and of the normal distribution:
    2.7 for 3 runs, 1.6 for 5, 1.2 for 10. Where tasks are pooled that is more than it takes.
    ``lrmp.baselines.experiments.interval_coverage`` measures how often the truth is inside. Ends
    are not cut off at bounds of the scores.

    Args:
        scores: Shape (R, T) or (R,), at least 2 runs.
        statistic: Reduces the last two axes of resamples, shape (N, R, T).
        seed: Fixes the resamples.
        resamples: N, how many.
        confidence: How often the interval is to hold the statistic of infinitely many runs.

    Returns:
        Lower and upper end.

    Raises:
        ValueError: If there are no scores, or those of one run, which say nothing of the spread.
    """
    matrix = _matrix(scores)
    tail = (1 - confidence) / 2
    ends = np.quantile(resampled(matrix, statistic, seed, resamples), [tail, 1 - tail])
    middle = statistic(matrix[None])[0]
    low, high = middle + (ends - middle) * _widening(len(matrix), tail)
    return float(low), float(high)


def interval_band(table: ArrayLike, *, resamples: int = 500) -> tuple[list[float], list[float]]:
    """Estimate an interval for every point of some curves.

    Args:
        table: Shape (R, N): runs, points.
        resamples: How many.

    Returns:
        Lower and upper ends by point.

    Raises:
        ValueError: If there are less than 2 runs.
    """
    columns = np.asarray(table, dtype=np.float64).T
    intervals = [bootstrap_interval(column, resamples=resamples) for column in columns]
    return [low for low, _ in intervals], [high for _, high in intervals]


def resampled(matrix: Floats, statistic: Statistic, seed: int, resamples: int) -> Floats:
    """Compute a statistic of bootstrap resamples, stratified by task.

    Args:
        matrix: Shape (R, T).
        statistic: Reduces the last two axes.
        seed: Fixes the resamples.
        resamples: N, how many.

    Returns:
        Shape (N,).
    """
    runs = np.random.default_rng(seed).integers(0, len(matrix), (resamples, *matrix.shape))
    return statistic(np.take_along_axis(matrix[None], runs, axis=1))


def _widening(runs: int, tail: float) -> float:
    """Return by how much the ends of a percentile interval are moved away from its middle."""
    from scipy.special import ndtri, stdtrit  # only intervals need it

    if runs < 2:
        raise ValueError(f"Expected at least 2 runs for an interval, got {runs}.")
    widening: float = math.sqrt(runs / (runs - 1)) * stdtrit(runs - 1, tail) / ndtri(tail)
    return widening


def performance_profile(scores: ArrayLike, thresholds: ArrayLike) -> Floats:
    """Count the share of runs above thresholds.

    Args:
        scores: Shape (R, T) or (R,).
        thresholds: Shape (N,).

    Returns:
        Share of all R * T scores that are higher than each threshold, shape (N,).
    """
    above = _matrix(scores).ravel() > np.asarray(thresholds)[:, None]
    shares: Floats = above.mean(axis=1)
    return shares


def probability_of_improvement(scores: ArrayLike, others: ArrayLike) -> float:
    """Estimate how likely a run of one agent is better than a run of another on a random task.

    Args:
        scores: Shape (R, T) or (R,).
        others: Shape (S, T) or (S,), on the same tasks.

    Returns:
        Share of pairs of runs in which the first is better, ties as half, averaged over tasks.

    Raises:
        ValueError: If the numbers of tasks differ.
    """
    mine, theirs = _matrix(scores), _matrix(others)
    if mine.shape[1] != theirs.shape[1]:
        raise ValueError(
            f"Expected scores on the same tasks, got {mine.shape[1]} and {theirs.shape[1]} tasks."
        )
    return float(((np.sign(mine[:, None] - theirs) + 1) / 2).mean())


def _matrix(scores: ArrayLike) -> Floats:
    matrix = np.asarray(scores, dtype=np.float64)
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim != 2 or not matrix.size:
        raise ValueError(f"Expected at least one number in runs x tasks, got shape {matrix.shape}.")
    return matrix
