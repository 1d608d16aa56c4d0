"""Heads of policies that choose knobs: for every knob a category per value, side by side."""

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from lrmp.errors import PolicyError

IMPOSSIBLE = -1e9  # logit of what is no value; finite, so that zero times its logarithm is zero


def check_sizes(sizes: Sequence[int], expected: Sequence[int]) -> None:
    """Refuse a policy for other knobs.

    Args:
        sizes: How many values the knobs of the policy have.
        expected: How many those of the environment have.

    Raises:
        PolicyError: If they differ.
    """
    if tuple(sizes) != tuple(expected):
        raise PolicyError(
            f"Expected a policy for knobs of {' and '.join(map(str, expected))} values, got one "
            f"for {' and '.join(map(str, sizes))}: it was trained on another environment."
        )


def by_knob(logits: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    """Give every knob a row of its own.

    Args:
        logits: Of the values of all knobs, knob by knob, shape (..., sum of sizes).
        sizes: How many values the K knobs have.

    Returns:
        Shape (..., K, V), V being the largest size; the logits behind a knob's last value are
        ``IMPOSSIBLE``.
    """
    most = max(sizes)
    if min(sizes) == most:
        return logits.reshape(*logits.shape[:-1], len(sizes), most)
    rows = torch.split(logits, list(sizes), -1)
    return torch.stack(
        [F.pad(row, (0, most - row.shape[-1]), value=IMPOSSIBLE) for row in rows], -2
    )


def tilted(sizes: Sequence[int], tilt: float) -> torch.Tensor:
    """Prefer high values, which are the accurate ones of most knobs.

    Args:
        sizes: How many values the K knobs have.
        tilt: What every value more adds to a logit.

    Returns:
        Logits, shape (sum of sizes,).
    """
    return tilt * torch.cat([torch.arange(size) for size in sizes])


def middles(places: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    """Turn places of values into actions of the continuous space.

    Args:
        places: Shape (..., K).
        sizes: How many values the K knobs have.

    Returns:
        Middles of their intervals in -1..1, same shape.
    """
    return (2 * places.float() + 1) / torch.tensor(sizes) - 1
