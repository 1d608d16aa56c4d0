"""The best variant and design: one by one, those left out that cannot be better."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.hardware.space.design import Design

if TYPE_CHECKING:
    from lrmp.envs.variant_choice.problem import VariantProblem


class BestVariant(NamedTuple):
    """The best variant and design, and bounds on all.

    Attributes:
        variant: Its number.
        design: In the task of the variant.
        value: Its score.
        bound: No design of any variant has a higher score.
        reward_bound: Nor a higher default reward, within the allowance or not.
        without: Score of the best design of the plain variant.
        solved: Problems that were solved on the way.
    """

    variant: int
    design: Design
    value: float
    bound: float
    reward_bound: float
    without: float
    solved: int


def search_by_bounds(
    problem: "VariantProblem", bounds: list[float], log: Callable[[str], None]
) -> BestVariant:
    """Solve variants in the order of their bounds, until none left is above the best value.

    Args:
        problem: What is solved.
        bounds: Of scores and default rewards of every variant's designs; infinity where nothing is
            known.
        log: Called with a line for every variant that is solved.

    Returns:
        The best of all variants.

    Raises:
        InfeasibleAccuracyError: If no design of a variant is within the allowed drop.
    """
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
    bound = max(most, value)
    without = table_optimum(problem.task(problem.plain_variant)).value
    return BestVariant(number, found.design, value, bound, max(most_reward, bound), without, solved)
