"""Noise: drawn from seeds, averaged over them, less with copies, and alike in every run."""

import dataclasses
import json
import math

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn

from lrmp.accuracy.lab import evaluator as evaluator_module
from lrmp.accuracy.lab.evaluator import NetworkEvaluator
from lrmp.accuracy.lab.examples import Examples
from lrmp.accuracy.lab.measurement import Measurement
from lrmp.accuracy.lab.network import NetworkAccuracy
from lrmp.accuracy.lab.noise import Noise, NoiseRun
from lrmp.accuracy.lab.quantization import QuantizedNetwork
from lrmp.accuracy.lab.quantization.fine_tuning import trainable_copy
from lrmp.accuracy.lab.subject import Subject
from lrmp.accuracy.model.design_result import DesignResult, design_result
from lrmp.accuracy.model.turn import turned_of
from lrmp.envs import make_task
from lrmp.envs.task.custom_task import find_task
from lrmp.envs.task.task_definition import task_document, task_of_document
from lrmp.errors import AccuracyDataError, TaskError
from lrmp.hardware.chip.preset import load_preset
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob
from lrmp.hardware.space.precision import PRECISION, weight_bits

SCALES = {"high": 0.5, "low": 0.1, "off": 0.0}


def noisy_reads(layer, value):
    """Add noise to every sum that is read, less where copies are read."""
    if value != "off":
        scale = SCALES[value] / math.sqrt(layer.copies)
        noise = layer.noise("reads")
        layer.on_outputs.append(lambda outputs: outputs + scale * noise.normal(outputs))


def noisy_cells(layer, value):
    """Program weights with errors, the same for all images."""
    if value == "off":
        return
    noise = layer.noise("cells")

    def program(weight):
        drawn = noise.generator().standard_normal(tuple(weight.shape), np.float32)
        return weight + 0.3 * SCALES[value] * weight.abs().amax() * torch.from_numpy(drawn)

    layer.change_weights(program)


def late(layer, value):
    layer.on_outputs.append(lambda outputs: outputs / layer.copies)


def late_noise(layer, value):
    layer.on_outputs.append(lambda outputs: layer.noise("late").normal(outputs))


def adc(layer, value):
    limit = layer.chip.crossbar_rows if value == "on" else math.inf
    layer.on_outputs.append(lambda outputs: outputs.clamp(-limit, limit))


def knob(effect, values=tuple(SCALES)):
    name = effect.__name__
    return Knob(name, values, values[-1], network_effect=f"{__name__}:{name}")


READS, CELLS, LATE, LATE_NOISE = map(knob, (noisy_reads, noisy_cells, late, late_noise))
ADC = knob(adc, ("on", "off"))
SPACE = DesignSpace((*PRECISION, READS, CELLS))
FEW = DesignSpace((dataclasses.replace(weight_bits(), values=(3, 8)), READS))


@pytest.fixture(scope="module")
def subject():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(54, 5),
    )
    with torch.no_grad():
        module[5].weight.mul_(5)
    images = np.random.default_rng(0).normal(0, 1, (400, 1, 8, 8)).astype(np.float32)
    return Subject(
        "noisy", module, Examples(images[:16]), Examples(images[16:80]), Examples(images[80:])
    )


@pytest.fixture(scope="module")
def evaluators(subject):
    """Return evaluators by their seeds, which share a network."""
    first = NetworkEvaluator(subject)
    first.evaluate(Design.plain(3), "test")
    known = {}

    def with_seeds(*seeds):
        if seeds not in known:
            known[seeds] = NetworkEvaluator(subject, noise_seeds=seeds)
            known[seeds].__dict__.update(network=first.network, float_model=first.float_model)
            known[seeds]._splits, known[seeds]._shape = first._splits, first._shape
            known[seeds]._layout = first._layout
        return known[seeds]

    return with_seeds


def design(copies=None, **values):
    return Design.of(values, copies, layers=3, space=SPACE)


READ, CELL = design(noisy_reads="high"), design(noisy_cells="high")


# Seeds


