"""Bits and copies at once: the best return of a whole task, with a proof of how good it is."""

from collections.abc import Callable

from lrmp.errors import SolverError
from lrmp.solvers.joint_problem import JointOptimum, JointProblem, evaluate_joint
from lrmp.solvers.joint_sum import SumSearch
from lrmp.solvers.joint_throughput import search_throughput


def solve_joint(problem: JointProblem, log: Callable[[str], None] | None = None) -> JointOptimum:
    """Find the best design of a task and bound all others.

    Args:
        problem: The task.
        log: Also called with every line of the log as it is written.

    Returns:
        The best design found. Its bound meets its value unless the enumeration had to be cut off.

    Raises:
        InfeasibleBudgetError: If one copy of every layer does not fit at 2 bits.
        SolverError: If the objective is not one that this solver takes.
    """
    lines: list[str] = []

    def write(line: str) -> None:
        lines.append(line)
        if log is not None:
            log(line)

    if problem.objective == "throughput":
        bits, bound = search_throughput(problem, write)
    elif problem.objective in ("latency", "energy"):
        bits, bound = SumSearch(problem, write).run()
    else:
        raise SolverError(
            f"Expected objective latency, energy or throughput, got {problem.objective}."
        )
    value, design = evaluate_joint(problem, *bits)
    write(f"best return {value:.9f}, bound {bound:.9f}")
    return JointOptimum(design, value, max(bound, value), tuple(lines))
