"""The stored front of a task: the best combinations of latency, energy and accuracy."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Self

from numpy.typing import ArrayLike

from lrmp.envs.scoring.hypervolume import hypervolume
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.task import Task
from lrmp.errors import TaskError
from lrmp.foreign_text import parse_json
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.short_repr import short_name, short_repr
from lrmp.hardware.space.design_space import DesignSpace

FOLDER = "fronts"  # one JSON file per task, in the package lrmp.envs


@dataclass(frozen=True, eq=False)
class Front:
    """The best designs known of a task with three objectives, and a bound on all designs.

    Attributes:
        task: Id of the task.
        task_fingerprint: SHA-256 of the task's definition when the front was computed.
        reference: Where hypervolumes start, as ``reference_point`` says.
        hypervolume: Of the best designs known, with the oracle's copies: attained.
        bound: No set of designs, with any copies, has a larger hypervolume: proven.
        method: How designs and bound were found, in a few words.
        settings: Of the best designs known, shape (N, L, K).
    """

    task: str
    task_fingerprint: str
    reference: tuple[float, float, float]
    hypervolume: float
    bound: float
    method: str
    settings: IntArray

    def __repr__(self) -> str:
        return short_repr(
            self,
            short_name(self.task),
            f"hypervolume {self.hypervolume:.4f} of at most {self.bound:.4f}",
            f"{len(self.settings)} designs",
        )

    def share(self, vectors: ArrayLike) -> float:
        """Score what was found.

        Args:
            vectors: Returns of episodes, shape (N, 3).

        Returns:
            Their hypervolume as a share of the proven bound: at most 1.

        Raises:
            TaskError: If they are no such vectors.
        """
        return hypervolume(vectors, self.reference) / self.bound

    @property
    def best_known_share(self) -> float:
        """The score of the best designs known; what is between it and 1 is not known."""
        return self.hypervolume / self.bound

    def to_text(self, space: DesignSpace) -> str:
        """Write the file's text.

        Args:
            space: The knobs of the task.

        Returns:
            JSON, one key per line, ending in a newline.
        """
        values = {name: all_.tolist() for name, all_ in space.decode(self.settings).items()}
        document = {
            "task": self.task,
            "task_fingerprint": self.task_fingerprint,
            "reference": list(self.reference),
            "hypervolume": self.hypervolume,
            "bound": self.bound,
            "method": self.method,
            "designs": values,
        }
        lines = (
            f"  {json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}"
            for key, value in document.items()
        )
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_text(cls, text: str, task: Task) -> Self:
        """Read what ``to_text`` wrote.

        Args:
            text: JSON.
            task: The task.

        Returns:
            The front.

        Raises:
            DesignError: If the designs are none of the task's design space.
        """
        document: dict[str, Any] = parse_json(text)
        names = [layer.name for layer in task.network.layers]
        settings = task.space.encode(document.pop("designs"), names)
        reference = tuple(document.pop("reference"))
        return cls(**document, reference=reference, settings=settings)


def stored_front(task: TaskLike) -> Front:
    """Read the front that ships with lrmp.

    Args:
        task: A task, the id of a registered one in any form, or another of ``TaskLike``.

    Returns:
        The front.

    Raises:
        TaskError: If there is no such task, or no front for it as it is defined.
            ``python -m lrmp.baselines.experiments.multi_objective_front`` computes one.
    """
    front = _stored(find_task(task))
    if front is None:
        raise TaskError(
            f"Expected a task with a stored front, got {find_task(task).id} as it is defined here. "
            "Compute one with python -m lrmp.baselines.experiments.multi_objective_front."
        )
    return front


@cache
def _stored(task: Task) -> Front | None:
    file = resources.files("lrmp.envs").joinpath(FOLDER, f"{task.id}.json")
    if not file.is_file():
        return None
    text = file.read_text("utf-8")
    if parse_json(text)["task_fingerprint"] != task.fingerprint:
        return None  # maybe of another space: not read as one of this
    return Front.from_text(text, task)
