"""Exact replication for latency: dynamic programming over the spare tiles."""

import time

import numpy as np

from lrmp.errors import SolverError
from lrmp.solvers.replication import Replication, ReplicationProblem

MOST_CELLS = 2**28  # of the table of decisions: 1 GiB


def solve_dynamic_program(problem: ReplicationProblem) -> Replication:
    """Minimise latency exactly.

    ``best[b]`` is the least cycles of the layers so far with at most b spare tiles (those beyond
    one copy of every layer); a layer with k copies spends ``(k - 1) * tiles`` of them. Where a
    layer has equal choices, the fewest copies win. Time is proportional to budget x layers x useful
    copy counts.

    Args:
        problem: Layers and budget; the objective must be latency.

    Returns:
        Optimal copies.

    Raises:
        SolverError: If the objective is not latency, or the table would not fit in memory.
    """
    if problem.objective != "latency":
        raise SolverError(
            f"Expected objective latency for the dynamic program, got {problem.objective}. "
            "Use solve_bisection."
        )
    start = time.perf_counter()
    spare = problem.budget - int(problem.tiles.sum())
    # No layer can use more than all of its useful copies: a larger budget changes nothing.
    # Python's integers: the product over all layers may exceed 64 bits.
    most = zip(problem.positions.tolist(), problem.tiles.tolist(), strict=True)
    spare = min(spare, sum((positions - 1) * tiles for positions, tiles in most))
    # Only multiples of the tiles' common divisor can be spent.
    unit = int(np.gcd.reduce(problem.tiles))
    spare //= unit
    if len(problem) * (spare + 1) > MOST_CELLS:
        raise SolverError(
            f"Expected layers x spare tiles of at most {MOST_CELLS} for the dynamic program, got "
            f"{len(problem)} x {spare + 1}. Use solve_ilp."
        )
    choices = [problem.choices(layer) for layer in range(len(problem))]
    best = np.zeros(spare + 1, dtype=np.int64)
    chosen = np.zeros((len(problem), spare + 1), dtype=np.int32)
    for layer, (copies, cycles) in enumerate(choices):
        improved = best + cycles[0]
        spent = (copies - 1) * problem.tiles[layer] // unit
        for index in range(1, len(copies)):
            candidate = best[: spare + 1 - spent[index]] + cycles[index]
            target = improved[spent[index] :]
            better = candidate < target
            np.copyto(target, candidate, where=better)
            np.copyto(chosen[layer, spent[index] :], index, where=better)
        best = improved
    result = np.ones(len(problem), dtype=np.int64)
    left = spare
    for layer in reversed(range(len(problem))):
        result[layer] = choices[layer][0][chosen[layer, left]]
        left -= int((result[layer] - 1) * problem.tiles[layer]) // unit
    return Replication.checked(
        problem, result, lower_bound=int(best[spare]), wall_time_s=time.perf_counter() - start
    )
