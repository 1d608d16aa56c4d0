"""The joint optimum where the objective is a sum over layers: latency, energy, or a mixture.

Every layer chooses a setting and copies. Its tiles t, its cost c (cycles or energy) and the
accuracy s that it gives up depend on its own choice alone, and the return of a design is

    ln(baseline / sum c) - penalty(sum s),    with sum t <= budget,

for a penalty that never falls as the sum grows: a knapsack with two budgets, tiles and accuracy.
Branch and bound: mostly the root settles it (``joint.branch``); where its bound is loose, it is
divided, and the part with the lowest bound is looked at next. Where dividing does not help, longer
lists do: they double as often as the number of branches does.

How much is done is counted, never timed: what is proven is the same on every machine.
"""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, pairwise

import numpy as np
from numpy.typing import NDArray

from lrmp.errors import SolverError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.branch import CLOSE, Branch, FoundDesign
from lrmp.solvers.joint.floats import ROUNDING, Floats
from lrmp.solvers.joint.options import JointOptions
from lrmp.solvers.joint.problem import JointProblem, no_design_allowed
from lrmp.solvers.joint.terms import JointTerms

MOST_BRANCHES = 300  # looked at; those left over say what is proven
MOST_WORK = 2**26  # partial designs looked at, likewise: about a minute for both
FIRST_LIST = 5_000  # partial designs kept after each layer of the first branch,
LONGEST_LIST = 16 * FIRST_LIST  # and at most
MOST_EXACT = 2.0**50  # costs that are no whole numbers are scaled to this and rounded down


@dataclass(frozen=True)
class SumOptimum:
    """What minimises a weighted sum of cycles and energy, times ``exp(penalty - least penalty)``.

    Attributes:
        settings: Of every layer, shape (L,).
        copies: Of every layer, shape (L,).
        bound: No design has a smaller penalised sum.
    """

    settings: IntArray
    copies: IntArray
    bound: float


class SumSearch:
    """The search for one task.

    Args:
        problem: The task.
        options: Its options.
        log: Called with every line of the log.
        cycle_weight: What is minimised is this many times the cycles
        energy_weight: plus this many times the energy, times the exponential of the penalty.
    """

    def __init__(
        self,
        problem: JointProblem,
        options: JointOptions,
        log: Callable[[str], None],
        cycle_weight: float,
        energy_weight: float,
    ) -> None:
        self._problem, self._log = problem, log
        cost, self._scale = whole_costs(options, cycle_weight, energy_weight)
        self._terms, kept, self._known = _worth_having(problem, options, cost)
        self._options, self._cost = options.only(kept), cost[kept]

    def run(self) -> SumOptimum:
        """Search.

        Returns:
            The best design found and a bound on all.

        Raises:
            InfeasibleAccuracyError: If every design that fits is forbidden.
            SolverError: If none was found in the branches that were looked at.
        """
        best, least = self._known, math.inf
        number = count()  # decides between equal bounds
        # Branches that wait hold no more than the numbers of their options.
        branches = [(0.0, next(number), np.arange(len(self._cost)))]
        looked_at = work = 0
        while branches and looked_at < MOST_BRANCHES and work < MOST_WORK:
            floor, _, kept = heapq.heappop(branches)
            if best is not None and floor >= best.penalised:
                least = min(least, best.penalised)
                branches.clear()  # nor can any other have a better one
                break
            looked_at += 1
            branch = self._branch(kept)
            floor = max(floor, branch.floor)
            self._log(
                f"{branch.size} options of {len(self._options.first)} layers; penalised cost of at "
                f"least {floor / self._scale:.9g} at {branch.tile / self._scale:.6g} per tile"
            )
            longest = min(FIRST_LIST << (looked_at.bit_length() - 1), LONGEST_LIST)
            searched = branch.search(best, longest, self._log)
            best, work = searched.best, work + branch.work
            if searched.settled:
                least = min(least, searched.least)
                continue
            parts = branch.parts()
            if not parts:
                least = min(least, searched.least)
            for part in parts:
                bound = max(self._branch(part).floor, searched.least)
                heapq.heappush(branches, (bound, next(number), part))
        least = min([least, *(bound for bound, _, _ in branches)])
        if best is None:
            if least == math.inf:
                raise no_design_allowed()
            raise SolverError(f"Expected a design in {looked_at} branches, got none.")
        return SumOptimum(
            self._options.setting[best.options],
            self._options.copies[best.options],
            min(least, best.penalised) / self._scale * (1 - 16 * ROUNDING),
        )

    def _branch(self, kept: NDArray[np.intp]) -> Branch:
        return Branch(self._problem, self._terms, self._options, self._cost, kept)


