"""A task as far as its joint optimum is concerned, and the answer."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lrmp.errors import InfeasibleAccuracyError, InfeasibleBudgetError, SolverError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.accuracy_terms import AccuracyTerms
from lrmp.solvers.joint.floats import Floats
from lrmp.solvers.joint.least import least_terms
from lrmp.solvers.replication.exact import solve_exact
from lrmp.solvers.replication.problem import ReplicationObjective, ReplicationProblem

FORBIDDEN = 600.0  # exp(600) times slower; what lies beyond would not fit into floats
MOST_TILES = 2**62  # budgets below it, and differences of them, are exact in 64 bits


@dataclass(frozen=True, eq=False)
class JointProblem:
    """Choose a setting for each of L layers, out of S, and copies.

    The layers belong to one network or to several that share the chip, network after network. What
    each network gives up in accuracy has a penalty of its own; the return is

        ln(baseline / cost) - sum of the networks' penalties.

    What a setting is, such as a pair of bit widths, and how often each network runs is known to
    ``pose`` alone; ``ReplicationProblem.together`` poses several networks with their rates.

    Attributes:
        pose: Poses the replication problem of chosen settings, shape (L,), and a budget. What a
            layer costs depends on its own setting alone.
        budget: Tiles on the chip.
        objective: ``"latency"``, ``"throughput"``, ``"energy"``, ``"edp"`` or
            ``"weighted_throughput"``.
        baseline: What the plain chip has for the objective: cycles, femtojoules, their product, or
            billionths of a cycle.
        accuracy: Terms and penalty of every network, for the same S settings. What is more than
            ``FORBIDDEN``, divided by the number of networks, beyond the least that the network pays
            if the others make do with the fewest tiles, is forbidden, too.

    Raises:
        SolverError: If there is no network, the networks differ in the number of settings, or the
            budget does not fit 64 bits.
    """

    pose: Callable[[IntArray, int], ReplicationProblem]
    budget: int
    objective: ReplicationObjective
    baseline: int
    accuracy: tuple[AccuracyTerms, ...]

    def __post_init__(self) -> None:
        if self.budget >= MOST_TILES:
            raise SolverError(
                f"Expected a budget below 2**62 tiles, got {self.budget}. Give one that is used up."
            )
        settings = [accuracy.terms.shape[1] for accuracy in self.accuracy]
        if len(set(settings)) != 1:
            raise SolverError(
                "Expected accuracy terms of at least one network, all for the same number of "
                f"settings, got {settings}. Give settings that a network lacks large terms."
            )

    @cached_property
    def terms(self) -> Floats:
        """Accuracy terms by layer and setting, shape (L, S)."""
        return np.concatenate([accuracy.terms for accuracy in self.accuracy])

    @cached_property
    def layers(self) -> tuple[slice, ...]:
        """The layers of every network."""
        ends = np.cumsum([0, *(len(accuracy.terms) for accuracy in self.accuracy)]).tolist()
        return tuple(map(slice, ends[:-1], ends[1:]))

    @cached_property
    def least_penalties(self) -> tuple[float, ...]:
        """What every network pays at least in every design within the budget.

        Raises:
            InfeasibleAccuracyError: If even what a larger budget would allow is forbidden.
        """
        tiles = self.tiles
        spare = self.budget - int(tiles.min(axis=1).sum())
        return tuple(
            accuracy.least_penalty(
                tiles[layers], spare + int(tiles[layers].min(axis=1).sum()) if spare >= 0 else None
            )
            for accuracy, layers in zip(self.accuracy, self.layers, strict=True)
        )

    @property
    def least_penalty(self) -> float:
        """What every design within the budget pays at least, however its terms are added.

        Raises:
            InfeasibleAccuracyError: If even what a larger budget would allow is forbidden.
        """
        return sum(self.least_penalties)

    def paid(self, network: int, sums: Floats) -> Floats:
        """Return what sums of a network's terms cost in the return beyond what every design pays.

        Args:
            network: Its number.
            sums: Any shape.

        Returns:
            Penalties beyond the network's least, infinite for what is forbidden; same shape.
            Smaller sums than the budget allows cost nothing more.
        """
        penalties = self.accuracy[network].penalty(sums)
        beyond = np.maximum(penalties - self.least_penalties[network], 0.0)
        return np.where(beyond > FORBIDDEN / len(self.accuracy), math.inf, beyond)

    def paid_by(self, settings: IntArray) -> Floats:
        """Return what designs pay beyond what every design pays.

        Args:
            settings: Shape (..., L).

        Returns:
            Penalties beyond ``least_penalty``, shape (...).
        """
        terms = self.terms[np.arange(len(self.terms)), settings]
        sums = (terms[..., layers].sum(axis=-1) for layers in self.layers)
        first, *others = (self.paid(network, each) for network, each in enumerate(sums))
        return sum(others, start=first)

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
        # Networks may have terms of any unit: each counts by its largest.
        shares = [a.excess / (float(a.excess.max()) or 1.0) for a in self.accuracy]
        fitted, _ = least_terms(np.concatenate(shares), self.tiles, self.budget)
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
