"""A task: everything that a Gymnasium id names."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property, partial
from typing import Any, NamedTuple, get_args

from lrmp.accuracy.model.accuracy_model import AccuracyKind, AccuracyModel, accuracy_label
from lrmp.accuracy.model.factories import (
    check_kind,
    digits_accuracy,
    network_accuracy,
    table_accuracy,
)
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.accuracy.model.table_verdict import UNJUDGED
from lrmp.envs.task.allowance import Allowance
from lrmp.envs.task.environment_id import task_id_of
from lrmp.envs.task.shared_chip import SHARED, SHARED_CHIPS, SHARED_OBJECTIVES, SharedChip
from lrmp.envs.task.workload import Tenant, Workload
from lrmp.envs.task.workload_accuracy import (
    TenantAccuracy,
    WorkloadAccuracy,
    WorkloadAllowance,
)
from lrmp.errors import TaskError, unknown_name
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.preset import load_preset
from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.cost.cost_report import CostReport, Objective
from lrmp.hardware.families import FAMILIES, find_family
from lrmp.hardware.families.family import Family
from lrmp.hardware.given_fields import given_fields
from lrmp.hardware.networks import NETWORKS, load_network
from lrmp.hardware.networks.catalogue import KnownBy, NetworkEntry
from lrmp.hardware.networks.network import Network
from lrmp.hardware.short_repr import short_name, short_repr
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION
from lrmp.solvers.replication.poser import Poser


@dataclass(frozen=True, eq=False)
class Task:
    """Workload, accelerator, budget, objective and knobs: what agents are compared on.

    Most tasks have one network; ``network``, ``allowed_drop``, ``allowance``, ``cost_model`` and
    ``accuracy`` are its. Of several networks on one chip they are those of all: the layers network
    after network, the cost of a round in which every network runs as often as its rate says, and
    an accuracy that is within its allowance where every network's is within its own. What a network
    has for itself is in ``cost_models`` (of one inference), ``accuracies`` and ``allowances``.

    Attributes:
        id: Gymnasium id with version, such as ``"LRMP-ResNet18-v0"``.
        workload: The networks, each with its rate, allowed drop and accuracy.
        accelerator: The chip.
        budget: Tiles on the chip; of a time-multiplexed one, its own.
        objective: ``"latency"``, ``"throughput"``, ``"energy"``, ``"edp"`` or
            ``"weighted_throughput"``.
        space: The K knobs that a design turns, layer by layer.
        baseline: The design that gains are measured against; None for the plain one.

    Raises:
        TaskError: If the objective is unknown, the budget out of range, or another than a
            time-multiplexed chip has, or the baseline is no design of these layers and knobs.
    """

    id: str
    workload: Workload
    accelerator: Accelerator
    budget: int
    objective: Objective
    space: DesignSpace = PRECISION
    baseline: Design | None = None

    def __post_init__(self) -> None:
        if self.objective not in get_args(Objective):
            known = get_args(Objective)
            raise TaskError(unknown_name(f"objective of {self.id}", self.objective, known))
        if type(self.budget) is not int or self.budget < 1:  # True is no number of tiles
            raise TaskError(
                f"Expected budget of {self.id} to be a positive number of tiles, "
                f"got {self.budget!r}."
            )
        chip = self.accelerator
        if chip.is_time_multiplexed and self.budget != chip.tiles:
            raise TaskError(
                f"Expected budget of {self.id} to be the {chip.tiles} tiles of the "
                f"time-multiplexed {chip.name!r}, on which layers take turns, got {self.budget}. "
                "Leave it out, or change the tiles of the chip."
            )
        layers = len(self.workload.layer_names)
        if self.space.layers not in (None, layers):
            raise TaskError(
                f"Expected the allowed values of {layers} layers for {self.id}, got those of "
                f"{self.space.layers}."
            )
        baseline: object = self.baseline
        if baseline is None:
            return
        if not isinstance(baseline, Design):
            raise TaskError(f"Expected baseline of {self.id} as a design, got {baseline!r:.80}.")
        if baseline.space != self.space or len(baseline) != layers:
            raise TaskError(
                f"Expected baseline of {self.id} to be a design of its {layers} layers and its "
                f"knobs, {', '.join(self.space.names)}, with their values; got one of "
                f"{len(baseline)} layers and {', '.join(baseline.space.names)}."
            )
        if baseline == Design.plain(layers, self.space):  # the same task, however it is written
            object.__setattr__(self, "baseline", None)

    @property
    def network(self) -> Network:
        """The network, or all that share the chip as one, of L layers."""
        return self.workload.network

    @property
    def allowed_drop(self) -> float:
        """Percentage points of accuracy that cost nothing; of several networks the least."""
        return min(tenant.allowed_drop for tenant in self.workload)

    @cached_property
    def cost_models(self) -> tuple[CostModel, ...]:
        """Cost of designs for every network on this accelerator, in an inference of it."""
        return tuple(
            CostModel(tenant.network, self.accelerator, self.space.for_layers(layers))
            for tenant, layers in zip(self.workload, self.workload.layers, strict=True)
        )

    @cached_property
    def cost_model(self) -> CostModel:
        """Cost of designs on this accelerator; of several networks that of a round."""
        return CostModel(self.network, self.accelerator, self.space)

    @cached_property
    def baseline_report(self) -> CostReport:
        """Cost of what gains are measured against: the baseline, or the plain chip."""
        model = self.cost_model
        return model.baseline if self.baseline is None else model.evaluate(self.baseline)

    @cached_property
    def poser(self) -> Poser:
        """Poses the replication problems that remain once settings are chosen."""
        return Poser(self.cost_model, self.budget, self.objective)

    @cached_property
    def accuracies(self) -> tuple[AccuracyModel, ...]:
        """Accuracy drop of designs of every network."""
        return tuple(
            tenant.accuracy_factory(tenant.network, self.accelerator, self.space.for_layers(layers))
            for tenant, layers in zip(self.workload, self.workload.layers, strict=True)
        )

    @cached_property
    def accuracy(self) -> AccuracyModel:
        """Accuracy drop of designs; of several networks as `WorkloadAccuracy` says."""
        if len(self.workload) == 1:
            return self.accuracies[0]
        return self.workload_accuracy

    @cached_property
    def workload_accuracy(self) -> WorkloadAccuracy:
        """The accuracy of all networks together, and of each in it."""
        drops = [tenant.allowed_drop for tenant in self.workload]
        rows = zip(self.accuracies, self.workload.layers, drops, self.allowances, strict=True)
        return WorkloadAccuracy([TenantAccuracy(*row) for row in rows], self.space)

    @cached_property
    def allowances(self) -> tuple[Allowance, ...]:
        """What every network may lose, in the unit of its divergence."""
        return tuple(
            Allowance.of(model, tenant.allowed_drop)
            for model, tenant in zip(self.accuracies, self.workload, strict=True)
        )

    @cached_property
    def allowance(self) -> Allowance:
        """What the network may lose, in the unit of its divergence; or all of them."""
        return self.allowances[0] if len(self.workload) == 1 else WorkloadAllowance()

    def with_tenant(self, **changes: Any) -> "Task":
        """Return the task with another network, accuracy, allowed drop or rate.

        Args:
            **changes: Fields of ``Tenant``.

        Returns:
            A task of the same name.

        Raises:
            TaskError: If a value is out of range, or there are several networks.
        """
        if len(self.workload) > 1:
            raise TaskError(
                f"Expected a task of one network, got {self.id} with {len(self.workload)} that "
                "share a chip. Change the tenants of its workload."
            )
        tenant = replace(self.workload.tenants[0], **changes)
        return replace(self, workload=Workload((tenant,)))

    @property
    def accuracy_label(self) -> str:
        """``"network"``, ``"table"`` or ``"table (estimate)"``, as shown beside every drop."""
        return accuracy_label(self.accuracy.kind, self.accuracy.is_estimate)

    @property
    def accuracy_misses(self) -> tuple[str, ...]:
        """Why drops are not known to be what the network loses, a phrase each.

        Nothing is missed by a table that was found to hold on the designs that optimisers pick from
        it, and where the network itself is run.
        """
        if len(self.workload) == 1:
            return _misses(self.accuracy)
        found = [
            f"{tenant.network.name}: {miss}"
            for tenant, model in zip(self.workload, self.accuracies, strict=True)
            for miss in _misses(model)
        ]
        return tuple(dict.fromkeys(found))

    @property
    def accuracy_holds(self) -> bool:
        """Whether drops were found to be the network's on designs that optimisers pick."""
        return not self.accuracy_misses

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
        tenants = (replace(tenant, accuracy_factory=factory) for tenant in self.workload)
        other = replace(self, workload=Workload(tuple(tenants)))
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
            **({} if self.baseline is None else {"baseline": self.baseline.to_json()}),
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
            "accuracy_holds": self.accuracy_holds,
            "accuracy_misses": list(self.accuracy_misses),
            **({"networks": self.workload.to_json()} if len(self.workload) > 1 else {}),
        }

    def __repr__(self) -> str:
        several = len(self.workload)
        names = [short_name(tenant.network.name) for tenant in self.workload]
        networks = " and ".join(names) if several < 3 else f"{several} networks"
        drops = " and ".join(dict.fromkeys(f"{t.allowed_drop:g}" for t in self.workload))
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


