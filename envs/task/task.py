"""A task: everything that a Gymnasium id names."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from functools import cache, cached_property, partial
from typing import Any, get_args

from lrmp.accuracy.model.accuracy_model import AccuracyKind, AccuracyModel, accuracy_label
from lrmp.accuracy.model.factories import (
    AccuracyFactory,
    check_kind,
    digits_accuracy,
    network_accuracy,
    table_accuracy,
)
from lrmp.envs.task.environment_id import task_id_of
from lrmp.errors import TaskError, unknown_name
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.preset import load_preset
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.networks import load_network
from lrmp.hardware.networks.network import Network
from lrmp.hardware.short_repr import short_name, short_repr
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION


@dataclass(frozen=True, eq=False)
class Task:
    """Network, accelerator, budget, objective, knobs and accuracy: what agents are compared on.

    Attributes:
        id: Gymnasium id with version, such as ``"LRMP-ResNet18-v0"``.
        network: L layers.
        accelerator: The chip.
        budget: Tiles on the chip.
        objective: ``"latency"``, ``"throughput"``, ``"energy"`` or ``"edp"``.
        accuracy_factory: Builds the accuracy model for the network when it is first needed.
        allowed_drop: Percentage points of accuracy that cost nothing.
        space: The K knobs that a design turns, layer by layer.

    Raises:
        TaskError: If the objective is unknown, or budget or allowed drop out of range.
    """

    id: str
    network: Network
    accelerator: Accelerator
    budget: int
    objective: Objective
    accuracy_factory: AccuracyFactory
    allowed_drop: float = 1.0
    space: DesignSpace = PRECISION

    def __post_init__(self) -> None:
        if self.objective not in get_args(Objective):
            raise TaskError(
                f"Expected objective of {self.id} to be one of {', '.join(get_args(Objective))}; "
                f"got {self.objective!r}."
            )
        if type(self.budget) is not int or self.budget < 1:  # True is no number of tiles
            raise TaskError(
                f"Expected budget of {self.id} to be a positive number of tiles, "
                f"got {self.budget!r}."
            )
        drop: object = self.allowed_drop
        numeric = isinstance(drop, int | float) and not isinstance(drop, bool)
        if not (numeric and 0 <= self.allowed_drop <= 100):  # False for NaN
            raise TaskError(
                f"Expected allowed_drop of {self.id} in percentage points, 0 to 100, "
                f"got {self.allowed_drop!r}."
            )

    @cached_property
    def cost_model(self) -> CostModel:
        """Cost of designs for this network on this accelerator."""
        return CostModel(self.network, self.accelerator, self.space)

    @cached_property
    def accuracy(self) -> AccuracyModel:
        """Accuracy drop of designs."""
        return self.accuracy_factory(self.network, self.accelerator, self.space)

    @property
    def accuracy_label(self) -> str:
        """``"network"``, ``"table"`` or ``"table (estimate)"``, as shown beside every drop."""
        return accuracy_label(self.accuracy.kind, self.accuracy.is_estimate)

    def with_accuracy(self, kind: AccuracyKind) -> "Task":
        """Return the task with the accuracy model of a kind.

        Args:
            kind: ``"table"`` or ``"network"``.

        Returns:
            This task, if that is its own kind; else a task of the same name and another
            fingerprint, which the leaderboard does not rank.

        Raises:
            AccuracyTableError: If there is no such kind, or no table for the network.
            AccuracyDataError: If the network has no protocol.
        """
        check_kind(kind)
        if kind == self.accuracy.kind:
            return self
        factory = table_accuracy if kind == "table" else network_accuracy
        other = replace(self, accuracy_factory=factory)
        other.accuracy  # noqa: B018  say at once if there is none
        return other

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the definition: all of the above; of the accuracy, its own fingerprint.

        The formulas themselves are held by the version in the id and the golden tests.
        """
        definition = {
            "id": self.id,
            "layers": [asdict(layer) for layer in self.network.layers],
            "accelerator": self.accelerator.definition,
            "budget": self.budget,
            "objective": self.objective,
            "space": self.space.to_json(),
            "accuracy": self.accuracy.fingerprint,
            "allowed_drop": abs(float(self.allowed_drop)),  # 1 and 1.0, 0.0 and -0.0 are the same
        }
        return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return what the task is, in few plain JSON values.

        Returns:
            A mapping; ``fingerprint`` covers the whole definition.
        """
        return {
            "id": self.id,
            "network": self.network.name,
            "accelerator": self.accelerator.name,
            "objective": self.objective,
            "knobs": list(self.space.names),
            "layers": len(self.network),
            "budget_tiles": self.budget,
            "allowed_drop": self.allowed_drop,
            "accuracy": self.accuracy_label,
            "accuracy_source": self.accuracy.provenance,
        }

    def __repr__(self) -> str:
        return short_repr(
            self,
            short_name(self.id),
            f"{short_name(self.network.name)} on {short_name(self.accelerator.name)}",
            f"objective {self.objective}",
            f"budget {self.budget:,} tiles",
            f"allowed drop {self.allowed_drop:g}",
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Task):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self.id)

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))

    def __reduce__(self) -> tuple[Any, ...]:
        # Registered tasks travel to worker processes by name and share one accuracy model there.
        if self.id in TASKS and load_task(self.id) is self:
            return (load_task, (self.id,))
        # Others by their definition; cost and accuracy models are built again where they are used.
        return (Task, self._values())


def _lrmp_task(
    task_id: str, network_name: str, objective: Objective, accuracy_factory: AccuracyFactory
) -> Task:
    """Build a task on LRMP's chip with the area of the plain design."""
    network = load_network(network_name)
    accelerator = load_preset("lrmp_frontiers_2024")
    return Task(
        id=task_id,
        network=network,
        accelerator=accelerator,
        budget=CostModel(network, accelerator).baseline.tiles,
        objective=objective,
        accuracy_factory=accuracy_factory,
    )


