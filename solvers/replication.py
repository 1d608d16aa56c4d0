"""The replication problem and its answer."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from lrmp.errors import InfeasibleBudgetError, SolverError
from lrmp.hardware.cost_model import CostModel
from lrmp.hardware.cost_report import Objective
from lrmp.hardware.design import as_integers
from lrmp.hardware.frozen_arrays import FrozenArrays, IntArray, read_only
from lrmp.hardware.mapping import ceil_div

_OBJECTIVES = ("latency", "throughput")


@lru_cache(maxsize=4096)
def useful_copies(positions: int) -> IntArray:
    """List the copy counts that shorten a layer; any other equals one of them in cycles.

    Args:
        positions: P, output positions that the copies share.

    Returns:
        Ascending counts r, from 1 to P, each the smallest with its value of ``ceil(P/r)``;
        about ``2 * sqrt(P)`` of them.
    """
    # Every value of ceil(P/r) is either ceil(P/r) for some r <= sqrt(P), or at most sqrt(P) + 1.
    total = np.array([positions])
    small = np.arange(1, int(positions**0.5) + 2)
    shares = np.concatenate([small, ceil_div(total, small)])
    return read_only(np.unique(ceil_div(total, shares)))


@dataclass(frozen=True, eq=False)
class ReplicationProblem(FrozenArrays):
    """Choose the copies of every layer so that they fit the budget and the objective is least.

    With r copies layer l takes ``ceil(positions/r) * cycles_per_position + output_cycles`` cycles
    and ``r * tiles`` tiles. The latency is the sum over layers, the throughput is set by the
    largest.

    Attributes:
        tiles: Tiles of one copy, shape (L,), each at least 1.
        positions: Output positions, shape (L,), each at least 1.
        cycles_per_position: Shape (L,), each at least 1.
        output_cycles: Cycles that copies do not shorten, shape (L,), each at least 0.
        budget: Tiles on the chip.
        objective: ``"latency"`` or ``"throughput"``.

    Raises:
        SolverError: If the arrays differ in shape, hold values out of range, or the cycles or
            tiles overflow 64 bits.
        InfeasibleBudgetError: If one copy of every layer does not fit.
    """

    tiles: IntArray
    positions: IntArray
    cycles_per_position: IntArray
    output_cycles: IntArray
    budget: int
    objective: Objective

    def __post_init__(self) -> None:
        for name, least in (
            ("tiles", 1),
            ("positions", 1),
            ("cycles_per_position", 1),
            ("output_cycles", 0),
        ):
            values = as_integers(name, getattr(self, name), SolverError)
            if values.ndim != 1 or values.size == 0 or values.shape != np.shape(self.tiles):
                raise SolverError(
                    f"Expected {name} to hold one integer per layer, got shape {values.shape}."
                )
            if (values < least).any():
                raise SolverError(f"Expected {name} of at least {least}, got {values.min()}.")
            object.__setattr__(self, name, read_only(values))
        if self.objective not in _OBJECTIVES:
            raise SolverError(
                f"Expected objective to be one of {', '.join(_OBJECTIVES)}; "
                f"got {self.objective!r}."
            )
        budget = as_integers("budget", self.budget, SolverError)
        if budget.ndim:
            raise SolverError(f"Expected budget to be one integer, got shape {budget.shape}.")
        object.__setattr__(self, "budget", int(budget))
        # Python's integers do not overflow: an honest check of what int64 will have to hold.
        cycles = sum(
            p * c + f
            for p, c, f in zip(
                self.positions.tolist(),
                self.cycles_per_position.tolist(),
                self.output_cycles.tolist(),
                strict=True,
            )
        )
        needed = sum(self.tiles.tolist())
        most = max(t * p for t, p in zip(self.tiles.tolist(), self.positions.tolist(), strict=True))
        if max(cycles, needed, most) >= 2**62:
            raise SolverError(
                "Expected total cycles and tiles below 2**62 so that 64-bit sums are exact, "
                f"got {max(cycles, needed, most)}."
            )
        if needed > self.budget:
            raise InfeasibleBudgetError(
                f"Expected a budget of at least {needed} tiles for one copy of every layer, "
                f"got {self.budget}. Lower the weight bits or raise the budget."
            )

    def __len__(self) -> int:
        return len(self.tiles)

    @classmethod
    def of(
        cls,
        cost_model: CostModel,
        weight_bits: ArrayLike,
        activation_bits: ArrayLike,
        budget: int,
        objective: Objective,
    ) -> Self:
        """Pose the problem that remains once the bits are chosen.

        Args:
            cost_model: Network and accelerator.
            weight_bits: Shape (L,), each 2..8.
            activation_bits: Shape (L,), each 2..8.
            budget: Tiles on the chip.
            objective: ``"latency"`` or ``"throughput"``.

        Returns:
            The problem.

        Raises:
            DesignError: If the bits are out of range or of the wrong shape.
            InfeasibleBudgetError: If one copy of every layer does not fit.
        """
        return cls(
            tiles=cost_model.tiles_per_copy(weight_bits),
            positions=cost_model.units,
            cycles_per_position=cost_model.cycles_per_unit(activation_bits),
            output_cycles=cost_model.fixed_cycles(activation_bits),
            budget=budget,
            objective=objective,
        )

    def layer_cycles(self, copies: IntArray) -> IntArray:
        """Count the cycles of every layer.

        Args:
            copies: Shape (L,), each at least 1.

        Returns:
            Cycles, shape (L,).
        """
        return ceil_div(self.positions, copies) * self.cycles_per_position + self.output_cycles

    def objective_cycles(self, copies: IntArray) -> int:
        """Return what is minimised.

        Args:
            copies: Shape (L,), each at least 1.

        Returns:
            The sum of the layers' cycles for latency, the largest for throughput.
        """
        cycles = self.layer_cycles(copies)
        return int(cycles.sum() if self.objective == "latency" else cycles.max())

    def choices(self, layer: int) -> tuple[IntArray, IntArray]:
        """List the copy counts worth trying for one layer.

        Args:
            layer: Index of the layer.

        Returns:
            Copies that fit beside one copy of every other layer, ascending, and the cycles of the
            layer with each.
        """
        spare = self.budget - int(self.tiles.sum())
        most = 1 + spare // int(self.tiles[layer])
        copies = useful_copies(int(self.positions[layer]))
        copies = copies[: np.searchsorted(copies, most, side="right")]
        cycles = (
            ceil_div(self.positions[layer], copies) * self.cycles_per_position[layer]
            + self.output_cycles[layer]
        )
        return copies, cycles


@dataclass(frozen=True, eq=False)
class Replication(FrozenArrays):
    """Copies of every layer, with a proof of how good they are.

    Attributes:
        copies: Shape (L,), each at least 1; they fit the budget.
        objective_cycles: Cycles that the objective minimises.
        lower_bound: No choice of copies takes fewer cycles than this.
        proven_optimal: Whether the bound is met.
        wall_time_s: Seconds the solver took; not part of equality.
    """

    copies: IntArray
    objective_cycles: int
    lower_bound: int
    proven_optimal: bool
    wall_time_s: float = field(compare=False)

    @classmethod
    def checked(
        cls, problem: ReplicationProblem, copies: IntArray, lower_bound: int, wall_time_s: float
    ) -> Self:
        """Build an answer and verify it against the problem, whatever solver it came from.

        Args:
            problem: The problem that was solved.
            copies: Shape (L,).
            lower_bound: The solver's bound on the objective, in cycles.
            wall_time_s: Seconds the solver took.

        Returns:
            The answer, its objective recomputed.

        Raises:
            SolverError: If the copies do not fit, or the bound lies above the objective: a fault
                of the solver.
        """
        if copies.shape != problem.tiles.shape or (copies < 1).any():
            raise SolverError(
                f"Expected at least one copy of each of {len(problem)} layers; the solver "
                f"returned {copies}."
            )
        objective = problem.objective_cycles(copies)
        used = int((copies * problem.tiles).sum())
        if used > problem.budget or lower_bound > objective:
            raise SolverError(
                f"Expected copies within {problem.budget} tiles and a bound of at most "
                f"{objective} cycles; the solver returned {used} tiles and bound {lower_bound}."
            )
        return cls(
            copies=read_only(copies),
            objective_cycles=objective,
            lower_bound=lower_bound,
            proven_optimal=lower_bound == objective,
            wall_time_s=wall_time_s,
        )
