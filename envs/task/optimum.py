"""The proven optimum of a task: what every agent is measured against."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Self

import numpy as np

from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.task import TASKS, load_task
from lrmp.errors import TaskError
from lrmp.foreign_text import parse_json
from lrmp.hardware.short_repr import short_name, short_repr
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Value
from lrmp.hardware.space.precision import PRECISION

FOLDER = "optima"  # one JSON file per task, beside this module


#: A task is easy if one setting for all layers has this share of the optimum.
EASY = 0.95


@dataclass(frozen=True)
class Constant:
    """One setting for all layers.

    Attributes:
        setting: The value of every knob, by its name.
        value: The design's score.
    """

    setting: dict[str, Value]
    value: float


@dataclass(frozen=True)
class Certificate:
    """What is proven of the scores of a task's designs.

    Attributes:
        value: The best known design's score: ``ln(gain)``, within the allowed drop.
        bound: No design within the allowed drop has a higher score.
        reward_bound: No design, within the allowed drop or beyond it, has a higher default reward.
        constant: The best setting for all layers alike; None if none is within the allowed drop.
    """

    value: float
    bound: float
    reward_bound: float
    constant: Constant | None

    @property
    def gap(self) -> float:
        """By how much the objective could at most be better at the same accuracy; relative."""
        return float(np.expm1(self.bound - self.value))

    @property
    def is_exact(self) -> bool:
        """Whether the best design is proven best by the default reward, too."""
        return self.reward_bound <= self.bound

    @property
    def constant_value(self) -> float:
        """The best constant's score; that of the plain design, 0, if there is none."""
        return 0.0 if self.constant is None else self.constant.value

    @property
    def constant_share(self) -> float:
        """The best constant's score as a share of the optimum; 0 if there is none.

        1 where it is the optimum: where nothing is better than the plain design, both are 0.
        """
        if self.constant is None:
            return 0.0
        return 1.0 if self.constant.value == self.value else self.constant.value / self.value

    @property
    def is_easy(self) -> bool:
        """Whether one setting for all layers nearly solves the task: a test, no benchmark."""
        return self.constant_share >= EASY

    def normalised(self, score: float) -> float:
        """Scale a score: 0 for the best constant, 1 for the optimum.

        Args:
            score: Of a design within the allowed drop.

        Returns:
            ``(score - constant) / (optimum - constant)``; where no constant is within the allowed
            drop, the share of the optimum.

        Raises:
            TaskError: If no score is above the best constant's.
        """
        start = self.constant_value
        if not self.value > start:
            raise TaskError(
                f"Expected an optimum above {start!r}, the best constant's score, to scale by; got "
                f"{self.value!r}. Compare scores as they are."
            )
        return (score - start) / (self.value - start)


@dataclass(frozen=True)
class Optimum(Certificate):
    """The best design known for a task, and bounds on all designs.

    Attributes:
        task: Id of the task.
        task_fingerprint: SHA-256 of the task's definition when the optimum was computed.
        design: Settings and copies.
        method: How it was found and proven, in a few words.
        log: What the solver reported, line by line.
    """

    task: str
    task_fingerprint: str
    design: Design
    method: str
    log: tuple[str, ...]

    def __repr__(self) -> str:
        return short_repr(
            self,
            short_name(self.task),
            f"value {self.value:.6f}",
            f"gap {self.gap:.2e}",
            "no constant" if self.constant is None else f"best constant {self.constant.value:.6f}",
            f"{len(self.design)} layers",
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, as the file holds them.

        Returns:
            A mapping that ``json.dumps`` accepts.
        """
        return {
            "task": self.task,
            "task_fingerprint": self.task_fingerprint,
            "value": self.value,
            "bound": self.bound,
            "reward_bound": self.reward_bound,
            "constant": None if self.constant is None else vars(self.constant),
            "method": self.method,
            "design": self.design.to_json(),
            "log": list(self.log),
        }

    def to_text(self) -> str:
        """Write the file's text.

        Returns:
            JSON, one key per line, ending in a newline.
        """
        lines = [
            f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in self.to_json().items()
        ]
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_text(cls, text: str, space: DesignSpace = PRECISION) -> Self:
        """Read what ``to_text`` wrote.

        Args:
            text: JSON.
            space: The knobs of the task.

        Returns:
            The optimum.

        Raises:
            DesignError: If the design is none of the space.
        """
        document: dict[str, Any] = parse_json(text)
        design = document.pop("design")
        log: Sequence[str] = document.pop("log")
        constant: dict[str, Any] | None = document.pop("constant")
        return cls(
            **document,
            design=Design.from_json(design, space),
            constant=None if constant is None else Constant(**constant),
            log=tuple(log),
        )


def stored_optimum(task: TaskLike) -> Optimum | None:
    """Read the optimum that ships with lrmp.

    Args:
        task: A task, the id of a registered one in any form, or another of ``TaskLike``.

    Returns:
        The optimum, or None if there is none for the task as it is defined.
        ``python -m lrmp.baselines.experiments.optimum`` computes those of the registered tasks
        again.

    Raises:
        TaskError: If there is no such task.
        DesignError: If the optimum of a registered task is none of the task's design space.
    """
    found = find_task(task)
    shipped = _shipped(found.id)
    if shipped is None:
        return None
    registered = found.id in TASKS and load_task(found.id) is found
    if registered or shipped["task_fingerprint"] == found.fingerprint:
        return _optimum(found.id, found.space)
    return None  # maybe of another space: not read as one of this


def shipped_value(task_id: str) -> float | None:
    """Read the value of an optimum by the name of its file, without a look at the task.

    Args:
        task_id: The task's own id.

    Returns:
        The best return known, or None if there is no file.
    """
    shipped = _shipped(task_id)
    return None if shipped is None else shipped["value"]


@cache
def _optimum(task_id: str, space: DesignSpace) -> Optimum:
    return Optimum.from_text(_text(task_id), space)


@cache
def _shipped(task_id: str) -> dict[str, Any] | None:
    text = _text(task_id)
    return json.loads(text) if text else None  # lrmp's own file, read whenever it is imported


def _text(task_id: str) -> str:
    file = resources.files("lrmp.envs").joinpath(FOLDER, f"{task_id}.json")
    return file.read_text("utf-8") if file.is_file() else ""
