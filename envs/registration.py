"""Registration of every task with Gymnasium."""

import gymnasium as gym

from lrmp.envs.custom_task import CUSTOM_ID
from lrmp.envs.optimum import stored_optimum
from lrmp.envs.task import TASKS


def register_envs() -> None:
    """Register the environments; calling it again changes nothing."""
    if CUSTOM_ID not in gym.registry:
        gym.register(
            id=CUSTOM_ID,
            entry_point="lrmp.envs.layerwise:LayerwiseEnv",
            kwargs={"task": None},  # always given by the user
        )
    for task_id in TASKS:
        if task_id not in gym.registry:
            optimum = stored_optimum(task_id)
            gym.register(
                id=task_id,
                entry_point="lrmp.envs.layerwise:LayerwiseEnv",
                reward_threshold=None if optimum is None else optimum.value,
                kwargs={"task": task_id},
            )
