"""The certified optimum of a task whose accuracy is an additive table."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from lrmp.envs.scoring.best_constant import best_constant
from lrmp.envs.scoring.outcome import Outcome, evaluate_settings
from lrmp.envs.scoring.reward import STEEP
from lrmp.envs.task.additive_table import additive_tables
from lrmp.envs.task.allowance import Allowance
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.optimum import Optimum
from lrmp.envs.task.task import Task
from lrmp.errors import InfeasibleAccuracyError, SolverError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.accuracy_terms import AccuracyTerms
from lrmp.solvers.joint.floats import Floats
from lrmp.solvers.joint.problem import JointProblem
from lrmp.solvers.joint.solve import solve_joint
from lrmp.solvers.replication.problem import ReplicationProblem, posed_objective

METHOD = "joint knapsack of settings and copies over the additive accuracy table"


def table_optimum(task: TaskLike, log: Callable[[str], None] = lambda line: None) -> Optimum:
    """Find the best design within the allowance, and bound all designs, within it or not.

    One problem proves both: its value is the gain's logarithm less ``STEEP`` times the excess,
    which is the score within the allowance and, while above 0, no less than the reward beyond it.
    If its best design is within, it is the best by the score and by the reward. If not, the best
    within is sought by itself.

    Args:
        task: What is solved; of one or several networks.
        log: Called with every line of the solver's log.

    Returns:
        The optimum; its value and design are those of ``evaluate_settings``.

    Raises:
        RunError: If the accuracy of the task is no additive table.
        InfeasibleBudgetError: If one copy of every layer does not fit.
        InfeasibleAccuracyError: If no design that fits is within the allowance.
        SolverError: If a bound does not hold for the design as the environment scores it.
    """
    task = find_task(task)
    additive_tables(task)  # says at once if there are none
    constant, within = best_constant(task), None
    if constant is None:  # perhaps nothing is: then this says so at once
        within = solve_joint(joint_problem(task, math.inf), log)
    answer = solve_joint(joint_problem(task), log)
    outcome, reward_bound, lines = _scored(task, answer.settings), answer.bound, answer.log
    if outcome.score is None:
        answer = within or solve_joint(joint_problem(task, math.inf), log)
        outcome, lines = _scored(task, answer.settings), lines + answer.log
    value = outcome.score
    if value is None:
        raise InfeasibleAccuracyError(
            f"Expected some design of {task.id} within the allowed drop, got none. Raise the "
            "budget or allow a larger drop."
        )
    if value > answer.bound:
        raise SolverError(
            f"Expected no design of {task.id} above the bound {answer.bound!r}, got one of "
            f"{value!r}: a fault of the solver. Please report the task."
        )
    return Optimum(
        task=task.id,
        task_fingerprint=task.fingerprint,
        design=outcome.design,
        value=value,
        bound=answer.bound,
        # Beyond the allowance a reward is below 0 or as the problem counts it.
        reward_bound=max(reward_bound, 0.0),
        constant=constant,
        method=METHOD,
        log=lines,
    )


def joint_problem(task: TaskLike, steep: float = STEEP) -> JointProblem:
    """Pose a task with additive accuracy tables for ``solve_joint``.

    Args:
        task: What is solved.
        steep: What excess beyond the allowance costs, of several networks the mean of theirs;
            infinite to forbid it.

    Returns:
        The joint problem: its settings are those of the design space, each standing for the nearest
        that a layer may have; what the sum of a network's terms exceeds its allowance by is paid
        for.

    Raises:
        RunError: If the accuracy of the task is no such table.
    """
    task = find_task(task)
    tables = additive_tables(task)
    layers = task.workload.layers
    choices = task.space.uniform(len(task.workload.layer_names))
    every = np.arange(choices.shape[1])

    def pose(numbers: IntArray, budget: int) -> ReplicationProblem:
        chosen = choices[numbers, every]
        return ReplicationProblem.of(task.cost_model, chosen, budget, task.objective)

    accuracy = []
    for allowance, table, own in zip(task.allowances, tables, layers, strict=True):
        of_layers = np.moveaxis(choices[:, own], 1, 0)
        terms = table.term_values(of_layers, np.arange(len(of_layers))[:, None])
        accuracy.append(
            AccuracyTerms(
                terms=np.sum(terms, axis=0),
                penalty=partial(_penalty, allowance, steep / len(layers)),
                magnitudes=np.sum(np.abs(terms), axis=0),
            )
        )
    return JointProblem(
        pose=pose,
        budget=task.budget,
        objective=posed_objective(task.cost_model, task.objective),
        baseline=task.baseline_report.cost(task.objective),
        accuracy=tuple(accuracy),
    )


def chosen_settings(task: TaskLike, numbers: IntArray) -> IntArray:
    """Say what an answer to ``joint_problem`` stands for.

    Args:
        task: What was solved.
        numbers: Settings of the layers as ``solve_joint`` counts them, shape (L,).

    Returns:
        Shape (L, K).
    """
    layers = np.arange(len(numbers))
    settings: IntArray = find_task(task).space.uniform(len(layers))[numbers, layers]
    return settings


def _scored(task: Task, numbers: IntArray) -> Outcome:
    return evaluate_settings(task, chosen_settings(task, numbers))


def _penalty(allowance: Allowance, steep: float, sums: Floats) -> Floats:
    if steep == math.inf:
        return np.where(sums > allowance.limit, math.inf, 0.0)
    return steep * allowance.excesses(sums)
