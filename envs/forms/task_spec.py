"""The spec of an environment: what makes it again, in another process or from JSON."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from enum import Enum
from os import PathLike, fspath
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec

from lrmp.envs.scoring.own_function import function_path
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.environment_id import task_id_of
from lrmp.envs.task.task import TASKS, Task, load_task
from lrmp.envs.task.task_definition import check_written, task_document
from lrmp.errors import TaskError


class TaskSpec(EnvSpec):
    """Gymnasium's spec, whose JSON holds tasks and functions, too.

    A task that is not registered is written as its whole definition, so that it is read without
    its files; a function of the user's own as ``"package.module:function"``.
    """

    @classmethod
    def of(cls, spec: EnvSpec) -> "TaskSpec":
        """Take over a spec of Gymnasium's own kind.

        Args:
            spec: Any.

        Returns:
            The same, with the arguments in a dictionary of its own.
        """
        values: dict[str, Any] = {
            field.name: getattr(spec, field.name) for field in fields(spec) if field.init
        }
        values["kwargs"] = dict(spec.kwargs)
        return cls(**values)

    def to_json(self) -> str:
        """Write the spec down, for ``EnvSpec.from_json``.

        Returns:
            JSON, from which ``gym.make`` makes an equal environment.

        Raises:
            TaskError: If an argument has no text: a task with knobs or an accuracy model of your
                own in Python, a function that no module holds, an object that is no plain value.
        """
        kwargs = {name: _written(name, value) for name, value in self.kwargs.items()}
        return super(TaskSpec, replace(self, kwargs=kwargs)).to_json()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EnvSpec):
            return NotImplemented
        if self.id != other.id:
            return False
        same = TaskSpec.of(other)  # what is read from JSON is of Gymnasium's own class
        if super().__eq__(same):
            return True
        try:
            return self.to_json() == same.to_json()
        except TaskError:
            return False


class OwnSpec:
    """An environment that completes the spec which ``gym.make`` gives it.

    Where the id does not say how long episodes are, the environment does: its spec has one step
    more than the longest episode, so that Gymnasium's ``TimeLimit`` never truncates.

    Attributes:
        longest_episode: Steps of the longest episode.
    """

    longest_episode: int
    _spec: TaskSpec | None = None

    @property
    def spec(self) -> EnvSpec | None:
        """What makes this environment again; None if ``gym.make`` did not make it."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = None if spec is None else self._completed(TaskSpec.of(spec))

    def _completed(self, spec: TaskSpec) -> TaskSpec:
        registered = gym.registry.get(spec.id)
        limit = registered.max_episode_steps if isinstance(registered, TaskSpec) else None
        if limit is not None and limit <= self.longest_episode:
            raise TaskError(
                f"Expected a task with episodes of at most {limit - 1} steps for {spec.id}, got "
                f"one with {self.longest_episode}. Give it to LRMP-Custom-v0."
            )
        if spec.max_episode_steps is None:
            spec.max_episode_steps = int(self.longest_episode) + 1
        if spec.kwargs.get("max_episode_steps") == spec.max_episode_steps:
            del spec.kwargs["max_episode_steps"]  # make_vec's copy
        # Read once: files may change, or be elsewhere for another process.
        task = getattr(self, "task", None) if "task" in spec.kwargs else None
        if isinstance(task, Task) and not _is_registered(spec.kwargs["task"]):
            spec.kwargs["task"] = task
        return spec


def _is_registered(task: TaskLike) -> bool:
    return isinstance(task, str) and task_id_of(task) in TASKS


def _written(name: str, value: Any) -> Any:
    """Write an argument of an environment in plain JSON values."""
    if value is None:
        return None
    if name == "task":
        return _written_task(value)
    if name == "tasks":
        return [_written_task(task) for task in value]
    if name == "reward":
        return function_path(value) if callable(value) else value
    if name == "features":
        return [function_path(each) if callable(each) else each for each in value]
    plain = _plain(value)
    try:
        json.dumps(plain)
    except TypeError as error:
        raise TaskError(
            f"Expected {name} as plain values, which JSON can hold; got {value!r}."
        ) from error
    return plain


def _written_task(task: TaskLike) -> str | dict[str, Any]:
    if isinstance(task, str) and _is_registered(task):
        return task
    found = find_task(task)
    if found.id in TASKS and load_task(found.id) is found:
        return found.id
    document = task_document(found)
    check_written(document)
    return document


def _plain(value: Any) -> Any:
    """Turn what stands for plain values into them."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value
