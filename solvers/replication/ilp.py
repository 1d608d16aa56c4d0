"""The reference: LRMP's integer linear program, solved by OR-Tools' CP-SAT."""

import math
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import mul

import numpy as np

from lrmp.errors import SolverError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.choices import Choices
from lrmp.solvers.replication.exact import solve_exact
from lrmp.solvers.replication.problem import EXACT_LIMIT, Replication, ReplicationProblem
from lrmp.solvers.replication.product import least_product
from lrmp.solvers.replication.weighted_throughput import IntervalChoices

DETERMINISTIC_LIMIT = 300.0  # CP-SAT's deterministic seconds: uniform ResNet-101s take below 1


def solve_ilp(
    problem: ReplicationProblem,
    deterministic_limit: float = DETERMINISTIC_LIMIT,
    *,
    canonical: bool = True,
) -> Replication:
    """Solve the replication problem as LRMP states it.

    Binary x[l, k] says that layer l has k copies: each layer takes one k; the tiles of all copies
    fit the budget; minimise the sum of the layers' cycles (latency) or energies, or a bound z on
    each layer's cycles, itself no less than ``interval_at_least`` (throughput), or first z and then
    the sum. Limits on copies and cycles remove variables, tied layers share them. The energy-delay
    product is no linear objective: it is minimised by a few weighted sums, see ``least_product``.
    For weighted throughput every network takes one interval, see ``IntervalChoices``.
    Only copy counts that change ``ceil(U/k)``, and that cost less than all smaller ones, get a
    variable.

    Layers that are alike share their variables, which changes no optimum and spares CP-SAT their
    permutations (ResNet-101 in 0.2 s that it could not prove in minutes): n[g, k] is the sum of
    x[l, k] over the layers of kind g; for throughput they all take the same k, since alike layers
    need equally many copies to stay below a limit.

    One worker, a fixed seed and a deterministic limit: the same problem gives the same answer.

    Args:
        problem: Layers, budget, objective and side constraints.
        deterministic_limit: CP-SAT's deterministic time for every program it has to solve,
            independent of the machine's speed.
        canonical: Return the canonical ones among the optimal copies. They are those of
            ``solve_exact``, whose value must agree. False returns CP-SAT's own copies, as does a
            search that the limit ended.

    Returns:
        The best copies found; ``proven_optimal`` unless the limit was hit.

    Raises:
        SolverError: If the limit ends the search before it has found any copies, or the two
            methods disagree: a fault of one of them.
    """
    start = time.perf_counter()
    if problem.objective == "edp":
        copies, bound = _least_edp(problem, deterministic_limit)
    elif problem.objective in ("latency", "energy"):
        weights = (1, 0) if problem.objective == "latency" else (0, 1)
        copies, bound = _least_sum(Choices.of(problem), *weights, deterministic_limit)
    elif problem.objective == "weighted_throughput":
        copies, bound = _most_rounds(problem, deterministic_limit)
    else:
        copies, bound = _fewest_cycles(problem, deterministic_limit)
        interval = problem.interval(copies)
        if problem.objective == "throughput_then_latency":
            proven = bound == interval
            within = replace(problem, objective="latency", max_layer_cycles=interval)
            copies, latency = _least_sum(Choices.of(within), 1, 0, deterministic_limit)
            least = int(problem.layer_cycles(problem.most_useful_copies).sum())
            bound = problem.combine(bound, latency if proven else least)
    if canonical and bound == problem.objective_value(copies):
        copies = _canonical(problem, bound)
    return Replication.checked(
        problem, copies, lower_bound=bound, wall_time_s=time.perf_counter() - start
    )


def _canonical(problem: ReplicationProblem, value: int) -> IntArray:
    """Return the canonical optimal copies; the exact method must reach the value found here."""
    exact = solve_exact(problem)
    if exact.objective_value != value:
        raise SolverError(
            f"Expected the exact method to agree with CP-SAT on {value}, got "
            f"{exact.objective_value}. This is a fault of lrmp: please report the problem."
        )
    return exact.copies


