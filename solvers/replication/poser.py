"""The replication problems of one task, posed again and again."""

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from lrmp.errors import SolverError
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.problem import (
    EXACT_LIMIT,
    ReplicationObjective,
    ReplicationProblem,
    networks_of,
    posed_objective,
    useful_copies,
)

MOST_REMEMBERED = 2**13  # settings of layers; a few KiB each


class Poser:
    """Does what ``ReplicationProblem.of`` does, for one chip and objective, in less time.

    Whether sums could overflow is checked once, for a problem that none exceeds. The energies of a
    layer with all its useful copies are remembered by its setting: a search changes few layers at a
    time.

    Args:
        cost_model: Network and accelerator.
        budget: Tiles on the chip.
        objective: What is minimised.
    """

    def __init__(self, cost_model: CostModel, budget: int, objective: ReplicationObjective) -> None:
        self._model, self._budget = cost_model, budget
        self._objective: ReplicationObjective = posed_objective(cost_model, objective)
        self._remembered: dict[tuple[int, ...], tuple[IntArray, int]] = {}
        sizes = networks_of(cost_model, objective)
        self._networks = {} if sizes is None else {"networks": sizes}

    def __call__(self, settings: ArrayLike) -> ReplicationProblem:
        """Pose the problem that remains once the settings are chosen.

        Args:
            settings: Places of the layers' values, shape (L, K).

        Returns:
            The problem.

        Raises:
            LRMPError: As ``ReplicationProblem.of`` does.
        """
        if self._is_bounded:
            costs = self._model.copy_costs(settings)
            if costs.tiles.ndim == 1 and int(costs.tiles.sum()) <= self._budget:
                energy_fj, most = self._energies(np.asarray(settings))
                if most < EXACT_LIMIT:
                    return ReplicationProblem.trusted(
                        **costs._asdict(),
                        budget=self._budget,
                        objective=self._objective,
                        energy_fj=energy_fj,
                        least_interval=self._model.least_interval,
                        **self._networks,
                    )
        return ReplicationProblem.of(self._model, settings, self._budget, self._objective)

    @cached_property
    def _is_bounded(self) -> bool:
        """Whether all problems share their units, and no sum of any can overflow."""
        model = self._model
        if not model.units_are_fixed:
            return False
        if self._networks and model.least_interval:  # which is refused
            return False
        most = model.most_copy_costs
        try:
            ReplicationProblem(
                **most._asdict(),
                budget=int(most.tiles.sum()),
                objective="latency",
                least_interval=model.least_interval,
            )
        except SolverError:
            return False
        return True

    @cached_property
    def _copies(self) -> list[IntArray]:
        return [useful_copies(units) for units in self._model.most_copy_costs.units.tolist()]

    def _energies(self, settings: IntArray) -> tuple[tuple[IntArray, ...] | None, int]:
        """Return the energies of every layer, and a sum that no choice of copies exceeds."""
        if self._objective not in ("energy", "edp"):
            return None, 0
        keys = [(layer, *setting) for layer, setting in enumerate(settings.tolist())]
        if not all(key in self._remembered for key in keys):
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            energies = self._model.copies_energy_fj(settings, self._copies)
            for key, layer in zip(keys, energies, strict=True):
                self._remembered[key] = layer, int(layer.max())
        layers, most = zip(*(self._remembered[key] for key in keys), strict=True)
        return layers, sum(most)
