"""A quantised forward pass beside the float one, and designs in batches beside one by one."""

import numpy as np
import pytest
import torch

from lrmp.accuracy.lab.evaluator import NetworkEvaluator
from lrmp.accuracy.lab.examples import Examples
from lrmp.accuracy.lab.models import load_model
from lrmp.accuracy.lab.quantization import QuantizedNetwork, integer_product, layers
from lrmp.accuracy.lab.subject import Subject
from lrmp.accuracy.model.digits import DigitsAccuracy
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.precision import PRECISION

#: Batches as the evaluator makes them.
INPUTS = {
    "mlp": (41, 1, 28),
    "lenet": (41, 1, 28),
    "resnet20": (32, 3, 32),
    "squeezenet1_1": (4, 3, 224),
    "mobilenet_v2": (4, 3, 224),
    "efficientnet_lite0": (4, 3, 224),
    "resnet18": (4, 3, 224),
}


@pytest.mark.parametrize("form", ["float", "step by step", "quantised"])
@pytest.mark.parametrize("name", INPUTS)
def test_forward_pass(benchmark, name, form, monkeypatch):
    benchmark.group = f"forward pass of {name} in float, and at 5 bits"
    count, channels, side = INPUTS[name]
    # Weights as they are drawn: the time does not depend on them.
    model = load_model(name).to(memory_format=torch.channels_last)
    shape = (count, side, side, channels)
    pixels = np.random.default_rng(0).random(shape, dtype=np.float32)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    if form == "step by step":  # activation functions and rounding in passes of their own
        monkeypatch.setattr(layers, "defers_exactly", lambda: False)
    if form != "float":
        network = QuantizedNetwork(model)
        network.calibrate(images[:4])
        bits = {"weight_bits": 5, "activation_bits": 5}
        network.set_design(Design.of(bits, layers=len(network.layers)))
        model = network
    with torch.inference_mode():
        scores = benchmark.pedantic(model, (images,), rounds=15, warmup_rounds=2)
    assert scores.shape[0] == count


@pytest.fixture(scope="module")
def evaluator():
    """ResNet-18 with weights as they are drawn, so that no data are needed."""
    images = np.random.default_rng(0).normal(0, 1, (16, 3, 224, 224)).astype(np.float32)
    model = load_model("resnet18")
    return NetworkEvaluator(Subject("drawn", model, Examples(images[:8]), Examples(images[8:])))


def neighbours(count, layers=21):
    """Draw designs as optimisers pick them: each is 5 bits but for a few layers."""
    rng, designs = np.random.default_rng(0), []
    for _ in range(count):
        settings = np.full((layers, 2), 3)
        settings[rng.integers(0, layers, 3)] = rng.integers(1, 6, (3, 2))
        designs.append(Design(PRECISION, settings, np.ones(layers, np.int64)))
    return designs


@pytest.mark.parametrize("form", ["one by one in float", "in a batch with integers"])
def test_designs(benchmark, form, evaluator, monkeypatch):
    benchmark.group = "8 designs of ResNet-18 on 8 images"
    designs = neighbours(8)
    evaluator.evaluate(designs[0], "search")  # loads and calibrates
    if form == "one by one in float":
        monkeypatch.setattr(integer_product, "kernels_are_exact", lambda: False)

        def run():
            return [evaluator.evaluate(design, "search") for design in designs]

    else:

        def run():
            return evaluator.evaluate_all(designs, "search")

    results = benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    assert [result.images for result in results] == [8] * 8


@pytest.mark.parametrize("form", ["alone", "in a search"])
def test_digits(benchmark, form):
    benchmark.group = "100 random designs of Digits"
    settings = np.random.default_rng(0).integers(0, 7, (100, 5, 2))
    designs = [Design(PRECISION, each, np.ones(5, np.int64)) for each in settings]
    DigitsAccuracy().correct(designs[0], "search")  # loads

    def run():  # nothing is remembered of the test images, nor of another search
        accuracy, split = DigitsAccuracy(), "test" if form == "alone" else "search"
        return [accuracy.correct(design, split) for design in designs]

    counts = benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    assert max(counts) > 400
