"""The proof of a best variant and design: one by one, those left out that cannot be better."""

from collections.abc import Callable
from typing import Any

from lrmp.envs.scoring.best_constant import best_constant
from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.envs.task.optimum import Constant
from lrmp.envs.variant_choice.optimum import VariantOptimum
from lrmp.envs.variant_choice.problem import VariantProblem, load_problem


def prove_optimum(
    problem: VariantProblem | str, log: Callable[[str], None] = lambda line: None
) -> VariantOptimum:
    """Find the best variant and design, and bound all others.

    Every variant is a problem of settings and copies, which the joint solver proves, in the order
    of `VariantProblem.bounds`, until no bound left is above the best value.

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
    bounds = problem.bounds(log)
    best: tuple[float, int, Any] | None = None
    most, most_reward, solved = 0.0, 0.0, 0
    for number in sorted(range(len(bounds)), key=lambda n: -bounds[n]):
        if best is not None and bounds[number] <= best[0]:
            most = max(most, bounds[number])
            break  # and so are all that follow
        found, offset = table_optimum(problem.task(number)), problem.offset(number)
        solved += 1
        value = found.value + offset
        log(f"{found.task}: {value:.9f}, bound {found.bound + offset:.9f}")
        most = max(most, found.bound + offset)
        most_reward = max(most_reward, found.reward_bound + offset)
        if best is None or value > best[0]:
            best = value, number, found
    assert best is not None
    value, number, found = best
    constant, constant_variant = _best_constant(problem)
    plain = table_optimum(problem.task(problem.plain_variant))
    return VariantOptimum(
        value=value,
        bound=max(most, value),
        reward_bound=max(most_reward, most, value),
        constant=constant,
        problem=problem.id,
        problem_fingerprint=problem.fingerprint,
        variant=problem.values(number),
        design=found.design.to_json(),
        without=plain.value,
        constant_variant=problem.values(constant_variant),
        variants=len(bounds),
        solved=solved,
    )


def _best_constant(problem: VariantProblem) -> tuple[Constant | None, int]:
    """Find the best variant and setting for all layers alike."""
    best, variant = None, problem.plain_variant
    for number in range(len(problem.variants)):
        found = best_constant(problem.task(number))
        if found is None:
            continue
        value = found.value + problem.offset(number)
        if best is None or value > best.value:
            best, variant = Constant(found.setting, value), number
    return best, variant
