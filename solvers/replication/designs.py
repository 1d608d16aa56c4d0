"""The best copies of many designs of one chip, whatever the objective."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.cost.cost_model import CopyCosts
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.batch import ReplicationBatch, solve_batch
from lrmp.solvers.replication.exact import solve_many
from lrmp.solvers.replication.method import compiled
from lrmp.solvers.replication.oracle import SolverName, solve_replication
from lrmp.solvers.replication.poser import Poser

EXACT = 2.0**61  # 64-bit sums below it are exact


@dataclass(frozen=True, eq=False)
class DesignCopies:
    """Copies of B designs of L layers, with their proofs.

    Attributes:
        copies: Shape (B, L).
        objective_values: What the objective minimises, as Python's integers, B of them.
        lower_bounds: No copies have a smaller value than these.
        proven_optimal: Whether the bound is met, shape (B,).
    """

    copies: IntArray
    objective_values: list[int]
    lower_bounds: list[int]
    proven_optimal: NDArray[np.bool_]


def solve_designs(pose: Poser, settings: IntArray, solver: SolverName = "exact") -> DesignCopies:
    """Find optimal copies of many designs.

    Args:
        pose: Chip, budget and objective.
        settings: Places of the layers' values, shape (B, L, K).
        solver: As for ``solve_replication``.

    Returns:
        The same as of ``solve_replication``, design by design.

    Raises:
        LRMPError: As ``ReplicationProblem.of`` does, of the first design that it refuses.
    """
    model = pose.cost_model
    if solver == "exact" and model.units_are_fixed and not model.waits_for_memory:
        if pose.objective in ("latency", "throughput"):
            batch = ReplicationBatch.of(pose.cost_model, settings, pose.budget, pose.objective)
            copies = solve_batch(batch)
            values = batch.objective_values(copies).tolist()
            return DesignCopies(copies, values, values, np.ones(len(settings), dtype=bool))
        if pose.objective == "energy":
            return _least_energies(pose, settings)
        if pose.objective == "edp":
            return _least_products(pose, settings)
    return _one_by_one(pose, settings, solver)


def _one_by_one(pose: Poser, settings: IntArray, solver: SolverName) -> DesignCopies:
    answers = [solve_replication(pose(design), solver) for design in settings]
    return DesignCopies(
        copies=np.stack([answer.copies for answer in answers]),
        objective_values=[answer.objective_value for answer in answers],
        lower_bounds=[answer.lower_bound for answer in answers],
        proven_optimal=np.array([answer.proven_optimal for answer in answers]),
    )


def _least_energies(pose: Poser, settings: IntArray) -> DesignCopies:
    """Take the cheapest copies of every layer; where they do not fit together, solve the design."""
    if pose.energies is None:
        return _one_by_one(pose, settings, "exact")
    tiles = pose.cost_model.copy_costs(settings).tiles
    copies, energies = pose.energies.cheapest(settings)
    # Floats cannot overflow, and the limit leaves more room than their rounding takes.
    largest = np.maximum(
        (copies * tiles.astype(float)).sum(axis=1), energies.astype(float).sum(axis=1)
    )
    fits = (largest < EXACT) & ((copies * tiles).sum(axis=1) <= pose.budget)
    values: list[int] = energies.sum(axis=1).tolist()
    rest = np.flatnonzero(~fits)
    if rest.size:
        others = _one_by_one(pose, settings[rest], "exact")
        copies[rest] = others.copies
        for row, value in zip(rest.tolist(), others.objective_values, strict=True):
            values[row] = value
    return DesignCopies(copies, values, values, np.ones(len(settings), dtype=bool))


def _least_products(pose: Poser, settings: IntArray) -> DesignCopies:
    """Minimise energy times delay by the compiled method, and by the other what is left."""
    core = compiled(len(settings))
    if core is None or pose.energies is None:
        return _one_by_one(pose, settings, "exact")
    model, copies = pose.cost_model, np.empty(settings.shape[:2], dtype=np.int64)
    costs = model.copy_costs(settings)
    rows = np.flatnonzero(costs.tiles.sum(axis=1) <= pose.budget)
    solved = np.zeros(len(settings), dtype=bool)
    if rows.size:
        energy_fj, starts = pose.energies.of_designs(settings[rows])
        fitting = CopyCosts(
            costs.tiles[rows],
            model.most_copy_costs.units,
            costs.cycles_per_unit[rows],
            costs.fixed_cycles[rows],
        )
        copies[rows], solved[rows] = solve_many(core, fitting, pose.budget, energy_fj, starts)
    rest = np.flatnonzero(~solved)
    if rest.size:
        copies[rest] = _one_by_one(pose, settings[rest], "exact").copies
    cost = model.evaluate_batch(settings, copies, with_energy=True)
    assert cost.energy_fj is not None
    pairs = zip(cost.latency_cycles.tolist(), cost.energy_fj.tolist(), strict=True)
    values = [cycles * energy for cycles, energy in pairs]  # beyond 64 bits
    return DesignCopies(copies, values, values, np.ones(len(settings), dtype=bool))
