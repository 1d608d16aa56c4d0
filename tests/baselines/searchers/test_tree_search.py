from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from lrmp.accuracy.model.drop_map import IdentityMap
from lrmp.baselines.searchers.tree_search import search_tree
from lrmp.envs import evaluate_settings, load_task
from lrmp.errors import RunError
from lrmp.hardware import CostModel, Network


class Rugged:
    """An accuracy that no table could hold: a pseudo-random drop for every design."""

    kind = "network"
    is_estimate = False
    provenance = "test"
    fingerprint = "test"
    drop_map = IdentityMap()

    def divergence(self, design):
        bits = np.concatenate([design["weight_bits"], design["activation_bits"]]).tolist()
        return 3 * np.random.default_rng(bits).random() + 30 / sum(bits) - 2

    def test_drop(self, design):
        return None


@pytest.mark.long
@pytest.mark.parametrize("objective", ["latency", "throughput", "energy", "edp"])
def test_the_best_of_all_designs_is_found(objective):
    digits = load_task("LRMP-Digits-v0")
    network = Network("two", (digits.network.layers[0], digits.network.layers[3]))
    task = replace(
        digits,
        id="two",
        budget=CostModel(network, digits.accelerator).baseline.tiles,
        objective=objective,
    ).with_tenant(network=network, accuracy_factory=lambda *_: Rugged())
    lines = []
    settings, value, log = search_tree(task, lines.append, progress=False)
    best = max(
        evaluate_settings(task, np.array(design)).reward()
        for design in product(task.space.settings, repeat=2)
    )
    assert value == pytest.approx(best, abs=1e-12)
    assert evaluate_settings(task, settings).reward() == pytest.approx(best, abs=1e-12)
    assert tuple(lines) == log


def test_too_many_layers_are_refused():
    with pytest.raises(
        RunError, match=r"at most 1e\+11 designs to .*, got one of 21 layers and 3e\+35 designs\."
    ):
        search_tree(load_task("LRMP-ResNet18-v0"), print)
