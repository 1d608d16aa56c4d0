"""The family of pruning: what its tasks turn, and what is worth something on its chip."""

import numpy as np
import pytest

from lrmp.baselines.experiments.knob_gain import without_knobs
from lrmp.envs import load_task
from lrmp.hardware import Design
from lrmp.hardware.families import find_family
from lrmp.hardware.space.catalogue import is_catalogued, space_from_json

FAMILY = find_family("prune")


@pytest.fixture(scope="module")
def task():
    return load_task("LRMP-LeNet-Prune-Energy-v0")


def test_its_tasks_turn_ratio_and_method_beside_bits(task):
    assert task.space.names == ("weight_bits", "activation_bits", "pruning_ratio", "pruning_method")
    assert is_catalogued(task.space)
    assert space_from_json(task.space.to_json()) == task.space
    assert task.space.acting_together[-1] == ("pruning_ratio", "pruning_method")
    assert task.accelerator == find_family("adc").chip()


def test_what_it_is_compared_with_prunes_nothing(task):
    bare = without_knobs(task, FAMILY)
    pairs = zip(task.space, bare.space.choices(2), strict=True)
    values = [knob.decode(places).tolist() for knob, places in pairs]
    assert values[2:] == [[0], ["fine"]]
    assert bare.budget == task.budget


def test_method_without_ratio_is_nothing(task):
    """Three settings of a layer that prune nothing have the same cost and the same drop."""
    rng = np.random.default_rng(0)
    settings = task.space.sample(rng, 4)
    settings[:, 2] = 0
    outcomes = set()
    for method in range(3):
        settings[:, 3] = method
        design = Design(task.space, settings, np.ones(4, np.int64))
        report = task.cost_model.evaluate(design)
        outcomes.add((report.energy_fj, report.latency_cycles, task.accuracy.drop(design)))
    assert len(outcomes) == 1


def test_more_of_a_method_costs_less_and_loses_more(task):
    for method in task.space["pruning_method"].values:
        designs = [
            Design.of({"pruning_ratio": ratio, "pruning_method": method}, layers=4,
                      space=task.space)
            for ratio in task.space["pruning_ratio"].values
        ]  # fmt: skip
        energies = [task.cost_model.evaluate(design).energy_fj for design in designs]
        drops = [task.accuracy.drop(design) for design in designs]
        assert energies == sorted(energies, reverse=True)
        assert len(set(energies)) == 5
        assert drops == sorted(drops)
