"""The reference: LRMP's integer linear program, solved by OR-Tools' CP-SAT."""

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from lrmp.errors import SolverError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication import Replication, ReplicationProblem

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, IntVar

DETERMINISTIC_LIMIT = 300.0  # CP-SAT's deterministic seconds: uniform ResNet-101s take below 1


def solve_ilp(
    problem: ReplicationProblem, deterministic_limit: float = DETERMINISTIC_LIMIT
) -> Replication:
    """Solve the replication problem as LRMP states it.

    Binary x[l, k] says that layer l has k copies: each layer takes one k; the tiles of all copies
    fit the budget; minimise the sum of the layers' cycles (latency) or a bound z on each layer's
    cycles (throughput). Only copy counts that change ``ceil(P/k)`` get a variable.

    Layers that are alike share their variables, which changes no optimum and spares CP-SAT their
    permutations (ResNet-101 in 0.2 s that it could not prove in minutes): for latency n[g, k] is
    the sum of x[l, k] over the layers of group g; for throughput they all take the same k, since
    alike layers need equally many copies to stay below a limit.

    One worker, a fixed seed and a deterministic limit: the same problem gives the same answer.

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
    groups = _alike(problem)
    choices = [problem.choices(layers[0]) for layers in groups]
    latency = problem.objective == "latency"
    counts = [
        _counts(model, len(layers) if latency else 1, copies)
        for layers, (copies, _) in zip(groups, choices, strict=True)
    ]

    tiles = []
    for layers, (copies, _), count in zip(groups, choices, counts, strict=True):
        weights = copies * problem.tiles[layers[0]] * (1 if latency else len(layers))
        tiles.append(cp_model.LinearExpr.weighted_sum(count, weights.tolist()))
    model.add(cp_model.LinearExpr.sum(tiles) <= problem.budget)

    if latency:
        # Output cycles are constant. Without them the objective has a large common divisor.
        constant = int(problem.output_cycles.sum())
        model.minimize(
            cp_model.LinearExpr.sum(
                [
                    cp_model.LinearExpr.weighted_sum(
                        count, (cycles - problem.output_cycles[layers[0]]).tolist()
                    )
                    for layers, (_, cycles), count in zip(groups, choices, counts, strict=True)
                ]
            )
        )
    else:
        constant = 0
        slowest = model.new_int_var(0, max(int(cycles[0]) for _, cycles in choices), "z")
        for (_, cycles), count in zip(choices, counts, strict=True):
            model.add(slowest >= cp_model.LinearExpr.weighted_sum(count, cycles.tolist()))
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
    result = np.ones(len(problem), dtype=np.int64)
    for layers, (copies, _), count in zip(groups, choices, counts, strict=True):
        chosen = np.repeat(copies, [solver.value(n) for n in count])
        result[layers] = chosen[::-1] if latency else chosen[0]
    # CP-SAT reports its bound as a float: where it says optimal, the exact value is the bound;
    # otherwise the next float below is certainly none too high.
    if status == cp_model.OPTIMAL:
        lower_bound = problem.objective_cycles(result)
    else:
        bound = math.nextafter(solver.best_objective_bound - 1e-6, -math.inf)
        lower_bound = constant + math.ceil(bound)
    return Replication.checked(
        problem,
        result,
        lower_bound=lower_bound,
        wall_time_s=time.perf_counter() - start,
    )


def _alike(problem: ReplicationProblem) -> list[list[int]]:
    """Group the layers that have the same choices at the same cost."""
    groups: dict[tuple[int, ...], list[int]] = {}
    columns = [problem.tiles, problem.positions, problem.cycles_per_position]
    if problem.objective == "throughput":
        columns.append(problem.output_cycles)
    for layer, key in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        groups.setdefault(key, []).append(layer)
    return list(groups.values())


def _counts(model: "CpModel", layers: int, copies: IntArray) -> list["IntVar"]:
    """Add one variable per copy count: how many of the layers have it."""
    if layers == 1:
        chosen = [model.new_bool_var(f"x[{k}]") for k in copies.tolist()]
        model.add_exactly_one(chosen)
        return list(chosen)
    counts = [model.new_int_var(0, layers, f"n[{k}]") for k in copies.tolist()]
    model.add(sum(counts) == layers)
    return counts