def whole_costs(
    options: JointOptions, cycle_weight: float, energy_weight: float
) -> tuple[Floats, float]:
    """Weigh cycles and energy, in whole numbers that are exact or rounded down.

    Args:
        options: N options.
        cycle_weight: Of a cycle.
        energy_weight: Of a femtojoule.

    Returns:
        Costs, shape (N,), and what they are multiplied by.

    Raises:
        SolverError: If there are designs that cost nothing, or too little beside others.
    """
    cost = cycle_weight * options.cycles.astype(float)
    cost += energy_weight * options.energy_fj.astype(float)
    largest = float(options.most(cost).sum())
    least = float(options.least(cost).sum())
    if not least > 0:
        raise SolverError("Expected designs that cost something, got one of no cycles or energy.")
    whole = float(cycle_weight).is_integer() and float(energy_weight).is_integer()
    if whole and largest < MOST_EXACT:
        return cost, 1.0
    scale = 2.0 ** math.floor(math.log2(MOST_EXACT / largest))
    cost = np.floor(cost * (1 - 8 * ROUNDING) * scale)
    if not options.least(cost).sum() > 0:
        raise SolverError(
            "Expected designs whose costs differ by less than a factor of 2**50, got some of "
            f"{largest:.3g} beside some of {least:.3g}. Leave out what nobody would choose."
        )
    return cost, scale


def _worth_having(
    problem: JointProblem, options: JointOptions, cost: Floats
) -> tuple[list[JointTerms], NDArray[np.intp], FoundDesign | None]:
    """Leave out options that no design worth having has.

    Returns:
        The accuracy terms of every network, scaled to what is left; the options kept; and a first
        design of them, with one copy of every layer, if one is allowed.

    Raises:
        InfeasibleAccuracyError: If every option of some layer is forbidden.
    """
    layers, settings = problem.terms.shape
    key = options.layer * settings + options.setting
    every = np.arange(layers * settings).reshape(layers, settings)
    singles = np.minimum(np.searchsorted(key, every), len(key) - 1)  # options of one copy
    designs = problem.simple_designs()
    chosen, paid = singles[np.arange(layers), designs], problem.paid_by(designs)
    costs = cost[chosen].sum(axis=1)
    penalised = np.log(np.maximum(costs, 1.0)) + paid
    best = int(penalised.argmin())
    cheapest = math.log(max(float(options.least(cost).sum()), 1.0))
    worth = float(penalised[best]) - cheapest + CLOSE
    terms = [JointTerms(problem, network, worth) for network in range(len(problem.accuracy))]
    usable = np.concatenate([each.usable for each in terms])

    # With the same setting, copies that do not cost less than fewer ones are of no use.
    useful = np.ones(len(cost), dtype=bool)
    starts = np.append(np.flatnonzero(np.diff(key, prepend=-1)), len(key))
    for start, stop in pairwise(starts.tolist()):
        mine = cost[start:stop]
        useful[start + 1 : stop] = mine[1:] < np.minimum.accumulate(mine)[:-1]
    kept = np.flatnonzero(useful & usable[options.layer, options.setting])
    if np.bincount(options.layer[kept], minlength=layers).min() == 0:
        raise no_design_allowed()
    if penalised[best] == math.inf:
        return terms, kept, None
    first = float(costs[best]) * math.exp(float(paid[best]))
    return terms, kept, FoundDesign(first, np.searchsorted(kept, chosen[best]))
