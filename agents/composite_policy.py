"""A policy of two parts: numbers from an actor, labels from the values that they have."""

from collections.abc import Sequence

import torch
from torch import nn

from lrmp.agents.actor_critic import HIDDEN, Actor, start_near_zero
from lrmp.agents.knob_heads import by_knob, middles
from lrmp.agents.policy_file import PolicyModule


class CompositePolicy(PolicyModule):
    """Numbers by a deterministic actor, then the label of most value for these numbers.

    After the composite agent of Balaskas et al. (arXiv 2312.15322): one part for what is
    continuous, one for what is a choice.

    Args:
        observation_size: Elements of an observation.
        sizes: How many values the K knobs have.
        labelled: Places of the knobs with labels, ascending.
        hidden: Width of the hidden layers.

    Attributes:
        sizes: As given.
        label_sizes: Those of the knobs with labels.
        numbers: How many knobs of numbers there are.
    """

    kind = "lrmp.composite/1"

    def __init__(
        self,
        observation_size: int,
        sizes: Sequence[int],
        labelled: Sequence[int],
        hidden: int = HIDDEN,
    ) -> None:
        super().__init__()
        self.settings = {
            "observation_size": observation_size,
            "sizes": list(sizes),
            "labelled": list(labelled),
            "hidden": hidden,
        }
        self.sizes = tuple(sizes)
        self.label_sizes = tuple(sizes[place] for place in labelled)
        self.numbers = len(sizes) - len(labelled)
        self._is_label = torch.tensor([place in labelled for place in range(len(sizes))])
        # Layers have at least one output, which nobody reads where there is no such knob.
        self.actor = Actor(observation_size, max(1, self.numbers), hidden)
        self.worth = nn.Sequential(
            nn.Linear(observation_size + self.numbers, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, max(1, sum(self.label_sizes))),
        )
        last = self.worth[-1]
        assert isinstance(last, nn.Linear)
        start_near_zero(last)

    def choose_numbers(self, observation: torch.Tensor) -> torch.Tensor:
        """Choose for the knobs of numbers.

        Args:
            observation: Shape (..., observation_size).

        Returns:
            In -1..1, shape (..., numbers).
        """
        chosen: torch.Tensor = self.actor(observation)
        return chosen[..., : self.numbers]

    def label_values(self, observation: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """Value every label.

        Args:
            observation: Shape (..., observation_size).
            numbers: In -1..1, shape (..., numbers).

        Returns:
            Shape (..., knobs with labels, most labels), as in `by_knob`.
        """
        values: torch.Tensor = self.worth(torch.cat([observation, numbers], -1))
        return by_knob(values, self.label_sizes)

    def best_labels(self, observation: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """Choose the labels of most value.

        Args:
            observation: Shape (..., observation_size).
            numbers: In -1..1, shape (..., numbers).

        Returns:
            Their places, shape (..., knobs with labels).
        """
        if not self.label_sizes:
            return torch.zeros(*observation.shape[:-1], 0, dtype=torch.int64)
        return self.label_values(observation, numbers).argmax(-1)

    def joined(self, numbers: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Put numbers and labels into the order of the knobs.

        Args:
            numbers: In -1..1, shape (..., numbers).
            places: Of labels, shape (..., knobs with labels).

        Returns:
            Actions of the continuous space, a label as the middle of its part, shape (..., K).
        """
        action = torch.empty(*numbers.shape[:-1], len(self.sizes))
        action[..., ~self._is_label] = numbers
        action[..., self._is_label] = middles(places, self.label_sizes)
        return action

    def greedy(self, observation: torch.Tensor) -> torch.Tensor:
        """Choose without exploration.

        Args:
            observation: Shape (observation_size,).

        Returns:
            An action of the continuous space, shape (K,).
        """
        numbers = self.choose_numbers(observation)
        return self.joined(numbers, self.best_labels(observation, numbers))
