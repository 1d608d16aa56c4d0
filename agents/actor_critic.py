"""Actor and critic of DDPG as in HAQ: two hidden layers of 300, last layer started near zero."""

import torch
from torch import nn
from torch.nn import functional as F

from lrmp.agents.policy_file import PolicyModule

HIDDEN = 300
LAST_LAYER = 3e-3  # half-width of its first weights and biases (Lillicrap et al., ICLR 2016)


def start_near_zero(layer: nn.Linear) -> None:
    """Draw the parameters of a last layer so that first actions and values are almost constant.

    Args:
        layer: Changed in place.
    """
    nn.init.uniform_(layer.weight, -LAST_LAYER, LAST_LAYER)
    nn.init.uniform_(layer.bias, -LAST_LAYER, LAST_LAYER)


def squash(logits: torch.Tensor) -> torch.Tensor:
    """Turn logits into actions.

    Args:
        logits: Of where in the interval the action lies, any shape.

    Returns:
        In -1..1, same shape: the sigmoid, stretched from 0..1, or tanh of half the logits.
    """
    return torch.tanh(logits / 2)


class Actor(PolicyModule):
    """Deterministic policy: state - hidden - hidden - action, ReLU, squashed at the end.

    Args:
        observation_size: Elements of an observation.
        action_size: Elements of an action.
        hidden: Width of the hidden layers.
    """

    kind = "lrmp.actor/1"

    def __init__(self, observation_size: int, action_size: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.settings = {
            "observation_size": observation_size,
            "action_size": action_size,
            "hidden": hidden,
        }
        self.fc1 = nn.Linear(observation_size, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, action_size)
        start_near_zero(self.fc3)

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        """Choose actions.

        Args:
            observation: Shape (..., observation_size).

        Returns:
            Actions in -1..1, shape (..., action_size).
        """
        return squash(self.logits(observation))

    def logits(self, observation: torch.Tensor) -> torch.Tensor:
        """Return the actions before they are squashed; see ``forward``."""
        x = F.relu(self.fc1(observation))
        x = F.relu(self.fc2(x))
        logits: torch.Tensor = self.fc3(x)
        return logits

    def greedy(self, observation: torch.Tensor) -> torch.Tensor:
        """Return the policy's own action; see ``forward``."""
        action: torch.Tensor = self(observation)
        return action


class Critic(nn.Module):
    """Action value: state and action enter the first hidden layer side by side.

    Args:
        observation_size: Elements of an observation.
        action_size: Elements of an action.
        hidden: Width of the hidden layers.
    """

    def __init__(self, observation_size: int, action_size: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.observation = nn.Linear(observation_size, hidden)
        self.action = nn.Linear(action_size, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, 1)
        start_near_zero(self.fc3)

    def forward(self, observation: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """Value actions.

        Args:
            observation: Shape (..., observation_size).
            action: Shape (..., action_size).

        Returns:
            Values, shape (...,).
        """
        x = F.relu(self.observation(observation) + self.action(action))
        x = F.relu(self.fc2(x))
        value: torch.Tensor = self.fc3(x)
        return value.squeeze(-1)
