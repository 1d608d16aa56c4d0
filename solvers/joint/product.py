"""The joint optimum for the energy-delay product: a few sums of cycles and energy.

With cycles C, energy E and penalty p the return is ``ln(baseline) - ln(C E exp(p))``, and
``C E exp(p)`` is the product of ``C exp(p/2)`` and ``E exp(p/2)``. A weighted sum of the two is
``(a C + b E) exp(p/2)``: the penalised cost of ``joint.sum``, for half the penalty. So the least
product is found as in ``product``, with joint sums in the place of knapsacks.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.floats import Floats
from lrmp.solvers.joint.options import JointOptions
from lrmp.solvers.joint.problem import JointProblem
from lrmp.solvers.joint.sum import SumSearch
from lrmp.solvers.replication.product import least_product

PARTS = 2**40  # of a cycle or femtojoule: the penalised sums are rounded to whole ones
ROUNDING = 1e-12  # of a product of two such sums

Solution = tuple[IntArray, IntArray]  # settings and copies


def search_product(
    problem: JointProblem, options: JointOptions, log: Callable[[str], None]
) -> tuple[IntArray, float]:
    """Find the best settings and a lower bound on ``C E exp(penalty - least)`` of all designs.

    Args:
        problem: The task; its objective is edp.
        options: Its options.
        log: Called with every line of the log.

    Returns:
        Settings, shape (L,), and the bound.
    """
    half = replace(
        problem,
        accuracy=tuple(
            replace(accuracy, penalty=_half_penalty(problem, network))
            for network, accuracy in enumerate(problem.accuracy)
        ),
    )

    def sums(solution: Solution) -> tuple[int, int]:
        settings, copies = solution
        cycles, energy = problem.pose(settings, problem.budget).cycles_and_energy(copies)
        factor = PARTS * math.exp(float(half.paid_by(settings)))
        return round(cycles * factor), round(energy * factor)

    def solve(cycle_weight: int, energy_weight: int) -> tuple[Solution, int]:
        found = SumSearch(half, options, lambda line: None, cycle_weight, energy_weight).run()
        solution = found.settings, found.copies
        cycles, energy = sums(solution)
        log(
            f"sum of cycles and {energy_weight / max(cycle_weight, 1):.6g} times energy: penalised "
            f"cycles {cycles / PARTS:.1f}, energy {energy / PARTS:.6g} fJ"
        )
        return solution, math.floor(found.bound * PARTS)

    # Sums take weights of any size: no direction needs rounding.
    best, bound = least_product(solve, sums, (0, 0))
    return best[0][0], bound / PARTS**2 * (1 - ROUNDING)


def _half_penalty(problem: JointProblem, network: int) -> Callable[[Floats], Floats]:
    """Halve a network's penalty; what is forbidden in the whole is infinite in the half, too."""
    least = problem.least_penalties[network]
    return lambda sums: (least + problem.paid(network, sums)) / 2
