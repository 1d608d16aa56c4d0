"""The proof of a best chip and design: chips one by one, those left out that cannot be better."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lrmp.envs.chip_choice.optimum import ChipOptimum, chip_values
from lrmp.envs.chip_choice.problem import ChipProblem, load_chip_problem
from lrmp.envs.scoring.best_constant import best_constant
from lrmp.envs.scoring.reward import STEEP
from lrmp.envs.scoring.table_optimum import joint_problem, table_optimum
from lrmp.envs.task.optimum import Constant
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.families.chip import AREA, CHIP_SPACE
from lrmp.solvers.joint.solve import solve_joint

_FULL = AREA.values.index(AREA.plain)
_AREA = CHIP_SPACE.place(AREA.name)


def prove_chip_optimum(
    problem: ChipProblem | str, log: Callable[[str], None] = lambda line: None
) -> ChipOptimum:
    """Find the best chip and design, and bound all others.

    Every chip is a problem of settings and copies, which the joint solver proves. Two bounds spare
    most chips: a chip of less area is no better than its twin of the whole area, which has more
    tiles and is otherwise the same, where the area itself costs nothing; and where energy times
    delay counts, the least energy times the least delay, each proven alone. Both bound rewards
    beyond the allowance, too.

    Args:
        problem: Or its id.
        log: Called with a line for every chip that is solved.

    Returns:
        The best of all chips.

    Raises:
        InfeasibleAccuracyError: If no design of a chip is within the allowed drop.
    """
    if isinstance(problem, str):
        problem = load_chip_problem(problem)
    bounds = _bounds(problem, log)
    best: tuple[float, int, Any] | None = None
    most, most_reward, solved = 0.0, 0.0, 0
    for number in sorted(range(len(problem.chips)), key=lambda n: -bounds[n]):
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
    constant, chip = _best_constant(problem)
    plain = table_optimum(problem.task(problem.plain_chip))
    return ChipOptimum(
        value=value,
        bound=max(most, value),
        reward_bound=max(most_reward, most, value),
        constant=constant,
        problem=problem.id,
        problem_fingerprint=problem.fingerprint,
        chip=chip_values(problem, number),
        design=found.design.to_json(),
        without=plain.value,
        constant_chip=chip_values(problem, chip),
        chips=len(problem.chips),
        solved=solved,
    )


def _bounds(problem: ChipProblem, log: Callable[[str], None]) -> list[float]:
    """Bound scores and default rewards on every chip, of designs within the allowance or not."""
    bound = _product_bound if problem.objective == "edap" else _whole_area_bound
    remembered: dict[int, float] = {}
    found = [bound(problem, number, remembered) for number in range(len(problem.chips))]
    log(f"{problem.id}: bounds of {len(found)} chips, at most {max(found):.9f}")
    return found


def _product_bound(problem: ChipProblem, number: int, remembered: dict[int, float]) -> float:
    """Bound by the least delay and the least energy, each alone with half of the penalty."""
    task = problem.task(number)
    alone: tuple[Objective, ...] = ("latency", "energy")
    halves = (joint_problem(replace(task, objective=each), STEEP / 2) for each in alone)
    return max(sum(solve_joint(half).bound for half in halves), 0.0) + problem.offset(number)


def _whole_area_bound(problem: ChipProblem, number: int, remembered: dict[int, float]) -> float:
    """Bound by the twin of the whole area, whose plain design costs the same."""
    twin = problem.chips[number].copy()
    twin[_AREA] = _FULL
    whole = problem.number_of(twin)
    assert whole is not None  # more area holds the plain design, too
    if whole not in remembered:
        found = table_optimum(problem.task(whole))
        remembered[whole] = max(found.bound, found.reward_bound) + problem.offset(whole)
    return remembered[whole]


def _best_constant(problem: ChipProblem) -> tuple[Constant | None, int]:
    """Find the best chip and setting for all layers alike."""
    best, chip = None, problem.plain_chip
    for number in range(len(problem.chips)):
        found = best_constant(problem.task(number))
        if found is None:
            continue
        value = found.value + problem.offset(number)
        if best is None or value > best.value:
            best, chip = Constant(found.setting, value), number
    return best, chip
