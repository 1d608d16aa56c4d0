"""Mixers: the team's value from the values of its agents, monotone in each of them."""

import torch
from torch import nn
from torch.nn import functional as F


class SumMixer(nn.Module):
    """Value decomposition network: the sum (Sunehag et al., AAMAS 2018, arXiv 1706.05296)."""

    def forward(self, values: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        """Mix.

        Args:
            values: Of the agents' actions, shape (B, L).
            states: Not looked at, shape (B, state_size).

        Returns:
            Shape (B,).
        """
        return values.sum(-1)


class MonotoneMixer(nn.Module):
    """QMIX: a network whose weights another one makes from the state (Rashid et al., ICML 2018).

    The weights are made positive, so that what is best for every agent by itself is best for the
    team. Layers as in the paper: one hidden layer with ELU, linear hypernetworks, and a last bias
    of two layers.

    Args:
        agents: L.
        state_size: Elements of the state.
        hidden: Width of the hidden layer.
    """

    def __init__(self, agents: int, state_size: int, hidden: int = 32) -> None:
        super().__init__()
        self.hidden = hidden
        self.first_weights = nn.Linear(state_size, agents * hidden)
        self.first_bias = nn.Linear(state_size, hidden)
        self.last_weights = nn.Linear(state_size, hidden)
        self.last_bias = nn.Sequential(
            nn.Linear(state_size, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def forward(self, values: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        """Mix.

        Args:
            values: Of the agents' actions, shape (B, L).
            states: Shape (B, state_size).

        Returns:
            Shape (B,), growing with every value.
        """
        first = self.first_weights(states).abs().view(*values.shape, self.hidden)
        mixed = F.elu(torch.einsum("bl,blh->bh", values, first) + self.first_bias(states))
        last = self.last_weights(states).abs()
        total: torch.Tensor = (mixed * last).sum(-1) + self.last_bias(states).squeeze(-1)
        return total
