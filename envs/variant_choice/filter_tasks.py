"""The tasks of a network at all its widths: one for every choice of pruned filters."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lrmp.accuracy.model.factories import GivenAccuracy
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs.task.task import Task
from lrmp.envs.task.workload import Tenant, Workload
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.families.filters import FILTERS, filter_space, groups_of, narrow_network
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.networks import load_network
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.pruned_inputs import PRUNED_INPUTS


@dataclass(frozen=True, eq=False)
class FilterTasks:
    """Choose the bits of a network whose filters are pruned, on one chip, by one table.

    Attributes:
        id: Of what is solved; the task of a width is named after it.
        network: Name of what runs.
        table: Of bits and of pruned inputs, in ``FILTERS.space``.
        objective: What is minimised.
        allowed_drop: Percentage points.
        share: Of the tiles of the plain design that the chip has.
    """

    id: str
    network: str
    table: TableAccuracy
    objective: Objective
    allowed_drop: float = 1.0
    share: float = 1.0

    @cached_property
    def space(self) -> DesignSpace:
        """The knobs of the whole network, G of them."""
        return filter_space(self.network)

    @cached_property
    def plain(self) -> Task:
        """The task of the network as it is."""
        return self.task(self.space.plain)

    def task(self, widths: IntArray, lost: IntArray | None = None) -> Task:
        """Pose the task of a width.

        Args:
            widths: Places of values in `space`, shape (G,): what is costed.
            lost: The same: what accuracy is read for; None for ``widths``.

        Returns:
            The narrower network with the budget of the whole one.
        """
        table = self.table.with_fixed(
            PRUNED_INPUTS.name, self.by_layer(widths if lost is None else lost)
        )
        network = narrow_network(self.network, widths)
        name = self.id
        if lost is not None:
            name += ":relaxed"
        elif (widths != self.space.plain).any():
            name += ":pruned-" + "-".join(map(str, self.space.decode(widths).values()))
        tenant = Tenant(network, GivenAccuracy(table), self.allowed_drop)
        return Task(
            name, Workload((tenant,)), self._chip, self._budget, self.objective, table.space
        )

    def offset(self, task: Task) -> float:
        """Return what a score over the plain design of the whole network has beyond a task's own.

        Args:
            task: Of some width.

        Returns:
            A difference of logarithms; 0 of the whole network.
        """
        whole = self.plain.baseline_report.cost(self.objective)
        narrow = task.baseline_report.cost(self.objective)
        return 0.0 if whole == narrow else math.log(whole / narrow)

    def by_layer(self, widths: IntArray) -> IntArray:
        """Say which share of its inputs every layer loses.

        Args:
            widths: Places of values in `space`, shape (G,).

        Returns:
            Places of values of ``PRUNED_INPUTS``, shape (L,).
        """
        places = np.full(self.table.layers, PRUNED_INPUTS.plain_index)
        for group, place in zip(groups_of(self.network), widths.tolist(), strict=True):
            places[list(group.readers)] = place
        return places

    def least_lost(self, group: int, places: IntArray) -> int:
        """Find the share of filters with which a group loses least.

        Args:
            group: Its number.
            places: Of values that are in question.

        Returns:
            One of them.
        """
        terms = self.table.terms[(PRUNED_INPUTS.name,)]
        readers = list(groups_of(self.network)[group].readers)
        return int(places[terms[readers][:, places].sum(axis=0).argmin()])

    def widths_of(self, settings: IntArray) -> IntArray:
        """Turn back what ``by_layer`` returns.

        Args:
            settings: Of designs of ``FILTERS.space``, shape (L, 3).

        Returns:
            Shape (G,).
        """
        readers = [group.readers[0] for group in groups_of(self.network)]
        widths: IntArray = settings[readers, self.table.space.place(PRUNED_INPUTS.name)]
        return widths

    @cached_property
    def _chip(self) -> Accelerator:
        return FILTERS.chip()

    @cached_property
    def _budget(self) -> int:
        layout = load_network(self.network)
        return round(self.share * FILTERS.budget(CostModel(layout, self._chip)))
