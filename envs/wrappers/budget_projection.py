"""HAQ's budget: weight bits are lowered until the design fits."""

import math

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from lrmp.envs.forms.layerwise import Action
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.wrappers.bit_choice import BitChoice, Bits
from lrmp.errors import InfeasibleBudgetError, TaskError
from lrmp.hardware.space.design import BIT_WIDTHS


class BudgetProjection(BitChoice, RecordConstructorArgs):
    """Lower weight bits until one copy of every layer fits a share of the budget.

    HAQ (Wang et al., CVPR 2019) lowers the bits of a finished design until its cost holds. Here a
    decision is final once made, so it is lowered when it is made, by no more than the layers still
    to come need to fit at their fewest bits. Activation bits hold no tiles and stay as they are.
    HAQ pins its first and last layer while it lowers the others: put `PinFirstLast` inside this
    wrapper, not around it.

    Args:
        env: A layer-wise environment.
        fraction: Share of the task's budget of tiles that one copy of every layer may hold, above 0
            and at most 1. The rest is for copies.

    Attributes:
        tiles: The limit.

    Raises:
        TaskError: If the fraction is out of range, or the environment is another.
        InfeasibleBudgetError: If the network does not fit at its fewest bits.
    """

    def __init__(self, env: gym.Env[Observation, Action], fraction: float = 1.0) -> None:
        RecordConstructorArgs.__init__(self, fraction=fraction)
        BitChoice.__init__(self, env)
        if not 0 < fraction <= 1:  # False for NaN
            raise TaskError(
                f"Expected fraction of the budget above 0 and at most 1, got {fraction!r}."
            )
        self.tiles = math.floor(fraction * self.task.budget)
        count = len(self.task.network)
        table = self.dynamics.tiles.tolist()
        self._tiles = [dict(zip(BIT_WIDTHS, row, strict=True)) for row in table]
        self._least = [self._tiles[layer][self.weight_choices(layer)[0]] for layer in range(count)]
        if sum(self._least) > self.tiles:
            raise InfeasibleBudgetError(
                f"Expected a fraction with at least {sum(self._least)} tiles, which the fewest "
                f"bits of every layer need; got {fraction:g} of {self.task.budget}, {self.tiles}."
            )

    def execute(self, layer: int, bits: Bits) -> Bits:
        """Lower the weight bits as far as the budget asks.

        Args:
            layer: Index of the layer to decide.
            bits: Weight and activation bits asked for.

        Returns:
            Weight and activation bits that are executed.
        """
        spent = sum(self._tiles[i][weight] for i, weight in enumerate(self._executed or ()))
        left = self.tiles - spent - sum(self._least[layer + 1 :])
        choices = self.weight_choices(layer)
        fitting = [w for w in choices if w <= bits[0] and self._tiles[layer][w] <= left]
        # A pinned layer may have no choice as low as what was asked for; it gets its lowest.
        return max(fitting, default=choices[0]), bits[1]
