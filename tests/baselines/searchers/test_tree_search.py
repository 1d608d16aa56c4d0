from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from lrmp.baselines.searchers.tree_search import search_tree
from lrmp.envs import evaluate_bits, load_task
from lrmp.errors import RunError
from lrmp.hardware import CostModel, Network


class Rugged:
    """An accuracy that no table could hold: a pseudo-random drop for every design."""

    kind = "network"
    is_estimate = False
    provenance = "test"
    fingerprint = "test"

    def drop(self, weight_bits, activation_bits):
        bits = np.concatenate([weight_bits, activation_bits]).tolist()
        return 3 * np.random.default_rng(bits).random() + 30 / sum(bits) - 2

    def test_drop(self, weight_bits, activation_bits):
        return None


@pytest.mark.parametrize("objective", ["latency", "throughput", "energy", "edp"])
def test_the_best_of_all_designs_is_found(objective):
    digits = load_task("LRMP-Digits-v0")
    network = Network("two", (digits.network.layers[0], digits.network.layers[3]))
    task = replace(
        digits,
        id="two",
        network=network,
        budget=CostModel(network, digits.accelerator).baseline.tiles,
        objective=objective,
        accuracy_factory=lambda network: Rugged(),
    )
    lines = []
    bits, value, log = search_tree(task, lines.append, progress=False)
    best = max(
        evaluate_bits(task, design[:2], design[2:]).reward()
        for design in product(range(2, 9), repeat=4)
    )
    assert value == pytest.approx(best, abs=1e-12)
    assert evaluate_bits(task, *bits).reward() == pytest.approx(best, abs=1e-12)
    assert tuple(lines) == log


def test_too_many_layers_are_refused():
    with pytest.raises(RunError, match=r"at most 6 layers to search through, got 21\."):
        search_tree(load_task("LRMP-ResNet18-v0"), print)
