"""Exploration around an action in -1..1: the truncated normal distribution."""

import numpy as np
import torch
from numpy.typing import NDArray


def truncated_normal(
    mean: NDArray[np.float32], sigma: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw from normal distributions cut to -1..1.

    Args:
        mean: Centres, in -1..1.
        sigma: Standard deviation before the cut.
        rng: Source of randomness.

    Returns:
        Same shape as ``mean``.
    """
    center = torch.from_numpy(mean.astype(np.float64))
    low, high = (torch.special.ndtr((end - center) / sigma) for end in (-1, 1))
    quantile = low + torch.from_numpy(rng.random(mean.shape)) * (high - low)
    sample = center + sigma * torch.special.ndtri(quantile)
    drawn: NDArray[np.float64] = sample.clamp(-1, 1).numpy()
    return drawn.astype(np.float32)
