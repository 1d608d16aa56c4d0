"""A family of tasks: the knobs that a published system turns, on a chip that has them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.cost.cost_report import NETWORK_OBJECTIVES, Objective
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Value


@dataclass(frozen=True)
class Family:
    """What the tasks of one published system have in common.

    Attributes:
        name: In files and commands, such as ``"adc"``.
        label: In ids, such as ``"ADC"``; LRMP's own tasks have none.
        title: For people.
        networks: Names of those that it has tasks of.
        chip: Builds the chip.
        space: Builds the knobs, for a network on the chip.
        objectives: That it has tasks of.
        without: The values of its knobs, by name, that its comparator has: the same chip without
            what the family adds. Their plain values are always among them.
        rival: Builds the space of its comparator where that is no part of its own: other knobs on
            the same chip; None where ``without`` says it.
        holds_all_designs: Whether chips have the tiles of the largest design instead of those of
            the plain one, with one copy of every layer.
    """

    name: str
    label: str
    title: str
    networks: tuple[str, ...]
    chip: Callable[[], Accelerator]
    space: Callable[[Network, Accelerator], DesignSpace]
    objectives: tuple[Objective, ...] = NETWORK_OBJECTIVES
    without: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    rival: Callable[[Network, Accelerator], DesignSpace] | None = None
    holds_all_designs: bool = False

    def budget(self, model: CostModel) -> int:
        """Say how many tiles the chip of a task has.

        Args:
            model: Of the network on the family's chip, with the family's knobs.

        Returns:
            Tiles.
        """
        return model.largest_budget if self.holds_all_designs else model.plain_budget

    @property
    def is_compared(self) -> bool:
        """Whether there is something that its knobs are compared with."""
        return bool(self.without) or self.rival is not None
