"""Exact solvers: the best copies for given settings, and the best settings together with copies."""

from lrmp.solvers.replication.batch import ReplicationBatch, solve_batch
from lrmp.solvers.replication.exact import solve_exact
from lrmp.solvers.replication.ilp import solve_ilp
from lrmp.solvers.replication.oracle import SolverName, solve_replication
from lrmp.solvers.replication.problem import (
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
