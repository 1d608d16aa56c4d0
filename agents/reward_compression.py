"""Rewards as learners take them: ruined designs shrunk, so that what matters is not drowned."""

import torch


def compress(rewards: torch.Tensor) -> torch.Tensor:
    """Shrink what is below zero: ``-ln(1 - r)`` there, r above.

    Args:
        rewards: Any shape.

    Returns:
        Same shape; the order stays.
    """
    return torch.where(rewards < 0, -torch.log1p(-rewards.clamp(max=0)), rewards)
