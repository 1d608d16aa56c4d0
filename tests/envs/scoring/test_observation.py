"""The features, recomputed from the task in plain Python."""

import math

import gymnasium as gym
import numpy as np
import pytest

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs.scoring.observation import layer_feature_names, running_features, total_names
from lrmp.hardware.space.design import Design


@pytest.fixture
def episode(bits_spec, play, random_actions):
    env = gym.make(bits_spec)
    transitions = play(env, random_actions(env, 0))
    names = env.unwrapped.feature_names
    return env.unwrapped.task, [
        (dict(zip(names, observation.tolist(), strict=True)), info)
        for observation, *_, info in transitions
    ]


def allowances(task):
    """By what the tables of networks that share a chip are scaled; one keeps its unit."""
    if len(task.workload) == 1:
        return [1.0]
    return [model.drop_map.threshold(1.0) for model in task.accuracies]


def sensitivities(task, layers):
    """By the table's entries, or by running the digits network with one operand at 2 bits."""
    if task.accuracy.kind == "table":
        raw = [[], []]
        for model, allowed in zip(task.accuracies, allowances(task), strict=True):
            for values, name in zip(raw, ("weight_bits", "activation_bits"), strict=True):
                values += [float(row[2] - row[6]) / allowed for row in model.terms[name,]]
    else:
        raw = [[], []]
        for operand, layer in np.ndindex(2, layers):
            bits = np.full((2, layers), 8)
            bits[operand, layer] = 2
            design = Design.of({"weight_bits": bits[0], "activation_bits": bits[1]})
            raw[operand].append(task.accuracy.drop(design))
    most = max(map(max, raw))
    logs = [[math.log10(max(value, 1e-4 * most)) for value in values] for values in raw]
    low, high = min(map(min, logs)), max(map(max, logs))
    return [
        [(value - low) / (high - low) if max(values) > min(values) else 0 for value in values]
        for values in logs
    ]


def min_max(values):
    low, high = min(values), max(values)
    return [(value - low) / ((high - low) or 1) for value in values]


def test_features_of_the_layer_to_decide(episode, by_hand):
    task, transitions = episode
    layers = task.network.layers
    plain = [8] * len(layers)
    tiles, cycles = by_hand(task, plain, plain, [1] * len(layers))
    expected = {
        "depth": [index / (len(layers) - 1) for index in range(len(layers))],
        "linear": min_max([float(layer.kind == "linear") for layer in layers]),
        "rows": min_max([math.log2(layer.rows) for layer in layers]),
        "columns": min_max([math.log2(layer.columns) for layer in layers]),
        "positions": min_max([math.log2(layer.positions) for layer in layers]),
        "kernel_size": min_max([layer.kernel_size for layer in layers]),
        "stride": min_max([layer.stride for layer in layers]),
        "weights": min_max([math.log2(layer.rows * layer.columns) for layer in layers]),
        "baseline_cycles": min_max([math.log2(count) for count in cycles]),
        "baseline_tiles": min_max([math.log2(count) for count in tiles]),
    }
    several = len(task.workload) > 1
    if several:
        owners = np.repeat(range(len(task.workload)), [len(t.network) for t in task.workload])
        expected["network"] = min_max(owners.tolist())
        rates = [task.workload.tenants[owner].rate for owner in owners]
        cycles = [rate * count for rate, count in zip(rates, cycles, strict=True)]
        expected["baseline_cycles"] = min_max([math.log2(count) for count in cycles])
    names = ("weight_bits_sensitivity", "activation_bits_sensitivity")
    expected |= dict(zip(names, sensitivities(task, len(layers)), strict=True))
    assert tuple(expected) == layer_feature_names(task.space, shared=several)
    *observations, last = [observation for observation, _ in transitions]
    for name, values in expected.items():
        if len(set(values)) == 1:  # all layers are alike
            assert name not in last
            continue
        shown = [observation[name] for observation in observations]
        assert shown == pytest.approx(values, abs=1e-6), name
        assert last[name] == shown[-1], name


def test_features_of_the_episode_so_far(episode, by_hand):
    task, transitions = episode
    count = len(task.network)
    weight_bits, activation_bits = np.full(count, 8), np.full(count, 8)
    rates = np.repeat([t.rate for t in task.workload], [len(t.network) for t in task.workload])
    _, plain = by_hand(task, weight_bits, activation_bits, [1] * count)
    plain = rates * plain
    previous = (8, 8)
    for step, (shown, info) in enumerate(transitions):
        if step > 0:
            previous = (info["weight_bits"], info["activation_bits"])
            weight_bits[step - 1], activation_bits[step - 1] = previous
        tiles, cycles = by_hand(task, weight_bits, activation_bits, [1] * count)
        cycles = rates * cycles
        design = Design.of({"weight_bits": weight_bits, "activation_bits": activation_bits})
        shares = {}
        several = len(task.workload) > 1
        for number, (model, own) in enumerate(
            zip(task.accuracies, task.workload.layers, strict=True)
        ):
            if isinstance(model, TableAccuracy):
                spent = max(0.0, model.sums(design.settings[own]))
                allowance = model.drop_map.threshold(1.0)
            else:
                spent = max(0.0, model.drop(design))
                allowance = 1.0
            name = f"accuracy_spent_{number}" if several else "accuracy_spent"
            shares[name] = spent / (spent + allowance)
        expected = {
            "previous_weight_bits": (previous[0] - 2) / 6,
            "previous_activation_bits": (previous[1] - 2) / 6,
            "tiles": sum(tiles) / task.budget,
            **shares,
            "cycles": sum(cycles) / sum(plain),
            "bottleneck": max(cycles) / max(plain),
        }
        assert tuple(expected) == running_features(task.space, total_names(task))
        assert {name: shown[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_accuracy_spent_may_fall_again(play):
    env = gym.make("LRMP-Digits-v0", discrete=True)
    number = env.unwrapped.feature_names.index("accuracy_spent")
    transitions = play(env, [[0, 0], [5, 3], [4, 4], [4, 0], [3, 1]])
    drops = [100 * images / 449 for images in (0, 41, 38, 38, 38, 44)]
    spent = [observation[number] for observation, *_ in transitions]
    assert spent == pytest.approx([drop / (drop + 1) for drop in drops], abs=1e-6)
