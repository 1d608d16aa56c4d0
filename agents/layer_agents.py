"""Agents of the multi-agent form: one network that all layers share, and a critic for it."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lrmp.agents.knob_heads import by_knob, middles, tilted
from lrmp.agents.perceptron import perceptron
from lrmp.agents.policy_file import PolicyModule
from lrmp.errors import PolicyError


class LayerAgents(PolicyModule):
    """Every layer's preferences among its knobs' values, from what it sees; parameters are shared.

    Preferences are the logits of a softmax policy, or the values of actions; the greedy action is
    the most preferred one either way.

    Args:
        observation_size: Elements of a layer's observation.
        sizes: How many values the K knobs have.
        identities: L, to show every agent also who it is, as one of L (Gupta et al., AAMAS 2017
            workshops); 0 to tell layers apart by their observations alone.
        rounds: How often an episode lets all layers choose.
        hidden: Width of the two hidden layers.
        tilt: What every value more adds to a first preference, as in `CategoricalPolicy`.
    """

    kind = "lrmp.layer-agents/1"

    def __init__(
        self,
        observation_size: int,
        sizes: Sequence[int],
        identities: int = 0,
        rounds: int = 1,
        hidden: int = 128,
        tilt: float = 0.0,
    ) -> None:
        super().__init__()
        self.settings = {
            "observation_size": observation_size,
            "sizes": list(sizes),
            "identities": identities,
            "rounds": rounds,
            "hidden": hidden,
            "tilt": tilt,
        }
        self.sizes, self.identities, self.rounds = tuple(sizes), identities, rounds
        self.network = perceptron(observation_size + identities, hidden, sum(sizes), scale=0.01)
        with torch.no_grad():
            last = self.network[-1]
            assert isinstance(last, nn.Linear)
            last.bias.add_(tilted(sizes, tilt))

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Prefer.

        Args:
            observations: Of all layers, shape (..., L, observation_size).

        Returns:
            Shape (..., L, K, V), as in `by_knob`.
        """
        preferences: torch.Tensor = self.network(identify(observations, self.identities))
        return by_knob(preferences, self.sizes)

    def log_probabilities(self, observations: torch.Tensor) -> torch.Tensor:
        """Return what the softmax policy thinks of every value.

        Args:
            observations: Of all layers, shape (..., L, observation_size).

        Returns:
            Log-probabilities, shape (..., L, K, V).
        """
        preferences: torch.Tensor = self(observations)
        return preferences.log_softmax(-1)

    def greedy(self, observation: torch.Tensor) -> torch.Tensor:
        """Take the most preferred values.

        Args:
            observation: Of all layers, shape (L, observation_size).

        Returns:
            Actions of the continuous space, shape (L, K).
        """
        preferences: torch.Tensor = self(observation)
        return middles(preferences.argmax(-1), self.sizes)

    def act(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Choose the actions of all layers without exploration.

        Args:
            observation: Of all layers, shape (L, observation_size).

        Returns:
            Shape (L, K), in -1..1.

        Raises:
            PolicyError: If the observations have another size, or there are other agents.
        """
        layers, size = self.identities or "any number of", self.settings["observation_size"]
        fits = observation.ndim == 2 and observation.shape[1] == size
        if not fits or (self.identities and len(observation) != self.identities):
            raise PolicyError(
                f"Expected observations of {layers} layers, {size} elements each, got shape "
                f"{observation.shape}: the policy was trained on another environment."
            )
        with torch.no_grad():
            action: NDArray[np.float32] = self.greedy(torch.from_numpy(observation)).numpy()
        return action


class LayerCritic(nn.Module):
    """Value of every layer's rewards to come: of its own observation, or centralised.

    Args:
        observation_size: Elements of a layer's observation.
        identities: As in `LayerAgents`.
        state_size: Elements of the state that a centralised critic sees beside the observation;
            0 for a decentralised one.
        hidden: Width of the two hidden layers.
    """

    def __init__(
        self, observation_size: int, identities: int = 0, state_size: int = 0, hidden: int = 128
    ) -> None:
        super().__init__()
        self.identities, self.centralised = identities, state_size > 0
        self.network = perceptron(observation_size + identities + state_size, hidden, 1, scale=1.0)

    def forward(
        self, observations: torch.Tensor, states: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Estimate the rewards to come.

        Args:
            observations: Of all layers, shape (..., L, observation_size).
            states: Shape (..., state_size); a decentralised critic does not look at them.

        Returns:
            Shape (..., L).
        """
        seen = identify(observations, self.identities)
        if self.centralised and states is not None:
            every = states.unsqueeze(-2).expand(*seen.shape[:-1], states.shape[-1])
            seen = torch.cat([seen, every], -1)
        values: torch.Tensor = self.network(seen)
        return values.squeeze(-1)


def identify(observations: torch.Tensor, identities: int) -> torch.Tensor:
    """Show every agent who it is.

    Args:
        observations: Of all layers, shape (..., L, observation_size).
        identities: L, or 0 to change nothing.

    Returns:
        Shape (..., L, observation_size + identities): 1 at the agent's own place, else 0.
    """
    if not identities:
        return observations
    own = torch.eye(identities).expand(*observations.shape[:-1], identities)
    return torch.cat([observations, own], -1)
