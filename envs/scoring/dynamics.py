"""What settings do in a task: running totals, and scores of whole designs, one or many."""

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs.scoring.layer_lookup import LayerLookup
from lrmp.envs.scoring.observation import Number, share_of_allowance
from lrmp.envs.scoring.outcome import Outcome, evaluate_settings, finish
from lrmp.envs.scoring.reward import (
    Measured,
    Reward,
    find_reward,
    lrmp_rewards,
    reward_function,
)
from lrmp.envs.scoring.spent_by_network import SpentByNetwork
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.hardware.cost.setting_table import Places, SettingTable
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.hardware.space.design import Design
from lrmp.solvers.replication.designs import solve_designs
from lrmp.solvers.replication.oracle import SolverName, check_solver
from lrmp.solvers.replication.problem import Replication

Totals = tuple[Number, ...]


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of B designs.

    Attributes:
        replication: The oracle's copies, shape (B, L).
        gain: Baseline / design, of what the task minimises, shape (B,).
        accuracy_drop: Percentage points, shape (B,).
        divergence: As the accuracy model counts it, shape (B,).
        within_allowance: Whether the divergence is allowed, shape (B,).
        score: The ranked one; 0, that of the plain design, beyond the allowance; shape (B,).
        proven_optimal: Whether the oracle proved its copies optimal, shape (B,).
        reward: Shape (B,).
    """

    replication: IntArray
    gain: NDArray[np.float64]
    accuracy_drop: NDArray[np.float64]
    divergence: NDArray[np.float64]
    within_allowance: NDArray[np.bool_]
    score: NDArray[np.float64]
    proven_optimal: NDArray[np.bool_]
    reward: NDArray[np.float64]


class Dynamics:
    """The rules that every form of a task plays by, scalar, vectorised and multi-agent.

    Running totals count one copy of every layer. They are sums over layers, so an episode keeps
    them up to date by adding what a layer's new setting changes: Python numbers for one episode,
    arrays for many, in the same order and with the same result.

    Args:
        task: What is solved.
        reward: Which formula scores a design.
        solver: Which solver places the copies.

    Attributes:
        space: The K knobs of the task.
        plain: The setting of the plain chip in every layer, shape (L, K).
        start_tiles: Of every layer in the plain design, shape (L,).
        start_cycles: The same in cycles.

    Raises:
        TaskError: If there is no such reward.
        SolverError: If there is no such solver.
    """

    def __init__(
        self, task: TaskLike, reward: Reward = "lrmp", solver: SolverName = "exact"
    ) -> None:
        self.task = task = find_task(task)
        self.space = task.space
        self.reward: Reward = find_reward(reward)
        check_solver(solver)
        self.solver: SolverName = solver
        count = len(task.network)
        self.plain = task.space.plain_settings(count)
        self._tiles, self._cycles = task.cost_model.one_copy
        self._least_interval = task.cost_model.least_interval
        every = np.arange(count)
        # Some knobs may take more than the plain chip does.
        most = [table.values.max(axis=1) for table in (self._tiles, self._cycles)]
        self._most_tiles = max(task.budget, int(most[0].sum()))
        self._most_cycles = int(most[1].sum())
        self._most_interval = max(int(most[1].max()), self._least_interval)
        self._in_turn = task.accelerator.is_time_multiplexed
        self._table = task.accuracy if isinstance(task.accuracy, TableAccuracy) else None
        self._networks = SpentByNetwork(task) if len(task.workload) > 1 else None
        self.start_tiles, self.start_cycles = self.amounts(every, self.plain)
        # Where nothing is allowed, any drop spends all; where everything is, one unit spends half.
        self._allowance = task.allowance.unit

    @property
    def spent_shape(self) -> tuple[int, ...]:
        """Shape of what is spent: none of one network, (N,) of several."""
        return () if self._networks is None else (len(self._networks),)

    def __len__(self) -> int:
        return len(self.plain)

    @property
    def has_table(self) -> bool:
        """Whether single layers spend accuracy; else only whole designs have one."""
        return self._table is not None or bool(self._networks and self._networks.has_tables)

    @cached_property
    def start_spent(self) -> Any:
        """Accuracy spent by the plain design; found when needed, for a network may have to run.

        A float, or of several networks an array of shape (N,); see ``spent_shape``.
        """
        if self._networks is not None:
            return self._networks.start
        if self._table is not None:
            return float(self._table.sums(self.plain))
        return self.drop(self.plain)

    @cached_property
    def lookup(self) -> LayerLookup:
        """What a layer takes in a setting, for one episode."""
        spent = self._beyond_plain if self.has_table else []
        shared = None if self._networks is None else self._networks.by_network
        return LayerLookup(self.space, self._tiles, self._cycles, spent, shared)

    def amounts(self, layers: IntArray, settings: IntArray) -> tuple[IntArray, IntArray]:
        """Count what layers take with one copy.

        Args:
            layers: Numbers of layers, shape (...).
            settings: Of these layers, shape (..., K).

        Returns:
            Tiles and cycles, each of shape (...).
        """
        places = Places(settings, self.space.sizes, len(self), layers)
        return self._tiles.of_settings(places), self._cycles.of_settings(places)

    def spent_beyond_plain(self, layers: IntArray, settings: IntArray) -> NDArray[np.float64]:
        """Say what settings of layers add to the accuracy spent, beyond the plain setting.

        Args:
            layers: Numbers of layers, shape (...).
            settings: Of these layers, shape (..., K).

        Returns:
            In the unit of the table, shape (...); of several networks in shares of their
            allowances, shape (..., N).
        """
        spent = self._beyond_plain_of(Places(settings, self.space.sizes, len(self), layers))
        return spent if self._networks is None else self._networks.by_network(spent, layers)

    def _beyond_plain_of(self, places: Places) -> NDArray[np.float64]:
        first, *others = (table.of_settings(places) for table in self._beyond_plain)
        total: NDArray[np.float64] = sum(others, first)
        return total

    @property
    def _shared(self) -> SpentByNetwork:
        assert self._networks is not None
        return self._networks

    @cached_property
    def _beyond_plain(self) -> list[SettingTable[np.float64]]:
        """The terms of the table less those of the plain setting."""
        tables = self._table.tables if self._table is not None else self._shared.tables
        plain = Places(self.space.plain, self.space.sizes, 1, np.array(0))
        return [
            SettingTable(table.axes, table.values - table.values[:, [plain.along(table.axes)]])
            for table in tables
        ]

    def drop(self, settings: IntArray) -> Any:
        """Look up the accuracy drop of a design with one copy of every layer.

        Args:
            settings: Shape (L, K).

        Returns:
            Percentage points; of several networks each in what it is allowed, shape (N,).
        """
        if self._networks is not None:
            return self._networks.drop_shares(settings)
        ones = np.ones(len(self), dtype=np.int64)
        return self.task.accuracy.drop(Design(self.space, settings, ones))

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
            spent: Accuracy spent: the table's sum so far, or the drop in points; of several
                networks along the last axis.
            cycles: Sum over layers, one copy each.
            slowest: Cycles of the slowest layer, one copy each.

        Returns:
            Numbers in 0..1 (or arrays of them), as ``total_names`` of the task says.
        """
        larger: Any = max if isinstance(slowest, int) else np.maximum  # as fast as it can be
        latency = cycles / self._most_cycles
        return (
            tiles / self._most_tiles,
            *self._shares(spent),
            latency,
            # Where layers take turns on the tiles, nothing is pipelined; where some take turns on
            # the digital unit, it may be the bottleneck.
            latency
            if self._in_turn
            else larger(slowest, self._least_interval) / self._most_interval,
        )

    def _shares(self, spent: Any) -> tuple[Any, ...]:
        if self._networks is None:
            return (share_of_allowance(spent, self._allowance),)
        return tuple(np.moveaxis(share_of_allowance(spent, 1.0), -1, 0))

    def design_totals(self, settings: IntArray) -> Totals[NDArray[np.float64]]:
        """Scale the totals of whole designs with one copy of every layer.

        Args:
            settings: Shape (B, L, K).

        Returns:
            Arrays of shape (B,), as ``total_names`` of the task says.
        """
        places = Places(settings, self.space.sizes, len(self))
        if not self.has_table:
            spent = np.array([self.drop(design) for design in settings])
        elif self._networks is None:
            spent = self.start_spent + self._beyond_plain_of(places).sum(axis=1)
        else:
            spent = self.start_spent + self._networks.sums(self._beyond_plain_of(places))
        tiles, cycles = self._tiles.of_settings(places), self._cycles.of_settings(places)
        return self.totals(tiles.sum(axis=1), spent, cycles.sum(axis=1), cycles.max(axis=1))

    def outcome(self, settings: IntArray, divergence: float | None = None) -> Outcome:
        """Place the copies of one design and cost it.

        Args:
            settings: Shape (L, K).
            divergence: Of the design, if it is known; of several networks it is found anew.

        Returns:
            The finished design.

        Raises:
            InfeasibleBudgetError: If one copy of every layer does not fit the budget.
        """
        known = divergence if self._networks is None else None
        return evaluate_settings(self.task, settings, self.solver, known)

    def scores(self, settings: IntArray) -> Scores:
        """Place the copies of many designs and score them.

        Args:
            settings: Shape (B, L, K).

        Returns:
            The same numbers as one by one.

        Raises:
            InfeasibleBudgetError: If for some design one copy of every layer does not fit.
            TaskError: If the user's own reward raises or returns no finite number.
        """
        task = self.task
        found = solve_designs(task.poser, settings, self.solver)
        copies, costs, proven = found.copies, found.objective_values, found.proven_optimal
        divergences = task.accuracy.divergences(settings, copies)
        drop_map = task.accuracy.drop_map
        drops = drop_map(divergences) if drop_map else task.accuracy.drops(settings, copies)
        excesses = task.allowance.excesses(divergences)
        # Python's integers and floats, as for one design: NumPy divides large integers otherwise.
        plain = task.baseline_report.cost(task.objective)
        gains = [plain / cost for cost in costs]
        log_gains = np.array([math.log(gain) for gain in gains])
        reward = self.reward
        if callable(reward):
            answers = map(
                Replication,
                *(read_only(copies), costs, found.lower_bounds, proven.tolist(), repeat(0.0)),
            )
            designs = zip(settings, answers, divergences.tolist(), strict=True)
            rewards = np.array([finish(task, *design).reward(reward) for design in designs])
        elif reward == "lrmp":
            rewards = lrmp_rewards(log_gains, excesses)
        else:
            formula, allowed = reward_function(reward), task.allowed_drop
            measured = zip(gains, excesses.tolist(), drops.tolist(), strict=True)
            rewards = np.array([formula(Measured(*each, allowed)) for each in measured])
        within = divergences <= task.allowance.limit
        return Scores(
            replication=copies,
            gain=np.array(gains),
            accuracy_drop=drops,
            divergence=divergences,
            within_allowance=within,
            score=np.where(within, log_gains, 0.0),
            proven_optimal=proven,
            reward=rewards,
        )
