"""The fast exact method: knapsacks for sums, bisection for the interval."""

import itertools
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.cost.cost_model import CopyCosts
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.bisection import fewest_cycles
from lrmp.solvers.replication.choices import Choices, copy_table
from lrmp.solvers.replication.knapsack import Knapsack, solve_knapsack
from lrmp.solvers.replication.method import compiled, threads
from lrmp.solvers.replication.problem import Replication, ReplicationProblem
from lrmp.solvers.replication.product import least_product
from lrmp.solvers.replication.promising import promising
from lrmp.solvers.replication.weighted_throughput import most_rounds

FEW_COMBINATIONS = 2**14  # to try them all takes less time than two knapsacks
BLOCK = 32  # problems for a thread, at least; to start one takes as long as a few problems
MARGIN = 1e-12  # of products in floats, whose rounding takes a thousandth of it
_NOTHING: IntArray = np.empty(0, dtype=np.int64)


def solve_exact(problem: ReplicationProblem) -> Replication:
    """Find optimal copies.

    Latency and energy are multiple-choice knapsacks; throughput is found by bisection, and its
    latency is a knapsack with a limit on every layer; the energy-delay product is found by a few
    knapsacks of weighted sums. For weighted throughput a knapsack chooses the networks' intervals.

    Of all optimal copies the canonical ones are returned: they hold the fewest tiles and then come
    first in lexicographic order, reading the layers kind by kind (``Choices.kinds``), kinds in the
    order in which they first appear.

    Args:
        problem: Layers, budget, objective and side constraints.

    Returns:
        The canonical optimal copies.

    Raises:
        SolverError: If the enumeration would not fit in memory.
    """
    start = time.perf_counter()
    if problem.objective == "latency":
        copies = _least_latency(problem)
    elif problem.objective == "energy":
        choices = Choices.of(problem)
        copies = choices.replication(_least_sum(choices, 0, 1))
    elif problem.objective == "edp":
        copies = _least_edp(Choices.of(problem))
    elif problem.objective == "weighted_throughput":
        copies = most_rounds(problem)
    else:
        interval = fewest_cycles(problem)
        if problem.objective == "throughput":
            copies = np.array(problem.fewest_copies(interval), dtype=np.int64)
        else:
            within = replace(problem, objective="latency", max_layer_cycles=interval)
            copies = _least_latency(within)
    return Replication.checked(
        problem,
        copies,
        lower_bound=None,  # the methods prove it
        wall_time_s=time.perf_counter() - start,
    )


def _least_latency(problem: ReplicationProblem) -> IntArray:
    limits = problem.most_copies, problem.max_layer_cycles, problem.tied, problem.least_cycles
    core = compiled() if all(limit is None for limit in limits) else None
    if core is not None:
        costs = CopyCosts(
            problem.tiles[None],
            problem.units,
            problem.cycles_per_unit[None],
            problem.fixed_cycles[None],
        )
        copies, solved = solve_many(core, costs, problem.budget)
        if solved[0]:
            only: IntArray = copies[0]
            return only
    choices = Choices.of(problem)
    return choices.replication(_least_sum(choices, 1, 0))


