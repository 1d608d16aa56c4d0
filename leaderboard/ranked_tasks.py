"""What designs are ranked on: registered tasks, and problems with variants."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lrmp.envs.task.optimum import Certificate, stored_optimum
from lrmp.envs.task.task import TASKS, Task, load_task
from lrmp.envs.variant_choice.optimum import VariantOptimum, optimal_design, stored_variant_optimum
from lrmp.envs.variant_choice.problem import VariantProblem, load_problem
from lrmp.envs.variant_choice.problem_ids import VARIANT_PROBLEMS
from lrmp.envs.variant_choice.record import whole_design

REMEMBERED = 256  # definitions


@dataclass(frozen=True)
class RankedTask:
    """Today's definition of what is ranked.

    Attributes:
        definition: The task, or the problem with variants.
    """

    definition: Task | VariantProblem

    @property
    def fingerprint(self) -> str:
        """Of the definition."""
        return self.definition.fingerprint

    @property
    def facts(self) -> dict[str, Any]:
        """What it is, as its ``to_json`` says; shared, not to be changed."""
        return _facts(self.definition)

    @property
    def accuracy_misses(self) -> tuple[str, ...]:
        """In what its drops were not found to be the network's."""
        return tuple(self.facts["accuracy_misses"])


@dataclass(frozen=True)
class Proven:
    """What is known of the best design.

    Attributes:
        certificate: Its score, and bounds on all others.
        design: As records hold it.
        method: How it was found and proven.
        log: What the solver reported, line by line; empty if that was not kept.
    """

    certificate: Certificate
    design: dict[str, Any]
    method: str
    log: tuple[str, ...] = ()


def ranked_ids() -> tuple[str, ...]:
    """List what is ranked.

    Returns:
        The ids of tasks, then those of problems with variants.
    """
    return (*TASKS, *VARIANT_PROBLEMS)


def ranked_task(task_id: str) -> RankedTask | None:
    """Look up a task or a problem with variants.

    Args:
        task_id: Any.

    Returns:
        Its definition; None if this lrmp has none of the id.
    """
    if task_id in VARIANT_PROBLEMS:
        return RankedTask(load_problem(task_id))
    return RankedTask(load_task(task_id)) if task_id in TASKS else None


@lru_cache(REMEMBERED)
def _facts(definition: Task | VariantProblem) -> dict[str, Any]:
    return definition.to_json()


def ranked_tasks() -> list[RankedTask]:
    """Look up all that is ranked.

    Returns:
        In the order of `ranked_ids`.
    """
    found = (ranked_task(task_id) for task_id in ranked_ids())
    return [task for task in found if task is not None]


def proven_best(task_id: str, fingerprint: str) -> Proven | None:
    """Look up the proven best design of a task or a problem with variants.

    Args:
        task_id: Any.
        fingerprint: Of the definition.

    Returns:
        The design; None if it is not known, or the definition is not today's.
    """
    if not is_current(task_id, fingerprint):
        return None
    if task_id in VARIANT_PROBLEMS:
        problem, found = load_problem(task_id), stored_variant_optimum(task_id)
        if found is None or found.problem_fingerprint != fingerprint:
            return None
        best = whole_design(problem, *optimal_design(problem, found))
        return Proven(found, best, _method(problem.noun, found))
    optimum = stored_optimum(load_task(task_id))
    if optimum is None:
        return None
    return Proven(optimum, optimum.design.to_json(), optimum.method, optimum.log)


def _method(noun: str, found: VariantOptimum) -> str:
    """Say how the best of all variants, called by a noun, was proven."""
    return (
        f"{found.solved:,} problems of the joint solver, which bound all {found.variants:,} {noun}s"
    )


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
