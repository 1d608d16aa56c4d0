"""The family of analog ranges: what its tasks turn, for nothing, and where the best range is."""

import numpy as np
import pytest

from lrmp.accuracy.model.sensitivity_table import load_measured, measured_terms
from lrmp.baselines.experiments.knob_gain import without_knobs
from lrmp.envs import load_task
from lrmp.hardware import Design, load_preset
from lrmp.hardware.families import find_family
from lrmp.hardware.space.catalogue import is_catalogued, space_from_json

FAMILY = find_family("ranges")
TOGETHER = ("activation_bits", "input_range", "column_range")


@pytest.fixture(scope="module")
def task():
    return load_task("LRMP-LeNet-Ranges-v0")


def test_its_tasks_turn_ranges_beside_bits(task):
    assert is_catalogued(task.space)
    assert space_from_json(task.space.to_json()) == task.space
    assert task.space.acting_together == (("weight_bits",), TOGETHER)
    chip, preset = task.accelerator, load_preset("neurram_nature_2022")
    assert (chip.adc_bits, preset.adc_bits) == (5, 10)
    assert chip.energy == preset.energy


def test_ranges_cost_nothing(task):
    rng = np.random.default_rng(0)
    settings = task.space.sample(rng, 4)
    costs = set()
    for _ in range(8):
        settings[:, 2:] = task.space.sample(rng, 4)[:, 2:]
        report = task.cost_model.evaluate(Design(task.space, settings, np.ones(4, np.int64)))
        costs.add((report.tiles, report.latency_cycles, report.energy_fj))
    assert len(costs) == 1


def test_plain_ranges_cover_everything(task):
    assert [knob.plain for knob in task.space] == [8, 8, "100", "12"]
    bare = without_knobs(task, FAMILY)
    pairs = zip(task.space, bare.space.choices(1), strict=True)
    assert [knob.decode(places).tolist() for knob, places in pairs][2:] == [["100"], ["12"]]


def test_the_best_column_range_of_real_layers_is_in_between(task):
    """As measured on LeNet: a tight range clips sums, a wide one rounds them."""
    names = [layer.name for layer in task.network.layers]
    term = measured_terms(load_measured("lenet", "ranges"), task.space, names)[TOGETHER]
    at_8_bits_all_covered = term[:, -1, -1]  # shape (L, ranges)
    best = at_8_bits_all_covered.argmin(axis=1)
    assert ((best > 0) & (best < 3)).sum() >= 2
    # At few bits, covering the largest input is worst in some layer behind a ReLU.
    few = term[1:, 1, :, :].min(axis=-1)  # 3 bits, shape (L - 1, percentiles)
    assert (few[:, -1] > few[:, :-1].min(axis=1)).any()
