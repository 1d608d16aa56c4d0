"""Settings and copies at once: the best return of a whole task, with a proof of how good it is."""

import math
from collections.abc import Callable

from lrmp.errors import SolverError
from lrmp.solvers.joint.options import JointOptions
from lrmp.solvers.joint.problem import JointOptimum, JointProblem, evaluate_joint
from lrmp.solvers.joint.product import search_product
from lrmp.solvers.joint.sum import SumSearch
from lrmp.solvers.joint.throughput import search_throughput
from lrmp.solvers.joint.weighted_throughput import search_weighted_throughput

LOGARITHM = 1e-14  # a few units in the last place: a return is a difference of logarithms


def solve_joint(
    problem: JointProblem, log: Callable[[str], None] = lambda line: None
) -> JointOptimum:
    """Find the best design of a task and bound all others.

    Args:
        problem: The task.
        log: Called with every line of the log as it is written.

    Returns:
        The best design found. Its bound meets its value, up to the rounding of floats, unless the
        enumeration had to be cut off.

    Raises:
        InfeasibleBudgetError: If one copy of every layer does not fit in its smallest setting.
        InfeasibleAccuracyError: If no design that fits is within the limit on accuracy.
        SolverError: If the objective is not one that this solver takes.
    """
    lines: list[str] = []

    def write(line: str) -> None:
        lines.append(line)
        log(line)

    if problem.objective == "throughput":
        settings, least = search_throughput(problem, write)
    elif problem.objective == "weighted_throughput":
        settings, least = search_weighted_throughput(problem, write)
    elif problem.objective in ("latency", "energy", "edp"):
        options = JointOptions.of(problem)
        if problem.objective == "edp":
            settings, least = search_product(problem, options, write)
        else:
            weights = (1, 0) if problem.objective == "latency" else (0, 1)
            found = SumSearch(problem, options, write, *weights).run()
            settings, least = found.settings, found.bound
    else:
        raise SolverError(
            "Expected objective latency, throughput, energy, edp or weighted_throughput, got "
            f"{problem.objective}."
        )
    value, copies = evaluate_joint(problem, settings)
    bound = math.inf  # where the enumeration was cut off early, least may bound nothing
    if least > 0:
        bound = math.log(problem.baseline) - math.log(least) - problem.least_penalty
    bound += LOGARITHM * (1 + abs(bound) + abs(problem.least_penalty))
    write(f"best return {value:.12f}, bound {bound:.12f}")
    if value > bound:
        raise SolverError(
            f"Expected no design above the bound {bound!r}, found one of {value!r}: a fault of the "
            "solver. Please report the task."
        )
    return JointOptimum(settings, copies, value, bound, tuple(lines))