@pytest.mark.parametrize("noisy", [READ, CELL], ids=["reads", "cells"])
def test_seed_fixes_the_result(evaluators, noisy):
    once = evaluators(0).evaluate(noisy, "search")
    assert evaluators(0).evaluate(noisy, "search") == once
    assert evaluators(1).evaluate(noisy, "search").divergence != once.divergence
    assert once.divergence > 2 * evaluators(0).evaluate(design(), "search").divergence


@pytest.mark.parametrize("noisy", [READ, CELL], ids=["reads", "cells"])
def test_result_is_the_mean_over_the_seeds(evaluators, noisy):
    found = evaluators(3, 1, 4).evaluate(noisy, "search")
    alone = [evaluators(seed).evaluate(noisy, "search") for seed in (3, 1, 4)]
    assert found.runs == 3
    assert found.images == 64
    assert found.drops.tolist() == [each.drop for each in alone]
    assert found.drop == pytest.approx(np.mean([each.drop for each in alone]))
    assert found.top1 == pytest.approx(np.mean([each.top1 for each in alone]))
    assert found.expected_drop == pytest.approx(
        np.mean([each.expected_drop for each in alone]), abs=1e-3
    )
    assert found.divergence == pytest.approx(np.mean([each.divergence for each in alone]))
    assert found.divergence_error < max(each.divergence_error for each in alone)
    assert len({each.lost_images for each in alone}) == 3


def test_more_seeds_come_nearer_to_the_mean(evaluators):
    alone = [evaluators(seed).evaluate(CELL, "search").divergence for seed in range(32)]
    together = [
        evaluators(*range(first, first + 8)).evaluate(CELL, "search").divergence
        for first in range(0, 32, 8)
    ]
    assert together == pytest.approx(np.reshape(alone, (4, 8)).mean(1).tolist())
    assert np.std(together) < 0.7 * np.std(alone)


def test_design_without_noise_runs_once_and_as_before(evaluators):
    plain = design(weight_bits=4, activation_bits=4)
    found = evaluators(0, 1).evaluate(plain, "search")
    assert found == evaluators().evaluate(plain, "search")
    assert found == evaluators().evaluate(
        Design.of({"weight_bits": 4, "activation_bits": 4}, layers=3), "search"
    )
    assert found.runs == 1


def test_more_copies_mean_less_noise(evaluators):
    divergences = [
        evaluators(0, 1, 2).evaluate(design([copies] * 3, noisy_reads="high"), "search").divergence
        for copies in (1, 4, 16)
    ]
    assert divergences[0] > 1.5 * divergences[1] > 2.25 * divergences[2]
    first = evaluators(0).evaluate(design([4, 1, 1], noisy_reads="high"), "search")
    assert first.divergence < evaluators(0).evaluate(READ, "search").divergence


# What results do not depend on


def test_batches_of_designs_give_what_each_gives_alone(evaluators):
    designs = [
        READ,
        design([2, 1, 1], noisy_reads="high"),
        design([1, 1, 3], noisy_reads="high"),
        design([5, 1, 3]),
        CELL,
        design(noisy_cells=["off", "off", "low"]),
        design(noisy_reads=["off", "off", "low"]),
        design(),
        READ,
    ]
    evaluator = evaluators(0, 1)
    alone = [evaluator.evaluate(each, "search") for each in designs]
    assert evaluator.evaluate_all(designs, "search") == alone
    assert alone[0] != alone[1] != alone[2]
    assert alone[3] == alone[7]
    assert [each.runs for each in alone] == [2, 2, 2, 1, 2, 2, 2, 1, 2]


def test_copies_are_compared_where_an_effect_asks_for_them(evaluators):
    evaluator, layers = evaluators(0), evaluators(0).network.layers

    def runs_of_first(designs):
        before = layers["0"].runs
        evaluator.evaluate_all(designs, "search")
        return layers["0"].runs - before

    once = runs_of_first([design()])
    assert runs_of_first([design(), design([7, 1, 1])]) == once
    assert runs_of_first([READ, design([1, 1, 7], noisy_reads="high")]) == once
    assert runs_of_first([READ, design([7, 1, 1], noisy_reads="high")]) == 2 * once


