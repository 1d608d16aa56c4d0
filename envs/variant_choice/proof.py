"""The proof of a best variant and design, and how it is stored."""

from collections.abc import Callable

from lrmp.envs.scoring.best_constant import best_constant
from lrmp.envs.task.optimum import Constant
from lrmp.envs.variant_choice.optimum import VariantOptimum
from lrmp.envs.variant_choice.problem import VariantProblem, load_problem


def prove_optimum(
    problem: VariantProblem | str, log: Callable[[str], None] = lambda line: None
) -> VariantOptimum:
    """Find the best variant and design, and bound all others.

    Args:
        problem: Or its id.
        log: Called with a line for every variant that is solved, and by the bounds.

    Returns:
        The best of all variants.

    Raises:
        InfeasibleAccuracyError: If no design of a variant is within the allowed drop.
    """
    if isinstance(problem, str):
        problem = load_problem(problem)
    best = problem.search(log)
    constant, constant_variant = _best_constant(problem)
    return VariantOptimum(
        value=best.value,
        bound=best.bound,
        reward_bound=best.reward_bound,
        constant=constant,
        problem=problem.id,
        problem_fingerprint=problem.fingerprint,
        variant=problem.values(best.variant),
        design=best.design.to_json(),
        without=best.without,
        constant_variant=problem.values(constant_variant),
        variants=problem.count,
        solved=best.solved,
    )


def _best_constant(problem: VariantProblem) -> tuple[Constant | None, int]:
    """Find the best variant and setting for all layers alike."""
    best, variant = None, problem.plain_variant
    for number in problem.constants():
        found = best_constant(problem.task(number))
        if found is None:
            continue
        value = found.value + problem.offset(number)
        if best is None or value > best.value:
            best, variant = Constant(found.setting, value), number
    return best, variant
