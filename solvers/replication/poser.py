"""The replication problems of one task, posed again and again."""

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from lrmp.errors import SolverError
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.energy_table import EnergyTable
from lrmp.solvers.replication.problem import (
    EXACT_LIMIT,
    ReplicationObjective,
    ReplicationProblem,
    networks_of,
    posed_objective,
)


class Poser:
    """Does what ``ReplicationProblem.of`` does, for one chip and objective, in less time.

    Whether sums could overflow is checked once, for a problem that none exceeds; energies are those
    of an `EnergyTable`.

    Args:
        cost_model: Network and accelerator.
        budget: Tiles on the chip.
        objective: What is minimised.

    Attributes:
        cost_model: As given.
        budget: As given.
        objective: That of the problems; see ``posed_objective``.
    """

    def __init__(self, cost_model: CostModel, budget: int, objective: ReplicationObjective) -> None:
        self.cost_model, self.budget = cost_model, budget
        self.objective: ReplicationObjective = posed_objective(cost_model, objective)
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
            costs = self.cost_model.copy_costs(settings)
            if costs.tiles.ndim == 1 and int(costs.tiles.sum()) <= self.budget:
                energy_fj, most = self._energies(np.asarray(settings))
                if most < EXACT_LIMIT:
                    return ReplicationProblem.trusted(
                        **costs._asdict(),
                        budget=self.budget,
                        objective=self.objective,
                        energy_fj=energy_fj,
                        least_interval=self.cost_model.least_interval,
                        **self._networks,
                    )
        return ReplicationProblem.of(self.cost_model, settings, self.budget, self.objective)

    @cached_property
    def _is_bounded(self) -> bool:
        """Whether all problems share their units, and no sum of any can overflow."""
        model = self.cost_model
        if not model.units_are_fixed or model.waits_for_memory:
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
    def energies(self) -> EnergyTable | None:
        """The energies of layers; None if settings change the units, or sums could overflow."""
        return EnergyTable(self.cost_model) if self._is_bounded else None

    def _energies(self, settings: IntArray) -> tuple[tuple[IntArray, ...] | None, int]:
        """Return the energies of every layer, and a sum that no choice of copies exceeds."""
        if self.objective not in ("energy", "edp"):
            return None, 0
        assert self.energies is not None
        layers = self.energies.of_design(settings)
        return tuple(layer.energy_fj for layer in layers), sum(layer.most for layer in layers)
