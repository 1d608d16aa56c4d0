"""A task: everything that a Gymnasium id names."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property, partial
from typing import Any, TypeVar, get_args

from lrmp.accuracy.model.accuracy_model import AccuracyKind, AccuracyModel, accuracy_label
from lrmp.accuracy.model.factories import (
    check_kind,
    digits_accuracy,
    network_accuracy,
    table_accuracy,
)
from lrmp.envs.task.environment_id import task_id_of
from lrmp.envs.task.workload import Tenant, Workload
from lrmp.errors import TaskError, unknown_name
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.preset import load_preset
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.given_fields import given_fields
from lrmp.hardware.networks import NETWORKS, load_network
from lrmp.hardware.networks.catalogue import KnownBy, NetworkEntry
from lrmp.hardware.networks.network import Network
from lrmp.hardware.short_repr import short_name, short_repr
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION

Part = TypeVar("Part")


@dataclass(frozen=True, eq=False)
class Task:
    """Workload, accelerator, budget, objective and knobs: what agents are compared on.

    Most tasks have one network; ``network``, ``allowed_drop``, ``cost_model`` and ``accuracy`` are
    its. Of several networks on one chip, every one has its own in ``cost_models`` and
    ``accuracies``; they are solved (``find_optimum``) and scored (``score_workload``), while
    environments play one network.

    Attributes:
        id: Gymnasium id with version, such as ``"LRMP-ResNet18-v0"``.
        workload: The networks, each with its rate, allowed drop and accuracy.
        accelerator: The chip.
        budget: Tiles on the chip.
        objective: ``"latency"``, ``"throughput"``, ``"energy"`` or ``"edp"``.
        space: The K knobs that a design turns, layer by layer.

    Raises:
        TaskError: If the objective is unknown, or the budget out of range.
    """

    id: str
    workload: Workload
    accelerator: Accelerator
    budget: int
    objective: Objective
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

        layers = len(self.workload.layer_names)
        if self.space.layers not in (None, layers):
            raise TaskError(
                f"Expected the allowed values of {layers} layers for {self.id}, got those of "
                f"{self.space.layers}."
            )

    @property
    def network(self) -> Network:
        """The network, of L layers.

        Raises:
            TaskError: If there are several.
        """
        return self._only(self.workload.tenants).network

    @property
    def allowed_drop(self) -> float:
        """Percentage points of accuracy that cost nothing.

        Raises:
            TaskError: If there are several networks.
        """
        return self._only(self.workload.tenants).allowed_drop

    @cached_property
    def cost_models(self) -> tuple[CostModel, ...]:
        """Cost of designs for every network on this accelerator."""
        return tuple(
            CostModel(tenant.network, self.accelerator, self.space.for_layers(layers))
            for tenant, layers in zip(self.workload, self.workload.layers, strict=True)
        )

    @cached_property
    def cost_model(self) -> CostModel:
        """Cost of designs for the network on this accelerator.

        Raises:
            TaskError: If there are several networks.
        """
        return self._only(self.cost_models)

    @cached_property
    def accuracies(self) -> tuple[AccuracyModel, ...]:
        """Accuracy drop of designs of every network."""
        return tuple(
            tenant.accuracy_factory(tenant.network, self.accelerator, self.space.for_layers(layers))
            for tenant, layers in zip(self.workload, self.workload.layers, strict=True)
        )

    @cached_property
    def accuracy(self) -> AccuracyModel:
        """Accuracy drop of designs.

        Raises:
            TaskError: If there are several networks.
        """
        return self._only(self.accuracies)

    def with_tenant(self, **changes: Any) -> "Task":
        """Return the task with another network, accuracy, allowed drop or rate.

        Args:
            **changes: Fields of ``Tenant``.

        Returns:
            A task of the same name.

        Raises:
            TaskError: If a value is out of range, or there are several networks.
        """
        tenant = replace(self._only(self.workload.tenants), **changes)
        return replace(self, workload=Workload((tenant,)))

    def _only(self, parts: Sequence[Part]) -> Part:
        if len(self.workload) > 1:
            raise TaskError(
                f"Expected a task of one network, got {self.id} with {len(self.workload)} that "
                "share a chip. find_optimum solves it and score_workload scores its designs."
            )
        return parts[0]

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
        other = self.with_tenant(accuracy_factory=factory)
        other.accuracy  # noqa: B018  say at once if there is none
        return other

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the definition: all of the above; of the accuracy, its own fingerprint.

        The formulas themselves are held by the version in the id and the golden tests.
        """
        networks = [
            {
                "layers": [given_fields(layer) for layer in tenant.network.layers],
                "accuracy": accuracy.fingerprint,
                "allowed_drop": abs(float(tenant.allowed_drop)),  # 1 and 1.0, 0.0 and -0.0 are one
            }
            for tenant, accuracy in zip(self.workload, self.accuracies, strict=True)
        ]
        rates = [tenant.rate for tenant in self.workload]
        definition = {
            "id": self.id,
            "accelerator": self.accelerator.definition,
            "budget": self.budget,
            "objective": self.objective,
            "space": self.space.to_json(),
            **(networks[0] if rates == [1] else {"networks": networks, "rates": rates}),
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
        networks = " and ".join(short_name(tenant.network.name) for tenant in self.workload)
        drops = " and ".join(f"{tenant.allowed_drop:g}" for tenant in self.workload)
        return short_repr(
            self,
            short_name(self.id),
            f"{networks} on {short_name(self.accelerator.name)}",
            f"objective {self.objective}",
            f"budget {self.budget:,} tiles",
            f"allowed drop {drops}",
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


#: The objectives of registered tasks, by what stands for them in an id.
_OBJECTIVES: dict[str, Objective] = {
    "": "latency",
    "-Throughput": "throughput",
    "-Energy": "energy",
    "-EDP": "edp",
}


def _lrmp_task(task_id: str, entry: NetworkEntry, objective: Objective) -> Task:
    """Build a task on LRMP's chip with the area of the plain design."""
    network = load_network(entry.name)
    accelerator = load_preset("lrmp_frontiers_2024")
    accuracy_factory = digits_accuracy if entry.known_by == "network" else table_accuracy
    return Task(
        id=task_id,
        workload=Workload((Tenant(network, accuracy_factory),)),
        accelerator=accelerator,
        budget=CostModel(network, accelerator).baseline.tiles,
        objective=objective,
    )


def _registered() -> Iterator[tuple[str, NetworkEntry, Objective]]:
    """Name every objective of every network with tasks."""
    for entry in NETWORKS.values():
        if entry.label is not None:
            label = entry.label + ("-Predicted" if entry.known_by == "prediction" else "")
            for suffix, objective in _OBJECTIVES.items():
                yield f"LRMP-{label}{suffix}-v0", entry, objective


#: The registered tasks: id -> what builds it.
TASKS: dict[str, Callable[[], Task]] = {
    task_id: partial(_lrmp_task, task_id, entry, objective)
    for task_id, entry, objective in _registered()
}


def list_tasks(objective: Objective | None = None, known_by: KnownBy | None = None) -> list[str]:
    """Name the registered tasks.

    Args:
        objective: Only those with this objective: ``"latency"``, ``"throughput"``, ``"energy"`` or
            ``"edp"``.
        known_by: Only those whose accuracy is known by a measured ``"table"``, by a
            ``"prediction"``, or by running the ``"network"``.

    Returns:
        Ids for ``load_task`` and ``gym.make``, network by network.

    Raises:
        TaskError: If there is no such objective or kind.
    """
    for value, kind, choices in (
        (objective, "objective", get_args(Objective)),
        (known_by, "known_by", get_args(KnownBy)),
    ):
        if value not in (None, *choices):
            raise TaskError(unknown_name(kind, value, choices))
    return [
        task_id
        for task_id, entry, optimised in _registered()
        if objective in (None, optimised) and known_by in (None, entry.known_by)
    ]


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
