"""The registered shared chips, and what sharing must and must not change."""

import math
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from shared_tasks import CHIP, OBJECTIVES, cost, shared, tenant

from lrmp.accuracy.model.factories import GivenAccuracy
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.baselines.experiments.optimum import find_optimum
from lrmp.envs import evaluate_settings, list_tasks, load_task, stored_optimum
from lrmp.envs.task.shared_chip import SHARED_CHIPS
from lrmp.envs.task.task import Task
from lrmp.envs.task.workload import Workload
from lrmp.errors import InfeasibleAccuracyError, InfeasibleBudgetError
from lrmp.hardware import DesignSpace, Layer, Network
from lrmp.hardware.networks import load_network
from lrmp.hardware.space.precision import PRECISION

PAGE = Path(__file__).parents[3] / "docs" / "families" / "shared.md"
SHARED = pytest.mark.parametrize("task_id", list_tasks(family="shared"))
LABELS = {
    "resnet8": "ResNet8",
    "lenet": "LeNet",
    "mlp": "MLP",
    "resnet18": "ResNet18",
    "mobilenet_v2": "MobileNetV2",
    "squeezenet1_1": "SqueezeNet",
}


def quietly(task):
    return find_optimum(task, lambda line: None)


def test_ids_say_workload_and_objective():
    assert [(task_id, load_task(task_id).objective) for task_id in list_tasks(family="shared")] == [
        ("LRMP-Shared-Edge-v0", "latency"),
        ("LRMP-Shared-Edge-Throughput-v0", "throughput"),
        ("LRMP-Shared-Edge-Weighted-v0", "weighted_throughput"),
        ("LRMP-Shared-Vision-v0", "latency"),
        ("LRMP-Shared-Vision-Throughput-v0", "throughput"),
        ("LRMP-Shared-Vision-Weighted-v0", "weighted_throughput"),
    ]


@SHARED
def test_the_budget_is_that_of_all_plain_designs(task_id):
    """Edge: 112 + 104 + 112 tiles. Vision: 1608 + 2952 + 352."""
    task = load_task(task_id)
    assert task.budget == (328 if "Edge" in task_id else 4912)
    single = [load_task(f"LRMP-{LABELS[t.network.name]}-v0") for t in task.workload]
    assert task.budget == sum(each.budget for each in single)
    assert {tenant.allowed_drop for tenant in task.workload} == {1.0}
    assert task.cost_model.baseline.tiles == task.budget


@pytest.mark.parametrize("chip", SHARED_CHIPS, ids=lambda chip: chip.label)
def test_every_network_matters_in_a_round(chip):
    """On the plain chip none takes less than a twentieth of what the slowest takes."""
    report = load_task(f"LRMP-{chip.label}-v0").cost_model.baseline
    by_network = [int(report.layer_cycles[own].sum()) for own in chip.workload().layers]
    assert min(by_network) * 20 > max(by_network)
    assert chip.layers == sum(len(load_network(name)) for name in chip.rates)


@SHARED
def test_no_fixed_share_of_the_tiles_is_better(task_id):
    """Each network at its own proven optimum, within the tiles of its own plain design."""
    task = load_task(task_id)
    suffix = "" if task.objective == "latency" else "-Throughput"
    designs = [
        stored_optimum(f"LRMP-{LABELS[t.network.name]}{suffix}-v0").design for t in task.workload
    ]
    settings = np.concatenate([design.settings for design in designs])
    copies = np.concatenate([design.replication for design in designs])
    apart = evaluate_settings(task, settings)
    fixed = replace(apart.design, replication=copies)
    report = task.cost_model.evaluate(fixed)
    assert report.tiles <= task.budget
    gain = task.cost_model.baseline.cost(task.objective) / report.cost(task.objective)
    assert apart.within_allowance
    best = stored_optimum(task_id)
    together = evaluate_settings(task, best.design.settings)
    tiles = " + ".join(str(network["tiles"]) for network in together.networks())
    row = f"{gain:.3f}x | {together.gain:.3f}x | {together.gain / gain:.3f} | {tiles}"
    assert f"| `{task_id}` | {row} |" in PAGE.read_text("utf-8")
    best = stored_optimum(task_id)
    assert math.log(gain) <= apart.score <= best.bound
    assert best.value > math.log(gain) * 1.01  # sharing is worth something


