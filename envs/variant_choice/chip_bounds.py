"""Bounds on designs of a chip problem, chip by chip, that spare a proof most chips."""

from collections.abc import Callable
from dataclasses import replace

from lrmp.envs.scoring.reward import STEEP
from lrmp.envs.scoring.table_optimum import joint_problem, table_optimum
from lrmp.envs.variant_choice.chip_problem import ChipProblem
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.families.chip import AREA, CHIP_SPACE
from lrmp.solvers.joint.solve import solve_joint

_FULL = AREA.values.index(AREA.plain)
_AREA = CHIP_SPACE.place(AREA.name)


def chip_bounds(problem: ChipProblem, log: Callable[[str], None]) -> list[float]:
    """Bound scores and default rewards on every chip, of designs within the allowance or not.

    A chip of less area is no better than its twin of the whole area, which has more tiles and is
    otherwise the same, where the area itself costs nothing. Where energy times delay counts, no
    design has less than the least energy times the least delay, each proven alone.

    Args:
        problem: What is solved.
        log: Called with a line on all chips.

    Returns:
        A number per chip.
    """
    bound = _product_bound if problem.objective == "edap" else _whole_area_bound
    remembered: dict[int, float] = {}
    found = [bound(problem, number, remembered) for number in range(problem.count)]
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
    twin = problem.setting(number).copy()
    twin[_AREA] = _FULL
    whole = problem.number_of(twin)
    assert whole is not None  # more area holds the plain design, too
    if whole not in remembered:
        found = table_optimum(problem.task(whole))
        remembered[whole] = max(found.bound, found.reward_bound) + problem.offset(whole)
    return remembered[whole]
