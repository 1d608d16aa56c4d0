"""Actor and critic of DDPG as in HAQ: two hidden layers of 300, last layer started near zero."""

import json
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from lrmp.errors import PolicyError

HIDDEN = 300
LAST_LAYER = 3e-3  # half-width of its first weights and biases (Lillicrap et al., ICLR 2016)
POLICY_KIND = "lrmp.actor/1"


def start_near_zero(layer: nn.Linear) -> None:
    """Draw the parameters of a last layer so that first actions and values are almost constant.

    Args:
        layer: Changed in place.
    """
    nn.init.uniform_(layer.weight, -LAST_LAYER, LAST_LAYER)
    nn.init.uniform_(layer.bias, -LAST_LAYER, LAST_LAYER)


class Actor(nn.Module):
    """Deterministic policy: state - hidden - hidden - action, ReLU, sigmoid at the end.

    Args:
        observation_size: Elements of an observation.
        action_size: Elements of an action.
        hidden: Width of the hidden layers.
    """

    def __init__(self, observation_size: int, action_size: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.sizes = {
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
            Actions in 0..1, shape (..., action_size).
        """
        x = F.relu(self.fc1(observation))
        x = F.relu(self.fc2(x))
        return torch.sigmoid(self.fc3(x))

    def act(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Choose an action without exploration.

        Args:
            observation: Shape (observation_size,).

        Returns:
            Shape (action_size,), in 0..1.

        Raises:
            PolicyError: If the observation has another size.
        """
        if observation.shape != (self.sizes["observation_size"],):
            raise PolicyError(
                f"Expected an observation of {self.sizes['observation_size']} elements, got shape "
                f"{observation.shape}: the policy was trained on another environment."
            )
        with torch.no_grad():
            action: NDArray[np.float32] = self(torch.from_numpy(observation)).numpy()
        return action

    def save(self, path: Path) -> None:
        """Write weights as safetensors with the sizes as JSON in the header; nothing is pickled.

        Args:
            path: File to write.
        """
        metadata = {"policy": json.dumps({"kind": POLICY_KIND, **self.sizes})}
        save_file(self.state_dict(), path, metadata)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a policy written by ``save``.

        Args:
            path: File to read.

        Returns:
            The policy.

        Raises:
            PolicyError: If the file is missing, is no policy of this kind, or its weights do not
                fit its sizes.
        """
        try:
            with safe_open(path, framework="pt") as file:
                header = json.loads((file.metadata() or {}).get("policy", "null"))
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, ValueError) as error:
            raise PolicyError(f"Expected a policy file at {path}: {error}.") from error
        if not isinstance(header, dict) or header.pop("kind", None) != POLICY_KIND:
            raise PolicyError(f"Expected {path} to hold a policy of kind {POLICY_KIND!r}.")
        try:
            policy = cls(**header)
            policy.load_state_dict(weights)
        except (RuntimeError, TypeError) as error:
            raise PolicyError(f"Expected weights in {path} that fit {header}: {error}.") from error
        return policy


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
