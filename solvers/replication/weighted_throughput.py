"""Copies for the weighted throughput of networks that share a chip: one knapsack of intervals.

Every network runs at its own interval. With a limit on its layers the fewest copies follow layer by
layer, so a network's choices are limits, each with the tiles that it needs; one is chosen for every
network, so that the rounds that all start in a long time are most.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lrmp.hardware.cost.cost_report import BILLION, SPAN, rounds_of
from lrmp.hardware.cost.mapping import ceil_div
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.knapsack import Knapsack, solve_knapsack
from lrmp.solvers.replication.problem import ReplicationProblem, useful_copies


@dataclass(frozen=True, eq=False)
class IntervalChoices:
    """The intervals that every network can have within a budget, in one flat list of N choices.

    Attributes:
        problem: Whose.
        start: Choices of network n are ``start[n] .. start[n + 1] - 1``.
        tiles: Of every choice, strictly ascending within a network, shape (N,).
        intervals: Cycles, strictly descending likewise.
        rounds: Rounds in ``SPAN`` cycles, strictly ascending likewise.
    """

    problem: ReplicationProblem
    start: IntArray
    tiles: IntArray
    intervals: IntArray
    rounds: IntArray

    @classmethod
    def of(cls, problem: ReplicationProblem) -> "IntervalChoices":
        """List the choices.

        Args:
            problem: Of the objective weighted throughput.

        Returns:
            For every network all intervals that more tiles shorten.
        """
        spare = problem.budget - int(problem.tiles.sum())
        found = [_of_network(problem, layers, spare) for layers in problem.parts]
        start = np.concatenate([[0], np.cumsum([len(tiles) for tiles, *_ in found])])
        return cls(problem, start, *(np.concatenate(part) for part in zip(*found, strict=True)))

    @cached_property
    def missed(self) -> IntArray:
        """Rounds that every choice has less than the network's shortest interval, shape (N,)."""
        most = self.rounds[self.start[1:] - 1]
        return np.repeat(most, np.diff(self.start)) - self.rounds

    def copies(self, choices: IntArray) -> IntArray:
        """Turn chosen intervals into copies.

        Args:
            choices: One per network.

        Returns:
            The fewest with which no network exceeds its interval, shape (L,).
        """
        problem = self.problem
        limits = np.repeat(self.intervals[choices], [len(problem.tiles[p]) for p in problem.parts])
        return ceil_div(problem.units, (limits - problem.fixed_cycles) // problem.cycles_per_unit)

    def least_cost(self, missed: int) -> int:
        """Say what the mean interval is at least.

        Args:
            missed: Rounds that all choices together miss at least.

        Returns:
            In the unit of ``mean_interval``.
        """
        most = int(self.rounds[self.start[1:] - 1].sum())
        return -(-len(self.problem.parts) * BILLION * SPAN // (most - missed))


def most_rounds(problem: ReplicationProblem) -> IntArray:
    """Find copies of the least mean interval.

    Args:
        problem: Of the objective weighted throughput.

    Returns:
        Copies, shape (L,): of all best ones those with the fewest tiles.
    """
    choices = IntervalChoices.of(problem)
    sizes = np.diff(choices.start)
    knapsack = Knapsack(
        start=choices.start,
        block=np.repeat(np.arange(len(sizes)), sizes),
        weights=choices.tiles,
        costs=choices.missed,
        capacity=problem.budget,
    )
    return choices.copies(solve_knapsack(knapsack, lambda: range(len(sizes))))


def _of_network(
    problem: ReplicationProblem, layers: slice, spare: int
) -> tuple[IntArray, IntArray, IntArray]:
    """List tiles, intervals and rounds of a network, by tiles."""
    tiles, units = problem.tiles[layers], problem.units[layers]
    per_unit, fixed = problem.cycles_per_unit[layers], problem.fixed_cycles[layers]
    shortest = int((per_unit + fixed).max())
    limits = np.unique(
        np.concatenate(
            [
                ceil_div(np.array([u]), useful_copies(u)) * c + f
                for u, c, f in zip(units.tolist(), per_unit.tolist(), fixed.tolist(), strict=True)
            ]
        )
    )
    limits = limits[limits >= shortest]
    limits = limits[: int(np.searchsorted(limits, int((units * per_unit + fixed).max()))) + 1]
    copies = ceil_div(units, (limits[:, None] - fixed) // per_unit)
    needed = copies @ tiles
    within = needed <= spare + int(tiles.sum())
    needed, limits = needed[within], limits[within]
    # Limits ascend and what they need does not: of equal tiles the least limit is the first.
    first = np.flatnonzero(np.diff(needed, prepend=-1))[::-1]
    rounds = np.array([rounds_of(limit) for limit in limits[first].tolist()])
    more = np.append(True, rounds[1:] > rounds[:-1])
    kept = first[more]
    return needed[kept], limits[kept], rounds[more]
