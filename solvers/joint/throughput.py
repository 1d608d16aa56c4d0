"""The joint optimum for throughput: the least accuracy terms for every limit on the layers."""

import heapq
import math
from collections.abc import Callable

import numpy as np

from lrmp.errors import SolverError
from lrmp.hardware.cost.mapping import ceil_div
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.problem import JointProblem, no_design_allowed
from lrmp.solvers.joint.sharing import Needs, share_tiles
from lrmp.solvers.joint.terms import JointTerms
from lrmp.solvers.joint.two_budgets import choose_within_two
from lrmp.solvers.replication.knapsack import Knapsack, solve_knapsack

NEVER = 2**62  # tiles of settings that do not keep the limit
CLOSE = 1e-7  # penalties at the limit of what is worth paying are kept


def search_throughput(problem: JointProblem, log: Callable[[str], None]) -> tuple[IntArray, float]:
    """Find the settings of the highest return and a bound on all returns.

    If no layer may take more than z cycles, every setting needs a known number of copies, and the
    least sum of accuracy terms within the budget is a knapsack with one option per setting. What
    is paid for it never grows with z, so over an interval of limits the return is at most that of
    the fastest end at the payment of the slowest; intervals are divided, the most promising first,
    until none promises more than the best design found. Several networks share the budget so that
    they pay least together (``joint.sharing``).

    Args:
        problem: The task.
        log: Called with every line of the log.

    Returns:
        Settings, shape (L,), and a lower bound on ``cycles * exp(penalty - least)`` of all designs.

    Raises:
        InfeasibleBudgetError: If one copy of every layer does not fit in its smallest setting.
        InfeasibleAccuracyError: If no design that fits is allowed.
        SolverError: If several networks share a memory off the chip.
    """
    choices = _Choices(problem)
    best = choices.first  # by the true penalty; promises are bounds
    promised = -math.inf

    def promise(fastest: int, paid: float) -> float:
        return -math.log(fastest) - paid

    least, most = choices.limits
    log(f"limits of {least} to {most} cycles, {problem.terms.shape[1]} settings per layer")
    # Limits from low to high are open; no design that keeps high pays less.
    nothing = sum(float(terms.paid(np.array(0.0))) for terms in choices.terms)
    intervals = [(-promise(least, nothing), least, most, nothing)]
    programs = 0
    while intervals and -intervals[0][0] > promised:
        _, low, high, paid = heapq.heappop(intervals)
        middle = high if high == most else (low + high) // 2
        solved = choices.least_paid(middle)
        programs += 1
        if solved is not None:
            found, settings = solved
            promised = max(promised, promise(middle, found))
            value = -math.log(middle) - float(problem.paid_by(settings))
            if value > best[0]:
                best = value, settings
            if low < middle:
                heapq.heappush(intervals, (-promise(low, found), low, middle - 1, found))
        # Without a solution at the middle there is none below it either.
        if middle < high:
            heapq.heappush(intervals, (-promise(middle + 1, paid), middle + 1, high, paid))
    log(f"{programs} limits tried: no interval between them promises more")
    if best[0] == -math.inf:
        raise no_design_allowed()
    return best[1], math.exp(-max(promised, best[0]))


