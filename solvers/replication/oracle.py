"""The oracle: one call that solves the replication problem to proven optimality."""

from typing import Literal, get_args

from lrmp.errors import SolverError, unknown_name
from lrmp.solvers.replication.exact import solve_exact
from lrmp.solvers.replication.ilp import solve_ilp
from lrmp.solvers.replication.problem import Replication, ReplicationProblem

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
        solver: ``"exact"``, the fast exact method, or ``"ilp"``, OR-Tools' CP-SAT on LRMP's
            formulation. Where several choices of copies are optimal, both return the same ones,
            the canonical ones of ``solve_exact``.

    Returns:
        The copies and their proof.

    Raises:
        SolverError: If there is no such solver.
    """
    check_solver(solver)
    return solve_ilp(problem) if solver == "ilp" else solve_exact(problem)
