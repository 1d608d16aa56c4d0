"""A task's whole definition as JSON: what a run of a task of your own keeps to be read again."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lrmp.accuracy.model.accuracy_model import AccuracyModel
from lrmp.accuracy.model.drop_map import DropMap
from lrmp.accuracy.model.factories import (
    AccuracyFactory,
    GivenAccuracy,
    NoisyAccuracy,
    check_kind,
    network_accuracy,
)
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.accuracy.model.table_verdict import TableVerdict
from lrmp.envs.task.task import Task
from lrmp.envs.task.workload import Tenant, Workload
from lrmp.errors import LRMPError, TaskError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.cell_noise import DeviceNoise
from lrmp.hardware.chip.component import Component
from lrmp.hardware.chip.event_energies import EventEnergies
from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.catalogue import is_catalogued, space_from_json
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace


def task_document(task: Task) -> dict[str, Any]:
    """Write a task down.

    Args:
        task: Any task.

    Returns:
        Plain JSON values, which ``task_of_document`` takes. Knobs and an accuracy model of your
        own, in Python, have no text: ``space`` or ``accuracy`` is null then.
    """
    chip = task.accelerator
    return {
        "id": task.id,
        "fingerprint": task.fingerprint,
        "workload": [
            {
                "network": tenant.network.name,
                "layers": [asdict(layer) for layer in tenant.network.layers],
                "edges": tenant.network.to_json()["edges"],
                "allowed_drop": tenant.allowed_drop,
                "rate": tenant.rate,
                "accuracy": _accuracy_document(task, tenant, model),
            }
            for tenant, model in zip(task.workload, task.accuracies, strict=True)
        ],
        "accelerator": {"name": chip.name, **chip.definition},
        "budget": task.budget,
        "objective": task.objective,
        "space": task.space.to_json() if is_catalogued(task.space) else None,
        **({} if task.baseline is None else {"baseline": task.baseline.to_json()}),
    }


def is_task_document(mapping: Mapping[str, Any]) -> bool:
    """Say whether something looks like what ``task_document`` wrote.

    Args:
        mapping: Perhaps the arguments of ``make_task`` by name.

    Returns:
        Whether it has a workload with a fingerprint.
    """
    return "workload" in mapping and "fingerprint" in mapping


def check_written(document: Mapping[str, Any]) -> None:
    """Refuse a document that does not hold its whole task.

    Args:
        document: What ``task_document`` returns.

    Raises:
        TaskError: If the task's knobs or its accuracy model have no text.
    """
    if document["space"] is None:
        raise TaskError(
            f"Expected a task of lrmp's own knobs, got {document['id']!r} with knobs of your "
            "own in Python, which no file holds. Give the task itself."
        )
    if any(tenant["accuracy"] is None for tenant in document["workload"]):
        raise TaskError(
            f"Expected a task whose accuracy is a table or that of a known network, got "
            f"{document['id']!r} with a model of your own in Python, which no file holds. "
            "Give the task itself."
        )


def task_of_document(document: Any) -> Task:
    """Read what ``task_document`` wrote.

    Args:
        document: Plain JSON values, perhaps a stranger's.

    Returns:
        The task: its fingerprint is that of the one that was written.

    Raises:
        TaskError: If it is no such document, the task's knobs or its accuracy model have none, or
            the task has another fingerprint than the document says.
        LRMPError: If layers, chip or accuracy are none that there can be.
    """
    task = _read(document, None)
    if task.fingerprint != document.get("fingerprint"):
        raise TaskError(
            f"Expected the definition of a task with fingerprint {task.fingerprint[:16]}..., got "
            f"{str(document.get('fingerprint'))[:16]}...: it was changed, or lrmp was."
        )
    return task


def task_with_accuracy(document: Any, accuracy_factory: AccuracyFactory) -> Task:
    """Read a definition without its accuracy, such as an instance of the hosted leaderboard.

    Args:
        document: What ``task_document`` writes, perhaps a stranger's; what it says of accuracy is
            not looked at.
        accuracy_factory: Builds the accuracy model of every network.

    Returns:
        The task.

    Raises:
        TaskError: If it is no such document.
        LRMPError: If layers or chip are none that there can be.
    """
    return _read(document, accuracy_factory)


def _read(document: Any, given: AccuracyFactory | None) -> Task:
    """Read a task, with the document's accuracy where none is given."""
    try:
        if given is None:
            check_written(document)
        space = space_from_json(document["space"])
        tenants = (
            _tenant(each, given or _accuracy_factory(each["accuracy"], space))
            for each in document["workload"]
        )
        workload, baseline = Workload(tuple(tenants)), document.get("baseline")
        if baseline is not None:
            baseline = Design.from_json(baseline, space, workload.layer_names)
        task = Task(
            id=_text(document["id"]),
            workload=workload,
            accelerator=_accelerator(document["accelerator"]),
            budget=document["budget"],
            objective=document["objective"],
            space=space,
            baseline=baseline,
        )
        _ = task.fingerprint
    except LRMPError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise TaskError(f"Expected the definition of a task, got {error!r}.") from error
    return task


