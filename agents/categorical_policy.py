"""Actor and critic of PPO: a category per bit width and operand."""

import torch
from torch import nn

from lrmp.agents.perceptron import perceptron
from lrmp.agents.policy_file import PolicyModule

WIDTHS = 7  # bit widths 2..8
OPERANDS = 2
FIRST_TILT = 0.5  # see CategoricalPolicy


class CategoricalPolicy(PolicyModule):
    """Stochastic policy over bit indices, with a state value beside it.

    Both are observation - hidden - hidden - output with tanh. The policy's last layer starts near
    zero, tilted towards many bits: an untrained policy that draws all widths alike ruins the
    accuracy of every design, and all it learns from is ruins.

    Args:
        observation_size: Elements of an observation.
        hidden: Width of the hidden layers.
        tilt: What every bit more adds to a first logit.
    """

    kind = "lrmp.categorical/1"

    def __init__(self, observation_size: int, hidden: int = 128, tilt: float = FIRST_TILT) -> None:
        super().__init__()
        self.settings = {"observation_size": observation_size, "hidden": hidden, "tilt": tilt}
        self.actor = perceptron(observation_size, hidden, OPERANDS * WIDTHS, scale=0.01)
        self.critic = perceptron(observation_size, hidden, 1, scale=1.0)
        with torch.no_grad():
            last = self.actor[-1]
            assert isinstance(last, nn.Linear)
            last.bias.add_(tilt * torch.arange(WIDTHS).repeat(OPERANDS))

    def log_probabilities(self, observation: torch.Tensor) -> torch.Tensor:
        """Return what the policy thinks of every bit width.

        Args:
            observation: Shape (..., observation_size).

        Returns:
            Log-probabilities, shape (..., 2, 7).
        """
        logits: torch.Tensor = self.actor(observation)
        return logits.reshape(*logits.shape[:-1], OPERANDS, WIDTHS).log_softmax(-1)

    def value(self, observation: torch.Tensor) -> torch.Tensor:
        """Estimate the rewards to come.

        Args:
            observation: Shape (..., observation_size).

        Returns:
            Shape (...,).
        """
        value: torch.Tensor = self.critic(observation)
        return value.squeeze(-1)

    def greedy(self, observation: torch.Tensor) -> torch.Tensor:
        """Take the likeliest widths.

        Args:
            observation: Shape (observation_size,).

        Returns:
            Middles of their intervals in 0..1, shape (2,): actions of the continuous space.
        """
        index = self.log_probabilities(observation).argmax(-1)
        return (index.float() + 0.5) / WIDTHS
