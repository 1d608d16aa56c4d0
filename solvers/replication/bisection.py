"""The least interval of a pipeline, by bisection."""

import numpy as np

from lrmp.solvers.replication.problem import ReplicationProblem


def fewest_cycles(problem: ReplicationProblem) -> int:
    """Find the least z such that copies fit with which the interval is z cycles.

    For a limit z the fewest copies follow layer by layer; whether they fit is monotone in z.

    Args:
        problem: Layers, budget and limits; the objective is not looked at.

    Returns:
        The interval at the highest throughput: the cycles of the slowest layer, or
        ``interval_at_least``. ``problem.fewest_copies`` of it are optimal copies, and no others
        hold so few tiles.
    """
    low = problem.interval(problem.most_useful_copies)
    high = problem.interval(np.ones(len(problem), dtype=np.int64))
    while low < high:
        middle = (low + high) // 2
        if problem.tiles_of(problem.fewest_copies(middle)) <= problem.budget:
            high = middle
        else:
            low = middle + 1
    return low
