"""What bits do in a task: running totals, and scores of whole designs, one or many at a time."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs.scoring.observation import Number, layer_features, share_of_allowance
from lrmp.envs.scoring.outcome import Outcome, evaluate_bits
from lrmp.envs.scoring.reward import RewardName, reward_function
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design import BIT_WIDTHS, MAX_BITS, MIN_BITS
from lrmp.solvers.replication.batch import ReplicationBatch, solve_batch
from lrmp.solvers.replication.oracle import SolverName, check_solver, solve_replication
from lrmp.solvers.replication.problem import ReplicationProblem

Totals = tuple[Number, Number, Number, Number]
LEAST_ALLOWANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of B designs.

    Attributes:
        replication: The oracle's copies, shape (B, L).
        speedup: Baseline / design, of what the task minimises, shape (B,).
        accuracy_drop: Percentage points, shape (B,).
        proven_optimal: Whether the oracle proved its copies optimal, shape (B,).
        reward: Shape (B,).
    """

    replication: IntArray
    speedup: NDArray[np.float64]
    accuracy_drop: NDArray[np.float64]
    proven_optimal: NDArray[np.bool_]
    reward: NDArray[np.float64]


class Dynamics:
    """The rules that every form of a task plays by, scalar, vectorised and multi-agent.

    Running totals count one copy of every layer. They are sums over layers, so an episode keeps
    them up to date by adding what a layer's new bits change: Python numbers for one episode, arrays
    for many, in the same order and with the same result.

    Args:
        task: What is solved.
        reward: Which formula scores a design.
        solver: Which solver places the copies.

    Attributes:
        tiles: Tiles of one copy by layer and weight bits 2..8, shape (L, 7).
        cycles: Cycles with one copy by layer and activation bits 2..8, shape (L, 7).
        weight_spent: What weight bits add to the accuracy spent beyond 8 bits, shape (L, 7); None
            if the accuracy model is no table, so that only whole designs have an accuracy.
        activation_spent: The same for activation bits.

    Raises:
        TaskError: If there is no such reward.
        SolverError: If there is no such solver.
    """

    def __init__(
        self, task: TaskLike, reward: RewardName = "lrmp", solver: SolverName = "exact"
    ) -> None:
        self.task = task = find_task(task)
        self.reward: RewardName = reward
        self._reward_function = reward_function(reward)
        check_solver(solver)
        self.solver: SolverName = solver
        model, count = task.cost_model, len(task.network)
        every_width = np.repeat(np.array(BIT_WIDTHS)[:, None], count, axis=1)
        self.tiles: IntArray = model.tiles_per_copy(every_width).T.copy()
        self.cycles: IntArray = model.layer_cycles(every_width, every_width, 1).T.copy()
        self.start_tiles = int(self.tiles[:, -1].sum())
        self.start_cycles = int(self.cycles[:, -1].sum())
        self._least_interval = model.least_interval
        self.start_bottleneck = max(int(self.cycles[:, -1].max()), self._least_interval)
        self._tile_scale = max(task.budget, self.start_tiles)
        self.weight_spent: NDArray[np.float64] | None = None
        self.activation_spent: NDArray[np.float64] | None = None
        allowance = task.allowed_drop
        if isinstance(task.accuracy, TableAccuracy):
            table = task.accuracy
            self.weight_spent = table.weight_table - table.weight_table[:, -1:]
            self.activation_spent = table.activation_table - table.activation_table[:, -1:]
            allowance = table.drop_map.threshold(task.allowed_drop)
        # Where nothing is allowed, any drop spends all; where everything is, one unit spends half.
        self._allowance = max(allowance, LEAST_ALLOWANCE) if allowance < np.inf else 1.0

    def __len__(self) -> int:
        return len(self.tiles)

    @cached_property
    def start_spent(self) -> float:
        """Accuracy spent by 8 bits everywhere; found when needed, for a network may have to run."""
        plain = np.full(len(self), MAX_BITS)
        if isinstance(self.task.accuracy, TableAccuracy):
            return self.task.accuracy.table_sum(plain, plain)
        return self.task.accuracy.drop(plain, plain)

    @cached_property
    def layer_features(self) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """Names and values of what is shown of every layer, shape (L, n)."""
        return layer_features(self.task)

    @overload
    def totals(self, tiles: int, spent: float, cycles: int, slowest: int) -> Totals[float]: ...

    @overload
    def totals(
        self, tiles: IntArray, spent: NDArray[np.float64], cycles: IntArray, slowest: IntArray
    ) -> Totals[NDArray[np.float64]]: ...

    def totals(self, tiles: Any, spent: Any, cycles: Any, slowest: Any) -> Totals[Any]:
        """Scale the running totals as agents see them.

        Args:
            tiles: One copy of every layer.
            spent: Accuracy spent: the table's sum so far, or the drop in points.
            cycles: Sum over layers, one copy each.
            slowest: Cycles of the slowest layer, one copy each.

        Returns:
            Numbers in 0..1 (or arrays of them), as in ``TOTALS``.
        """
        return (
            tiles / self._tile_scale,
            share_of_allowance(spent, self._allowance),
            cycles / self.start_cycles,
            # The digital unit, on which layers take turns, may be the bottleneck.
            np.maximum(slowest, self._least_interval) / self.start_bottleneck,
        )

    def design_totals(
        self, weight_bits: IntArray, activation_bits: IntArray
    ) -> Totals[NDArray[np.float64]]:
        """Scale the totals of whole designs with one copy of every layer.

        Args:
            weight_bits: Shape (B, L), each 2..8.
            activation_bits: Shape (B, L), each 2..8.

        Returns:
            Four arrays of shape (B,), as in ``TOTALS``.
        """
        layers = np.arange(len(self))
        w, a = weight_bits - MIN_BITS, activation_bits - MIN_BITS
        if self.weight_spent is None or self.activation_spent is None:
            spent = self.drops(weight_bits, activation_bits)
        else:
            added = self.weight_spent[layers, w] + self.activation_spent[layers, a]
            spent = self.start_spent + added.sum(axis=1)
        cycles = self.cycles[layers, a]
        return self.totals(
            self.tiles[layers, w].sum(axis=1), spent, cycles.sum(axis=1), cycles.max(axis=1)
        )

    def outcome(
        self, weight_bits: IntArray, activation_bits: IntArray, drop: float | None = None
    ) -> Outcome:
        """Place the copies of one design and cost it.

        Args:
            weight_bits: Shape (L,), each 2..8.
            activation_bits: Shape (L,), each 2..8.
            drop: The accuracy drop of these bits, if it is known.

        Returns:
            The finished design.

        Raises:
            InfeasibleBudgetError: If one copy of every layer does not fit the budget.
        """
        return evaluate_bits(self.task, weight_bits, activation_bits, self.solver, drop)

    def drops(self, weight_bits: IntArray, activation_bits: IntArray) -> NDArray[np.float64]:
        """Look up the accuracy drops of many designs.

        Args:
            weight_bits: Shape (B, L), each 2..8.
            activation_bits: Shape (B, L), each 2..8.

        Returns:
            Percentage points, shape (B,).
        """
        accuracy = self.task.accuracy
        if isinstance(accuracy, TableAccuracy):
            return accuracy.drops(weight_bits, activation_bits)
        return np.array(
            [accuracy.drop(w, a) for w, a in zip(weight_bits, activation_bits, strict=True)]
        )

    def scores(self, weight_bits: IntArray, activation_bits: IntArray) -> Scores:
        """Place the copies of many designs and score them.

        Args:
            weight_bits: Shape (B, L), each 2..8.
            activation_bits: Shape (B, L), each 2..8.

        Returns:
            The same numbers as one by one.

        Raises:
            InfeasibleBudgetError: If for some design one copy of every layer does not fit.
        """
        task, model = self.task, self.task.cost_model
        proven = np.ones(len(weight_bits), dtype=bool)
        if self.solver == "exact" and task.objective in ("latency", "throughput"):
            batch = ReplicationBatch.of(
                model, weight_bits, activation_bits, task.budget, task.objective
            )
            copies = solve_batch(batch)
            costs = batch.objective_values(copies).tolist()
        else:
            copies, costs = np.empty_like(weight_bits), []
            for row, (w, a) in enumerate(zip(weight_bits, activation_bits, strict=True)):
                problem = ReplicationProblem.of(model, w, a, task.budget, task.objective)
                found = solve_replication(problem, self.solver)
                copies[row], proven[row] = found.copies, found.proven_optimal
                costs.append(found.objective_value)
        drops = self.drops(weight_bits, activation_bits)
        # Python's integers and floats, as for one design: NumPy divides large integers otherwise.
        plain = model.baseline.cost(task.objective)
        speedups = [plain / cost for cost in costs]
        rewards = [
            self._reward_function(speedup, drop, task.allowed_drop)
            for speedup, drop in zip(speedups, drops.tolist(), strict=True)
        ]
        return Scores(copies, np.array(speedups), drops, proven, np.array(rewards))