def solve_many(
    core: Any,
    costs: CopyCosts,
    budget: int,
    energy_fj: IntArray = _NOTHING,
    starts: IntArray | None = None,
) -> tuple[IntArray, NDArray[np.bool_]]:
    """Minimise the latency or the energy-delay product in problems without side constraints.

    Args:
        core: The compiled method.
        costs: Arrays of shape (B, L), and the units that all share, (L,).
        budget: Tiles on the chip.
        energy_fj: Energies of layers with all their copies, one after the other; none for latency.
        starts: Where those of every layer begin, shape (B, L).

    Returns:
        Copies, shape (B, L), and which problems are solved, (B,): not those too large for 64 bits.
    """
    table = copy_table(tuple(costs.units.tolist()))
    tiles, per_unit, fixed = map(
        np.ascontiguousarray, (costs.tiles, costs.cycles_per_unit, costs.fixed_cycles)
    )
    copies, status = np.empty(tiles.shape, np.int64), np.empty(len(tiles), np.int64)
    starts = tiles if starts is None else starts

    def solve(rows: slice) -> None:  # the compiled method lets other threads run
        core.solve_many(
            *(table.start, table.copies, table.shares),
            *(table.step_bounds, *table.steps, table.ratios),
            *(tiles[rows], per_unit[rows], fixed[rows], energy_fj, starts[rows]),
            *(budget, copies[rows], status[rows]),
        )

    blocks = min(threads(), len(tiles) // BLOCK)
    if blocks < 2:
        solve(slice(None))
    else:
        edges = np.linspace(0, len(tiles), blocks + 1).astype(int).tolist()
        # Threads of their own: those of a pool would be missing in a process that is forked later.
        with ThreadPoolExecutor(blocks) as pool:
            list(pool.map(solve, itertools.starmap(slice, itertools.pairwise(edges))))
    return copies, status == core.SOLVED


def _least_sum(choices: Choices, cycle_weight: int, energy_weight: int) -> IntArray:
    """Minimise a weighted sum of cycles and energy; return an option per block."""
    steps = None
    if energy_weight == 0 and (known := choices.steps) is not None:
        steps = lambda: known  # noqa: E731
    elif cycle_weight == 0:
        steps = choices.energy_steps
    knapsack = Knapsack(
        start=choices.start,
        block=choices.block,
        weights=choices.tiles,
        costs=choices.costs(cycle_weight, energy_weight),
        capacity=choices.problem.budget,
        steps=steps,
    )
    return solve_knapsack(knapsack, choices.kinds)


def _least_edp(choices: Choices) -> IntArray:
    """Minimise the product of energy and cycles; of several best pairs take the canonical one."""
    core = compiled()
    if core is not None:
        options = np.empty(len(choices.start) - 1, dtype=np.int64)
        status = core.solve_one(
            *(choices.start, choices.tiles, choices.cycles, choices.energy_fj),
            *(choices.fixed_cycles, choices.problem.budget, np.array(choices.kinds()), options),
        )
        if status == core.SOLVED:
            return choices.replication(options)
    choices = promising(choices)
    combinations = math.prod(np.diff(choices.start).tolist())
    if combinations <= FEW_COMBINATIONS:
        return _best_of_few(choices)

    def solve(cycle_weight: int, energy_weight: int) -> tuple[IntArray, int]:
        options = _least_sum(choices, cycle_weight, energy_weight)
        cycles, energy = choices.cycles_and_energy(options)
        return options, cycle_weight * cycles + energy_weight * energy

    best, _ = least_product(solve, choices.cycles_and_energy, choices.largest, consistent=True)
    return min(map(choices.replication, best), key=choices.canonical_key)


def _best_of_few(choices: Choices) -> IntArray:
    """Minimise the product of energy and cycles by trying all choices of options."""
    assert choices.energy_fj is not None
    sizes = np.diff(choices.start)
    amounts = np.stack([choices.tiles, choices.cycles, choices.energy_fj])
    sums = amounts[:, choices.start[:-1][sizes == 1]].sum(axis=1, keepdims=True)
    undecided = np.flatnonzero(sizes > 1).tolist()
    for block in undecided:
        own = amounts[:, choices.start[block] : choices.start[block + 1]]
        sums = (sums[:, :, None] + own[:, None]).reshape(3, -1)
    tiles, cycles, energy = sums
    cycles = cycles + choices.fixed_cycles
    fits = np.flatnonzero(tiles <= choices.problem.budget)
    rounded = cycles[fits].astype(float) * energy[fits]
    near = fits[rounded <= rounded.min() * (1 + MARGIN)]
    products = cycles[near].astype(object) * energy[near]
    number = near[products == products.min()]
    options = np.tile(choices.start[:-1], (len(number), 1))
    for block in reversed(undecided):
        number, place = np.divmod(number, sizes[block])
        options[:, block] += place
    return min(map(choices.replication, options), key=choices.canonical_key)