def test_noise_of_an_image_does_not_depend_on_its_batch(subject, monkeypatch):
    found = []
    for pixels in (2**15, 7 * 64):
        monkeypatch.setattr(evaluator_module, "PIXELS_PER_BATCH", pixels)
        evaluator = NetworkEvaluator(subject, noise_seeds=(0,))
        found.append(evaluator.evaluate(READ, "search"))
        assert len(evaluator.split("search").images) == (1 if pixels == 2**15 else 10)
    assert found[0].lost_images == found[1].lost_images
    assert found[0].divergence == pytest.approx(found[1].divergence, rel=1e-4)


class Again(nn.Module):
    """Its first layer runs twice, in different stages."""

    def __init__(self):
        super().__init__()
        self.inner, self.middle, self.out = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 4)

    def forward(self, features):
        return self.out(self.inner(self.middle(self.inner(features))).relu())


def test_layer_that_runs_in_several_stages_draws_as_alone():
    torch.manual_seed(0)
    inputs = np.random.default_rng(0).normal(0, 1, (40, 6)).astype(np.float32)
    evaluator = NetworkEvaluator(
        Subject("again", Again(), Examples(inputs[:8]), Examples(inputs[8:])), noise_seeds=(0,)
    )
    assert evaluator.stage_layers == [["inner"], ["middle"], ["inner"], ["out"]]
    high = ["high", "off", "off"]
    designs = [
        design(noisy_reads=high),
        design(noisy_reads=high, weight_bits=[8, 3, 8]),
        design(weight_bits=[8, 3, 8]),
        design(weight_bits=[4, 8, 8]),
    ]
    alone = [evaluator.evaluate(each, "search") for each in designs]
    assert evaluator.evaluate_all(designs, "search") == alone
    # Its sensitivity is that of both uses, measured once.
    found = [turned for stage in range(4) for turned in evaluator.stage_divergences(stage, FEW)]
    assert len(found) == len(dict(found)) == 3 * 5
    evaluator.network.layers["inner"].round_weights(3)
    by_hand = evaluator.compare(evaluator.network, "search").divergence
    evaluator.network.set_float()
    assert dict(found)["inner", ("weight_bits",), (3,)] == pytest.approx(by_hand)


def noise(seed=0, layer=0, purpose="reads", split="search", first=0, images=4):
    run = NoiseRun(seed)
    run.start_batch(split, first, images)
    return Noise(run, layer, purpose)


def test_everything_has_noise_of_its_own():
    outputs = torch.zeros(4, 3, 5)
    base = noise().normal(outputs)
    others = [
        {"seed": 1},
        {"layer": 1},
        {"purpose": "cells"},
        {"split": "test"},
        {"first": 4},
    ]
    drawn = [base, *(noise(**each).normal(outputs) for each in others)]
    rows = torch.cat([each.flatten(1) for each in drawn])
    assert len(torch.unique(rows, dim=0)) == len(rows)
    assert torch.equal(noise(first=2).normal(outputs)[:2], base[2:])
    assert torch.equal(noise().normal(outputs), base)
    assert base.dtype == torch.float32


def test_noise_is_standard_normal():
    drawn = noise(images=100).normal(torch.zeros(100, 1000))
    assert float(drawn.mean()) == pytest.approx(0, abs=0.02)
    assert float(drawn.std()) == pytest.approx(1, abs=0.02)
    of_weights = noise().generator().standard_normal(1000)
    assert np.array_equal(
        of_weights, noise(split="test", first=9).generator().standard_normal(1000)
    )
    assert of_weights[0] != drawn[0, 0]


def test_every_use_of_a_layer_draws_anew_and_every_pass_the_same():
    run = NoiseRun(0)
    drawing, outputs = Noise(run, 0, "reads"), torch.zeros(3, 4)
    passes = []
    for _ in range(2):
        run.start_batch("search", 0, 3)
        passes.append([drawing.normal(outputs), drawing.normal(outputs)])
    assert not torch.equal(passes[0][0], passes[0][1])
    assert all(map(torch.equal, *passes))


