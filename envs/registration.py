"""Registration of every form of every task with Gymnasium."""

import gymnasium as gym

from lrmp.envs.custom_task import CUSTOM_ID
from lrmp.envs.optimum import stored_optimum
from lrmp.envs.task import TASKS

#: Form -> module and class; the vector environment is in ``<module>_vector``, ``...VectorEnv``.
FORMS = {
    "": ("layerwise", "Layerwise"),
    "OneShot": ("one_shot", "OneShot"),
    "Refine": ("refine", "Refine"),
}

#: The family of random tasks.
PROCEDURAL = {
    "LRMP-Procedural-v0": "ProceduralEnv",
    "LRMP-Procedural-OneShot-v0": "ProceduralOneShotEnv",
}


def environment_id(task_id: str, form: str = "") -> str:
    """Name the environment of a task in a form.

    Args:
        task_id: Such as ``"LRMP-ResNet18-v1"``.
        form: ``""`` for layer-wise, ``"OneShot"`` or ``"Refine"``.

    Returns:
        Such as ``"LRMP-ResNet18-OneShot-v1"``.
    """
    name, version = task_id.rsplit("-", 1)
    return "-".join(filter(None, (name, form, version)))


def register_envs() -> None:
    """Register the environments; calling it again changes nothing."""
    for task_id in (*TASKS, CUSTOM_ID):
        optimum = stored_optimum(task_id)
        for form, (module, name) in FORMS.items():
            env_id = environment_id(task_id, form)
            if env_id not in gym.registry:
                gym.register(
                    id=env_id,
                    entry_point=f"lrmp.envs.{module}:{name}Env",
                    vector_entry_point=f"lrmp.envs.{module}_vector:{name}VectorEnv",
                    reward_threshold=None if optimum is None else optimum.value,
                    # The user gives the task of LRMP-Custom-v0.
                    kwargs={"task": None if task_id == CUSTOM_ID else task_id},
                )
    for env_id, name in PROCEDURAL.items():
        if env_id not in gym.registry:
            gym.register(id=env_id, entry_point=f"lrmp.envs.procedural.environment:{name}")
