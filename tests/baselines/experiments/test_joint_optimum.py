"""The optimum of tasks of one's own, whose tables are anything."""

import numpy as np
import pytest

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.baselines.experiments.optimum import find_optimum
from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.task.custom_task import make_task, smallest_settings
from lrmp.errors import InfeasibleAccuracyError


def silent(line):
    pass


def lenet_task(weights, activations, objective):
    terms = {"weight_bits": weights, "activation_bits": activations}
    table = TableAccuracy(terms, "drawn", is_estimate=True)
    return make_task("lenet", objective=objective, accuracy=table)


def falling(rng):
    layers = len(make_task("lenet").network)
    return np.sort(rng.gamma(0.5, 1.0, (layers, 7)), axis=1)[:, ::-1]


@pytest.mark.long
@pytest.mark.parametrize("objective", ["latency", "throughput", "energy", "edp"])
@pytest.mark.parametrize("offset", [1e3, 1e6, 1e8, 1e12])
def test_what_weights_add_and_activations_take_away_again_is_rounded_at_most(offset, objective):
    for seed in range(6):
        rng = np.random.default_rng([seed, 21])
        weights, activations = falling(rng), falling(rng)
        plain = find_optimum(lenet_task(weights, activations, objective), silent)
        task = lenet_task(weights + offset, activations - offset, objective)
        shifted = find_optimum(task, silent)
        rounded = evaluate_settings(task, plain.design.settings)
        assert shifted.value <= shifted.bound
        assert rounded.score is None or rounded.score <= shifted.bound
        assert rounded.reward() <= shifted.reward_bound
        assert shifted.gap <= 1e-12 + 1e-13 * offset


@pytest.mark.parametrize("objective", ["latency", "throughput", "energy", "edp"])
def test_a_budget_for_hardly_more_than_the_fewest_bits_leaves_no_optimum(objective):
    task = make_task("resnet18")
    network = task.network
    tiles = int(task.cost_model.tiles_per_copy(smallest_settings(task)).sum())
    for more in range(2):
        with pytest.raises(InfeasibleAccuracyError, match="within the budget and the limit on acc"):
            find_optimum(make_task(network, budget=tiles + more, objective=objective), silent)
