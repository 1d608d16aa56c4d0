"""The objectives of the multi-objective form: what a design gains in time and energy, and loses."""

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.errors import TaskError
from lrmp.hardware.frozen_arrays import IntArray

#: Entries of a reward vector, in its order; of all more is better.
OBJECTIVES = ("ln latency gain", "ln energy gain", "-divergence")
REFERENCE_DROPS = 10  # the reference point loses so many times the allowed drop

Floats = NDArray[np.float64]


def objective_vectors(task: TaskLike, settings: IntArray, replication: IntArray) -> Floats:
    """Score designs by each objective.

    Args:
        task: One that ``divergence_table`` takes.
        settings: Places of the layers' values, shape (B, L, K).
        replication: Copies, shape (B, L).

    Returns:
        Shape (B, 3): the logarithms of baseline / design of the cycles and of the energy of one
        inference, and the negative divergence, the sum of the accuracy table's terms.

    Raises:
        TaskError: If the task's accuracy is no table.
        PresetError: If the chip gives no energies.
    """
    task = find_task(task)
    table, baseline = divergence_table(task), task.baseline_report
    cost = task.cost_model.evaluate_batch(settings, replication, with_energy=True)
    assert cost.energy_fj is not None
    return np.stack(
        [
            np.log(baseline.cost("latency") / cost.latency_cycles),
            np.log(baseline.cost("energy") / cost.energy_fj),
            -table.sums(settings),
        ],
        axis=1,
    )


def divergence_table(task: TaskLike) -> TableAccuracy:
    """Return the table whose sums are the divergences of designs.

    Args:
        task: Any.

    Returns:
        The task's accuracy.

    Raises:
        TaskError: If it is no table: what a network that is run on images loses is counted in
            classified images, which saturates.
    """
    task = find_task(task)
    accuracy = task.accuracy
    if not isinstance(accuracy, TableAccuracy):
        raise TaskError(
            f"Expected a task whose accuracy is a table, got {task.id}, whose network is run on "
            "images: its drop saturates, and is no divergence. Take another task or another form."
        )
    return accuracy


def reference_point(task: TaskLike) -> Floats:
    """Say where hypervolumes of a task start.

    Args:
        task: One that ``divergence_table`` takes.

    Returns:
        Shape (3,): a design that gains nothing and loses ten times the allowed drop: zeros, and the
        negative of the largest divergence whose drop is no larger than that.

    Raises:
        TaskError: If the accuracy is no table, or the allowed drop gives no such point.
    """
    task = find_task(task)
    table = divergence_table(task)
    divergence = table.drop_map.threshold(REFERENCE_DROPS * task.allowed_drop)
    least = float(table.sums(task.space.plain_settings(len(task.network))))
    if not least < divergence < np.inf:
        raise TaskError(
            f"Expected an allowed drop of {task.id} whose {REFERENCE_DROPS}-fold is more than the "
            f"plain design loses and less than all accuracy, got {task.allowed_drop!r}. Give "
            "hypervolume() a reference point of your own."
        )
    return np.array([0.0, 0.0, -divergence])
