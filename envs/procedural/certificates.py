"""What is proven of the task of an episode, and how infos say it."""

from collections import OrderedDict
from typing import Any, Literal, get_args

import numpy as np

from lrmp.envs.procedural.generator import Draws
from lrmp.envs.procedural.published_split import published_optima, short_fingerprint
from lrmp.envs.task.optimum import Certificate, stored_optimum
from lrmp.envs.task.task import TASKS, Task

#: Of which tasks infos have the optimum: where it ships with lrmp; of all, solved at reset.
Optima = Literal["known", "solved"]
REMEMBERED = 2**16  # certificates of tasks that this process solved

_solved: OrderedDict[str, Certificate] = OrderedDict()


def find_certificate(task: Task, optima: Optima) -> Certificate | None:
    """Look up what is proven of a task, or prove it.

    Args:
        task: Drawn, registered or the user's own.
        optima: ``"known"`` for what ships with lrmp; ``"solved"`` to solve other tasks, once in a
            process.

    Returns:
        Its optimum, bounds and best constant; None if that is not known.

    Raises:
        InfeasibleAccuracyError: If no design of a task to solve is within the allowed drop.
    """
    for draws in get_args(Draws):
        published = published_optima(task.objective, draws).get(task.id)
        if published is not None and published.fingerprint == short_fingerprint(task):
            return published
    stored = stored_optimum(task) if task.id in TASKS else None
    if stored is not None or optima == "known":
        return stored
    found = _solved.get(task.fingerprint)
    if found is None:
        from lrmp.envs.scoring.table_optimum import table_optimum  # needs the joint solver

        whole = table_optimum(task)
        found = Certificate(whole.value, whole.bound, whole.reward_bound, whole.constant)
        _solved[task.fingerprint] = found
        if len(_solved) > REMEMBERED:
            _solved.popitem(last=False)
    return found


def certificate_info(certificate: Certificate | None) -> dict[str, Any]:
    """Say in an info what is proven of a task.

    Args:
        certificate: Of the task, if it is known.

    Returns:
        Numbers and truth values, the same keys in any case; 0 where there is nothing.
    """
    optimum = bound = constant = 0.0
    if certificate is not None:
        optimum, bound = certificate.value, certificate.bound
        constant = certificate.constant_value
    return {
        "optimum_known": np.array(certificate is not None),
        "optimum": np.float64(optimum),
        "optimum_bound": np.float64(bound),
        "has_constant": np.array(certificate is not None and certificate.constant is not None),
        "best_constant": np.float64(constant),
    }
