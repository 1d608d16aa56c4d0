"""A task as far as its joint optimum is concerned, and the answer."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.cost_model import CostModel
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
        cost_model: Network of L layers and chip.
        budget: Tiles on the chip.
        objective: ``"latency"``, ``"energy"`` or ``"throughput"``.
        baseline: What the plain 8-bit chip has for the objective: cycles or femtojoules.
        weight_terms: Accuracy terms by layer and weight bits 2..8, shape (L, 7).
        activation_terms: Accuracy terms by layer and activation bits 2..8, shape (L, 7).
        penalty: What a sum of terms costs in the return: at least 0 and never falling.
    """

    cost_model: CostModel
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
    posed = ReplicationProblem.of(
        problem.cost_model, weight_bits, activation_bits, problem.budget, problem.objective
    )
    answer = solve_exact(posed)
    layers = np.arange(len(weight_bits))
    terms = (
        problem.weight_terms[layers, weight_bits - MIN_BITS]
        + problem.activation_terms[layers, activation_bits - MIN_BITS]
    )
    value = math.log(problem.baseline / answer.objective_value)
    design = Design(weight_bits, activation_bits, answer.copies)
    return value - problem.penalty(float(terms.sum())), design


def uniform_problems(problem: JointProblem) -> list[tuple[int, int, ReplicationProblem]]:
    """Pose the replication problem for every pair of bits, the same in all layers.

    What a layer costs depends on its own bits alone, so that these problems, read layer by layer,
    hold every choice of every layer.

    Args:
        problem: The task.

    Returns:
        Weight bits, activation bits and problem; its budget plays no part.
    """
    layers = len(problem.cost_model.network)
    return [
        (
            weight,
            activation,
            ReplicationProblem.of(
                problem.cost_model,
                np.full(layers, weight),
                np.full(layers, activation),
                2**62,
                problem.objective,
            ),
        )
        for weight in BIT_WIDTHS
        for activation in BIT_WIDTHS
    ]
