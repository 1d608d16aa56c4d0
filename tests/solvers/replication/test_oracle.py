import pytest

from lrmp.errors import SolverError
from lrmp.solvers import (
    ReplicationProblem,
    solve_exact,
    solve_ilp,
    solve_replication,
)


def problem(objective):
    return ReplicationProblem([3, 1], [10, 4], [5, 7], [2, 0], 12, objective)


@pytest.mark.parametrize(
    ("objective", "method"),
    [("latency", solve_exact), ("throughput", solve_exact)],
)
def test_exact_is_the_default_and_fits_the_objective(objective, method):
    expected = method(problem(objective))
    assert solve_replication(problem(objective)) == expected
    assert solve_replication(problem(objective), "exact") == expected


@pytest.mark.parametrize("objective", ["latency", "throughput"])
def test_ilp_on_request(objective):
    assert solve_replication(problem(objective), "ilp") == solve_ilp(problem(objective))


@pytest.mark.parametrize("solver", ["exakt", "greedy", None])
def test_unknown_solver_is_refused(solver):
    with pytest.raises(
        SolverError, match=rf"Expected solver to be one of exact, ilp; got {solver!r}"
    ):
        solve_replication(problem("latency"), solver)


def test_misspelt_solver_gets_a_hint():
    with pytest.raises(SolverError, match=r"one of ilp, exact; got 'ILP'\. Did you mean 'ilp'\?"):
        solve_replication(problem("latency"), "ILP")
    with pytest.raises(SolverError, match=r"Did you mean 'exact'\?"):
        solve_replication(problem("latency"), "exakt")
