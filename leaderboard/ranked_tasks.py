"""What designs are ranked on: registered tasks, and problems whose chip is chosen, too."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from lrmp.envs.chip_choice.optimum import optimal_design, stored_chip_optimum
from lrmp.envs.chip_choice.problem import load_chip_problem
from lrmp.envs.chip_choice.problem_ids import CHIP_PROBLEMS
from lrmp.envs.chip_choice.record import whole_design
from lrmp.envs.task.optimum import Certificate, stored_optimum
from lrmp.envs.task.task import TASKS, load_task


@dataclass(frozen=True)
class RankedTask:
    """Today's definition of what is ranked.

    Attributes:
        fingerprint: Of the definition.
        accuracy_misses: In what its drops were not found to be the network's.
        certificate: What is proven of it; None if nothing is.
        best: The proven best design as records hold it; None if there is none.
        method: How that was found and proven.
    """

    fingerprint: str
    accuracy_misses: tuple[str, ...]
    certificate: Certificate | None
    best: dict[str, Any] | None
    method: str


@cache
def ranked_task(task_id: str) -> RankedTask | None:
    """Look up a task or a chip problem.

    Args:
        task_id: Any.

    Returns:
        Its definition; None if this lrmp has none of the id.
    """
    if task_id in CHIP_PROBLEMS:
        problem, proven = load_chip_problem(task_id), stored_chip_optimum(task_id)
        misses = problem.plain_task.accuracy_misses
        if proven is None or proven.problem_fingerprint != problem.fingerprint:
            return RankedTask(problem.fingerprint, misses, None, None, "")
        best = whole_design(problem, *optimal_design(problem, proven))
        method = f"chips by bounds, {proven.solved} of {proven.chips} solved by the joint solver"
        return RankedTask(problem.fingerprint, misses, proven, best, method)
    if task_id not in TASKS:
        return None
    task = load_task(task_id)
    optimum = stored_optimum(task)
    misses = tuple(task.accuracy_misses)
    if optimum is None:
        return RankedTask(task.fingerprint, misses, None, None, "")
    best = optimum.design.to_json()
    return RankedTask(task.fingerprint, misses, optimum, best, optimum.method)


def is_current(task_id: str, fingerprint: str) -> bool:
    """Say whether a definition is today's.

    Args:
        task_id: Any.
        fingerprint: Of the definition.

    Returns:
        Whether this lrmp defines the task so.
    """
    found = ranked_task(task_id)
    return found is not None and found.fingerprint == fingerprint
