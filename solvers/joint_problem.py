"""A task as far as its joint optimum is concerned, and the answer."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.design import BIT_WIDTHS, MIN_BITS, Design
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.exact import solve_exact
from lrmp.solvers.replication import ReplicationObjective, ReplicationProblem

Floats = NDArray[np.float64]
Bits = tuple[IntArray, IntArray]  # weights and activations, each of shape (L,)


@dataclass(frozen=True, eq=False)
class JointProblem:
    """A task, as far as its optimum is concerned.

    Attributes:
        pose: Poses the replication problem of weight bits, activation bits, each of shape (L,), and
            a budget.
        budget: Tiles on the chip.
        objective: ``"latency"``, ``"throughput"``, ``"energy"`` or ``"edp"``.
        baseline: What the plain 8-bit chip has for the objective: cycles, femtojoules or their
            product.
        weight_terms: Accuracy terms by layer and weight bits 2..8, shape (L, 7).
        activation_terms: Accuracy terms by layer and activation bits 2..8, shape (L, 7).
        penalty: What a sum of terms costs in the return: at least 0 and never falling.
    """

    pose: Callable[[IntArray, IntArray, int], ReplicationProblem]
    budget: int
    objective: ReplicationObjective
    baseline: int
    weight_terms: Floats
    activation_terms: Floats
    penalty: Callable[[float], float]


@dataclass(frozen=True)
class JointOptimum:
    """The best design found, and a bound on all others.

    Attributes:
        design: Bits and copies.
        value: Its return.
        bound: No design has a higher return.
        log: What the solver did, a line each.
    """

    design: Design
    value: float
    bound: float
    log: tuple[str, ...]

    @property
    def gap(self) -> float:
        """By how much the objective (time or energy) could at most be better; relative."""
        return math.expm1(self.bound - self.value)


def evaluate_joint(
    problem: JointProblem, weight_bits: IntArray, activation_bits: IntArray
) -> tuple[float, Design]:
    """Return the return of chosen bits with the best copies, and the design.

    Args:
        problem: The task.
        weight_bits: Shape (L,).
        activation_bits: Shape (L,).

    Returns:
        Return and design.
    """
    answer = solve_exact(problem.pose(weight_bits, activation_bits, problem.budget))
    value = math.log(problem.baseline / answer.objective_value)
    design = Design(weight_bits, activation_bits, answer.copies)
    return value - problem.penalty(sum_of_terms(problem, weight_bits, activation_bits)), design


def sum_of_terms(problem: JointProblem, weight_bits: IntArray, activation_bits: IntArray) -> float:
    """Add up the accuracy terms of a design.

    Args:
        problem: The task.
        weight_bits: Shape (L,).
        activation_bits: Shape (L,).

    Returns:
        What the penalty is a function of.
    """
    layers = np.arange(len(weight_bits))
    weights = problem.weight_terms[layers, weight_bits - MIN_BITS]
    activations = problem.activation_terms[layers, activation_bits - MIN_BITS]
    return float(weights.sum() + activations.sum())


def uniform_problems(problem: JointProblem) -> list[tuple[int, int, ReplicationProblem]]:
    """Pose the replication problem for every pair of bits, the same in all layers.

    What a layer costs depends on its own bits alone, so that these problems, read layer by layer,
    hold every choice of every layer.

    Args:
        problem: The task.

    Returns:
        Weight bits, activation bits and problem; its budget plays no part.
    """
    layers = len(problem.weight_terms)
    return [
        (w, a, problem.pose(np.full(layers, w), np.full(layers, a), 2**62))
        for w in BIT_WIDTHS
        for a in BIT_WIDTHS
    ]
