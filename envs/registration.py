"""Registration of every task with Gymnasium."""

import gymnasium as gym

from lrmp.envs.optimum import stored_optimum
from lrmp.envs.task import TASKS


def register_envs() -> None:
    """Register the environments; calling it again changes nothing."""
    for task_id in TASKS:
        if task_id not in gym.registry:
            optimum = stored_optimum(task_id)
            gym.register(
                id=task_id,
                entry_point="lrmp.envs.layerwise:LayerwiseEnv",
                reward_threshold=None if optimum is None else optimum.value,
                kwargs={"task": task_id},
            )
