"""The problem of pruned filters: a task for every choice of widths, on LRMP's chip."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lrmp.accuracy.model.sensitivity_table import load_table
from lrmp.envs.task.task import Task
from lrmp.envs.variant_choice.filter_tasks import FilterTasks
from lrmp.envs.variant_choice.problem import VariantProblem
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.families.filters import FILTERS, filter_space
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.networks import load_network
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace

if TYPE_CHECKING:
    from lrmp.envs.variant_choice.best_variant import BestVariant

#: What a task at some widths minimises.
_OBJECTIVES: dict[str, Objective] = {each: each for each in FILTERS.objectives}


@dataclass(frozen=True)
class FiltersProblem(VariantProblem):
    """Choose how many filters of a network are pruned, and bits of what is left.

    Of every choice of widths there is a `Task` on LRMP's chip, with the tiles of the plain design
    of the whole network, the plain variant. All of them read one accuracy table.
    """

    noun: ClassVar[str] = "network"
    prefix: ClassVar[str] = ""

    @property
    def space(self) -> DesignSpace:
        """A knob for each of the G groups of filters."""
        return filter_space(self.network)

    @property
    def requirement(self) -> str:
        """That values are the knobs'."""
        return f"widths of {self.id}"

    @cached_property
    def tasks(self) -> FilterTasks:
        """The tasks of all widths."""
        space = FILTERS.space(load_network(self.network), FILTERS.chip())
        table = load_table(self.network, FILTERS.name).accuracy(space)
        return FilterTasks(self.id, self.network, table, _OBJECTIVES[self.objective])

    @cached_property
    def plain_task(self) -> Task:
        """The task of the whole network, by the same table."""
        return self.tasks.plain

    @property
    def count(self) -> int:
        """How many widths there are: too many to list."""
        return prod(self.space.sizes)

    def setting(self, number: int) -> IntArray:
        """Return widths.

        Args:
            number: Less than V; the last group counts fastest.

        Returns:
            Places of values, shape (G,).
        """
        return np.array(np.unravel_index(number, self.space.sizes))

    def number_of(self, setting: IntArray) -> int:
        """Find widths.

        Args:
            setting: Places of values, shape (G,).

        Returns:
            Their number.
        """
        return int(np.ravel_multi_index(tuple(setting), self.space.sizes))

    def nearest(self, setting: IntArray) -> int:
        """Find widths: all count.

        Args:
            setting: Places of values, shape (G,).

        Returns:
            Their number.
        """
        return self.number_of(setting)

    def build_task(self, number: int) -> Task:
        """Build the task of a narrower network.

        Args:
            number: Of its widths.

        Returns:
            The task.
        """
        return self.tasks.task(self.setting(number))

    def info(self, number: int) -> dict[str, Any]:
        """Return what infos say of widths beside the shares of pruned filters.

        Args:
            number: Of the widths.

        Returns:
            The share of the whole network's weights that is left.
        """
        narrow = sum(layer.weights for layer in self.task(number).network.layers)
        return {"weights_left": np.float64(narrow / self._weights)}

    @cached_property
    def _weights(self) -> int:
        """Of the whole network."""
        return sum(layer.weights for layer in self.plain_task.network.layers)

    def on_network(self, number: int, design: Design) -> tuple[Network, Design]:
        """Say what is run to measure a design.

        Args:
            number: Of its widths.
            design: In the task of the widths.

        Returns:
            The whole network, and the design with the inputs that every layer loses: the filters
            behind them are read by nobody.
        """
        lost = self.tasks.by_layer(self.setting(number))
        settings = np.column_stack([design.settings, lost])
        return self.plain_task.network, Design(self.tasks.table.space, settings, design.replication)

    def search(self, log: Callable[[str], None]) -> "BestVariant":
        """Find the best widths and bits, by branching over the groups of filters.

        Args:
            log: Called with lines on what was found.

        Returns:
            The best.
        """
        # Whoever plays a problem needs no solver.
        from lrmp.envs.variant_choice.filter_search import best_widths

        return best_widths(self, log)

    def constants(self) -> Iterable[int]:
        """List the widths that a constant is sought with: the same share of all groups.

        Returns:
            Numbers.
        """
        groups = len(self.space)
        return [self.number_of(np.full(groups, place)) for place in range(self.space.sizes[0])]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the objective, the task of the whole network, the knobs and the table."""
        definition = [
            self.id,
            self.objective,
            self.plain_task.fingerprint,
            self.space.to_json(),
            self.tasks.table.fingerprint,
        ]
        return hashlib.sha256(json.dumps(definition).encode()).hexdigest()
