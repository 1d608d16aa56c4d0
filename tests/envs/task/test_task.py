"""Tasks: identity, fingerprints and the way to worker processes."""

import copy
import dataclasses
import math
import pickle

import numpy as np
import pytest

from lrmp.accuracy import TableAccuracy
from lrmp.envs import TASKS, evaluate, load_task
from lrmp.errors import AccuracyTableError, TaskError
from lrmp.hardware import DesignSpace, Layer, Network
from lrmp.hardware.space.design import Design


def flat_accuracy(network, accelerator, space):
    zeros = np.zeros((len(network), 7))
    return TableAccuracy({"weight_bits": zeros, "activation_bits": zeros}, "none", is_estimate=True)


def with_smaller_maps(network):
    first, *rest = network.layers
    return Network(network.name, (dataclasses.replace(first, positions=1), *rest))


def resnet18():
    return load_task("LRMP-ResNet18-v0")


CHANGES = {
    "id": lambda task: {"id": "LRMP-Another-v0"},
    "accelerator": lambda task: {
        "accelerator": dataclasses.replace(task.accelerator, columns_per_adc=16)
    },
    "budget": lambda task: {"budget": task.budget + 1},
    "objective": lambda task: {"objective": "throughput"},
    "network": lambda task: {
        "workload": task.with_tenant(network=with_smaller_maps(task.network)).workload
    },
    "accuracy": lambda task: {
        "workload": task.with_tenant(accuracy_factory=flat_accuracy).workload
    },
    "allowed drop": lambda task: {"workload": task.with_tenant(allowed_drop=2.0).workload},
    "rate": lambda task: {"workload": task.with_tenant(rate=2).workload},
    "space": lambda task: {"space": DesignSpace(task.space.knobs, {"weight_bits": [(8,)] * 21})},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_part_of_the_definition_counts(change):
    task = resnet18()
    other = dataclasses.replace(task, **change(task))
    assert other.fingerprint != task.fingerprint
    assert other != task


def test_equal_definitions_are_equal_tasks():
    task = resnet18()
    other = dataclasses.replace(task)
    assert other is not task
    assert other == task
    assert hash(other) == hash(task)
    assert other.fingerprint == task.fingerprint
    assert task != "LRMP-ResNet18-v0"


def test_fingerprints_of_the_registered_tasks_differ():
    fingerprints = {load_task(task_id).fingerprint for task_id in TASKS}
    assert len(fingerprints) == len(TASKS)
    assert all(len(fingerprint) == 64 for fingerprint in fingerprints)


def test_registered_task_is_loaded_once(spec):
    assert load_task(spec.id) is load_task(spec.id)


def test_registered_task_stays_one_object_through_pickle_and_copy(spec):
    task = load_task(spec.id)
    assert pickle.loads(pickle.dumps(task)) is task
    assert copy.deepcopy(task) is task


def test_pickled_registered_task_is_a_name(spec):
    assert len(pickle.dumps(load_task(spec.id))) < 200


@pytest.mark.parametrize("task_id", ["Custom", "LRMP-ResNet18-v0"])
def test_custom_task_travels_whole(task_id):
    task = dataclasses.replace(resnet18(), id=task_id, budget=1000)
    for other in (pickle.loads(pickle.dumps(task)), copy.deepcopy(task)):
        assert other == task
        assert other.budget == 1000
        bits = [4] * 21
        assert evaluate(other, weight_bits=bits, activation_bits=bits) == evaluate(
            task, weight_bits=bits, activation_bits=bits
        )


def test_custom_network_with_its_own_accuracy():
    network = Network("two", (Layer.linear("a", 300, 10), Layer.linear("b", 10, 10)))
    task = dataclasses.replace(resnet18(), id="Custom", budget=24)
    task = task.with_tenant(network=network, accuracy_factory=flat_accuracy)
    assert evaluate(task, weight_bits=[8, 8], activation_bits=[8, 8]).score == 0
    assert evaluate(task, weight_bits=[8, 8], activation_bits=[4, 4]).accuracy_drop == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"objective": "speed"},
            "Expected objective of Custom to be one of edp, energy, latency, throughput, weighted_",
        ),
        ({"budget": 0}, "Expected budget of Custom to be a positive number of tiles, got 0"),
        ({"budget": 10.5}, "Expected budget of Custom to be a positive number of tiles, got 10.5"),
    ],
)
def test_part_out_of_range_is_refused_at_once(change, message):
    with pytest.raises(TaskError, match=message):
        dataclasses.replace(resnet18(), id="Custom", **change)


@pytest.mark.parametrize("drop", [-0.1, 100.5, math.nan])
def test_an_allowed_drop_out_of_range_is_refused_at_once(drop):
    with pytest.raises(TaskError, match=f"allowed_drop of resnet18 .* 0 to 100, got {drop}"):
        resnet18().with_tenant(allowed_drop=drop)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("LRMP-ResNet18", "LRMP-ResNet18-v0"),
        ("lrmp:LRMP-Resnet50-v0", "LRMP-ResNet50-v0"),
        ("LRMP-resnet101-OneShot-v0", "LRMP-ResNet101-Predicted-v0"),
        ("LRMP-ResNet34-Energy-v0", "LRMP-ResNet34-Predicted-Energy-v0"),
        ("LRMP-ResNet18-v1", "LRMP-ResNet18-v0"),
        ("lrmp-mobilenetv2-edp-v0", "LRMP-MobileNetV2-EDP-v0"),
        ("LRMP-digits-v0", "LRMP-Digits-v0"),
    ],
)
def test_unknown_task_is_refused_with_the_nearest(name, hint):
    more = len(TASKS) - 5
    with pytest.raises(
        TaskError,
        match=rf"Expected task to be one of {hint}, (LRMP-[^,]+(, | and )){{4}}{more} more; "
        rf"got '{name}'\. "
        rf"Did you mean '{hint}'\?",
    ):
        load_task(name)


@pytest.mark.parametrize("name", ["lrmp:LRMP-MLP-v0", "LRMP-MLP-Refine-v0", "LRMP/MLP-v0"])
def test_an_id_in_any_form_names_the_task(name):
    assert load_task(name) is load_task("LRMP-MLP-v0")


def test_digits_accuracy_of_another_network_is_refused():
    digits = load_task("LRMP-Digits-v0")
    other = digits.with_tenant(network=load_task("LRMP-ResNet18-v0").network)
    with pytest.raises(AccuracyTableError, match=r"Expected network digits_cnn, .* got resnet18"):
        other.accuracy.drop(Design.of({"weight_bits": [8] * 21, "activation_bits": [8] * 21}))


def test_custom_task_travels_without_its_models():
    custom = dataclasses.replace(load_task("LRMP-Digits-v0"), id="Custom", budget=60)
    custom.accuracy.drop(
        Design.of({"weight_bits": np.full(5, 8), "activation_bits": np.full(5, 8)})
    )
    data = pickle.dumps(custom)
    assert len(data) < 10_000
    assert pickle.loads(data) == custom