@SHARED
def test_tiles_are_conserved(task_id):
    task, optimum = load_task(task_id), stored_optimum(task_id)
    outcome = evaluate_settings(task, optimum.design.settings)
    rows = outcome.networks()
    assert sum(row["tiles"] for row in rows) == outcome.report.tiles <= task.budget
    assert all(row["accuracy_drop"] <= row["allowed_drop"] for row in rows)
    assert outcome.accuracy_drop == max(row["accuracy_drop"] for row in rows)
    cycles = [row["rate"] * row["latency_cycles"] for row in rows]
    assert sum(cycles) == outcome.report.latency_cycles
    intervals = [row["rate"] * row["bottleneck_cycles"] for row in rows]
    assert intervals == list(outcome.report.network_intervals)
    assert max(intervals) == outcome.report.bottleneck_cycles
    assert outcome.to_json()["networks"] == rows


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_one_network_alone_is_its_base_task(objective):
    """With a rate, in a round: the same settings are best, and gain the same."""
    base = Task("Base", Workload((tenant(NETWORKS[0], 3, 2.0),)), CHIP, 20, objective, SPACE)
    often = replace(base, workload=Workload((tenant(NETWORKS[0], 3, 2.0, rate=7),)))
    ours, theirs = quietly(base), quietly(often)
    exact = 1e-9 if objective == "weighted_throughput" else 1e-12
    assert theirs.value == pytest.approx(ours.value, rel=exact)
    assert theirs.design.settings.tolist() == ours.design.settings.tolist()


@pytest.mark.parametrize("objective", ["throughput", "weighted_throughput"])
def test_the_throughputs_of_one_network_are_one(objective):
    task = Task("One", Workload((tenant(NETWORKS[0], 3, 2.0),)), CHIP, 20, "throughput", SPACE)
    value = quietly(task).value
    assert quietly(replace(task, objective=objective)).value == pytest.approx(value, rel=1e-9)


# Two networks of three layers, two settings each.

SPACE = DesignSpace(
    tuple(
        replace(knob, values=values)
        for knob, values in zip(PRECISION.knobs, ((2, 4, 8), (3, 8)), strict=True)
    )
)
FEW = DesignSpace(
    tuple(
        replace(knob, values=values)
        for knob, values in zip(PRECISION.knobs, ((2, 8), (8,)), strict=True)
    )
)
NETWORKS = (
    Network("first", (Layer.conv2d("a", 3, 40, 3, 6), Layer.linear("b", 200, 150))),
    Network(
        "three",
        (
            Layer.conv2d("a", 3, 30, 3, 5),
            Layer.conv2d("b", 4, 20, 3, 3),
            Layer.linear("c", 90, 40),
        ),
    ),
    Network(
        "more",
        (
            Layer.conv2d("a", 2, 60, 3, 4),
            Layer.linear("b", 300, 20),
            Layer.conv2d("c", 6, 10, 1, 3),
        ),
    ),
)


def of_few(owner, seed):
    """Give a network a table over the few settings."""
    drawn = np.random.default_rng(seed).exponential(1.0, (len(owner), 2))
    drawn[:, 1] = 0.0
    terms = {"weight_bits": drawn, "activation_bits": np.zeros((len(owner), 1))}
    table = TableAccuracy(terms, "drawn", is_estimate=True, space=FEW)
    return GivenAccuracy(table)


def two_of_three(objective, seed, spare=3):
    tenants = [
        replace(tenant(network, 0, 1.0, rate), accuracy_factory=of_few(network, [seed, number]))
        for number, (network, rate) in enumerate(zip(NETWORKS[1:], (2, 3), strict=True))
    ]
    task = Task("Three", Workload(tuple(tenants)), CHIP, 10**6, objective, FEW)
    return replace(task, budget=min(int(tiles.sum()) for _, tiles in within(task)) + spare)


