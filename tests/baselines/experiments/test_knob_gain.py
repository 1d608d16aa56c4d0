"""What a knob is worth, told for a knob whose worth is known: bits of activations."""

import json
import math
from dataclasses import replace

import pytest

from lrmp.baselines.experiments import knob_gain
from lrmp.envs.task.optimum import stored_optimum
from lrmp.envs.task.task import load_task
from lrmp.hardware.families.precision import PRECISION

TASKS = ("LRMP-MLP-v0", "LRMP-MLP-Energy-v0")
FAMILY = replace(PRECISION, without={"activation_bits": (8,)})


@pytest.fixture(scope="module")
def gains():
    return knob_gain.knob_gains(FAMILY, TASKS)


def test_the_knob_is_turned_in_one_of_the_two_alone():
    task = load_task(TASKS[0])
    bare = knob_gain.without_knobs(task, FAMILY)
    assert (bare.budget, bare.accelerator) == (task.budget, task.accelerator)
    settings = bare.space.decode(bare.space.uniform(len(bare.network)))
    assert (settings["activation_bits"] == 8).all()
    assert set(settings["weight_bits"].ravel()) == set(range(2, 9))


def test_more_choice_never_loses_and_is_what_the_optimum_says(gains):
    assert [(each.task, each.allowance) for each in gains] == [
        (task, allowance) for task in TASKS for allowance in knob_gain.ALLOWANCES
    ]
    for each in gains:
        assert each.ratio >= 1
        assert each.with_knobs <= each.with_bound <= (1 + 1e-9) * each.with_knobs
        assert each.without_knobs <= each.without_bound <= (1 + 1e-9) * each.without_knobs
    at_one = next(each for each in gains if each.allowance == 1.0)
    assert at_one.with_knobs == pytest.approx(math.exp(stored_optimum(TASKS[0]).value))
    # 8-bit inputs stream in over 8 cycles: bits of weights alone save few of them.
    assert at_one.ratio > 1.5


def test_knobs_that_may_be_what_they_are_are_worth_nothing():
    same = replace(PRECISION, without={"activation_bits": tuple(range(2, 9))})
    (found,) = knob_gain.knob_gains(same, TASKS[:1], (1.0,))
    assert found.ratio == 1


def test_results_are_written_and_drawn(gains, tmp_path, monkeypatch):
    monkeypatch.setattr(knob_gain, "knob_gains", lambda family: gains)
    monkeypatch.setattr(knob_gain, "find_family", lambda name: FAMILY)
    knob_gain.compute(knob_gain.Args(("precision",), tmp_path))
    document = json.loads((tmp_path / "precision.json").read_text("utf-8"))
    assert document["without"] == {"activation_bits": [8]}
    assert len(document["gains"]) == len(gains)
    table = knob_gain.format_gains(tmp_path / "precision.json").splitlines()
    assert len(table) == 2 + len(gains)
    assert "`activation_bits`" in table[0]
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".png", ".svg"}
