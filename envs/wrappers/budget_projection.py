"""HAQ's budget: what holds tiles is turned down until the design fits."""

import math
from itertools import product

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from lrmp.envs.forms.layerwise import Action
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.wrappers.setting_choice import Setting, SettingChoice, nearest
from lrmp.errors import InfeasibleBudgetError, TaskError


class BudgetProjection(SettingChoice, RecordConstructorArgs):
    """Turn down what holds tiles, such as weight bits, until one copy of every layer fits.

    HAQ (Wang et al., CVPR 2019) lowers the bits of a finished design until its cost holds. Here a
    decision is final once made, so it is lowered when it is made, by no more than the layers still
    to come need to fit at their least: of the settings that are nowhere above what was asked for,
    the fitting one with the most tiles, and of those the nearest. Knobs that tiles do not depend
    on, such as activation bits, stay as they are. HAQ pins its first and last layer while it lowers
    the others: put `PinFirstLast` inside this wrapper, not around it.

    Args:
        env: A layer-wise environment.
        fraction: Share of the task's budget of tiles that one copy of every layer may hold, above 0
            and at most 1. The rest is for copies.

    Attributes:
        tiles: The limit.

    Raises:
        TaskError: If the fraction is out of range, the environment is another, or the chip is
            time-multiplexed.
        InfeasibleBudgetError: If the network does not fit at its least.
    """

    def __init__(self, env: gym.Env[Observation, Action], fraction: float = 1.0) -> None:
        RecordConstructorArgs.__init__(self, fraction=fraction)
        SettingChoice.__init__(self, env)
        if not 0 < fraction <= 1:  # False for NaN
            raise TaskError(
                f"Expected fraction of the budget above 0 and at most 1, got {fraction!r}."
            )
        if self.task.accelerator.is_time_multiplexed:
            raise TaskError(
                f"Expected a task whose layers share the tiles of the chip, got {self.task.id} on "
                f"the time-multiplexed {self.task.accelerator.name!r}. Leave the wrapper out."
            )
        self.tiles = math.floor(fraction * self.task.budget)
        count = len(self.task.network)
        self._knobs = self.task.cost_model.one_copy[0].axes  # those that tiles depend on
        plain = tuple(self.space.plain.tolist())
        self._least = [
            min(self._tiles(layer, setting) for setting in self._lower(layer, plain, None))
            for layer in range(count)
        ]
        if sum(self._least) > self.tiles:
            raise InfeasibleBudgetError(
                f"Expected a fraction with at least {sum(self._least)} tiles, which the smallest "
                f"settings need; got {fraction:g} of {self.task.budget}, {self.tiles}."
            )

    def execute(self, layer: int, setting: Setting) -> Setting:
        """Turn down what holds tiles as far as the budget asks.

        Args:
            layer: Index of the layer to decide.
            setting: What is asked for.

        Returns:
            What is executed.
        """
        spent = sum(self._tiles(i, chosen) for i, chosen in enumerate(self._executed or ()))
        left = self.tiles - spent - sum(self._least[layer + 1 :])
        setting = tuple(map(nearest, setting, self.choices(layer)))
        lower = self._lower(layer, setting, setting)
        fitting = [one for one in lower if self._tiles(layer, one) <= left]
        if not fitting:  # where a lower value of a knob takes more tiles
            return min(self._lower(layer, setting, None), key=lambda one: self._tiles(layer, one))
        return max(fitting, key=lambda one: (self._tiles(layer, one), sum(one), one))

    def _lower(self, layer: int, setting: Setting, most: Setting | None) -> list[Setting]:
        """List what turning the knobs that hold tiles gives a layer, nowhere above ``most``."""
        choices = self.choices(layer)
        rows = [
            [place for place in choices[knob] if most is None or place <= most[knob]]
            if knob in self._knobs
            else [setting[knob]]
            for knob in range(len(setting))
        ]
        return list(product(*rows))

    def _tiles(self, layer: int, setting: Setting) -> int:
        return self.dynamics.lookup(layer, setting).tiles
