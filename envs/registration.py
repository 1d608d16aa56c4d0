"""Registration of every task with Gymnasium."""

import gymnasium as gym

from lrmp.envs.task import TASKS


def register_envs() -> None:
    """Register the environments; calling it again changes nothing."""
    for task_id in TASKS:
        if task_id not in gym.registry:
            gym.register(
                id=task_id,
                entry_point="lrmp.envs.layerwise:LayerwiseEnv",
                kwargs={"task": task_id},
            )
