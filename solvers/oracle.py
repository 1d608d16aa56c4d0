"""The oracle: one call that solves the replication problem to proven optimality."""

from typing import Literal, get_args

from lrmp.errors import SolverError, unknown_name
from lrmp.solvers.bisection import solve_bisection
from lrmp.solvers.dynamic_program import solve_dynamic_program
from lrmp.solvers.ilp import solve_ilp
from lrmp.solvers.replication import Replication, ReplicationProblem

SolverName = Literal["exact", "ilp"]


def check_solver(solver: str) -> None:
    """Refuse an unknown solver before anything is solved.

    Args:
        solver: A name for ``solve_replication``.

    Raises:
        SolverError: If there is no such solver.
    """
    if solver not in get_args(SolverName):
        raise SolverError(unknown_name("solver", solver, get_args(SolverName)))


def solve_replication(problem: ReplicationProblem, solver: SolverName = "exact") -> Replication:
    """Find optimal copies.

    Args:
        problem: Layers, budget and objective.
        solver: ``"exact"``, the dynamic program for latency and the bisection for throughput, or
            ``"ilp"``, OR-Tools' CP-SAT on LRMP's formulation. Both reach the same objective value;
            where several choices of copies reach it, they may return different ones.

    Returns:
        The copies and their proof.

    Raises:
        SolverError: If there is no such solver.
    """
    check_solver(solver)
    if solver == "ilp":
        return solve_ilp(problem)
    if problem.objective == "latency":
        return solve_dynamic_program(problem)
    return solve_bisection(problem)
