"""The decision problem: tasks, rewards and Gymnasium environments."""

from lrmp.envs.forms.layerwise import LayerwiseEnv
from lrmp.envs.forms.multi_objective import MultiObjectiveEnv
from lrmp.envs.forms.one_shot import OneShotEnv
from lrmp.envs.forms.refine import RefineEnv
from lrmp.envs.records.record import Claim, Record
from lrmp.envs.registration import register_envs
from lrmp.envs.scoring.front import Front, stored_front
from lrmp.envs.scoring.hypervolume import hypervolume
from lrmp.envs.scoring.objectives import objective_vectors, reference_point
from lrmp.envs.scoring.outcome import Outcome, evaluate, evaluate_settings
from lrmp.envs.task.custom_task import CUSTOM_ID, find_task, make_task, read_task
from lrmp.envs.task.optimum import Optimum, stored_optimum
from lrmp.envs.task.task import TASKS, Task, list_tasks, load_task

__all__ = [
    "CUSTOM_ID",
    "TASKS",
    "Claim",
    "Front",
    "LayerwiseEnv",
    "MultiObjectiveEnv",
    "OneShotEnv",
    "Optimum",
    "Outcome",
    "Record",
    "RefineEnv",
    "Task",
    "evaluate",
    "evaluate_settings",
    "find_task",
    "hypervolume",
    "list_tasks",
    "load_task",
    "make_task",
    "objective_vectors",
    "read_task",
    "reference_point",
    "register_envs",
    "stored_front",
    "stored_optimum",
]
