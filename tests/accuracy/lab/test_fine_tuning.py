"""qat-1: it starts at ptq-1, improves on it, repeats under a seed and resumes."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrmp.accuracy.lab.quantization import QuantizedNetwork
from lrmp.accuracy.lab.quantization.fine_tuning import FineTuning, fine_tune, trainable_copy
from lrmp.errors import AccuracyDataError
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob
from lrmp.hardware.space.precision import PRECISION, weight_bits

SETTINGS = FineTuning(epochs=4, batch=32, learning_rate=2e-3)
DESIGN = Design.of({"weight_bits": 3, "activation_bits": 3}, layers=3)


@pytest.fixture(scope="module")
def problem():
    """Tell which quarter of a noisy image is bright; a small network learns it in float."""
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(rng.integers(0, 4, 512))
    images = rng.normal(0, 1, (512, 1, 8, 8)).astype(np.float32)
    for image, label in zip(images, labels.tolist(), strict=True):
        row, column = divmod(label, 2)
        image[0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 0.8
    images = torch.from_numpy(images)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(128, 4),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    model.to(memory_format=torch.channels_last)  # as the evaluator has it
    network = QuantizedNetwork(model.requires_grad_(False).eval())
    network.calibrate(images[:64])
    return network, images, labels


def loss(model, problem):
    with torch.no_grad():
        return float(F.cross_entropy(model(problem[1]), problem[2]))


def test_training_starts_at_the_quantised_network(problem):
    network, images, _ = problem
    model = trainable_copy(network, DESIGN)
    network.set_design(DESIGN)
    with torch.no_grad():
        assert torch.allclose(model(images), network(images), atol=1e-4)
        network.set_float()


def test_training_recovers_what_rounding_lost(problem):
    network = problem[0]
    before = loss(trainable_copy(network, DESIGN), problem)
    trained = fine_tune(trainable_copy(network, DESIGN), *problem[1:], SETTINGS)
    exact = loss(network, problem)
    assert loss(trained, problem) < before - 0.5 * (before - exact)


def test_weights_and_steps_learn_and_the_float_network_does_not(problem):
    network = problem[0]
    weight = network.layers["0"].float_weight.clone()
    model = trainable_copy(network, DESIGN)
    start = {name: value.clone() for name, value in model.named_parameters()}
    fine_tune(model, *problem[1:], FineTuning(epochs=1, learning_rate=1e-3))
    for name, value in model.named_parameters():
        assert not torch.equal(value, start[name]), name
    assert torch.equal(network.layers["0"].float_weight, weight)


def test_seed_fixes_the_result(problem):
    runs = [
        fine_tune(
            trainable_copy(problem[0], DESIGN), *problem[1:], FineTuning(epochs=1, seed=seed)
        ).state_dict()
        for seed in (0, 0, 1)
    ]
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])
    assert any(not torch.equal(runs[0][name], runs[2][name]) for name in runs[0])


def test_interrupted_training_goes_on_to_the_same_result(problem, tmp_path):
    def start():
        return trainable_copy(problem[0], DESIGN)

    whole = fine_tune(start(), *problem[1:], SETTINGS, tmp_path / "whole").state_dict()
    for epoch in (3, 4):
        (tmp_path / "whole" / f"epoch{epoch}.safetensors").unlink()
    resumed = fine_tune(start(), *problem[1:], SETTINGS, tmp_path / "whole").state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_checkpoint_of_other_settings_is_refused(problem, tmp_path):
    settings = FineTuning(epochs=1)
    fine_tune(trainable_copy(problem[0], DESIGN), *problem[1:], settings, tmp_path)
    with pytest.raises(AccuracyDataError, match=r"Expected a checkpoint of .* Name another folder"):
        fine_tune(trainable_copy(problem[0], DESIGN), *problem[1:], SETTINGS, tmp_path)


def test_lstm_is_refused():
    network = QuantizedNetwork(nn.Sequential(nn.LSTM(3, 4)))
    network.calibrate([torch.zeros(2, 1, 3)])
    with pytest.raises(AccuracyDataError, match=r"Expected convolutions .* got 0, which qat-1"):
        trainable_copy(network, Design.plain(1))


def test_design_that_rounds_no_inputs_is_refused(problem):
    design = Design.plain(3, DesignSpace((weight_bits(),)))
    with pytest.raises(
        AccuracyDataError, match=r"rounds weights and inputs, .* got 8 and None bits"
    ):
        trainable_copy(problem[0], design)
    assert problem[0].layers["0"].weight_bits is None


def halve(layer, value):
    layer.on_outputs.append(lambda outputs: outputs / value)


def test_other_knobs_stay_while_weights_learn(problem):
    network, images, _ = problem
    knob = Knob("divisor", (1, 2), 1, network_effect=f"{__name__}:halve")
    design = Design.of({"divisor": [2, 1, 2]}, space=DesignSpace((*PRECISION, knob)))
    model = trainable_copy(network, design)
    network.set_design(design)
    with torch.no_grad():
        assert torch.allclose(model(images), network(images), atol=1e-3)
        network.set_float()
        assert not torch.allclose(model(images), network(images), atol=0.1)
