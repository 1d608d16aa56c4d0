"""The reference: LRMP's integer linear program, solved by OR-Tools' CP-SAT."""

import math
import time

import numpy as np

from lrmp.errors import SolverError
from lrmp.solvers.replication import Replication, ReplicationProblem

DETERMINISTIC_LIMIT = 300.0  # CP-SAT's deterministic seconds: a ResNet-101 takes about one


def solve_ilp(
    problem: ReplicationProblem, deterministic_limit: float = DETERMINISTIC_LIMIT
) -> Replication:
    """Solve the replication problem as LRMP states it.

    Binary x[l, k] says that layer l has k copies: each layer takes one k; the tiles of all copies
    fit the budget; minimise the sum of the layers' cycles (latency) or a bound z on each layer's
    cycles (throughput). Only copy counts that change ``ceil(P/k)`` get a variable. One worker, a
    fixed seed and a deterministic limit: the same problem gives the same answer.

    Args:
        problem: Layers, budget and objective.
        deterministic_limit: CP-SAT's deterministic time, independent of the machine's speed.

    Returns:
        The best copies found; ``proven_optimal`` unless the limit was hit.

    Raises:
        SolverError: If the limit ends the search before it has found any copies.
    """
    from ortools.sat.python import cp_model  # a third of a second that `import lrmp` must not pay

    start = time.perf_counter()
    model = cp_model.CpModel()
    selected = []
    tiles, cycles = [], []
    layer_cycles = []
    choices = [problem.choices(layer) for layer in range(len(problem))]
    for layer, (copies, costs) in enumerate(choices):
        x = [model.new_bool_var(f"x[{layer},{k}]") for k in copies.tolist()]
        model.add_exactly_one(x)
        selected.append(x)
        tiles.append(cp_model.LinearExpr.weighted_sum(x, (copies * problem.tiles[layer]).tolist()))
        layer_cycles.append(cp_model.LinearExpr.weighted_sum(x, costs.tolist()))
        cycles.append(int(costs[0]))
    model.add(cp_model.LinearExpr.sum(tiles) <= problem.budget)
    if problem.objective == "latency":
        model.minimize(cp_model.LinearExpr.sum(layer_cycles))
    else:
        slowest = model.new_int_var(0, max(cycles), "z")
        for expression in layer_cycles:
            model.add(slowest >= expression)
        model.minimize(slowest)

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
    chosen = [
        int(copies[[solver.boolean_value(v) for v in x].index(True)])
        for x, (copies, _) in zip(selected, choices, strict=True)
    ]
    return Replication.checked(
        problem,
        np.array(chosen, dtype=np.int64),
        lower_bound=math.ceil(solver.best_objective_bound - 1e-6),
        wall_time_s=time.perf_counter() - start,
    )
