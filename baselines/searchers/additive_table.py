"""The accuracy table of a task, for searches that look accuracy up layer by layer."""

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.errors import RunError


def additive_table(task: TaskLike) -> TableAccuracy:
    """Return the task's accuracy model if it is an additive table.

    Args:
        task: What is solved.

    Returns:
        The table.

    Raises:
        RunError: If the accuracy of the task is no such table.
    """
    task = find_task(task)
    accuracy = task.accuracy
    if not isinstance(accuracy, TableAccuracy):
        raise RunError(
            f"Expected an additive accuracy table for {task.id}, got {accuracy.kind}. Choose a "
            "search that needs none."
        )
    return accuracy
