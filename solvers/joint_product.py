"""The joint optimum for the energy-delay product: a few sums of cycles and energy.

With cycles C, energy E and penalty p the return is ``ln(baseline) - ln(C E exp(p))``, and
``C E exp(p)`` is the product of ``C exp(p/2)`` and ``E exp(p/2)``. A weighted sum of the two is
``(a C + b E) exp(p/2)``: the penalised cost of ``joint_sum``, for half the penalty. So the least
product is found as in ``product``, with joint sums in the place of knapsacks.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from lrmp.hardware.design import MAX_BITS, Design
from lrmp.solvers.joint_problem import JointProblem, sum_of_terms
from lrmp.solvers.joint_sum import SumSearch
from lrmp.solvers.product import least_product

PARTS = 2**20  # of a cycle or femtojoule: the penalised sums are rounded to whole ones


def search_product(
    problem: JointProblem, log: Callable[[str], None], tolerance: float = 0.0
) -> tuple[Design, float]:
    """Find the best design and a lower bound on ``C E exp(penalty)`` of all designs.

    Args:
        problem: The task; its objective is edp.
        log: Called with every line of the log.
        tolerance: Of every weighted sum, as for ``SumSearch``.

    Returns:
        Design and bound.
    """
    half = replace(problem, penalty=lambda terms: problem.penalty(terms) / 2)

    def sums(design: Design) -> tuple[int, int]:
        bits = design.weight_bits, design.activation_bits
        posed = problem.pose(*bits, problem.budget)
        cycles, energy = posed.cycles_and_energy(design.replication)
        factor = PARTS * math.exp(half.penalty(sum_of_terms(problem, *bits)))
        return round(cycles * factor), round(energy * factor)

    def solve(cycle_weight: int, energy_weight: int) -> tuple[Design, int]:
        search = SumSearch(
            half, lambda line: None, float(cycle_weight), float(energy_weight), tolerance
        )
        design, bound = search.run()
        cycles, energy = sums(design)
        log(
            f"sum of cycles and {energy_weight / max(cycle_weight, 1):.6g} times energy: penalised "
            f"cycles {cycles / PARTS:.1f}, energy {energy / PARTS:.6g} fJ"
        )
        # The sums are rounded to whole parts: give way by one part each.
        return design, math.floor(bound * PARTS) - cycle_weight - energy_weight

    layers = len(problem.weight_terms)
    full = Design.uniform(layers, MAX_BITS, MAX_BITS)
    posed = problem.pose(full.weight_bits, full.activation_bits, 2**62)
    cycles, energy = posed.cycles_and_energy(full.replication)
    best, bound = least_product(solve, sums, (cycles * PARTS, energy * PARTS))
    return best[0], bound / PARTS**2
