"""Several networks on one chip, against brute force over all settings and copies."""

import math
import pickle
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from shared_tasks import CHIP, FIRST, OBJECTIVES, SPACE, cost, shared, tenant

from lrmp.accuracy.model.drop_map import IdentityMap
from lrmp.accuracy.model.factories import GivenAccuracy
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.baselines.experiments.optimum import find_optimum
from lrmp.envs import evaluate_settings, load_task
from lrmp.envs.scoring.reward import lrmp_reward
from lrmp.envs.task.additive_table import additive_table
from lrmp.envs.task.task import Task
from lrmp.envs.task.task_definition import task_document, task_of_document
from lrmp.envs.task.workload import Tenant, Workload
from lrmp.errors import InfeasibleAccuracyError, RunError, TaskError
from lrmp.hardware import DesignSpace
from lrmp.hardware.space.knob import Knob
from lrmp.hardware.space.precision import PRECISION


def best_of_all(task):
    """Return the highest score and the highest reward."""
    layers = len(task.workload.layer_names)
    plain = cost(task, task.space.plain_settings(layers), np.ones(layers, dtype=np.int64))
    best, best_reward = -math.inf, -math.inf
    for numbers in product(range(len(task.space.settings)), repeat=layers):
        settings = task.space.settings[list(numbers)]
        excess = 0.0
        for owner, own, model in zip(
            task.workload, task.workload.layers, task.accuracies, strict=True
        ):
            beyond = math.log(max(1.0, model.sums(settings[own]) / owner.allowed_drop))
            excess += beyond / len(task.workload)
        tiles = np.concatenate(
            [
                model.tiles_per_copy(settings[own])
                for own, model in zip(task.workload.layers, task.cost_models, strict=True)
            ]
        )
        most = (task.budget - tiles.sum()) // tiles + 1
        for copies in product(*(range(1, count + 1) for count in most)):
            if (tiles * copies).sum() <= task.budget:
                log_gain = math.log(plain / cost(task, settings, np.array(copies)))
                best_reward = max(best_reward, lrmp_reward(log_gain, excess))
                if excess == 0:
                    best = max(best, log_gain)
    return best, best_reward


@pytest.mark.long
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("seed", range(3))
def test_the_optimum_is_the_best_of_all(objective, seed):
    task = shared(objective, seed, rates=((1, 3), (2, 1), (5, 4))[seed], budget=(13, 11, 12)[seed])
    optimum = find_optimum(task, lambda line: None)
    best, best_reward = best_of_all(task)
    assert optimum.value == pytest.approx(best, rel=1e-12, abs=1e-12)
    assert 0 <= optimum.bound - optimum.value < 1e-9
    assert best <= best_reward <= optimum.reward_bound
    again = evaluate_settings(task, optimum.design.settings)
    assert again.score == again.reward() == optimum.value
    assert again.design == optimum.design


def test_no_optimum_where_none_within_the_allowance_fits():
    task = shared(budget=12)
    strict = [replace(tenant, allowed_drop=0.0) for tenant in task.workload]
    with pytest.raises(InfeasibleAccuracyError, match="within the budget and the limit on accurac"):
        find_optimum(replace(task, workload=Workload(strict)), lambda line: None)


def test_one_network_is_the_trivial_case():
    task = load_task("LRMP-MLP-v0")
    settings = task.space.sample(np.random.default_rng(0), 3)
    outcome = evaluate_settings(task, settings)
    assert task.network is task.workload.tenants[0].network
    assert task.accuracy is task.accuracies[0]
    assert task.allowance is task.allowances[0]
    assert outcome.accuracy_drops == (outcome.accuracy_drop,)


def test_rates_of_one_network_alone_change_no_gain():
    often = Task("Often", Workload((tenant(FIRST, 1, rate=7),)), CHIP, 30, "latency", SPACE)
    once = replace(often, workload=Workload((tenant(FIRST, 1),)))
    settings = SPACE.sample(np.random.default_rng(1), 2)
    assert evaluate_settings(often, settings).gain == evaluate_settings(once, settings).gain
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
        "40 tiles, allowed drop 2 and 1.5>"
    )
    assert task.workload.to_json()[1] == {
        "network": "second",
        "layers": 1,
        "rate": 3,
        "allowed_drop": 1.5,
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
    with pytest.raises(TaskError, match=r"one network, got Shared with 2 that share a chip\. Chan"):
        shared().with_tenant(rate=2)
    with pytest.raises(TaskError, match=r"one network, got Shared with 2 .* scores whole designs"):
        additive_table(shared())
    with pytest.raises(TaskError, match=r"objective of Shared .*'througput'.*throughput"):
        shared("througput")
    masked = DesignSpace(SPACE.knobs, {"weight_bits": [(8,)]})
    with pytest.raises(TaskError, match="allowed values of 3 layers for Shared, got those of 1"):
        replace(shared(), space=masked)
    toy = DesignSpace((*SPACE.knobs, Knob("toy", (1, 2), 1)))
    with pytest.raises(RunError, match="additive accuracy table"):
        find_optimum(replace(shared(), space=toy, workload=Workload((blind(), blind()))), print)


def blind():
    class Blind:
        kind, is_estimate, provenance, fingerprint = "network", False, "none", "none"
        drop_map = IdentityMap()

        def divergence(self, design):
            return 0.0

    return Tenant(FIRST, GivenAccuracy(Blind()))
