"""Several networks on one chip, against brute force over all settings and copies."""

import math
import pickle
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.baselines.experiments.optimum import find_optimum
from lrmp.envs import LayerwiseEnv, evaluate_settings, load_task
from lrmp.envs.scoring.workload_outcome import score_workload
from lrmp.envs.task.custom_task import GivenAccuracy
from lrmp.envs.task.task import Task
from lrmp.envs.task.task_definition import task_document, task_of_document
from lrmp.envs.task.workload import Tenant, Workload
from lrmp.errors import RunError, TaskError
from lrmp.hardware import DesignSpace, Layer, Network, load_preset
from lrmp.hardware.space.knob import Knob
from lrmp.hardware.space.precision import PRECISION

WEIGHTS, ACTIVATIONS = PRECISION
SPACE = DesignSpace((replace(WEIGHTS, values=(2, 4, 8)), replace(ACTIVATIONS, values=(3, 8))))
CHIP = load_preset("lrmp_frontiers_2024")
FIRST = Network("first", (Layer.conv2d("a", 3, 40, 3, 6), Layer.linear("b", 200, 150)))
SECOND = Network("second", (Layer.conv2d("a", 8, 64, 3, 4),))
OBJECTIVES = ("latency", "throughput", "energy", "edp")


def tenant(network, seed, allowed_drop=1.0, rate=1):
    rng = np.random.default_rng(seed)
    terms = {
        knob.name: np.sort(rng.exponential(1.0, (len(network), len(knob))), axis=1)[:, ::-1]
        for knob in SPACE
    }
    table = TableAccuracy(terms, "drawn", is_estimate=True, space=SPACE)
    return Tenant(network, GivenAccuracy(table), allowed_drop, rate)


def shared(objective="latency", seed=0, rates=(1, 3), budget=40):
    tenants = (
        tenant(FIRST, seed, 1.0 + seed % 3, rates[0]),
        tenant(SECOND, seed + 100, 0.5, rates[1]),
    )
    return Task("Shared", Workload(tenants), CHIP, budget, objective, SPACE)


def cost(task, settings, copies):
    """Count a round in Python's integers."""
    cycles, energies, slowest = [], [], []
    for owner, layers, model in zip(
        task.workload, task.workload.layers, task.cost_models, strict=True
    ):
        of_layers = model.layer_cycles(settings[layers], copies[layers]).tolist()
        one = model.copies_energy_fj(settings[layers], copies[layers][:, None])
        cycles.append(owner.rate * sum(of_layers))
        energies.append(owner.rate * sum(int(energy[0]) for energy in one))
        slowest.append(owner.rate * max(of_layers))
    totals = {"latency": sum(cycles), "throughput": max(slowest), "energy": sum(energies)}
    return totals.get(task.objective, sum(cycles) * sum(energies))


def best_of_all(task):
    layers = len(task.workload.layer_names)
    plain = cost(task, task.space.plain_settings(layers), np.ones(layers, dtype=np.int64))
    best = -math.inf
    for numbers in product(range(len(task.space.settings)), repeat=layers):
        settings = task.space.settings[list(numbers)]
        paid = 0.0
        for owner, own, model in zip(
            task.workload, task.workload.layers, task.accuracies, strict=True
        ):
            paid += max(0.0, float(model.sums(settings[own])) - owner.allowed_drop)
        tiles = np.concatenate(
            [
                model.tiles_per_copy(settings[own])
                for own, model in zip(task.workload.layers, task.cost_models, strict=True)
            ]
        )
        most = (task.budget - tiles.sum()) // tiles + 1
        for copies in product(*(range(1, count + 1) for count in most)):
            if (tiles * copies).sum() <= task.budget:
                value = math.log(plain / cost(task, settings, np.array(copies))) - paid
                best = max(best, value)
    return best


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("seed", range(3))
def test_the_optimum_is_the_best_of_all(objective, seed):
    task = shared(objective, seed, rates=((1, 3), (2, 1), (5, 4))[seed], budget=(13, 11, 12)[seed])
    optimum = find_optimum(task, lambda line: None)
    assert optimum.value == pytest.approx(best_of_all(task), rel=1e-12, abs=1e-12)
    assert 0 <= optimum.bound - optimum.value < 1e-9
    again = score_workload(task, optimum.design.settings)
    assert again.reward() == optimum.value
    assert again.design == optimum.design


