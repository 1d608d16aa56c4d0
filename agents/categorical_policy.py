"""Actor and critic of PPO: a category per value of every knob."""

from collections.abc import Sequence

import torch
from torch import nn

from lrmp.agents.knob_heads import by_knob, middles, tilted
from lrmp.agents.perceptron import perceptron
from lrmp.agents.policy_file import PolicyModule

FIRST_TILT = 0.5  # see CategoricalPolicy


class CategoricalPolicy(PolicyModule):
    """Stochastic policy over places of values, with a state value beside it.

    Both are observation - hidden - hidden - output with tanh. The policy's last layer starts near
    zero, tilted towards high values, such as many bits: an untrained policy that draws all values
    alike ruins the accuracy of every design, and all it learns from is ruins.

    Args:
        observation_size: Elements of an observation.
        sizes: How many values the K knobs have.
        hidden: Width of the hidden layers.
        tilt: What every value more adds to a first logit.
    """

    kind = "lrmp.categorical/1"

    def __init__(
        self,
        observation_size: int,
        sizes: Sequence[int],
        hidden: int = 128,
        tilt: float = FIRST_TILT,
    ) -> None:
        super().__init__()
        self.settings = {
            "observation_size": observation_size,
            "sizes": list(sizes),
            "hidden": hidden,
            "tilt": tilt,
        }
        self.sizes = tuple(sizes)
        self.actor = perceptron(observation_size, hidden, sum(sizes), scale=0.01)
        self.critic = perceptron(observation_size, hidden, 1, scale=1.0)
        with torch.no_grad():
            last = self.actor[-1]
            assert isinstance(last, nn.Linear)
            last.bias.add_(tilted(sizes, tilt))

    def log_probabilities(self, observation: torch.Tensor) -> torch.Tensor:
        """Return what the policy thinks of every value.

        Args:
            observation: Shape (..., observation_size).

        Returns:
            Log-probabilities, shape (..., K, V), as in `by_knob`.
        """
        logits: torch.Tensor = self.actor(observation)
        return by_knob(logits, self.sizes).log_softmax(-1)

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
        """Take the likeliest values.

        Args:
            observation: Shape (observation_size,).

        Returns:
            An action of the continuous space, shape (K,).
        """
        return middles(self.log_probabilities(observation).argmax(-1), self.sizes)