def _misses(model: AccuracyModel) -> tuple[str, ...]:
    """Say why the drops of a network are not known to be true."""
    if model.kind == "network":
        return ()
    verdict = model.verdict if isinstance(model, TableAccuracy) else UNJUDGED
    return verdict.misses


#: The objectives of registered tasks, by what stands for them in an id.
_OBJECTIVES: dict[str, Objective] = {
    "": "latency",
    "-Throughput": "throughput",
    "-Energy": "energy",
    "-EDP": "edp",
}


def _family_task(task_id: str, family: Family, entry: NetworkEntry, objective: Objective) -> Task:
    """Build a task on the family's chip with the area of the plain design."""
    network, chip = load_network(entry.name), family.chip()
    space = family.space(network, chip)
    accuracy_factory = digits_accuracy if entry.known_by == "network" else table_accuracy
    return Task(
        id=task_id,
        workload=Workload((Tenant(network, accuracy_factory),)),
        accelerator=chip,
        budget=family.budget(CostModel(network, chip, space)),
        objective=objective,
        space=space,
    )


def _shared_task(task_id: str, shared: SharedChip, objective: Objective) -> Task:
    """Build a task of several networks on LRMP's chip, with the area of all plain designs."""
    workload, chip = shared.workload(), load_preset("lrmp_frontiers_2024")
    return Task(
        id=task_id,
        workload=workload,
        accelerator=chip,
        budget=CostModel(workload.network, chip).baseline.tiles,
        objective=objective,
    )