def test_rows_that_are_no_images_draw_for_the_whole_batch():
    run = NoiseRun(0)
    run.start_batch("search", 0, 2)
    drawn = Noise(run, 0, "reads").normal(torch.zeros(7, 2, 3))
    assert len(torch.unique(drawn)) == 42


def test_lstm_draws_in_every_step():
    torch.manual_seed(0)
    network = QuantizedNetwork(nn.Sequential(nn.LSTM(3, 4, bias=False)))
    network.calibrate([torch.ones(6, 2, 3)])
    network.noise_run.seed = 0
    noisy_reads(network.layers["0.l0"], "high")
    with torch.inference_mode():
        steps, _ = network.model(torch.zeros(6, 2, 3))
    assert len(torch.unique(steps)) == 6 * 2 * 4


# Weights


def test_weights_are_rounded_before_they_are_changed(evaluators):
    network = evaluators().network
    layer = network.layers["2"]
    before = layer.module.weight.clone()

    def halve(weight):
        return 0.5 * weight

    layer.change_weights(halve)
    assert torch.equal(layer.module.weight, 0.5 * before)
    layer.round_weights(3)
    halved = layer.module.weight.clone()
    layer.set_float()
    assert torch.equal(layer.module.weight, before)
    layer.round_weights(3)
    assert torch.equal(halved, 0.5 * layer.module.weight)
    layer.change_weights(halve)
    layer.change_weights(halve)
    assert torch.equal(0.5 * halved, layer.module.weight)
    layer.set_float()
    assert not layer.changes_weights


def test_weights_of_an_lstm_change_and_come_back():
    torch.manual_seed(0)
    network = QuantizedNetwork(nn.Sequential(nn.LSTM(3, 4)))
    inputs = torch.rand(5, 2, 3)
    network.calibrate([inputs])
    layer, (expected, _) = network.layers["0.l0"], network.model(inputs)
    layer.change_weights(torch.zeros_like)
    assert not torch.allclose(network.model(inputs)[0], expected, atol=0.01)
    layer.set_float()
    assert torch.equal(network.model(inputs)[0], expected)


def test_fine_tuning_refuses_changed_weights_and_noise(evaluators):
    network = evaluators().network
    with pytest.raises(
        AccuracyDataError, match=r"Expected a run with a seed, .* 'reads' .*; fine-"
    ):
        trainable_copy(network, READ)
    fixed = Knob("halves", ("on", "off"), "off", network_effect=f"{__name__}:halves")
    space = DesignSpace((*PRECISION, fixed))
    with pytest.raises(AccuracyDataError, match=r"Expected a design whose knobs do nothing to wei"):
        trainable_copy(network, Design.of({"halves": "on"}, layers=3, space=space))


def halves(layer, value):
    if value == "on":
        layer.change_weights(lambda weight: 0.5 * weight)


# Measurements


def test_sensitivities_are_means_over_the_seeds(evaluators, subject, tmp_path):
    few = [dict(evaluators(seed).stage_divergences(1, FEW)) for seed in (0, 1)]
    both = dict(evaluators(0, 1).stage_divergences(1, FEW))
    for turned, divergence in both.items():
        assert divergence == pytest.approx((few[0][turned] + few[1][turned]) / 2)
    assert few[0]["2", ("noisy_reads",), ("high",)] != few[1]["2", ("noisy_reads",), ("high",)]
    assert few[0]["2", ("weight_bits",), (3,)] == few[1]["2", ("weight_bits",), (3,)]
    path = tmp_path / "log.jsonl"
    measurement = Measurement(subject, path, space=FEW, noise_seeds=(0, 1))
    measurement.measure_divergences()
    assert measurement.surroundings == {"noise_seeds": [0, 1]}
    kept = {turned_of(line): line["divergence"] for line in measurement.log.results}
    for turned, divergence in both.items():
        assert kept[turned] == pytest.approx(divergence, rel=1e-3, abs=1e-6)
    (line, silent) = measurement.run_designs(
        "search", np.array([[[0, 0]] * 3, [[0, 2]] * 3]), [[{}]] * 2
    )
    assert line["runs"] == 2
    assert "runs" not in silent
    assert design_result(line).drop == pytest.approx(np.mean(design_result(line).drops))
    with pytest.raises(AccuracyDataError, match=r"another one's \(different: noise_seeds\)"):
        Measurement(subject, path, space=FEW, noise_seeds=(0,))
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0]).keys() == {
        "network",
        "protocol",
        "noise_seeds",
    }