class _Choices:
    """Tiles and accuracy units of every setting, as functions of the limit on layers' cycles."""

    def __init__(self, problem: JointProblem) -> None:
        self._budget = problem.budget
        posed = problem.uniform
        # Shape (L, S).
        self._tiles = problem.tiles
        self._units = np.stack([p.units for p in posed], axis=1)
        self._cycles = np.stack([p.cycles_per_unit for p in posed], axis=1)
        self._fixed = np.stack([p.fixed_cycles for p in posed], axis=1)
        self._least = np.stack([p.cycles_at_least for p in posed], axis=1)
        # Where a unit that layers share sets the interval, it is the same for all settings.
        least_interval = posed[0].least_interval
        slowest = np.maximum(self._units * self._cycles + self._fixed, least_interval)
        slowest = np.maximum(slowest, self._least)
        #: Cycles on a memory that all layers share, or nothing.
        self._shared = np.stack([p.cycles_shared for p in posed], axis=1)
        if self._shared.any() and len(problem.accuracy) > 1:
            raise SolverError(
                f"Expected one network on a chip whose layers share off_chip_bits_per_cycle, got "
                f"{len(problem.accuracy)}: their joint optimum for throughput is not solved. "
                "Evaluate designs of your own, or take objective latency."
            )
        fastest = np.maximum(self._cycles + self._fixed, self._least)
        #: The least limit that any settings keep, and the least that all keep with one copy.
        self.limits = (
            max(
                int(fastest.min(axis=1).max()),
                least_interval,
                int(self._shared.min(axis=1).sum()),
            ),
            max(int(slowest.max()), int(self._shared.max(axis=1).sum())),
        )
        rows, tried = np.arange(len(slowest)), problem.simple_designs()
        intervals = np.maximum(
            slowest[rows, tried].max(axis=1), self._shared[rows, tried].sum(axis=1)
        )
        values = -np.log(intervals) - problem.paid_by(tried)
        #: A design to begin with: minus its logarithmic penalised cycles, and its settings.
        self.first = float(values.max()), tried[values.argmax()]
        worth = -self.first[0] - math.log(self.limits[0]) + CLOSE
        networks = range(len(problem.accuracy))
        self.terms = [JointTerms(problem, network, worth) for network in networks]
        self._layers, self._paid_by = problem.layers, problem.paid_by
        self._usable = np.concatenate([terms.usable for terms in self.terms])
        self._accuracy = np.concatenate([terms.units for terms in self.terms]).astype(np.int64)

    def least_paid(self, limit: int) -> tuple[float, IntArray] | None:
        """Find the settings that pay least and keep the limit within the budget, if any do.

        Returns:
            What every such design pays at least, and settings that pay about that.
        """
        units_per_copy = (limit - self._fixed) // self._cycles
        possible = (units_per_copy >= 1) & (self._least <= limit) & self._usable
        copies = ceil_div(self._units, np.maximum(units_per_copy, 1))
        tiles = np.where(possible, copies * self._tiles, NEVER)
        # In every layer the settings that give up less than all that need no more tiles.
        order = np.lexsort((self._accuracy, tiles), axis=-1)
        tiles = np.take_along_axis(tiles, order, axis=1)
        accuracy = np.take_along_axis(self._accuracy, order, axis=1)
        kept = tiles <= self._budget
        kept[:, 1:] &= accuracy[:, 1:] < np.minimum.accumulate(accuracy, axis=1)[:, :-1]
        sizes = kept.sum(axis=1)
        if not sizes.all() or tiles[:, 0].sum() > self._budget:
            return None
        if len(self.terms) > 1:
            needs = [
                Needs(
                    [t[mine] for t, mine in zip(tiles[layers], kept[layers], strict=True)],
                    [u[mine] for u, mine in zip(accuracy[layers], kept[layers], strict=True)],
                    terms,
                )
                for layers, terms in zip(self._layers, self.terms, strict=True)
            ]
            paid, choices = share_tiles(needs, self._budget)
            options = [settings[mine] for settings, mine in zip(order, kept, strict=True)]
            tried = np.array(
                [[o[n] for o, n in zip(options, choice, strict=True)] for choice in choices]
            )
            return paid, tried[self._paid_by(tried).argmin()]
        knapsack = Knapsack(
            start=np.concatenate([[0], np.cumsum(sizes)]),
            block=np.repeat(np.arange(len(sizes)), sizes),
            weights=tiles[kept],
            costs=accuracy[kept],
            capacity=self._budget,
        )
        best = solve_knapsack(knapsack, lambda: range(len(sizes)))
        units, found = float(knapsack.costs[best].sum()), order[kept][best]
        rows = np.arange(len(sizes))
        if int(self._shared[rows, found].sum()) > limit:  # the other capacity plays a part
            both = choose_within_two(
                self._accuracy,
                possible,
                (copies * self._tiles, self._budget),
                (self._shared, limit),
            )
            if both is None:
                return None
            units, found = float(self._accuracy[rows, both].sum()), both
        return float(self.terms[0].paid(np.array(units))), found
