"""What becomes of settings chosen for all networks of a task: copies, cost, accuracies."""

from dataclasses import dataclass

import numpy as np

from lrmp.envs.scoring.reward import lrmp_reward, penalty
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.task import Task
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import Design
from lrmp.solvers.replication.oracle import SolverName, solve_replication
from lrmp.solvers.replication.problem import Replication, ReplicationProblem


@dataclass(frozen=True)
class WorkloadOutcome:
    """A finished design of all networks on a chip, and its score.

    Attributes:
        task: The task it was made for.
        design: Settings and copies of all layers, network after network.
        replication: The oracle's answer with its proof.
        accuracy_drops: Of every network, percentage points against its float network.
    """

    task: Task
    design: Design
    replication: Replication
    accuracy_drops: tuple[float, ...]

    @property
    def gain(self) -> float:
        """Baseline / design, of what the task minimises in a round of all networks."""
        return baseline_cost(self.task) / self.replication.objective_value

    def reward(self) -> float:
        """Score the design: ``ln(gain)`` less the penalty of every network."""
        first, *others = zip(self.accuracy_drops, self.task.workload, strict=True)
        reward = lrmp_reward(self.gain, first[0], first[1].allowed_drop)
        return reward - sum(penalty(drop, tenant.allowed_drop) for drop, tenant in others)


def score_workload(
    task: TaskLike, settings: IntArray, solver: SolverName = "exact"
) -> WorkloadOutcome:
    """Place the copies of all networks and score the design; of one network, as ``evaluate`` does.

    Args:
        task: Of one or several networks.
        settings: Places of the values of all layers, network after network, shape (L, K).
        solver: Which exact solver places the copies.

    Returns:
        The design with its drops.

    Raises:
        DesignError: If the settings are out of range or of the wrong shape.
        InfeasibleBudgetError: If one copy of every layer does not fit the budget.
    """
    task = find_task(task)
    checked = task.space.check(settings, task.workload.layer_names)
    replication = solve_replication(workload_problem(task, checked, task.budget), solver)
    drops = []
    for layers, model in zip(task.workload.layers, task.accuracies, strict=True):
        space = task.space.for_layers(layers)
        drops.append(model.drop(Design(space, checked[layers], replication.copies[layers])))
    design = Design(task.space, checked, replication.copies)
    return WorkloadOutcome(task, design, replication, tuple(drops))


def workload_problem(task: Task, settings: IntArray, budget: int) -> ReplicationProblem:
    """Pose the replication problem of all networks of a task.

    Args:
        task: Of one or several networks.
        settings: Of all layers, network after network, shape (L, K).
        budget: Tiles on the chip.

    Returns:
        The problem of a round, in which every network runs as often as its rate says.

    Raises:
        DesignError: If the settings are out of range or of the wrong shape.
        InfeasibleBudgetError: If one copy of every layer does not fit.
        SolverError: If the layers take turns on the chip, or costs of a round do not fit 64 bits.
    """
    problems = [
        ReplicationProblem.of(model, settings[layers], budget, task.objective)
        for layers, model in zip(task.workload.layers, task.cost_models, strict=True)
    ]
    rates = [tenant.rate for tenant in task.workload]
    return problems[0] if rates == [1] else ReplicationProblem.together(problems, rates)


def baseline_cost(task: Task) -> int:
    """Cost the plain chip: every layer in the plain setting, with one copy.

    Args:
        task: Of one or several networks.

    Returns:
        What the task minimises, of a round: cycles, femtojoules or their product.
    """
    if len(task.workload) == 1 and task.workload.tenants[0].rate == 1:
        return task.cost_model.baseline.cost(task.objective)
    layers = len(task.workload.layer_names)
    plain = task.space.plain_settings(layers)
    tiles = sum(model.baseline.tiles for model in task.cost_models)
    return workload_problem(task, plain, tiles).objective_value(np.ones(layers, dtype=np.int64))
