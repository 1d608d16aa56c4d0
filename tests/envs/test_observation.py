"""The features, recomputed from the task in plain Python."""

import math

import gymnasium as gym
import numpy as np
import pytest

from lrmp.envs.observation import FEATURES, RUNNING_FEATURES, STATIC_FEATURES


@pytest.fixture
def episode(spec, play, random_actions):
    env = gym.make(spec)
    return env.unwrapped.task, play(env, random_actions(env, 0))


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
    assert tuple(expected) == STATIC_FEATURES
    *observations, last = [step[0] for step in transitions]
    for number, (name, values) in enumerate(expected.items()):
        shown = [observation[number] for observation in observations]
        assert shown == pytest.approx(values, abs=1e-6), name
        assert last[number] == shown[-1], name


def test_features_of_the_episode_so_far(episode, by_hand):
    task, transitions = episode
    count = len(task.network)
    weight_bits, activation_bits = np.full(count, 8), np.full(count, 8)
    _, plain = by_hand(task, weight_bits, activation_bits, [1] * count)
    previous = (8, 8)
    for step, (observation, *_, info) in enumerate(transitions):
        if step > 0:
            previous = (info["weight_bits"], info["activation_bits"])
            weight_bits[step - 1], activation_bits[step - 1] = previous
        tiles, cycles = by_hand(task, weight_bits, activation_bits, [1] * count)
        drop = max(0.0, task.accuracy.drop(weight_bits, activation_bits))
        expected = {
            "previous_weight_bits": (previous[0] - 2) / 6,
            "previous_activation_bits": (previous[1] - 2) / 6,
            "tiles": sum(tiles) / task.budget,
            "accuracy_spent": drop / (drop + 1.0),
            "cycles": sum(cycles) / sum(plain),
            "bottleneck": max(cycles) / max(plain),
        }
        assert tuple(expected) == RUNNING_FEATURES
        shown = dict(zip(FEATURES, observation.tolist(), strict=True))
        assert {name: shown[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_accuracy_spent_may_fall_again(play):
    env = gym.make("LRMP-Digits-v0", discrete=True)
    number = FEATURES.index("accuracy_spent")
    transitions = play(env, [[0, 0], [5, 3], [4, 4], [4, 0], [3, 1]])
    drops = [100 * images / 449 for images in (0, 41, 38, 38, 38, 44)]
    spent = [observation[number] for observation, *_ in transitions]
    assert spent == pytest.approx([drop / (drop + 1) for drop in drops], abs=1e-6)
