"""The joint optimum for throughput: the least accuracy terms for every limit on the layers."""

import heapq
import math
from collections.abc import Callable

import numpy as np

from lrmp.errors import InfeasibleBudgetError
from lrmp.hardware.design import BIT_WIDTHS, MIN_BITS
from lrmp.hardware.mapping import ceil_div
from lrmp.solvers.joint_problem import Bits, JointProblem, uniform_problems
from lrmp.solvers.knapsack import Knapsack, solve_knapsack

UNITS_PER_TERM = 2**40  # accuracy terms are rounded down to whole units, 1e-12 each
NEVER = 2**62  # tiles of bits that do not keep the limit
ROUNDING = 1e-9  # of the terms of some hundred layers, and of the logarithm


def search_throughput(problem: JointProblem, log: Callable[[str], None]) -> tuple[Bits, float]:
    """Find the bits of the highest return and an upper bound on all returns.

    If no layer may take more than z cycles, every choice of bits needs a known number of copies,
    and the least sum of accuracy terms within the budget is a knapsack with one option per pair of
    bits. It never grows with z, so over an interval of limits the return is at most that of the
    fastest end at the terms of the slowest; intervals are divided, the most promising first, until
    none promises more than the best design found.

    Args:
        problem: The task.
        log: Called with every line of the log.

    Returns:
        Weight and activation bits, and the bound.
    """
    choices = _Choices(problem)

    def promise(fastest: int, terms: float) -> float:
        return math.log(problem.baseline / fastest) - problem.penalty(terms)

    least, most = choices.limits
    log(f"limits of {least} to {most} cycles, {len(BIT_WIDTHS) ** 2} pairs of bits per layer")
    solved = choices.least_terms(most)
    if solved is None:
        raise InfeasibleBudgetError(
            "Expected a budget for one copy of every layer at 2 bits, got "
            f"{problem.budget} tiles. Raise the budget."
        )
    best = promise(most, solved[0]), solved[1]
    # Limits from least to most - 1 are open; the terms at their right end are known.
    intervals = [(-promise(least, solved[0]), least, most - 1, solved[0])] if least < most else []
    programs = 1
    while intervals and -intervals[0][0] > best[0]:
        _, low, high, terms = heapq.heappop(intervals)
        middle = (low + high) // 2
        solved = choices.least_terms(middle)
        programs += 1
        if solved is not None:
            value = promise(middle, solved[0])
            if value > best[0]:
                best = value, solved[1]
            if low < middle:
                heapq.heappush(intervals, (-promise(low, solved[0]), low, middle - 1, solved[0]))
        # Without a solution at the middle there is none below it either.
        if middle < high:
            heapq.heappush(intervals, (-promise(middle + 1, terms), middle + 1, high, terms))
    log(f"{programs} limits tried: no interval between them promises more than {best[0]:.9f}")
    return best[1], best[0] + ROUNDING


class _Choices:
    """Tiles and terms of every pair of bits, as functions of the limit on every layer's cycles."""

    def __init__(self, problem: JointProblem) -> None:
        self._budget = problem.budget
        posed = uniform_problems(problem)
        self._weight_bits = np.array([weight for weight, _, _ in posed])
        self._activation_bits = np.array([activation for _, activation, _ in posed])
        # Shape (L, 49): layer, pair of bits.
        self._tiles = np.stack([p.tiles for *_, p in posed], axis=1)
        self._units = np.stack([p.units for *_, p in posed], axis=1)
        self._cycles = np.stack([p.cycles_per_unit for *_, p in posed], axis=1)
        self._fixed = np.stack([p.fixed_cycles for *_, p in posed], axis=1)
        terms = problem.weight_terms[:, self._weight_bits - MIN_BITS]
        terms = terms + problem.activation_terms[:, self._activation_bits - MIN_BITS]
        # Rounded down: a bound on the terms, and on what they cost, stays one.
        self._terms = np.floor(terms * UNITS_PER_TERM).astype(np.int64)
        #: The least limit that any bits keep, and the least that all bits keep with one copy. The
        #: interval is the same for all bits where a unit that layers share sets it.
        least_interval = posed[0][2].least_interval
        self.limits = (
            max(int((self._cycles + self._fixed).min(axis=1).max()), least_interval),
            max(int((self._units * self._cycles + self._fixed).max()), least_interval),
        )

    def least_terms(self, limit: int) -> tuple[float, Bits] | None:
        """Find the bits with the least terms that keep the limit within the budget, if any do."""
        units_per_copy = (limit - self._fixed) // self._cycles
        possible = units_per_copy >= 1
        copies = ceil_div(self._units, np.maximum(units_per_copy, 1))
        tiles = np.where(possible, copies * self._tiles, NEVER)
        # In every layer the pairs that have fewer terms than all that need no more tiles.
        order = np.lexsort((self._terms, tiles), axis=-1)
        tiles = np.take_along_axis(tiles, order, axis=1)
        terms = np.take_along_axis(self._terms, order, axis=1)
        kept = tiles <= self._budget
        kept[:, 1:] &= terms[:, 1:] < np.minimum.accumulate(terms, axis=1)[:, :-1]
        sizes = kept.sum(axis=1)
        if not sizes.all() or tiles[:, 0].sum() > self._budget:
            return None
        knapsack = Knapsack(
            start=np.concatenate([[0], np.cumsum(sizes)]),
            block=np.repeat(np.arange(len(sizes)), sizes),
            weights=tiles[kept],
            costs=terms[kept],
            capacity=self._budget,
        )
        chosen = solve_knapsack(knapsack, lambda: range(len(sizes)))
        pairs = order[kept][chosen]
        total = int(knapsack.costs[chosen].sum()) / UNITS_PER_TERM
        return total, (self._weight_bits[pairs], self._activation_bits[pairs])
