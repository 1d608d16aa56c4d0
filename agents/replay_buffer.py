"""Transitions to learn from, the oldest overwritten first."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray


@dataclass(frozen=True)
class Batch:
    """Transitions as tensors.

    Attributes:
        observation: Shape (N, observation_size).
        action: Shape (N, action_size).
        reward: Shape (N,).
        next_observation: Shape (N, observation_size).
        terminated: Shape (N,), 1 where no value follows.
    """

    observation: torch.Tensor
    action: torch.Tensor
    reward: torch.Tensor
    next_observation: torch.Tensor
    terminated: torch.Tensor


class ReplayBuffer:
    """A ring of transitions.

    Args:
        capacity: Transitions kept.
        observation_size: Elements of an observation.
        action_size: Elements of an action.
    """

    def __init__(self, capacity: int, observation_size: int, action_size: int) -> None:
        self.arrays = {
            "observation": np.zeros((capacity, observation_size), np.float32),
            "action": np.zeros((capacity, action_size), np.float32),
            "reward": np.zeros(capacity, np.float32),
            "next_observation": np.zeros((capacity, observation_size), np.float32),
            "terminated": np.zeros(capacity, np.float32),
        }
        self.capacity = capacity
        self.added = 0

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def add(
        self,
        observation: NDArray[np.float32],
        action: NDArray[np.float32],
        reward: float,
        next_observation: NDArray[np.float32],
        terminated: bool,
    ) -> None:
        """Store one transition.

        Args:
            observation: Shape (observation_size,).
            action: Shape (action_size,).
            reward: Its reward.
            next_observation: Shape (observation_size,).
            terminated: Whether no value follows.
        """
        index = self.added % self.capacity
        self.arrays["observation"][index] = observation
        self.arrays["action"][index] = action
        self.arrays["reward"][index] = reward
        self.arrays["next_observation"][index] = next_observation
        self.arrays["terminated"][index] = terminated
        self.added += 1

    def sample(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw transitions uniformly, with replacement.

        Args:
            rng: Source of randomness.
            size: Number of transitions.

        Returns:
            The transitions.
        """
        index = rng.integers(0, len(self), size)
        return Batch(
            **{name: torch.from_numpy(a.take(index, 0)) for name, a in self.arrays.items()}
        )
