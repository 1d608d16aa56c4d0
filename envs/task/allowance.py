"""How much divergence a task allows, and by how much a design exceeds it."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyModel

LEAST_SCALE = 1e-9  # where nothing is allowed, any divergence is far beyond it, yet not infinitely


@dataclass(frozen=True)
class Allowance:
    """The allowed drop of one network, in the unit of its divergence.

    Attributes:
        limit: The largest divergence, as the accuracy model counts it, whose drop is allowed;
            infinite if every drop is.
        exponent: Of the model's count; the power is the divergence in nats.
    """

    limit: float
    exponent: float = 1.0

    @classmethod
    def of(cls, model: AccuracyModel, allowed_drop: float) -> Self:
        """Turn an allowed drop into a divergence.

        Args:
            model: Says how accurate designs are.
            allowed_drop: Percentage points.

        Returns:
            The allowance. A divergence is within it exactly where its drop is at most the allowed
            one.
        """
        assert model.drop_map is not None  # of one network
        return cls(model.drop_map.threshold(allowed_drop), getattr(model, "exponent", 1.0))

    @property
    def scale(self) -> float:
        """What an excess is a multiple of: the limit, or a little where nothing is allowed."""
        return max(self.limit, LEAST_SCALE)

    @property
    def unit(self) -> float:
        """What a divergence is shown in shares of: the scale, or 1 where every drop is allowed."""
        return self.scale if self.limit < np.inf else 1.0

    def excess(self, divergence: float) -> float:
        """Say by how much a design exceeds the allowance.

        Args:
            divergence: Of the design.

        Returns:
            ``ln(divergence / allowed divergence)`` in nats, 0 for a design within the allowance,
            positive for others, without an upper bound.
        """
        if not divergence > self.limit:
            return 0.0
        excess = self.exponent * math.log1p((divergence - self.limit) / self.scale)
        # The smallest excess is still one, so that what is not within is never taken for it.
        return max(excess, 5e-324)

    def excesses(self, divergences: NDArray[np.float64]) -> NDArray[np.float64]:
        """Do the same for many designs, with the same numbers.

        Args:
            divergences: Any shape.

        Returns:
            Same shape.
        """
        found = np.zeros(divergences.shape)
        beyond = divergences > self.limit
        found[beyond] = [self.excess(value) for value in divergences[beyond].tolist()]
        return found
