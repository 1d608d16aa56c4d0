"""Bits and copies at once: the best return of a whole task, with a proof of how good it is."""

import math
from collections.abc import Callable

from lrmp.errors import SolverError
from lrmp.solvers.joint_problem import JointOptimum, JointProblem, evaluate_joint
from lrmp.solvers.joint_product import search_product
from lrmp.solvers.joint_sum import SumSearch
from lrmp.solvers.joint_throughput import search_throughput


def solve_joint(
    problem: JointProblem,
    log: Callable[[str], None] | None = None,
    tolerance: float = 0.0,
) -> JointOptimum:
    """Find the best design of a task and bound all others.

    Args:
        problem: The task.
        log: Also called with every line of the log as it is written.
        tolerance: Where latency, energy or their weighted sum is minimised, a design that no other
            undercuts by more than this share is good enough; the bound says how good it is.

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
        (weight_bits, activation_bits), bound = search_throughput(problem, write)
    else:
        if problem.objective == "edp":
            found, least = search_product(problem, write, tolerance)
        elif problem.objective in ("latency", "energy"):
            weights = (1.0, 0.0) if problem.objective == "latency" else (0.0, 1.0)
            found, least = SumSearch(problem, write, *weights, tolerance).run()
        else:
            raise SolverError(
                f"Expected objective latency, throughput, energy or edp, got {problem.objective}."
            )
        weight_bits, activation_bits = found.weight_bits, found.activation_bits
        bound = math.log(problem.baseline / least)
    value, design = evaluate_joint(problem, weight_bits, activation_bits)
    write(f"best return {value:.9f}, bound {bound:.9f}")
    return JointOptimum(design, value, max(bound, value), tuple(lines))
