"""The best replicas for given bits."""

from lrmp.solvers.batch import ReplicationBatch, solve_batch
from lrmp.solvers.exact import solve_exact
from lrmp.solvers.ilp import solve_ilp
from lrmp.solvers.oracle import SolverName, solve_replication
from lrmp.solvers.replication import (
    Replication,
    ReplicationObjective,
    ReplicationProblem,
    useful_copies,
)

__all__ = [
    "Replication",
    "ReplicationBatch",
    "ReplicationObjective",
    "ReplicationProblem",
    "SolverName",
    "solve_batch",
    "solve_exact",
    "solve_ilp",
    "solve_replication",
    "useful_copies",
]
