"""Benchmark suite for hardware/DNN co-design on in-memory computing.

``import lrmp`` registers the Gymnasium environments (``gym.make("LRMP-ResNet18-v0")``); it loads
neither torch nor matplotlib. ``gym.make("lrmp:LRMP-ResNet18-v0")`` needs no import statement and
is the form for worker processes.

To start from: ``lrmp.list_tasks()``, ``lrmp.evaluate("LRMP-ResNet18-v0", weight_bits=6)``,
``make_task`` for a network and chip of your own, and ``optimize``, which takes them to a design.
"""

import importlib
from typing import TYPE_CHECKING, Any

from lrmp import envs, errors, hardware, solvers
from lrmp.envs.registration import register_envs
from lrmp.envs.scoring.outcome import Outcome, evaluate
from lrmp.envs.task.custom_task import find_task, make_task, read_task
from lrmp.envs.task.optimum import Optimum, stored_optimum
from lrmp.envs.task.suites import suites
from lrmp.envs.task.task import Task, list_tasks, load_task
from lrmp.hardware import (
    Accelerator,
    CostModel,
    CostReport,
    Design,
    Layer,
    Network,
    list_networks,
    list_presets,
    load_network,
    load_preset,
    read_preset,
)

__all__ = [
    "Accelerator",
    "CostModel",
    "CostReport",
    "Design",
    "Layer",
    "Network",
    "Optimum",
    "Outcome",
    "Task",
    "__version__",
    "envs",
    "errors",
    "evaluate",
    "find_task",
    "hardware",
    "list_networks",
    "list_presets",
    "list_tasks",
    "load_network",
    "load_preset",
    "load_task",
    "make_task",
    "read_preset",
    "read_task",
    "register_envs",
    "solvers",
    "stored_optimum",
    "suites",
]

#: Subpackages that are imported when they are first asked for; some need torch.
_LATER = ("agents", "architect", "baselines", "leaderboard")
#: Functions that are, by the module they are in.
_FUNCTIONS = {"optimize": "lrmp.architect.optimize"}

if TYPE_CHECKING:
    from lrmp.architect.optimize import optimize as optimize

    __version__: str
else:

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version  # a tenth of the time that the rest takes

            return version("lrmp")
        if name in _LATER:
            return importlib.import_module(f"lrmp.{name}")
        if name in _FUNCTIONS:
            return getattr(importlib.import_module(_FUNCTIONS[name]), name)
        raise AttributeError(errors.unknown_name("an attribute of lrmp", name, __dir__()))


def __dir__() -> list[str]:
    return sorted({*__all__, *_LATER, *_FUNCTIONS})


register_envs()
