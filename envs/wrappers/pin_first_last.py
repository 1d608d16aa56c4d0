"""The custom of keeping the first and the last layer at 8 bits."""

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from lrmp.envs.forms.layerwise import Action
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.wrappers.bit_choice import BitChoice, Bits
from lrmp.errors import TaskError
from lrmp.hardware.space.design import BIT_WIDTHS, MAX_BITS


class PinFirstLast(BitChoice, RecordConstructorArgs):
    """Give the first and the last layer fixed bits, whatever the agent asks for.

    HAQ (Wang et al., CVPR 2019) and CIM-AQ (arXiv 2601.21737) keep both at 8 bits, since they are
    small and sensitive. The agent still takes their two steps.

    Args:
        env: A layer-wise environment.
        weight_bits: Of both layers.
        activation_bits: Of both layers.

    Raises:
        TaskError: If the bits cannot be chosen, or the environment is another.
    """

    def __init__(
        self,
        env: gym.Env[Observation, Action],
        weight_bits: int = MAX_BITS,
        activation_bits: int = MAX_BITS,
    ) -> None:
        RecordConstructorArgs.__init__(
            self, weight_bits=weight_bits, activation_bits=activation_bits
        )
        BitChoice.__init__(self, env)
        for name, bits, widths in (
            ("weight_bits", weight_bits, self.weight_widths),
            ("activation_bits", activation_bits, BIT_WIDTHS),
        ):
            if bits not in widths:
                raise TaskError(
                    f"Expected {name} of the pinned layers to be one of "
                    f"{', '.join(map(str, widths))}; got {bits!r}."
                )
        self.bits = (weight_bits, activation_bits)
        self._pinned = {0, len(self.task.network) - 1}

    def weight_choices(self, layer: int) -> tuple[int, ...]:
        """Say which weight bits a layer can get.

        Args:
            layer: Its index.

        Returns:
            Bits in rising order.
        """
        return (self.bits[0],) if layer in self._pinned else super().weight_choices(layer)

    def execute(self, layer: int, bits: Bits) -> Bits:
        """Replace the bits of the first and the last layer.

        Args:
            layer: Index of the layer to decide.
            bits: Weight and activation bits asked for.

        Returns:
            Weight and activation bits that are executed.
        """
        return self.bits if layer in self._pinned else bits
