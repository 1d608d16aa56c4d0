"""A quantised forward pass beside the float one: at most 1.5 times as long."""

import numpy as np
import pytest
import torch

from lrmp.accuracy.lab.models import load_model
from lrmp.accuracy.lab.quantization import QuantizedNetwork
from lrmp.hardware.space.design import Design

#: Batches as the evaluator makes them.
INPUTS = {
    "mlp": (41, 1, 28),
    "lenet": (41, 1, 28),
    "resnet20": (32, 3, 32),
    "squeezenet1_1": (4, 3, 224),
    "mobilenet_v2": (4, 3, 224),
    "resnet18": (4, 3, 224),
}


@pytest.mark.parametrize("form", ["float", "quantised"])
@pytest.mark.parametrize("name", INPUTS)
def test_forward_pass(benchmark, name, form):
    benchmark.group = f"forward pass of {name} in float, and at 5 bits"
    count, channels, side = INPUTS[name]
    # Weights as they are drawn: the time does not depend on them.
    model = load_model(name).to(memory_format=torch.channels_last)
    shape = (count, side, side, channels)
    pixels = np.random.default_rng(0).random(shape, dtype=np.float32)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    if form == "quantised":
        network = QuantizedNetwork(model)
        network.calibrate(images[:4])
        bits = {"weight_bits": 5, "activation_bits": 5}
        network.set_design(Design.of(bits, layers=len(network.layers)))
        model = network.model
    with torch.inference_mode():
        scores = benchmark.pedantic(model, (images,), rounds=15, warmup_rounds=2)
    assert scores.shape[0] == count
