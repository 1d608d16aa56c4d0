"""What a knob makes of the weights of a layer before they are rounded."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn


class WeightProjection(nn.Module, ABC):
    """Moves weights to the nearest ones that a crossbar can hold, and training keeps them there.

    It is linear and changes no weights that it has changed: fine-tuning differentiates through it.

    Attributes:
        step_of: Number of the step of every output channel, from 0 on and shape (M,), where some
            share one, as weights that are stored once for several channels do; None for a step
            each.
    """

    step_of: Tensor | None

    def __init__(self, step_of: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("step_of", step_of)
        self._steps = 0 if step_of is None else int(step_of.max()) + 1

    @abstractmethod
    def forward(self, weight: Tensor) -> Tensor:
        """Project weights.

        Args:
            weight: In float, shape (M, ...).

        Returns:
            Same shape and layout.
        """

    def gather_shared(self, weight: Tensor) -> Tensor:
        """Put the weights of all channels of a step into one row.

        Args:
            weight: Shape (M, ...).

        Returns:
            Shape (steps, ...), with zeros where a step has fewer channels than others; the weights
            themselves where every channel has a step of its own.
        """
        if self.step_of is None:
            return weight
        rows = [weight[self.step_of == step].flatten() for step in range(self._steps)]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True)

    def gather_steps(self, steps: Tensor) -> Tensor:
        """Turn back what ``spread_steps`` returns.

        Args:
            steps: Of every channel, shape (M,); equal where channels share one.

        Returns:
            Shape (steps,).
        """
        if self.step_of is None:
            return steps
        shared = steps.new_empty(self._steps)
        shared[self.step_of] = steps
        return shared

    def spread_steps(self, steps: Tensor) -> Tensor:
        """Give every channel its step.

        Args:
            steps: Shape (..., steps).

        Returns:
            Shape (..., M).
        """
        return steps if self.step_of is None else steps[..., self.step_of]


#: Builds the projection for the float weights of a layer.
MakeProjection = Callable[[Tensor], WeightProjection]


class KeptWeights(WeightProjection):
    """Some weights stay, the others are 0.

    Args:
        kept: Mask, shape of the weights.

    Attributes:
        kept: As given.
    """

    kept: Tensor

    def __init__(self, kept: Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", kept)

    def forward(self, weight: Tensor) -> Tensor:
        """Set weights that are not kept to 0; see the base class."""
        return torch.mul(weight, self.kept)