def test_one_network_is_the_trivial_case():
    task = load_task("LRMP-MLP-v0")
    settings = task.space.sample(np.random.default_rng(0), 3)
    one, same = score_workload(task, settings), evaluate_settings(task, settings)
    assert one.reward() == same.reward()
    assert one.design == same.design
    assert one.accuracy_drops == (same.accuracy_drop,)


def test_rates_of_one_network_alone_change_no_gain():
    often = Task("Often", Workload((tenant(FIRST, 1, rate=7),)), CHIP, 30, "latency", SPACE)
    once = replace(often, workload=Workload((tenant(FIRST, 1),)))
    settings = SPACE.sample(np.random.default_rng(1), 2)
    assert score_workload(often, settings).gain == score_workload(once, settings).gain
    assert often.fingerprint != once.fingerprint


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_order_of_networks_does_not_matter(objective):
    task = shared(objective, seed=4)
    turned = replace(task, workload=Workload(task.workload.tenants[::-1]))
    ours, theirs = (find_optimum(each, lambda line: None) for each in (task, turned))
    assert ours.value == pytest.approx(theirs.value, rel=1e-12)


def test_layers_are_named_by_their_network():
    assert shared().workload.layer_names == ("0:first/a", "0:first/b", "1:second/a")
    assert Workload((tenant(FIRST, 0),)).layer_names == ("a", "b")


def test_a_layer_may_be_kept_from_values_in_any_network():
    allowed = {"weight_bits": [(8,), (2, 4, 8), (4, 8)]}
    task = shared(budget=20)
    kept = []
    for owner, layers in zip(task.workload, task.workload.layers, strict=True):
        space = DesignSpace(SPACE.knobs, allowed).for_layers(layers)
        terms = owner.accuracy_factory(owner.network, CHIP, SPACE).terms
        table = TableAccuracy(terms, "drawn", is_estimate=True, space=space)
        kept.append(replace(owner, accuracy_factory=GivenAccuracy(table)))
    task = replace(task, workload=Workload(kept), space=DesignSpace(SPACE.knobs, allowed))
    optimum = find_optimum(task, lambda line: None)
    assert optimum.design["weight_bits"][0] == 8
    assert optimum.design["weight_bits"][2] in (4, 8)


def test_a_shared_chip_travels_and_is_written_down():
    task = shared()
    assert pickle.loads(pickle.dumps(task)) == task
    narrow = replace(task, space=PRECISION)
    full = []
    for owner in task.workload:
        terms = {knob.name: np.zeros((len(owner.network), 7)) for knob in PRECISION}
        table = TableAccuracy(terms, "none", is_estimate=True)
        full.append(replace(owner, accuracy_factory=GivenAccuracy(table)))
    narrow = replace(narrow, workload=Workload(full))
    assert task_of_document(task_document(narrow)).fingerprint == narrow.fingerprint
    assert repr(task) == (
        "<Task 'Shared', 'first' and 'second' on 'lrmp_frontiers_2024', objective latency, budget "
        "40 tiles, allowed drop 1 and 0.5>"
    )
    assert task.workload.to_json()[1] == {
        "network": "second",
        "layers": 1,
        "rate": 3,
        "allowed_drop": 0.5,
    }


def test_what_cannot_be_is_refused():
    with pytest.raises(TaskError, match=r"rate of first .* of at least 1, got 0\. Multiply"):
        tenant(FIRST, 0, rate=0)
    with pytest.raises(TaskError, match=r"rate of first .* got True"):
        tenant(FIRST, 0, rate=True)
    with pytest.raises(TaskError, match="allowed_drop of first in percentage points, 0 to 100"):
        tenant(FIRST, 0, allowed_drop=-1)
    with pytest.raises(TaskError, match="at least one tenant"):
        Workload(())
    with pytest.raises(TaskError, match=r"one network, got Shared with 2 that share a chip\. find"):
        LayerwiseEnv(shared())
    masked = DesignSpace(SPACE.knobs, {"weight_bits": [(8,)]})
    with pytest.raises(TaskError, match="allowed values of 3 layers for Shared, got those of 1"):
        replace(shared(), space=masked)
    toy = DesignSpace((*SPACE.knobs, Knob("toy", (1, 2), 1)))
    with pytest.raises(RunError, match="additive accuracy table"):
        find_optimum(replace(shared(), space=toy, workload=Workload((blind(), blind()))), print)


def blind():
    class Blind:
        kind, is_estimate, provenance, fingerprint = "network", False, "none", "none"

        def drop(self, design):
            return 0.0

    return Tenant(FIRST, GivenAccuracy(Blind()))
