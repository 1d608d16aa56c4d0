"""The multiple-choice knapsack with two capacities, solved by OR-Tools' CP-SAT."""

import numpy as np
from numpy.typing import NDArray

from lrmp.errors import SolverError
from lrmp.hardware.frozen_arrays import IntArray

DETERMINISTIC_LIMIT = 300.0  # CP-SAT's deterministic seconds, whatever the machine


def choose_within_two(
    costs: IntArray,
    allowed: NDArray[np.bool_],
    *budgeted: tuple[IntArray, int],
) -> IntArray | None:
    """Choose one option of every layer at the least cost.

    One worker, a fixed seed and a deterministic limit: the same problem gives the same answer.

    Args:
        costs: Of L layers and S options, shape (L, S), each at least 0.
        allowed: Which options there are, shape (L, S).
        budgeted: What options take, shape (L, S), and what they may take together.

    Returns:
        The options, shape (L,); None if none keep the capacities.

    Raises:
        SolverError: If the limit ends the search without a proof.
    """
    from ortools.sat.python import cp_model  # a third of a second that `import lrmp` must not pay

    if not allowed.any(axis=1).all():
        return None
    model = cp_model.CpModel()
    layer, option = np.nonzero(allowed)
    chosen = [model.new_bool_var("x") for _ in layer]
    for first, end in zip(
        np.searchsorted(layer, np.arange(len(costs))),
        np.searchsorted(layer, np.arange(len(costs)), "right"),
        strict=True,
    ):
        model.add_exactly_one(chosen[first:end])
    for taken, capacity in budgeted:
        amounts = taken[layer, option].tolist()
        model.add(cp_model.LinearExpr.weighted_sum(chosen, amounts) <= capacity)
    model.minimize(cp_model.LinearExpr.weighted_sum(chosen, costs[layer, option].tolist()))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = DETERMINISTIC_LIMIT
    status = solver.solve(model)
    if status == cp_model.INFEASIBLE:
        return None
    if status != cp_model.OPTIMAL:
        raise SolverError(
            f"Expected CP-SAT to prove the best settings within {DETERMINISTIC_LIMIT:g} "
            f"deterministic seconds, got {solver.status_name(status)}. Take fewer values of knobs."
        )
    best: IntArray = option[[solver.value(x) == 1 for x in chosen]]
    return best