def test_log_without_seeds_is_as_before(subject, tmp_path):
    Measurement(subject, tmp_path / "log.jsonl")
    head = json.loads((tmp_path / "log.jsonl").read_text("utf-8"))
    assert head == {"network": "noisy", "protocol": subject.identity}


# The accuracy model


def test_model_takes_means_and_sees_copies(subject, evaluators):
    model = NetworkAccuracy(subject, SPACE, noise_seeds=(0, 1))
    model.__dict__["evaluator"] = evaluators(0, 1)
    many = design([9, 9, 9], noisy_reads="high")
    assert model.drop(READ) == evaluators(0, 1).evaluate(READ, "search").drop
    assert model.drop(many) == evaluators(0, 1).evaluate(many, "search").drop
    assert model.drop(many) < model.drop(READ)
    assert model.test_drop(READ) == evaluators(0, 1).evaluate(READ, "test").drop
    batch = model.drops(
        np.stack([READ.settings, many.settings]), np.stack([READ.replication, many.replication])
    )
    assert batch.tolist() == [model.drop(READ), model.drop(many)]


def test_fingerprint_has_the_seeds_where_there_are_any(subject, protocol, folder):
    prints = [
        NetworkAccuracy(source, noise_seeds=seeds).fingerprint
        for source in (subject, protocol)
        for seeds in ((), (0,), (0, 1))
    ]
    assert len(set(prints)) == 6
    assert prints[0] == subject.identity


def test_noise_without_seeds_is_refused(subject, evaluators, tmp_path):
    message = (
        r"Expected a run with a seed, which the noise 'reads' of a knob is drawn from, got one "
        r"without\. Give NetworkAccuracy, NetworkEvaluator or Measurement noise_seeds=\(0, 1, 2\)"
    )
    with pytest.raises(AccuracyDataError, match=message):
        evaluators().evaluate(READ, "search")
    with pytest.raises(AccuracyDataError, match=message):
        NetworkAccuracy(subject, SPACE).drop(design())  # at once, not at the first noisy design
    with pytest.raises(AccuracyDataError, match=message):
        Measurement(subject, tmp_path / "log.jsonl", space=FEW).measure_divergences()
    assert evaluators().network.noise_run.seed is None


@pytest.mark.parametrize("seeds", [(0, 0), (-1,), (0.5,), (True,), "ab"])
def test_bad_seeds_are_refused(subject, seeds):
    with pytest.raises(AccuracyDataError, match=r"Expected noise_seeds as different whole numbers"):
        NetworkAccuracy(subject, noise_seeds=seeds)


@pytest.mark.parametrize(("knob", "what"), [(LATE, "copies"), (LATE_NOISE, "noise")])
def test_effect_that_asks_too_late_is_refused(evaluators, knob, what):
    asking = Design.of({}, layers=3, space=DesignSpace((*PRECISION, knob)))
    with pytest.raises(
        AccuracyDataError, match=rf"Expected the effect of a knob to ask for {what} when it is appl"
    ):
        evaluators(0).evaluate(asking, "search")
    evaluators(0).evaluate(design(), "search")


# The chip


