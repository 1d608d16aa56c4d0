"""The least cycles of the slowest layer, by bisection."""

import numpy as np

from lrmp.solvers.replication import ReplicationProblem


def fewest_cycles(problem: ReplicationProblem) -> int:
    """Find the least z such that copies fit with which no layer takes more than z cycles.

    For a limit z the fewest copies follow layer by layer; whether they fit is monotone in z.

    Args:
        problem: Layers, budget and limits; the objective is not looked at.

    Returns:
        The cycles of the slowest layer at the highest throughput. ``problem.fewest_copies`` of
        them are optimal copies, and no others hold so few tiles.
    """
    low = int(problem.layer_cycles(problem.most_useful_copies).max())
    high = int(problem.layer_cycles(np.ones(len(problem), dtype=np.int64)).max())
    while low < high:
        middle = (low + high) // 2
        if problem.tiles_of(problem.fewest_copies(middle)) <= problem.budget:
            high = middle
        else:
            low = middle + 1
    return low
