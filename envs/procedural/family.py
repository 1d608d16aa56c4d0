"""The tasks that environments of the family draw from, and how they show a task's layers."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs.procedural.certificates import Optima, certificate_info, find_certificate
from lrmp.envs.procedural.features import (
    describe_transfer_features,
    transfer_feature_names,
    transfer_features,
)
from lrmp.envs.procedural.generator import INSTANCES, Draws, Split, draw_task
from lrmp.envs.procedural.most_layers import MAX_LAYERS
from lrmp.envs.procedural.slots import SLOTS, check_fits
from lrmp.envs.procedural.value_features import value_features
from lrmp.envs.scoring.features import Feature, check_features, feature_name
from lrmp.envs.scoring.observation_table import ObservationTable
from lrmp.envs.task.custom_task import find_task
from lrmp.envs.task.task import Task
from lrmp.errors import TaskError, unknown_name
from lrmp.hardware.cost.cost_report import NETWORK_OBJECTIVES, Objective
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION

REMEMBERED = 256  # instances that are not prepared again

Kept = TypeVar("Kept")


@dataclass(frozen=True, eq=False)
class Instance:
    """A task of the family, as it is shown.

    Attributes:
        number: Which of the family's.
        task: The task.
        layers: Features of its L layers, shape (128, n), 0 behind the last.
        mask: Which rows are layers, shape (128,).
        choices: Where tasks have knobs of their own, features of the values of its layers, shape
            (128, 4, 12, 7), and which of them are possible, shape (128, 4, 12), by the keys of
            observations; else empty.
        facts: What all infos of its episodes say, by key.
    """

    number: int
    task: Task
    layers: NDArray[np.float32]
    mask: NDArray[np.int8]
    choices: dict[str, NDArray[Any]]
    facts: dict[str, Any]


class Family:
    """The instances of an environment.

    Args:
        split: ``"train"`` or ``"test"`` instances.
        instances: How many there are; None for all.
        tasks: These instead of drawn ones.
        objective: What drawn tasks minimise.
        features: Of layers, in order; None for the documented ones.
        optima: Of which tasks the optimum is told.
        draws: Whether tasks have spaces of their own, drawn or given.

    Attributes:
        split: As given.
        objective: As given.
        tasks: The tasks given, or None.
        count: How many instances there are.
        draws: As given.
        space: The knobs of all of them; or the slots in which their own knobs sit.
        features: What is shown of a layer.

    Raises:
        TaskError: If an argument is none of those above, or a task cannot be shown.
    """

    def __init__(
        self,
        split: Split = "train",
        instances: int | None = None,
        tasks: Sequence[str | Task] | None = None,
        objective: Objective = "latency",
        features: Sequence[Feature] | None = None,
        optima: Optima = "known",
        draws: Draws = "precision",
    ) -> None:
        if split not in get_args(Split):
            raise TaskError(unknown_name("split", split, get_args(Split)))
        if instances is not None and not 1 <= instances <= INSTANCES:
            raise TaskError(f"Expected instances of 1 to {INSTANCES}, got {instances}.")
        if objective not in NETWORK_OBJECTIVES:
            raise TaskError(unknown_name("objective", objective, NETWORK_OBJECTIVES))
        if optima not in get_args(Optima):
            raise TaskError(unknown_name("optima", str(optima), get_args(Optima)))
        self.split: Split = split
        self.objective: Objective = objective
        self.tasks = None if tasks is None else tuple(_playable(task) for task in tasks)
        self.count = (instances or INSTANCES) if self.tasks is None else len(self.tasks)
        if not self.count:
            raise TaskError("Expected at least one task, got none.")
        self.draws: Draws = draws
        self.has_own_spaces = draws == "spaces"
        if self.has_own_spaces:
            for task in self.tasks or ():
                check_fits(task)
        self.space = SLOTS if self.has_own_spaces else _common_space(self.tasks)
        self._shown_knobs = () if self.has_own_spaces else self.space.knobs
        known = transfer_feature_names(self._shown_knobs)
        self.features: tuple[Feature, ...] = (
            known if features is None else check_features(features, known)
        )
        self._optima: Optima = optima

    def draw(self, rng: np.random.Generator) -> int:
        """Draw the number of an instance.

        Args:
            rng: Source of randomness.

        Returns:
            0 or more, below ``count``.
        """
        return int(rng.integers(self.count))

    def check(self, number: object) -> int:
        """Refuse what is no number of an instance.

        Args:
            number: As given to a reset.

        Returns:
            The same.

        Raises:
            TaskError: If there is no such instance.
        """
        if not isinstance(number, (int, np.integer)) or not 0 <= number < self.count:
            raise TaskError(f"Expected an instance of 0 to {self.count - 1}, got {number!r}.")
        return int(number)

    def instance(self, number: int) -> Instance:
        """Prepare an instance.

        Args:
            number: Of the instance.

        Returns:
            The task and how it is shown.

        Raises:
            TaskError: If a function of the user's own fails.
            InfeasibleAccuracyError: If it is to be solved, and no design is within its allowed
                drop.
        """
        if self.tasks is None:
            task = draw_task(self.split, number, self.objective, self.draws)
        else:
            task = self.tasks[number]
        count = len(task.network)
        layers = np.zeros((MAX_LAYERS, len(self.features)), np.float32)
        layers[:count] = transfer_features(task, self.features)
        facts = {
            "instance": np.int64(number),
            "num_layers": np.int64(count),
            **certificate_info(find_certificate(task, self._optima)),
        }
        mask = (np.arange(MAX_LAYERS) < count).astype(np.int8)
        return Instance(number, task, layers, mask, self._choices(task), facts)

    def _choices(self, task: Task) -> dict[str, NDArray[Any]]:
        if not self.has_own_spaces:
            return {}
        behind = MAX_LAYERS - len(task.network)
        values, possible = value_features(task)
        return {
            "values": np.pad(values, [(0, behind), (0, 0), (0, 0), (0, 0)]),
            "value_mask": np.pad(possible, [(0, behind), (0, 0), (0, 0)]),
        }

    def describe(self) -> ObservationTable:
        """Say what the features of a layer mean.

        Returns:
            A row per feature.
        """
        names = [feature_name(feature) for feature in self.features]
        return describe_transfer_features(self._shown_knobs, names)


class Remembered(Generic[Kept]):
    """A cache of what was computed of instances; the oldest entry is the first to go.

    Args:
        make: Makes it, of the number of an instance.
        most: How many are kept.
    """

    def __init__(self, make: Callable[[int], Kept], most: int = REMEMBERED) -> None:
        self._make, self._most = make, most
        self._kept: OrderedDict[int, Kept] = OrderedDict()

    def __getitem__(self, number: int) -> Kept:
        if number in self._kept:
            self._kept.move_to_end(number)
        else:
            self._kept[number] = self._make(number)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return self._kept[number]


def _common_space(tasks: tuple[Task, ...] | None) -> DesignSpace:
    """Return the space of all tasks, or of those that are drawn."""
    if tasks is None:
        return PRECISION
    space = replace(tasks[0].space, allowed=())
    for task in tasks:
        if replace(task.space, allowed=()) != space:
            raise TaskError(
                f"Expected tasks with the knobs of {tasks[0].id}, {', '.join(space.names)}; got "
                f"{task.id} with {', '.join(task.space.names)} or other values."
            )
    return space


def _playable(task: str | Task) -> Task:
    """Look a task up and check that its layers can be shown."""
    found = find_task(task)
    if not isinstance(found.accuracy, TableAccuracy):
        raise TaskError(
            f"Expected tasks whose accuracy is a table, got {found.id}. Its harms are not known."
        )
    if len(found.network) > MAX_LAYERS:
        raise TaskError(
            f"Expected networks of at most {MAX_LAYERS} layers, got {found.id} with "
            f"{len(found.network)}."
        )
    return found
