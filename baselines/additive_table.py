"""The accuracy table of a task, for searches that look accuracy up layer by layer."""

from lrmp.envs.accuracy.table import TableAccuracy
from lrmp.envs.task import Task
from lrmp.errors import RunError


def additive_table(task: Task) -> TableAccuracy:
    """Return the task's accuracy model if it is an additive table.

    Args:
        task: What is solved.

    Returns:
        The table.

    Raises:
        RunError: If the accuracy of the task is no such table.
    """
    accuracy = task.accuracy
    if not isinstance(accuracy, TableAccuracy):
        raise RunError(
            f"Expected an additive accuracy table for {task.id}, got {accuracy.kind}. Choose a "
            "search that needs none."
        )
    return accuracy
