"""Exact replication for throughput: bisection on the cycles of the slowest layer."""

import time

import numpy as np

from lrmp.errors import SolverError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.mapping import ceil_div
from lrmp.solvers.replication import Replication, ReplicationProblem


def solve_bisection(problem: ReplicationProblem) -> Replication:
    """Maximise throughput exactly.

    For a limit z on every layer's cycles the fewest copies follow layer by layer; whether they fit
    is monotone in z. The smallest z that fits is optimal, and the copies are the fewest that reach
    it.

    Args:
        problem: Layers and budget; the objective must be throughput.

    Returns:
        Optimal copies.

    Raises:
        SolverError: If the objective is not throughput.
    """
    if problem.objective != "throughput":
        raise SolverError(
            f"Expected objective throughput for the bisection, got {problem.objective}. "
            "Use solve_dynamic_program."
        )
    start = time.perf_counter()
    # No copy count brings a layer below one position and its output path.
    low = int((problem.cycles_per_position + problem.output_cycles).max())
    high = int(problem.layer_cycles(np.ones(len(problem), dtype=np.int64)).max())
    while low < high:
        middle = (low + high) // 2
        # Python's integers: the tiles of a limit far too tight may exceed 64 bits.
        tiles = sum(
            t * c for t, c in zip(problem.tiles.tolist(), _fewest(problem, middle), strict=True)
        )
        if tiles <= problem.budget:
            high = middle
        else:
            low = middle + 1
    return Replication.checked(
        problem,
        np.array(_fewest(problem, low), dtype=np.int64),
        lower_bound=low,
        wall_time_s=time.perf_counter() - start,
    )


def _fewest(problem: ReplicationProblem, limit: int) -> list[int]:
    """Return the fewest copies with which every layer takes at most ``limit`` cycles."""
    positions_per_copy: IntArray = (limit - problem.output_cycles) // problem.cycles_per_position
    return ceil_div(problem.positions, positions_per_copy).tolist()  # type: ignore[no-any-return]
