"""A knob says in one place what it does to a network; evaluator and measurement apply it."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from lrmp.accuracy.lab.evaluator import NetworkEvaluator
from lrmp.accuracy.lab.measurement import Measurement
from lrmp.accuracy.lab.network import NetworkAccuracy
from lrmp.accuracy.lab.network_effect import network_effect
from lrmp.accuracy.lab.quantization import QuantizedNetwork
from lrmp.accuracy.lab.table_build import build_table, write_table
from lrmp.accuracy.model.sensitivity_table import SensitivityTable
from lrmp.errors import AccuracyDataError, DesignError
from lrmp.hardware.chip.preset import with_noise
from lrmp.hardware.families import FAMILIES
from lrmp.hardware.space.catalogue import KNOBS
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob
from lrmp.hardware.space.precision import PRECISION, precision, weight_bits

pytestmark = pytest.mark.long


def limit_outputs(layer, value):
    """Keep outputs within a limit, as an amplifier would; the whole knob is here and below."""
    limit = math.inf if value == "none" else 20.0 if value == "wide" else 2.0
    layer.on_outputs.append(lambda outputs: outputs.clamp(-limit, limit))


LIMIT = Knob(
    "limit", ("narrow", "wide", "none"), "none", network_effect=f"{__name__}:limit_outputs"
)
SPACE = DesignSpace((LIMIT, *PRECISION))
FEW = DesignSpace((dataclasses.replace(weight_bits(), values=(2, 8)), LIMIT))


@pytest.fixture
def network():
    torch.manual_seed(0)
    every = dataclasses.replace(FAMILIES["adc"].chip(), active_columns=8, float_input_bits=16)
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    found = QuantizedNetwork(model, chip=with_noise(every, "pcm_nandakumar_2019"))
    images = 20 * torch.rand(32, 4, generator=torch.Generator().manual_seed(0))
    found.calibrate(images)
    return found, images


def run(network, images, design):
    network.set_design(design)
    with torch.inference_mode():
        scores = network(images)
    network.set_float()
    return scores


@pytest.mark.parametrize("name", KNOBS)
def test_network_computes_with_every_knob(name, network):
    found, images = network
    knob = KNOBS[name]
    for value in (knob.values[0], knob.plain):
        found.noise_run.seed = 0
        for layer in found.layers.values():
            layer.round_weights(8)
            layer.round_inputs(8)
            network_effect(knob)(layer, value)
        with torch.inference_mode():
            assert found(images).isfinite().all()
        found.set_float()


def test_knob_changes_its_layer_alone(network):
    network, images = network
    bits = {"weight_bits": [4, 8], "activation_bits": [6, 5]}
    plain = run(network, images, Design.of(bits))
    assert torch.equal(run(network, images, Design.of(bits, space=SPACE)), plain)
    last = run(network, images, Design.of(bits | {"limit": ["none", "narrow"]}, space=SPACE))
    assert torch.equal(last, plain.clamp(-2, 2))
    assert not torch.equal(last, plain)
    first = run(network, images, Design.of(bits | {"limit": ["narrow", "none"]}, space=SPACE))
    assert not torch.allclose(first, plain, atol=0.1)


def test_nothing_of_a_design_is_left_for_the_next(network):
    network, images = network
    with torch.inference_mode():
        expected = network(images)
        limited = Design.of({"limit": "narrow"}, layers=2, space=SPACE)
        once = run(network, images, limited)
        assert torch.equal(run(network, images, limited), once)
        network.set_design(limited)
        network.set_design(Design.plain(2))  # without taking the other back first
        assert torch.equal(network(images), run(network, images, Design.plain(2)))
        assert torch.equal(network(images), expected)


def test_lstm_limits_what_its_products_give(network):
    torch.manual_seed(0)
    lstm = QuantizedNetwork(nn.Sequential(nn.LSTM(3, 4)))
    inputs = 100 * torch.rand(5, 2, 3)
    lstm.calibrate([inputs])
    layer = lstm.layers["0.l0"]
    network_effect(LIMIT)(layer, "narrow")
    outputs, (_, cell) = lstm.model(inputs)
    # Every gate opens by sigmoid(2) at most: the cell cannot hold more than a geometric series.
    gate = torch.sigmoid(torch.tensor(2.0))
    assert cell.abs().max() <= gate * math.tanh(2) / (1 - gate)
    layer.set_float()
    assert not torch.allclose(lstm.model(inputs)[0], outputs, atol=0.01)


# Through evaluator and measurement


def test_evaluator_runs_designs_with_the_knob(folder, protocol):
    evaluator = NetworkEvaluator(protocol.subject(folder))
    plain = evaluator.evaluate(Design.plain(10), "search")
    assert evaluator.evaluate(Design.plain(10, SPACE), "search") == plain
    limited = Design.of({"limit": ["none"] * 9 + ["narrow"]}, space=SPACE)
    found = evaluator.evaluate(limited, "search")
    assert found.divergence > 10 * plain.divergence
    evaluator.network.set_design(Design.plain(10))
    network = evaluator.network
    by_hand = evaluator.compare(lambda images: network(images).clamp(-2, 2), "search")
    network.set_float()
    assert found == by_hand


def test_network_accuracy_runs_designs_with_the_knob(folder, protocol):
    accuracy = NetworkAccuracy(protocol, SPACE, folder)
    narrow = Design.of({"limit": "narrow"}, layers=10, space=SPACE)
    assert accuracy.drop(narrow) != accuracy.drop(Design.plain(10, SPACE))
    assert accuracy.drops(narrow.settings[None], narrow.replication[None]) == accuracy.drop(narrow)
    assert accuracy.sensitivities() is None  # the shipped table has not turned this knob
    assert NetworkAccuracy(protocol, PRECISION, folder).sensitivities().shape == (10, 2)
    with pytest.raises(DesignError, match=r"Expected a design of the knobs limit, weight_bits, "):
        accuracy.drop(Design.plain(10))


def test_measurement_turns_the_knob_like_any_other(folder, protocol, tmp_path):
    measurement = Measurement(protocol.subject(folder), tmp_path / "log.jsonl", space=FEW)
    table = build_table(measurement, "a test", fit_designs=12)
    measured = measurement.table()
    limits, weights = measured.terms["limit",], measured.terms["weight_bits",]
    assert limits.shape == (10, 3)
    assert weights.shape == (10, 2)
    assert (limits[:, 2] < 1e-6).all()  # no limit changes nothing, rounding of float32 apart
    assert (limits[:, 0] >= limits[:, 1]).all()
    assert limits[:, 0].max() > 0.01
    path = write_table(table, measurement, tmp_path)
    read = SensitivityTable.from_text(path.read_text("utf-8"))
    narrow = Design.of({"limit": "narrow", "weight_bits": 2}, layers=10, space=FEW)
    expected = table.terms["limit",][:, 0].sum() + table.terms["weight_bits",][:, 0].sum()
    assert read.accuracy(FEW).sums(narrow.settings) == pytest.approx(expected, rel=1e-3)
    lines = (tmp_path / "resnet8.measured.jsonl").read_text("utf-8").splitlines()
    lines = [line for line in lines if '"design"' in line]
    assert len(lines) == 12 + 1  # and the plain one
    for line in lines:
        design = json.loads(line)["design"]
        assert set(design) == {"weight_bits", "limit"}
        assert set(design["limit"]) <= set(LIMIT.values)


def test_knob_that_is_new_to_a_log_is_measured_alone(folder, protocol, tmp_path):
    path = tmp_path / "log.jsonl"
    Measurement(
        protocol.subject(folder), path, space=DesignSpace(FEW.knobs[:1])
    ).measure_divergences()
    before = path.read_text("utf-8")
    both = Measurement(protocol.subject(folder), path, space=FEW)
    both.measure_divergences()
    text = path.read_text("utf-8")
    assert text.startswith(before)
    added = [json.loads(line) for line in text[len(before) :].splitlines()]
    assert {line["knob"] for line in added} == {"limit"}
    assert len(added) == 10 * 3
    assert np.isfinite(both.table().terms["limit",]).all()


# What cannot be applied


SILENT = Knob("reads", (1, 2), 1)


def test_knob_without_an_effect_is_refused(folder, protocol, network):
    space = DesignSpace((*PRECISION, SILENT))
    message = (
        r"Expected knobs that say what .*, got reads, which does not\. Give it network_effect="
    )
    with pytest.raises(AccuracyDataError, match=message):
        NetworkAccuracy(protocol, space, folder)
    with pytest.raises(AccuracyDataError, match=message):
        network[0].set_design(Design.plain(2, space))
    with pytest.raises(AccuracyDataError, match=message):
        network[0].check(space)


@pytest.mark.parametrize(
    ("effect", "reason"),
    [
        ("no_such_package.effects:limit", "No module named 'no_such_package'"),
        (f"{__name__}:no_such_function", "has no attribute 'no_such_function'"),
        (f"{__name__}:SPACE.names", "is no function"),
        ("limit outputs", "invalid format"),
    ],
)
def test_effect_that_is_no_function_is_refused(effect, reason):
    knob = dataclasses.replace(SILENT, network_effect=effect)
    with pytest.raises(
        AccuracyDataError,
        match=rf"Expected the network_effect of reads to be 'package\.module:function', .*{reason}",
    ):
        network_effect(knob)


def test_values_that_the_network_cannot_have_are_refused_at_once(folder, protocol):
    space = precision(9)
    accuracy = NetworkAccuracy(protocol, space, folder)
    with pytest.raises(
        AccuracyDataError, match=r"Expected weight_bits .* steps for, 2 to 8, got 9"
    ):
        accuracy.drop(Design.plain(10, space))
