"""Registration of every form of every task with Gymnasium."""

from typing import Any

import gymnasium as gym

from lrmp.envs.forms.task_spec import TaskSpec
from lrmp.envs.procedural.most_layers import MAX_LAYERS
from lrmp.envs.task.custom_task import CUSTOM_ID
from lrmp.envs.task.environment_id import FORMS, MULTI_OBJECTIVE, environment_id
from lrmp.envs.task.optimum import shipped_value
from lrmp.envs.task.shared_chip import SHARED
from lrmp.envs.task.task import LAYERS, TASKS, list_tasks
from lrmp.envs.variant_choice.problem_ids import VARIANT_PROBLEMS

#: The families of random tasks: module and class, and the steps of the longest episode.
PROCEDURAL = {
    "LRMP-Procedural-v0": ("environment", "Procedural", MAX_LAYERS),
    "LRMP-Procedural-OneShot-v0": ("environment", "ProceduralOneShot", 1),
    "LRMP-Procedural-Spaces-v0": ("spaces_environment", "ProceduralSpaces", MAX_LAYERS),
    "LRMP-Procedural-Spaces-OneShot-v0": ("spaces_environment", "ProceduralSpacesOneShot", 1),
}

#: Those with a multi-objective form, one per network; networks run on images have no divergence,
#: those that share a chip one each, and some chips no energies.
MULTI_OBJECTIVE_TASKS = tuple(
    task_id
    for known_by in ("table", "prediction")
    for task_id in list_tasks("latency", known_by)
    if environment_id(task_id, "EDP") in TASKS and task_id not in list_tasks(family=SHARED)
)


def register_envs() -> None:
    """Register the environments; calling it again changes nothing.

    Their specs are ``TaskSpec``s, with one step more than the longest episode. Where arguments say
    how long that is, of ``LRMP-Custom-*`` and ``LRMP-*-Refine-*``, the environment fills it in.
    """
    for task_id in (*TASKS, CUSTOM_ID):
        threshold = shipped_value(task_id)
        steps = {"": LAYERS.get(task_id), "OneShot": 1}
        for form, (module, name) in FORMS.items():
            _register(
                environment_id(task_id, form),
                steps.get(form),
                entry_point=f"lrmp.envs.forms.{module}:{name}Env",
                vector_entry_point=f"lrmp.envs.forms.{module}_vector:{name}VectorEnv",
                reward_threshold=threshold,
                # The user gives the task of LRMP-Custom-v0.
                kwargs={"task": None if task_id == CUSTOM_ID else task_id},
            )
    for task_id in (*MULTI_OBJECTIVE_TASKS, CUSTOM_ID):
        _register(
            environment_id(task_id, MULTI_OBJECTIVE),
            LAYERS.get(task_id),
            entry_point="lrmp.envs.forms.multi_objective:MultiObjectiveEnv",
            vector_entry_point="lrmp.envs.forms.multi_objective_vector:MultiObjectiveVectorEnv",
            disable_env_checker=True,  # it takes no reward but a number
            kwargs={"task": None if task_id == CUSTOM_ID else task_id},
        )
    for env_id, (module, name, longest) in PROCEDURAL.items():
        _register(
            env_id,
            longest,
            entry_point=f"lrmp.envs.procedural.{module}:{name}Env",
            vector_entry_point=f"lrmp.envs.procedural.{module}_vector:{name}VectorEnv",
        )
    for problem_id, problem in VARIANT_PROBLEMS.items():
        module = f"lrmp.envs.variant_choice.{problem.kind}_environment"
        for form, longest in (("", problem.layers), ("OneShot", 1)):
            _register(
                environment_id(problem_id, form),
                longest,
                entry_point=f"{module}:{problem.kind.capitalize()}{form}Env",
                kwargs={"problem": problem_id},
            )


def _register(env_id: str, longest: int | None, **settings: Any) -> None:
    if env_id not in gym.registry:
        limit = None if longest is None else longest + 1
        # What gym.register does, without its search for ids of other versions.
        gym.registry[env_id] = TaskSpec(id=env_id, max_episode_steps=limit, **settings)