class _CostsTooLargeError(SolverError):
    """CP-SAT cannot add up the costs of all options in 64 bits."""


@dataclass(frozen=True)
class _Solution:
    """What CP-SAT returned: the variables, and a lower bound on the minimum."""

    values: list[int]
    bound: int


def _minimise(
    sizes: list[int],
    members: list[int],
    costs: list[int],
    tiles: list[int],
    budget: int,
    deterministic_limit: float,
    *,
    largest_from: int | None = None,
) -> _Solution:
    """Choose options within the budget at the least cost, all options of all groups in one list.

    Args:
        sizes: Options of each group.
        members: How many are to be chosen in each group, an option as often as wanted.
        costs: Of each option.
        tiles: Of each option.
        budget: What the tiles may sum up to.
        deterministic_limit: CP-SAT's deterministic time.
        largest_from: Minimise the largest of this and of the chosen options' costs; None for the
            sum of their costs.

    Returns:
        How often each option is chosen.

    Raises:
        SolverError: If nothing is found within the limit, or 64 bits are too short for the sum of
            all options' costs, as if all were chosen, which CP-SAT asks for.
    """
    most = np.repeat(members, sizes).tolist()
    if largest_from is None and sum(map(mul, costs, most)) >= EXACT_LIMIT:
        raise _CostsTooLargeError(
            f"Expected options whose costs CP-SAT can add up, below {EXACT_LIMIT} together, got "
            f"{len(costs)} of up to {max(costs)}. Take solve_exact."
        )
    from ortools.sat.python import cp_model  # a third of a second that `import lrmp` must not pay

    model = cp_model.CpModel()
    counts = []
    for size, member in zip(sizes, members, strict=True):
        if member == 1:
            group = [model.new_bool_var("x") for _ in range(size)]
            model.add_exactly_one(group)
        else:
            group = [model.new_int_var(0, member, "n") for _ in range(size)]
            model.add(cp_model.LinearExpr.sum(group) == member)
        counts += group
    model.add(cp_model.LinearExpr.weighted_sum(counts, tiles) <= budget)
    if largest_from is None:
        model.minimize(cp_model.LinearExpr.weighted_sum(counts, costs))
    else:
        largest = model.new_int_var(largest_from, max(largest_from, *costs), "z")
        ends = np.cumsum([0, *sizes]).tolist()
        for first, end in pairwise(ends):
            mine = cp_model.LinearExpr.weighted_sum(counts[first:end], costs[first:end])
            model.add(largest >= mine)
        model.minimize(largest)

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = deterministic_limit
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        raise SolverError(
            f"Expected CP-SAT to find copies within {deterministic_limit} deterministic seconds, "
            f"got {solver.status_name(status)}. Raise deterministic_limit."
        )
    values = [solver.value(n) for n in counts]
    # CP-SAT reports its bound as a float: where it says optimal, the exact value is the bound;
    # otherwise the next float below is certainly none too high.
    if status == cp_model.OPTIMAL:
        chosen = [c * n for c, n in zip(costs, values, strict=True)]
        bound = sum(chosen) if largest_from is None else max(largest_from, *chosen)
    else:
        bound = math.ceil(math.nextafter(solver.best_objective_bound - 1e-6, -math.inf))
    return _Solution(values, bound)


def _least_sum(
    choices: Choices, cycle_weight: int, energy_weight: int, deterministic_limit: float
) -> tuple[IntArray, int]:
    """Minimise a weighted sum of cycles and energy; return copies and a lower bound."""
    groups = _groups(choices)
    costs = choices.costs(cycle_weight, energy_weight)
    kept = [_improving(choices, costs, blocks[0]) for blocks in groups]
    # Costs count from each group's least: constants would leave a large common divisor.
    least = [int(costs[options].min()) for options in kept]
    best = _minimise(
        sizes=[len(options) for options in kept],
        members=[len(blocks) for blocks in groups],
        costs=[c - low for o, low in zip(kept, least, strict=True) for c in costs[o].tolist()],
        tiles=choices.tiles[np.concatenate(kept)].tolist(),
        budget=choices.problem.budget,
        deterministic_limit=deterministic_limit,
    )
    constant = sum(low * len(blocks) for low, blocks in zip(least, groups, strict=True))
    constant += cycle_weight * int(choices.problem.fixed_cycles.sum())
    chosen = np.empty(len(choices.start) - 1, dtype=np.int64)
    values = iter(best.values)
    for options, blocks in zip(kept, groups, strict=True):
        chosen[blocks] = np.repeat(options, [next(values) for _ in options])
    return choices.replication(chosen), constant + best.bound


