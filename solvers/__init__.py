"""The best replicas for given bits."""

from lrmp.solvers.bisection import solve_bisection
from lrmp.solvers.dynamic_program import solve_dynamic_program
from lrmp.solvers.ilp import solve_ilp
from lrmp.solvers.oracle import SolverName, solve_replication
from lrmp.solvers.replication import Replication, ReplicationProblem

__all__ = [
    "Replication",
    "ReplicationProblem",
    "SolverName",
    "solve_bisection",
    "solve_dynamic_program",
    "solve_ilp",
    "solve_replication",
]
