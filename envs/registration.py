"""Registration of every form of every task with Gymnasium."""

import gymnasium as gym

from lrmp.envs.task.custom_task import CUSTOM_ID
from lrmp.envs.task.environment_id import FORMS, environment_id
from lrmp.envs.task.optimum import shipped_value
from lrmp.envs.task.task import TASKS

#: The family of random tasks.
PROCEDURAL = {
    "LRMP-Procedural-v0": "ProceduralEnv",
    "LRMP-Procedural-OneShot-v0": "ProceduralOneShotEnv",
}


def register_envs() -> None:
    """Register the environments; calling it again changes nothing."""
    for task_id in (*TASKS, CUSTOM_ID):
        threshold = shipped_value(task_id)
        for form, (module, name) in FORMS.items():
            env_id = environment_id(task_id, form)
            if env_id not in gym.registry:
                gym.register(
                    id=env_id,
                    entry_point=f"lrmp.envs.forms.{module}:{name}Env",
                    vector_entry_point=f"lrmp.envs.forms.{module}_vector:{name}VectorEnv",
                    reward_threshold=threshold,
                    # The user gives the task of LRMP-Custom-v0.
                    kwargs={"task": None if task_id == CUSTOM_ID else task_id},
                )
    for env_id, name in PROCEDURAL.items():
        if env_id not in gym.registry:
            gym.register(id=env_id, entry_point=f"lrmp.envs.procedural.environment:{name}")
