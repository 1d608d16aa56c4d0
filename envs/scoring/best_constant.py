"""The best constant: one setting for all layers, which every agent should beat."""

from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.optimum import Constant
from lrmp.errors import InfeasibleBudgetError


def best_constant(task: TaskLike) -> Constant | None:
    """Try every setting of the space in all layers at once.

    A layer that may not have a setting has the nearest that it may have.

    Args:
        task: What is solved; of one or several networks.

    Returns:
        The best within the allowance, of equals the first; None if there is none.
    """
    task = find_task(task)
    best: Constant | None = None
    designs = task.space.uniform(len(task.workload.layer_names))
    for setting, design in zip(task.space.settings, designs, strict=True):
        try:
            score = evaluate_settings(task, design).score
        except InfeasibleBudgetError:
            continue
        if score is not None and (best is None or score > best.value):
            values = {name: value.item() for name, value in task.space.decode(setting).items()}
            best = Constant(values, score)
    return best
