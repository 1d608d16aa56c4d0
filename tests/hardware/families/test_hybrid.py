"""The family of words in SRAM: what its tasks turn, and a chip that holds all of them."""

from math import ceil

import numpy as np
import pytest

from lrmp.baselines.experiments.knob_gain import without_knobs
from lrmp.envs import load_task
from lrmp.hardware import Design
from lrmp.hardware.families import find_family
from lrmp.hardware.space.catalogue import is_catalogued, space_from_json

FAMILY = find_family("hybrid")
SRAM_KNOBS = ("sram_sparsity", "sram_bits", "sram_shift")


@pytest.fixture(scope="module")
def task():
    return load_task("LRMP-LeNet-Hybrid-v0")


def test_its_tasks_turn_words_beside_bits(task):
    assert is_catalogued(task.space)
    assert space_from_json(task.space.to_json()) == task.space
    assert task.space.acting_together == (("weight_bits", *SRAM_KNOBS), ("activation_bits",))
    assert [knob.plain for knob in task.space] == [8, 8, 100, 2, 0]


def test_its_chip_holds_the_largest_design_to_the_tile(task):
    """By hand: 8 slices of rows x columns in 256 x 256 cells, words of 4 bits in 2^15 of a tile."""
    sizes = [(25, 20), (500, 50), (800, 500), (500, 10)]
    crossbars = [8 * ceil(rows / 256) * ceil(columns / 256) for rows, columns in sizes]
    assert crossbars == [8, 16, 64, 16]
    groups = [ceil(rows / 8) * columns for rows, columns in sizes]
    words = [ceil((8 * 4 * count + count) / 2**15) for count in groups]
    assert words == [1, 4, 51, 1]
    largest = {"weight_bits": 8, "sram_sparsity": 0, "sram_bits": 4}
    design = Design.of(largest, layers=4, space=task.space)
    report = task.cost_model.evaluate(design)
    assert report.layer_tiles.tolist() == [9, 20, 115, 17]
    assert task.budget == report.tiles == 161


def test_every_design_fits(task):
    rng = np.random.default_rng(0)
    for _ in range(50):
        settings = task.space.sample(rng, len(task.network))
        report = task.cost_model.evaluate(Design(task.space, settings, np.ones(4, np.int64)))
        assert report.tiles <= task.budget


def test_without_words_it_is_lrmps_own_chip_on_as_many_tiles(task):
    bare, own = without_knobs(task, FAMILY), load_task("LRMP-LeNet-v0")
    assert bare.budget == task.budget > own.budget
    assert set(bare.space.choices(0)[2].tolist()) == {task.space.choices(0)[2][-1]}
    bits = {"weight_bits": [6, 4, 3, 5], "activation_bits": [8, 6, 5, 4]}
    design = Design.of(bits, space=task.space)
    plain = Design.of(bits, space=own.space)
    there, here = own.cost_model.evaluate(plain), task.cost_model.evaluate(design)
    assert (there.tiles, there.latency_cycles) == (here.tiles, here.latency_cycles)
    assert there.energy_fj == here.energy_fj
