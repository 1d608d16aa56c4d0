"""What the settings of several networks spend of the accuracy that each is allowed."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs.task.task import Task
from lrmp.hardware.cost.setting_table import SettingTable
from lrmp.hardware.frozen_arrays import IntArray

Floats = NDArray[np.float64]


class SpentByNetwork:
    """Accuracy spent, a number for each of N networks.

    With a table it is counted in shares of what the network is allowed, so that all are on one
    scale; where a network is run, in such shares of its drop.

    Args:
        task: Of several networks.

    Attributes:
        owner: The network of every layer, shape (L,).
        tables: The terms of all tables in shares, to be summed; none where some network is run.
    """

    def __init__(self, task: Task) -> None:
        self._accuracy = task.workload_accuracy
        self._starts = np.array([layers.start for layers in task.workload.layers])
        sizes = [len(tenant.network) for tenant in task.workload]
        self.owner: IntArray = np.repeat(np.arange(len(sizes)), sizes)
        self._plain = task.space.plain_settings(len(self.owner))
        self._scales = np.array([allowance.unit for allowance in task.allowances])
        # Where no drop is allowed, a point is the scale.
        self._drop_scales = np.array([tenant.allowed_drop or 1.0 for tenant in task.workload])
        models = task.accuracies
        self.has_tables = all(isinstance(model, TableAccuracy) for model in models)
        self.tables = self._joined(task, models) if self.has_tables else []

    def __len__(self) -> int:
        return len(self._starts)

    @cached_property
    def start(self) -> Floats:
        """What the plain design spends, shape (N,)."""
        if not self.has_tables:
            return self.drop_shares(self._plain)
        spent = self._accuracy.network_divergences(self._plain[None], self._ones)
        shares: Floats = spent[0] / self._scales
        return shares

    def by_network(self, spent: Floats, layers: IntArray) -> Floats:
        """Give what single layers spend to their networks.

        Args:
            spent: Shape (...).
            layers: Numbers of the layers, same shape.

        Returns:
            Shape (..., N), 0 for the other networks.
        """
        owners: Floats = np.eye(len(self))[self.owner[layers]]
        return owners * spent[..., None]

    def sums(self, spent: Floats) -> Floats:
        """Add up what all layers spend, network by network.

        Args:
            spent: Shape (..., L).

        Returns:
            Shape (..., N).
        """
        found: Floats = np.add.reduceat(spent, self._starts, axis=-1)
        return found

    def drop_shares(self, settings: IntArray) -> Floats:
        """Look up the drops of a design with one copy of every layer.

        Args:
            settings: Shape (L, K).

        Returns:
            Of every network, in what it is allowed, shape (N,).
        """
        drops = self._accuracy.network_drops(settings[None], self._ones)
        shares: Floats = drops[0] / self._drop_scales
        return shares

    @property
    def _ones(self) -> IntArray:
        return np.ones((1, len(self.owner)), dtype=np.int64)

    def _joined(self, task: Task, models: tuple[object, ...]) -> list[SettingTable[np.float64]]:
        """Lay the tables of all networks behind each other; what one lacks is 0."""
        values: dict[tuple[int, ...], Floats] = {}
        for network, model in enumerate(models):
            assert isinstance(model, TableAccuracy)
            for table in model.tables:
                shape = (len(self.owner), table.values.shape[-1])
                joined = values.setdefault(table.axes, np.zeros(shape))
                joined[task.workload.layers[network]] = table.values / self._scales[network]
        return [SettingTable(axes, of_layers) for axes, of_layers in values.items()]
