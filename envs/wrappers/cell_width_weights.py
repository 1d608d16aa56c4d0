"""CIM-AQ's constraint: weights fill their cells."""

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from lrmp.envs.forms.layerwise import Action
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.wrappers.setting_choice import Places, SettingChoice, reachable


class CellWidthWeights(SettingChoice, RecordConstructorArgs):
    """Offer only weight bits that are multiples of the chip's cell width.

    A weight of 3 bits holds as many 2-bit cells as one of 4, so CIM-AQ (Pelke et al., DATE 2026,
    arXiv 2601.21737) lets its agent choose among n multiples, by n equal parts of the interval:
    ``widths[min(n - 1, floor(n (a + 1) / 2))]``. A discrete action space shrinks to
    ``MultiDiscrete([n, 7])``, a flat one to ``Discrete(7 n)``; other knobs keep their values. What
    is asked for is what is executed: the actions mean other bits.

    Args:
        env: A layer-wise environment of a task that turns weight bits.

    Raises:
        TaskError: If the environment is another.
        DesignError: If the task does not turn weight bits.
    """

    def __init__(self, env: gym.Env[Observation, Action]) -> None:
        RecordConstructorArgs.__init__(self)
        SettingChoice.__init__(self, env)
        cell_bits = self.task.accelerator.cell_bits  # 1..4: there is always a multiple
        self._knob = self.space.place("weight_bits")
        widths = self.space["weight_bits"].array
        multiples = tuple(p for p in self._inner_places[self._knob] if widths[p] % cell_bits == 0)
        self.places = self._with(self._inner_places, multiples)
        self._code = self._code_of(self.places)
        self.action_space = self._code.space

    def choices(self, layer: int) -> Places:
        """Say what a layer can get.

        Args:
            layer: Its index.

        Returns:
            For every knob places of values, ascending; of a layer that may not have all multiples,
            such as one that is pinned inside, the nearest to them.
        """
        inner = super().choices(layer)
        return self._with(inner, reachable(self.places[self._knob], inner[self._knob]))

    def _with(self, places: Places, multiples: tuple[int, ...]) -> Places:
        return (*places[: self._knob], multiples, *places[self._knob + 1 :])