def _groups(choices: Choices) -> list[list[int]]:
    """Group the blocks that have the same options at the same costs."""
    groups: dict[object, list[int]] = {}
    for block, kind in enumerate(choices.kinds()):
        groups.setdefault(kind, []).append(block)
    return list(groups.values())


def _improving(choices: Choices, costs: IntArray, block: int) -> IntArray:
    """List the options of a block that fit and cost less than those of fewer copies."""
    options = np.arange(choices.start[block], choices.start[block + 1])
    spare = choices.problem.budget - sum(choices.tiles[choices.start[:-1]].tolist())
    mine = costs[options]
    improving = np.ones(len(options), dtype=bool)
    improving[1:] = mine[1:] < np.minimum.accumulate(mine)[:-1]
    improving &= choices.tiles[options] - choices.tiles[options[0]] <= spare
    return options[improving]


def _fewest_cycles(problem: ReplicationProblem, deterministic_limit: float) -> tuple[IntArray, int]:
    """Minimise the interval; alike layers take the same option."""
    choices = Choices.of(problem)
    groups = _groups(choices)
    kept = [_improving(choices, choices.cycles, blocks[0]) for blocks in groups]
    tiles, slowest = [], []
    for options, blocks in zip(kept, groups, strict=True):
        tiles += (choices.tiles[options] * len(blocks)).tolist()
        layers = list(problem.blocks[blocks[0]])
        for count in choices.copies[options].tolist():
            copies = np.full(len(problem), count)
            slowest.append(int(problem.layer_cycles(copies)[layers].max()))
    best = _minimise(
        sizes=[len(options) for options in kept],
        members=[1] * len(groups),
        costs=slowest,
        tiles=tiles,
        budget=problem.budget,
        deterministic_limit=deterministic_limit,
        largest_from=problem.interval_at_least,
    )
    chosen = np.empty(len(problem.blocks), dtype=np.int64)
    picked = np.concatenate(kept)[np.array(best.values) == 1]
    for option, blocks in zip(picked, groups, strict=True):
        chosen[blocks] = option
    return choices.replication(chosen), best.bound


def _most_rounds(problem: ReplicationProblem, deterministic_limit: float) -> tuple[IntArray, int]:
    """Minimise the mean interval: one interval per network."""
    choices = IntervalChoices.of(problem)
    sizes = np.diff(choices.start)
    best = _minimise(
        sizes=sizes.tolist(),
        members=[1] * len(sizes),
        costs=choices.missed.tolist(),
        tiles=choices.tiles.tolist(),
        budget=problem.budget,
        deterministic_limit=deterministic_limit,
    )
    chosen = np.flatnonzero(np.array(best.values) == 1)
    return choices.copies(chosen), choices.least_cost(best.bound)


def _least_edp(problem: ReplicationProblem, deterministic_limit: float) -> tuple[IntArray, int]:
    """Minimise the product of energy and cycles."""
    choices = Choices.of(problem)
    cycles, energy = choices.largest

    def solve(cycle_weight: int, energy_weight: int) -> tuple[IntArray, int] | None:
        if cycle_weight * cycles + energy_weight * energy >= EXACT_LIMIT:
            return None
        try:
            return _least_sum(choices, cycle_weight, energy_weight, deterministic_limit)
        except _CostsTooLargeError:
            return None

    best, bound = least_product(solve, problem.cycles_and_energy, choices.largest)
    return best[0], bound
