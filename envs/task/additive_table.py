"""The accuracy tables of a task, for searches that look accuracy up layer by layer."""

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.errors import RunError, TaskError


def additive_tables(task: TaskLike) -> tuple[TableAccuracy, ...]:
    """Return the accuracy models of the task's networks if they are additive tables.

    Args:
        task: What is solved.

    Returns:
        A table per network.

    Raises:
        RunError: If an accuracy of the task is no such table.
    """
    task, tables = find_task(task), []
    for accuracy in task.accuracies:
        if not isinstance(accuracy, TableAccuracy):
            raise RunError(
                f"Expected an additive accuracy table for {task.id}, got {accuracy.kind}. Choose a "
                "search that needs none."
            )
        tables.append(accuracy)
    return tuple(tables)


def additive_table(task: TaskLike) -> TableAccuracy:
    """Return the same of a task of one network.

    Args:
        task: What is solved.

    Returns:
        The table.

    Raises:
        RunError: If the accuracy of the task is no such table.
        TaskError: If the task has several networks.
    """
    task = find_task(task)
    if len(task.workload) > 1:
        raise TaskError(
            f"Expected a task of one network, got {task.id} with {len(task.workload)} that share a "
            "chip, each with an allowance of its own. Choose a search that scores whole designs."
        )
    return additive_tables(task)[0]
