"""The calibration behind the shipped weight file, repeated from the shipped float weights."""

import numpy as np
import pytest

from lrmp.accuracy.model.digits import load_digits_split, load_quantized_layers, patches, to_maps
from lrmp.hardware import load_network

pytest.importorskip("torch")

from lrmp.accuracy.lab import train_digits

LAYERS = load_quantized_layers(load_network("digits_cnn"))


@pytest.fixture(scope="module")
def training_inputs():
    """Inputs of every layer of the float network on the training images."""
    inputs = []
    maps = load_digits_split("train").pixels
    for entry in LAYERS:
        inputs.append(maps)
        if entry.layer.kind == "conv2d":
            outputs = patches(maps, entry.layer) @ entry.weight.T + entry.bias
            maps = to_maps(np.maximum(outputs, 0))
    return inputs


@pytest.mark.parametrize("entry", LAYERS, ids=lambda entry: entry.layer.name)
def test_weight_steps_are_the_shipped_ones(entry):
    for index, bits in enumerate(range(2, 9)):
        steps = train_digits.weight_step(entry.weight, bits)
        assert np.array_equal(steps, entry.weight_steps[index])


# Every layer and every width is met; all pairs would take ten times as long.
@pytest.mark.parametrize(
    ("index", "bits"), [(0, 2), (0, 6), (1, 4), (2, 3), (3, 5), (3, 8), (4, 2), (4, 7)]
)
def test_activation_steps_are_the_shipped_ones(training_inputs, index, bits):
    step = train_digits.activation_step(training_inputs[index], bits)
    assert step == pytest.approx(LAYERS[index].activation_steps[bits - 2], rel=1e-6)


def test_steps_have_the_least_squared_error():
    weight = np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32)
    best = train_digits.weight_step(weight, 3)

    def error(steps):
        integers = np.clip(np.rint(weight / steps[:, None]), -3, 3)
        return np.square(integers * steps[:, None] - weight).mean(axis=1)

    for factor in (0.7, 0.85, 1.15, 1.3):
        assert (error(best) <= error(best * np.float32(factor))).all()


def test_calibration_file_is_the_shipped_float_network():
    torch = pytest.importorskip("torch")
    model = train_digits.DigitsCNN()
    state = {}
    for entry in LAYERS:
        layer, weight = entry.layer, torch.tensor(entry.weight)
        if layer.kind == "conv2d":
            k = layer.kernel_size
            weight = weight.reshape(layer.columns, k, k, -1).permute(0, 3, 1, 2)
        state |= {f"{layer.name}.weight": weight, f"{layer.name}.bias": torch.tensor(entry.bias)}
    model.load_state_dict(state)
    for split, correct in (("train", 898), ("search", 440), ("test", 446)):
        images = load_digits_split(split)
        with torch.no_grad():
            predicted = model(torch.from_numpy(images.pixels)).argmax(dim=1).numpy()
        assert np.count_nonzero(predicted == images.labels) == correct
