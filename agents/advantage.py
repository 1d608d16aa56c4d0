"""Generalised advantage estimation (Schulman et al., ICLR 2016)."""

import torch


def estimate_advantages(
    rewards: torch.Tensor,
    values: torch.Tensor,
    next_values: torch.Tensor,
    terminated: torch.Tensor,
    ended: torch.Tensor,
    discount: float,
    trace: float,
) -> torch.Tensor:
    """Estimate advantages from steps of several environments.

    Args:
        rewards: Shape (T, N).
        values: Of the observations before the steps, shape (T, N).
        next_values: Of the observations after them, of an episode's last step those of its last
            observation; shape (T, N). They do not count where the episode terminated.
        terminated: Whether the step terminated its episode, shape (T, N).
        ended: Whether it terminated or truncated it: then the next row is another episode's.
        discount: gamma.
        trace: lambda.

    Returns:
        Shape (T, N).
    """
    advantages = torch.zeros_like(rewards)
    following = torch.zeros_like(rewards[0])
    errors = rewards + discount * next_values * ~terminated - values
    for step in reversed(range(len(rewards))):
        following = errors[step] + discount * trace * ~ended[step] * following
        advantages[step] = following
    return advantages