def test_effects_see_the_chip(subject, tmp_path):
    space, chip = DesignSpace((*PRECISION, ADC)), load_preset("isaac_isca_2016")
    limited = Design.of({"adc": "on"}, layers=3, space=space)
    rows = dataclasses.replace(chip, crossbar_rows=1, active_rows=1)
    found = [
        NetworkEvaluator(subject, chip=each).evaluate(limited, "search").divergence
        for each in (chip, rows)
    ]
    assert found[1] > 10 * found[0]
    with pytest.raises(
        AccuracyDataError, match=r"Expected a chip, which the effect of a knob asks"
    ):
        NetworkEvaluator(subject).evaluate(limited, "search")
    measurement = Measurement(subject, tmp_path / "log.jsonl", chip=chip)
    assert measurement.surroundings["chip"].startswith("isaac_isca_2016, ")
    Measurement(subject, tmp_path / "log.jsonl", chip=load_preset("isaac_isca_2016"))
    with pytest.raises(AccuracyDataError, match=r"another one's \(different: chip\)"):
        Measurement(subject, tmp_path / "log.jsonl", chip=rows)
    task = make_task("resnet20", chip, accuracy="network", budget=1000)
    assert task.accuracy.chip == chip


# Tasks


def test_task_has_seeds(tmp_path):
    plain = make_task("resnet20", accuracy="network")
    noisy = make_task("resnet20", accuracy="network", noise_seeds=[0, 1])
    assert noisy.accuracy.noise_seeds == (0, 1)
    assert plain.accuracy.noise_seeds == ()
    assert len({plain.fingerprint, noisy.fingerprint}) == 2
    assert noisy == make_task("resnet20", accuracy="network", noise_seeds=(0, 1))
    document = task_document(noisy)
    assert document["workload"][0]["accuracy"] == {"kind": "network", "noise_seeds": [0, 1]}
    assert task_document(plain)["workload"][0]["accuracy"] == {"kind": "network"}
    assert task_of_document(json.loads(json.dumps(document))) == noisy
    path = tmp_path / "task.toml"
    path.write_text('network = "resnet20"\naccuracy = "network"\nnoise_seeds = [0, 1]\n', "utf-8")
    assert find_task(path) == noisy
    assert gym.make("LRMP-Custom-v0", task=path).unwrapped.task == noisy


@pytest.mark.parametrize(
    ("accuracy", "seeds", "message"),
    [
        (
            "table",
            [0],
            r"Expected noise_seeds as a list .* beside accuracy='network', .* 'table'\.",
        ),
        ("network", 3, r"Expected noise_seeds as a list .* got 3 beside 'network'\."),
    ],
)
def test_seeds_of_other_accuracies_are_refused(accuracy, seeds, message):
    with pytest.raises(TaskError, match=message):
        make_task("resnet20", accuracy=accuracy, noise_seeds=seeds)


# Results of several runs


def test_result_of_several_runs_by_hand():
    # Images 0 to 4; run 0 loses 0 and 1 and gains 4, run 1 loses 0.
    result = DesignResult(0.1, 0.01, 5, 3, (0, 1, 5), (4,), (1.0, 2.0), runs=2)
    assert result.changes.tolist() == [1.0, 0.5, 0.0, 0.0, -0.5]
    assert result.drops.tolist() == [20.0, 20.0]
    assert result.drop == 20
    assert result.top1 == 40
    low, high = result.interval()
    # The mean of 5 images that change by 1, 1/2, 0, 0 and -1/2.
    error = 100 * np.std([1, 0.5, 0, 0, -0.5]) / np.sqrt(5)
    assert low == pytest.approx(20 - 1.96 * error, abs=6)
    assert high == pytest.approx(20 + 1.96 * error, abs=6)
    assert design_result(json.loads(json.dumps(result.to_json()))) == result


def test_result_of_one_run_stands_in_files_as_before():
    result = DesignResult(0.1, 0.01, 5, 3, (0, 1), (4,), (1.0,))
    assert list(result.to_json()) == [
        "divergence",
        "divergence_error",
        "images",
        "float_correct",
        "lost_images",
        "gained_images",
        "expected_drops",
    ]
    assert design_result(json.loads(json.dumps(result.to_json()))) == result
    assert result.drops.tolist() == [result.drop]
