"""The published test splits: instances 0 to 999 of each family, and the optima that ship."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Self

from lrmp.envs.procedural.generator import Draws, draw_task, instance_id
from lrmp.envs.task.optimum import Certificate, Constant
from lrmp.envs.task.task import Task
from lrmp.foreign_text import parse_json
from lrmp.hardware.cost.cost_report import Objective

#: How many instances of the test split are published: the first, whatever they turned out to be.
PUBLISHED = 1000
FOLDER = "optima"  # one file of JSON lines per objective, beside this module
DIGITS = 16  # of a fingerprint, enough to tell tasks apart


@dataclass(frozen=True)
class InstanceOptimum(Certificate):
    """What is proven of a published instance.

    Attributes:
        instance: Its number in the test split.
        layers: Of its network.
        fingerprint: The first 16 digits of the task's.
    """

    instance: int
    layers: int
    fingerprint: str

    @classmethod
    def of(cls, instance: int, task: Task, proven: Certificate) -> Self:
        """Keep of a proof what is published.

        Args:
            instance: Number of the task in the test split.
            task: The task.
            proven: What was proven of it.

        Returns:
            The numbers without design and log.
        """
        return cls(
            instance=instance,
            layers=len(task.network),
            fingerprint=short_fingerprint(task),
            value=proven.value,
            bound=proven.bound,
            reward_bound=proven.reward_bound,
            constant=proven.constant,
        )

    def to_line(self) -> str:
        """Write a line of the file.

        Returns:
            JSON without a newline.
        """
        constant = None if self.constant is None else vars(self.constant)
        return json.dumps(
            {
                "instance": self.instance,
                "layers": self.layers,
                "fingerprint": self.fingerprint,
                "value": self.value,
                "bound": self.bound,
                "reward_bound": self.reward_bound,
                "constant": constant,
            }
        )

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Read what ``to_line`` wrote.

        Args:
            line: JSON.

        Returns:
            What is proven of the instance.
        """
        document: dict[str, Any] = parse_json(line)
        constant: dict[str, Any] | None = document.pop("constant")
        return cls(**document, constant=None if constant is None else Constant(**constant))


def published_tasks(objective: Objective = "latency", draws: Draws = "precision") -> list[Task]:
    """Draw the published test instances, on which policies for all networks are compared.

    Args:
        objective: What they minimise.
        draws: Whether spaces are drawn, too.

    Returns:
        The 1,000 tasks, in the order of their numbers; drawing them takes half a minute.

    Raises:
        TaskError: If there is no such objective.
    """
    return [draw_task("test", number, objective, draws) for number in range(PUBLISHED)]


@cache
def published_optima(
    objective: Objective = "latency", draws: Draws = "precision"
) -> dict[str, InstanceOptimum]:
    """Read what is proven of the published test instances.

    Args:
        objective: What they minimise.
        draws: Whether spaces are drawn, too.

    Returns:
        By the id of the task, in the order of instances. ``python -m
        lrmp.baselines.experiments.procedural_optima`` computes them again.
    """
    file = resources.files("lrmp.envs.procedural").joinpath(FOLDER, optima_file(objective, draws))
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    optima = map(InstanceOptimum.from_line, lines)
    return {instance_id("test", found.instance, draws): found for found in optima}


def optima_file(objective: Objective, draws: Draws) -> str:
    """Name the file of what is proven.

    Args:
        objective: What the instances minimise.
        draws: Whether spaces are drawn, too.

    Returns:
        Such as ``"test-latency.jsonl"``, ``"spaces-test-latency.jsonl"``.
    """
    family = "" if draws == "precision" else f"{draws}-"
    return f"{family}test-{objective}.jsonl"


def short_fingerprint(task: Task) -> str:
    """Tell a task from all others in few characters.

    Args:
        task: Any.

    Returns:
        The first digits of its fingerprint.
    """
    return task.fingerprint[:DIGITS]