def _tenant(document: dict[str, Any], accuracy_factory: AccuracyFactory) -> Tenant:
    layers = (Layer(**{**layer, "name": _text(layer["name"])}) for layer in document["layers"])
    return Tenant(
        network=Network(_text(document["network"]), tuple(layers), document["edges"]),
        accuracy_factory=accuracy_factory,
        allowed_drop=document["allowed_drop"],
        rate=document["rate"],
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} where text belongs")
    return value


def _accelerator(document: dict[str, Any]) -> Accelerator:
    energy, noise = document["energy"], document.get("noise")
    return Accelerator(
        name=_text(document["name"]),
        **document["parameters"],
        energy=None if energy is None else EventEnergies(**energy),
        components=tuple(Component(**component) for component in document["components"]),
        noise=None if noise is None else DeviceNoise(**noise),
    )


def _accuracy_document(
    task: Task, tenant: Tenant, accuracy: AccuracyModel
) -> dict[str, Any] | None:
    if isinstance(accuracy, TableAccuracy) and type(accuracy) is TableAccuracy:  # none derived
        return {
            "kind": "table",
            "terms": [[list(axes), values.tolist()] for axes, values in accuracy.terms.items()],
            "drop_map": accuracy.drop_map.definition,
            "exponent": accuracy.exponent,
            "provenance": accuracy.provenance,
            "estimate": accuracy.is_estimate,
            "misses": list(accuracy.verdict.misses),
        }
    if isinstance(tenant.accuracy_factory, NoisyAccuracy):
        return {"kind": "network", "noise_seeds": list(tenant.accuracy_factory.noise_seeds)}
    try:
        known = network_accuracy(tenant.network, task.accelerator, task.space).fingerprint
    except LRMPError:  # no network that lrmp knows how to run
        return None
    return {"kind": "network"} if known == accuracy.fingerprint else None


def _accuracy_factory(document: dict[str, Any], space: DesignSpace) -> AccuracyFactory:
    check_kind(document["kind"])
    if document["kind"] == "network":
        seeds = document.get("noise_seeds")
        return NoisyAccuracy(tuple(seeds)) if seeds else network_accuracy
    drop_map = document["drop_map"]
    estimate = document["estimate"]
    if not isinstance(estimate, bool):
        raise TypeError(f"{estimate!r} where true or false belongs")
    misses = document["misses"]
    if not isinstance(misses, list):
        raise TypeError(f"{misses!r} where a list belongs")
    return GivenAccuracy(
        TableAccuracy(
            {tuple(axes): values for axes, values in document["terms"]},
            _text(document["provenance"]),
            is_estimate=estimate,
            drop_map=None if drop_map is None else DropMap(**drop_map),
            space=space,
            exponent=document["exponent"],
            verdict=TableVerdict(tuple(map(_text, misses))),
        )
    )
