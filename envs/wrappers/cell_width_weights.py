"""CIM-AQ's constraint: weights fill their cells."""

import gymnasium as gym
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs

from lrmp.envs.forms.layerwise import Action
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.wrappers.bit_choice import BitChoice
from lrmp.hardware.space.design import BIT_WIDTHS


class CellWidthWeights(BitChoice, RecordConstructorArgs):
    """Offer only weight bits that are multiples of the chip's cell width.

    A weight of 3 bits holds as many 2-bit cells as one of 4, so CIM-AQ (Pelke et al., DATE 2026,
    arXiv 2601.21737) lets its agent choose among n multiples, by n equal parts of 0..1:
    ``widths[min(n - 1, floor(n * a))]``. A discrete action space shrinks to
    ``MultiDiscrete([n, 7])``. What is asked for is what is executed: the actions mean other bits.

    Args:
        env: A layer-wise environment.

    Raises:
        TaskError: If the environment is another.
    """

    def __init__(self, env: gym.Env[Observation, Action]) -> None:
        RecordConstructorArgs.__init__(self)
        BitChoice.__init__(self, env)
        cell_bits = self.task.accelerator.cell_bits  # 1..4: there is always a multiple
        self.weight_widths = tuple(w for w in self._inner_widths if w % cell_bits == 0)
        if isinstance(env.action_space, spaces.MultiDiscrete):
            self.action_space = spaces.MultiDiscrete([len(self.weight_widths), len(BIT_WIDTHS)])

    def weight_choices(self, layer: int) -> tuple[int, ...]:
        """Say which weight bits a layer can get.

        Args:
            layer: Its index.

        Returns:
            Bits in rising order; of a layer that is pinned inside, the pinned ones.
        """
        inner = super().weight_choices(layer)
        return tuple(w for w in inner if w in self.weight_widths) or inner