#: Label, network, accuracy model. A network without measured table is *Predicted* in its id.
_NETWORKS: tuple[tuple[str, str, AccuracyFactory], ...] = (
    ("Digits", "digits_cnn", digits_accuracy),
    ("MLP", "mlp", table_accuracy),
    ("LeNet", "lenet", table_accuracy),
    ("ResNet8", "resnet8", table_accuracy),
    ("ResNet20", "resnet20", table_accuracy),
    ("SqueezeNet", "squeezenet1_1", table_accuracy),
    ("MobileNetV2", "mobilenet_v2", table_accuracy),
    ("ResNet18", "resnet18", table_accuracy),
    ("ResNet50", "resnet50", table_accuracy),
    ("ResNet34-Predicted", "resnet34", table_accuracy),
    ("ResNet101-Predicted", "resnet101", table_accuracy),
)
_OBJECTIVES: tuple[tuple[str, Objective], ...] = (
    ("", "latency"),
    ("-Throughput", "throughput"),
    ("-Energy", "energy"),
    ("-EDP", "edp"),
)

#: The registered tasks: id -> what builds it.
TASKS: dict[str, Callable[[], Task]] = {
    (task_id := f"LRMP-{label}{suffix}-v0"): partial(
        _lrmp_task, task_id, network, objective, accuracy
    )
    for label, network, accuracy in _NETWORKS
    for suffix, objective in _OBJECTIVES
}


def list_tasks() -> list[str]:
    """Name the registered tasks.

    Returns:
        Ids for ``load_task`` and ``gym.make``, network by network.
    """
    return list(TASKS)


@cache
def load_task(task_id: str) -> Task:
    """Look up a registered task.

    Args:
        task_id: Gymnasium id with version, such as ``"LRMP-ResNet18-v0"``; that of another form
            (``"LRMP-ResNet18-OneShot-v0"``) and the prefix ``lrmp:`` name the same task.

    Returns:
        The task; the same object for the same task.

    Raises:
        TaskError: If there is no such task.
    """
    if not isinstance(task_id, str):
        raise TaskError(
            f"Expected the id of a task, such as 'LRMP-ResNet18-v0'; got {task_id!r}. "
            "find_task takes a task in every form."
        )
    plain = task_id_of(task_id)
    if plain not in TASKS:
        raise TaskError(unknown_name("task", task_id, TASKS, like=plain))
    return TASKS[plain]() if plain == task_id else load_task(plain)