def within(task):
    """List all settings within the allowances, with the tiles of their layers."""
    rows = list(zip(task.workload, task.workload.layers, task.accuracies, strict=True))
    for numbers in product(range(2), repeat=6):
        settings = task.space.settings[list(numbers)]
        if all(model.sums(settings[own]) <= owner.allowed_drop for owner, own, model in rows):
            yield settings, task.cost_model.tiles_per_copy(settings)


def best_of_all(task):
    """Try every setting and every copy, and count in Python's integers."""
    plain = cost(task, task.space.plain_settings(6), np.ones(6, dtype=np.int64))
    best = -math.inf
    for settings, tiles in within(task):
        if tiles.sum() > task.budget:
            continue
        most = (task.budget - tiles.sum()) // tiles + 1
        for copies in product(*(range(1, count + 1) for count in most)):
            if (tiles * copies).sum() <= task.budget:
                best = max(best, math.log(plain / cost(task, settings, np.array(copies))))
    return best


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("seed", range(2))
def test_the_optimum_of_two_networks_of_three_layers_is_the_best_of_all(objective, seed):
    task = two_of_three(objective, seed)
    optimum, best = quietly(task), best_of_all(task)
    assert optimum.value == pytest.approx(best, rel=1e-12, abs=1e-12)
    assert 0 <= optimum.bound - optimum.value < 1e-9
    assert optimum.is_exact


def alone(task, network, budget):
    """A network of a task by itself, with its rate, within some tiles; its optimum or None."""
    owner = task.workload.tenants[network]
    try:
        return quietly(Task("Alone", Workload((owner,)), CHIP, budget, task.objective, task.space))
    except (InfeasibleAccuracyError, InfeasibleBudgetError):
        return None


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_with_tiles_enough_every_network_has_its_own_optimum(objective):
    """No objective but a product falls apart; there, what is left is a bound."""
    task = replace(two_of_three(objective, 5), budget=10**5)
    together = quietly(task)
    parts = [alone(task, network, task.budget) for network in range(2)]
    settings = np.concatenate([part.design.settings for part in parts])
    apart = evaluate_settings(task, settings)
    if objective == "edp":
        assert apart.score <= together.bound
    else:
        assert apart.score == pytest.approx(together.value, rel=1e-12)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2))
def test_no_other_split_has_a_higher_least_throughput(seed):
    """Max-min: of all ways to share the tiles, each network being alone with its part."""
    task = two_of_three("throughput", seed, spare=6)
    plain = task.cost_model.baseline.cost("throughput")
    optimum, best = quietly(task), -math.inf
    for tiles in range(1, task.budget):
        parts = [alone(task, 0, tiles), alone(task, 1, task.budget - tiles)]
        if None not in parts:
            intervals = [
                own.cost_model.evaluate(part.design).cost("throughput")
                for part, own in (
                    (part, Task("A", Workload((owner,)), CHIP, 1, "throughput", task.space))
                    for part, owner in zip(parts, task.workload, strict=True)
                )
            ]
            split = math.log(plain / max(intervals))
            assert split <= optimum.bound
            best = max(best, split)
    assert best == pytest.approx(optimum.value, rel=1e-12)


@pytest.mark.long
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_more_tiles_are_never_worse(objective):
    before = -math.inf
    for spare in (0, 2, 5, 20):
        optimum = quietly(two_of_three(objective, 1, spare))
        assert before <= optimum.bound
        before = optimum.value


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_networks_that_do_not_fit_are_refused(objective):
    small = replace(shared(objective), budget=3)
    with pytest.raises(InfeasibleBudgetError, match=r"budget of at least \d+ tiles for one copy"):
        quietly(small)
    with pytest.raises(InfeasibleBudgetError, match=r"one copy of every layer, got 3\. Choose"):
        evaluate_settings(small, small.space.plain_settings(3))
