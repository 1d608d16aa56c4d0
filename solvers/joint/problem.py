"""A task as far as its joint optimum is concerned, and the answer."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lrmp.errors import InfeasibleAccuracyError, InfeasibleBudgetError, SolverError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.floats import ROUNDING, Floats
from lrmp.solvers.joint.least import least_terms
from lrmp.solvers.replication.exact import solve_exact
from lrmp.solvers.replication.problem import ReplicationObjective, ReplicationProblem

FORBIDDEN = 600.0  # exp(600) times slower; what lies beyond would not fit into floats
LARGEST = float(np.finfo(float).max) / 16  # sums and differences of a few such are floats
MOST_TILES = 2**62  # budgets below it, and differences of them, are exact in 64 bits


@dataclass(frozen=True, eq=False)
class JointProblem:
    """Choose a setting for each of L layers, out of S, and copies.

    What a setting is, such as a pair of bit widths, is known to ``pose`` alone.

    Attributes:
        pose: Poses the replication problem of chosen settings, shape (L,), and a budget. What a
            layer costs depends on its own setting alone.
        budget: Tiles on the chip.
        objective: ``"latency"``, ``"throughput"``, ``"energy"`` or ``"edp"``.
        baseline: What the plain chip has for the objective: cycles, femtojoules or their product.
        terms: Accuracy terms by layer and setting, shape (L, S).
        penalty: What sums of terms, of any shape, cost in the return: never falling, infinite for
            sums that are forbidden. What is more than ``FORBIDDEN`` beyond the least is, too.
        magnitudes: Of the numbers that a term is the sum of, added up, shape (L, S): the return may
            add those up in another order, whose rounding the bound counts. None if terms are added.

    Raises:
        SolverError: If the terms are no finite matrix, or the budget does not fit 64 bits.
    """

    pose: Callable[[IntArray, int], ReplicationProblem]
    budget: int
    objective: ReplicationObjective
    baseline: int
    terms: Floats
    penalty: Callable[[Floats], Floats]
    magnitudes: Floats | None = None

    def __post_init__(self) -> None:
        if self.budget >= MOST_TILES:
            raise SolverError(
                f"Expected a budget below 2**62 tiles, got {self.budget}. Give one that is used up."
            )
        if self.terms.ndim != 2 or 0 in self.terms.shape or not np.isfinite(self.terms).all():
            raise SolverError(
                "Expected finite accuracy terms by layer and setting, got an array of shape "
                f"{self.terms.shape} with {np.count_nonzero(~np.isfinite(self.terms))} others. "
                "Give settings that must not be used a large finite term."
            )
        with np.errstate(over="ignore"):
            magnitude = float(self._magnitudes.max(axis=1).sum())
        if magnitude > LARGEST:
            raise SolverError(
                f"Expected accuracy terms whose sum is at most {LARGEST:.0e}, got {magnitude:.0e}. "
                "Give them a larger unit."
            )

    def within(self, reach: float) -> tuple[NDArray[np.bool_], float]:
        """Say what designs may have whose terms, as they are added, exceed the least by so much.

        Args:
            reach: The most that sums exceed the sum of the least terms by.

        Returns:
            The settings of such designs, shape (L, S): with any other the sum is larger however it
            is rounded. And how much smaller than it is the sum of such a design may come out.
        """
        own = (2 * len(self.terms) + 8) * ROUNDING * self._magnitudes
        excess = self.terms - self.terms.min(axis=1, keepdims=True)
        rounding, before = 0.0, -1.0
        while rounding > before:
            settings = excess - own <= reach + rounding
            before, rounding = rounding, float(np.where(settings, own, 0.0).max(axis=1).sum())
        return settings, rounding

    @property
    def _magnitudes(self) -> Floats:
        return np.abs(self.terms) if self.magnitudes is None else self.magnitudes

    @cached_property
    def least_penalty(self) -> float:
        """What every design within the budget pays at least, however its terms are added.

        Raises:
            InfeasibleAccuracyError: If even what a larger budget would allow is forbidden.
        """
        lowest = self.terms.min(axis=1)
        least = math.fsum(lowest.tolist())
        penalty = math.inf
        if self.tiles.min(axis=1).sum() <= self.budget:
            _, forced = least_terms(self.terms - lowest[:, None], self.tiles, self.budget)
            penalty = float(self.penalty(np.array(least + forced - self.within(forced)[1])))
        if penalty == math.inf:  # searches say so: a larger budget may help
            penalty = float(self.penalty(np.array(least - self.within(0.0)[1])))
        if penalty == math.inf:
            raise InfeasibleAccuracyError(
                f"Expected some design within the limit on accuracy; even the least sum of terms, "
                f"{least:g}, is forbidden. Allow a larger drop."
            )
        return penalty

    def paid(self, sums: Floats) -> Floats:
        """Return what sums of terms cost in the return beyond what every design pays.

        Args:
            sums: Any shape.

        Returns:
            Penalties beyond ``least_penalty``, infinite for what is forbidden; same shape. Smaller
            sums than the budget allows cost nothing more.
        """
        beyond = np.maximum(self.penalty(sums) - self.least_penalty, 0.0)
        return np.where(beyond > FORBIDDEN, math.inf, beyond)

    def paid_by(self, settings: IntArray) -> Floats:
        """Return what designs pay beyond what every design pays.

        Args:
            settings: Shape (..., L).

        Returns:
            Penalties beyond ``least_penalty``, shape (...).
        """
        return self.paid(self.terms[np.arange(len(self.terms)), settings].sum(axis=-1))

    def simple_designs(self) -> IntArray:
        """List designs to begin with: every setting in all layers, the smallest, the most accurate.

        Returns:
            The settings of those that fit with one copy of every layer, shape (N, L).

        Raises:
            InfeasibleBudgetError: If not even the smallest fits.
        """
        layers, settings = self.terms.shape
        uniform = np.repeat(np.arange(settings)[:, None], layers, axis=1)
        smallest = self.tiles.min(axis=1).sum()
        if smallest > self.budget:
            raise InfeasibleBudgetError(
                f"Expected a budget of at least {smallest} tiles for one copy of every layer "
                f"in its smallest setting, got {self.budget} tiles. Raise the budget."
            )
        excess = self.terms - self.terms.min(axis=1, keepdims=True)
        fitted, _ = least_terms(excess, self.tiles, self.budget)
        ends = [self.tiles.argmin(axis=1), fitted, self.terms.argmin(axis=1)]
        designs = np.concatenate([uniform, ends])
        needed = self.tiles[np.arange(layers), designs].sum(axis=1)
        fitting: IntArray = designs[needed <= self.budget]
        return fitting

    @cached_property
    def tiles(self) -> IntArray:
        """Tiles of one copy, by layer and setting, shape (L, S)."""
        return np.stack([posed.tiles for posed in self.uniform], axis=1)

    @cached_property
    def uniform(self) -> list[ReplicationProblem]:
        """Pose the replication problem of every setting, the same in all layers.

        Returns:
            S problems. Read layer by layer, they hold every choice of every layer; their budget
            plays no part.
        """
        layers, settings = self.terms.shape
        return [self.pose(np.full(layers, setting), 2**62) for setting in range(settings)]


def no_design_allowed() -> InfeasibleAccuracyError:
    """Word the error for a task all of whose designs within the budget are forbidden.

    Returns:
        The error, to be raised.
    """
    return InfeasibleAccuracyError(
        "Expected some design within the budget and the limit on accuracy, got none. Raise the "
        "budget or allow a larger drop."
    )


@dataclass(frozen=True)
class JointOptimum:
    """The best design found, and a bound on all others.

    Attributes:
        settings: Of every layer, shape (L,).
        copies: Of every layer, shape (L,).
        value: Its return.
        bound: No design has a higher return.
        log: What the solver did, a line each.
    """

    settings: IntArray
    copies: IntArray
    value: float
    bound: float
    log: tuple[str, ...]

    @property
    def gap(self) -> float:
        """By how much the objective (time or energy) could at most be better; relative."""
        return math.expm1(self.bound - self.value)


def evaluate_joint(problem: JointProblem, settings: IntArray) -> tuple[float, IntArray]:
    """Return the return of chosen settings with the best copies, and those copies.

    Args:
        problem: The task.
        settings: Shape (L,).

    Returns:
        Return and copies.
    """
    answer = solve_exact(problem.pose(settings, problem.budget))
    value = math.log(problem.baseline / answer.objective_value)
    paid = problem.least_penalty + float(problem.paid_by(settings))
    return value - paid, answer.copies