class _Registered(NamedTuple):
    """What is known of a registered task without building it."""

    id: str
    family: str
    known_by: KnownBy
    objective: Objective
    layers: int
    build: Callable[[], Task]


def _registered() -> Iterator[_Registered]:
    """Name every objective of every network of every family, then of every shared chip."""
    for family in FAMILIES.values():
        for name in family.networks:
            entry = NETWORKS[name]
            predicted = "Predicted" if entry.known_by == "prediction" else ""
            label = "-".join(filter(None, (entry.label, predicted, family.label)))
            for suffix, objective in _OBJECTIVES.items():
                if objective in family.objectives:
                    task_id = f"LRMP-{label}{suffix}-v0"
                    build = partial(_family_task, task_id, family, entry, objective)
                    yield _Registered(
                        task_id, family.name, entry.known_by, objective, entry.layers, build
                    )
    for shared in SHARED_CHIPS:
        for suffix, objective in SHARED_OBJECTIVES.items():
            task_id = f"LRMP-{shared.label}{suffix}-v0"
            build = partial(_shared_task, task_id, shared, objective)
            yield _Registered(task_id, SHARED, "table", objective, shared.layers, build)


_REGISTERED = tuple(_registered())

#: The registered tasks: id -> what builds it.
TASKS: dict[str, Callable[[], Task]] = {task.id: task.build for task in _REGISTERED}

#: Their numbers of layers, known without loading a network.
LAYERS: dict[str, int] = {task.id: task.layers for task in _REGISTERED}


def list_tasks(
    objective: Objective | None = None,
    known_by: KnownBy | None = None,
    family: str | None = None,
) -> list[str]:
    """Name the registered tasks.

    Args:
        objective: Only those with this objective: ``"latency"``, ``"throughput"``, ``"energy"``,
            ``"edp"`` or ``"weighted_throughput"``.
        known_by: Only those whose accuracy is known by a measured ``"table"``, by a
            ``"prediction"``, or by running the ``"network"``.
        family: Only those of this family: ``"precision"`` is LRMP's own, ``"shared"`` has several
            networks on a chip.

    Returns:
        Ids for ``load_task`` and ``gym.make``, family by family and network by network.

    Raises:
        TaskError: If there is no such objective, kind or family.
    """
    for value, kind, choices in (
        (objective, "objective", get_args(Objective)),
        (known_by, "known_by", get_args(KnownBy)),
    ):
        if value not in (None, *choices):
            raise TaskError(unknown_name(kind, value, choices))
    if family not in (None, SHARED):
        find_family(family)
    return [
        task.id
        for task in _REGISTERED
        if objective in (None, task.objective)
        and known_by in (None, task.known_by)
        and family in (None, task.family)
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
