import copy
import json

import numpy as np
import pytest

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs import load_task, make_task
from lrmp.envs.task.task_definition import task_document, task_of_document
from lrmp.errors import AccuracyDataError, AccuracyTableError, LRMPError, TaskError
from lrmp.hardware import Layer, Network, load_preset
from lrmp.hardware.chip.preset import with_noise
from lrmp.hardware.space.design import Design

POINTS = {
    "weight_bits": {"*": [4.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.0]},
    "activation_bits": {"*": [3.0, 0.8, 0.2, 0.1, 0.02, 0.01, 0.0]},
    "provenance": "made up",
}


@pytest.mark.parametrize(
    "task",
    [
        load_task("LRMP-ResNet18-v0"),  # a table with a map
        load_task("LRMP-Digits-EDP-v0"),  # the network itself
        load_task("LRMP-MLP-v0").with_accuracy("network"),
        make_task("lenet", "isaac_isca_2016", accuracy=POINTS, allowed_drop=2),
        make_task("lenet", "pimcomp_2023", accuracy=POINTS, budget=200, objective="throughput"),
        make_task("bert_base", "puma_asplos_2019", accuracy=POINTS),
        make_task(
            "lenet",
            with_noise(load_preset("hermes_2023"), "pcm_nandakumar_2019", elapsed_s=60.0),
            accuracy=POINTS,
        ),
    ],
    ids=lambda task: f"{task.id}-{task.network.name}",
)
def test_a_task_comes_back_from_its_document(task):
    document = json.loads(json.dumps(task_document(task)))
    again = task_of_document(document)
    assert again.fingerprint == task.fingerprint
    assert again.network == task.network
    assert again.accelerator.definition == task.accelerator.definition
    assert (again.network.name, again.accelerator.name) == (
        task.network.name,
        task.accelerator.name,
    )
    assert (again.accuracy_label, again.accuracy.provenance) == (
        task.accuracy_label,
        task.accuracy.provenance,
    )
    bits = np.full(len(task.network), 5)
    if isinstance(task.accuracy, TableAccuracy):
        assert again.accuracy.drop(
            Design.of({"weight_bits": bits, "activation_bits": bits})
        ) == task.accuracy.drop(Design.of({"weight_bits": bits, "activation_bits": bits}))
    assert again.cost_model.baseline == task.cost_model.baseline


def test_a_model_of_ones_own_has_no_document(own_model):
    document = task_document(make_task("lenet", accuracy=own_model()))
    assert document["workload"][0]["accuracy"] is None
    with pytest.raises(TaskError, match="got 'LRMP-Custom-v0' with a model of your own in Python"):
        task_of_document(document)


def test_a_model_without_all_methods_is_refused(own_model):
    class Short:
        drop = own_model.drop

    with pytest.raises(
        AccuracyTableError,
        match="methods divergence, divergences, drop, drops, sensitivities, test_drop; got Short "
        r"without divergence, divergences, drops, sensitivities, test_drop\. Add them",
    ):
        make_task("lenet", accuracy=Short())


def test_a_network_is_known_by_its_layers_not_its_name():
    impostor = Network("lenet", (Layer.linear("fc", 10, 10),))
    with pytest.raises(AccuracyDataError, match="Expected lenet with the layers of lrmp's own"):
        make_task(impostor, accuracy="network")
    assert make_task("lenet", accuracy="network").accuracy.kind == "network"


def test_a_changed_document_is_refused():
    document = task_document(make_task("lenet", accuracy=POINTS))
    changed = document | {"budget": document["budget"] + 1}
    with pytest.raises(TaskError, match=r"Expected the definition of a task with finger.*got"):
        task_of_document(changed)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:2])
    for key, inner in items:
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))
        else:
            yield (*path, key)


def test_every_damaged_document_is_one_error():
    document = task_document(make_task("lenet", accuracy=POINTS))
    for path in places(document):
        for junk in (None, [], {}, "x", -1, 1e308, True, 2**62):
            damaged = {"": copy.deepcopy(document)}
            *outer, last = ("", *path)
            inner = damaged
            for key in outer:
                inner = inner[key]
            if inner[last] == junk or (inner[last] == {} and junk == []):
                continue
            inner[last] = junk
            named = last in ("network", "name", "provenance") and isinstance(junk, str)
            named = named or ("misses" in path and junk == ([] if last == "misses" else "x"))
            named = named or (last == "edges" and junk in (None, []))  # they define no task
            if named and not {"layers", "components", "knobs"} & {*path}:  # those define it
                assert task_of_document(damaged[""]).fingerprint == document["fingerprint"]
                continue
            with pytest.raises(LRMPError, match=r"^Expected"):
                task_of_document(damaged[""])
