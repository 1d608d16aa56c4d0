"""Pruned networks: which weights are kept, how they are rounded, and what nobody reads any more."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrmp.accuracy.lab.evaluator import NetworkEvaluator
from lrmp.accuracy.lab.examples import Examples
from lrmp.accuracy.lab.measurement import Measurement
from lrmp.accuracy.lab.quantization import QuantizedNetwork
from lrmp.accuracy.lab.quantization.column_pruning import largest_weights
from lrmp.accuracy.lab.quantization.pruning import (
    choose_method,
    largest_anywhere,
    largest_channels,
    prune,
)
from lrmp.accuracy.lab.quantization.steps import quantize_weight, weight_steps
from lrmp.accuracy.lab.subject import Subject
from lrmp.accuracy.lab.table_build import build_table
from lrmp.accuracy.model.sensitivity_table import SensitivityTable
from lrmp.errors import AccuracyDataError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION, weight_bits
from lrmp.hardware.space.pruning import PRUNING_METHOD, PRUNING_RATIO

CHIP = Accelerator(
    name="toy",
    crossbar_rows=20,
    crossbar_columns=20,
    cell_bits=1,
    dac_bits=1,
    active_rows=8,
    columns_per_adc=4,
    clock_mhz=100,
    output_elements_per_cycle=0,
    weight_encoding="differential-columns",
    adc="early-stop",
)
SPACE = DesignSpace((*PRECISION, PRUNING_RATIO, PRUNING_METHOD))


@pytest.fixture
def conv():
    torch.manual_seed(0)
    images = torch.rand(16, 6, 5, 5)
    modules = nn.Conv2d(6, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(100, 4)
    network = QuantizedNetwork(nn.Sequential(*modules).eval(), chip=CHIP)
    network.calibrate(images)
    return network, images


def design(ratio, method, space=SPACE, **values):
    return Design.of(
        {"weight_bits": 8, "activation_bits": 8, "pruning_ratio": ratio, "pruning_method": method}
        | values,
        layers=2,
        space=space,
    )


# Which weights


def test_channels_of_least_norm_go():
    weight = torch.zeros(2, 4, 1, 2)
    weight[0, :, 0, 0] = torch.tensor([3.0, 1.0, 0.0, 2.0])
    weight[1, :, 0, 1] = torch.tensor([0.0, 1.0, 2.5, 0.0])  # squared norms 9, 2, 6.25, 4
    assert largest_channels(weight, 25)[:, :, 0, 0].tolist() == [[True, False, True, True]] * 2
    assert largest_channels(weight, 50)[0, :, 0].tolist() == [
        [True] * 2, [False] * 2, [True] * 2, [False] * 2,
    ]  # fmt: skip
    assert largest_channels(weight, 24).all()  # of 0.96 channels none goes


def test_every_group_has_channels_of_its_own():
    weight = torch.tensor([[1.0, 2.0], [1.0, 2.0], [5.0, 0.5], [5.0, 0.5]])[..., None]
    mask = largest_channels(weight, 50, groups=2)
    assert mask[..., 0].tolist() == [[False, True]] * 2 + [[True, False]] * 2


def test_smallest_weights_of_the_layer_go():
    weight = torch.tensor([[1.0, -5.0, 0.1], [-0.2, 3.0, 4.0]])
    assert largest_anywhere(weight, 50).tolist() == [[False, True, False], [False, True, True]]
    assert largest_anywhere(weight, 25).sum() == 5  # floor(1.5) go
    assert largest_anywhere(torch.ones(1, 4), 50).tolist() == [[True, True, False, False]]


def masks(weight):
    return {
        "channels": largest_channels(weight, 50),
        "columns": largest_weights(weight, 4, CHIP),  # 8 rows less floor(0.5 * 8)
        "fine": largest_anywhere(weight, 50),
    }


@pytest.mark.parametrize("method", PRUNING_METHOD.values)
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_masked_first_then_rounded_in_steps_of_what_is_left(conv, method, order):
    network, images = conv
    space = DesignSpace(SPACE.knobs[place] for place in order)
    network.set_design(design([50, 0], method, space, weight_bits=3))
    layer = network.layers["0"]
    left = layer.float_weight * masks(layer.float_weight)[method]
    steps = weight_steps(left, network.recipe.weight_clip_ratios)[1]
    assert torch.equal(layer.module.weight.data, quantize_weight(left, steps, 3))
    assert network.layers["3"].projection is None
    with torch.inference_mode():  # integers and floats agree
        found = network(images)
    assert torch.allclose(network(images), found, atol=1e-4)


# What is computed


@pytest.mark.parametrize("method", PRUNING_METHOD.values)
def test_ratio_0_is_the_unpruned_network_bit_for_bit(conv, method):
    network, images = conv
    with torch.inference_mode():
        network.set_design(Design.of({"weight_bits": 5, "activation_bits": 4}, layers=2))
        expected = network(images)
        network.set_design(design(90, "fine", weight_bits=5, activation_bits=4))
        assert not torch.equal(network(images), expected)
        network.set_design(design(0, method, weight_bits=5, activation_bits=4))
        assert torch.equal(network(images), expected)
        network.set_float()
        assert not network.layers["0"].told


def test_pruned_channels_are_read_by_nobody(conv):
    """The layer is the physically narrower one: a convolution of the channels that are left."""
    network, images = conv
    network.set_design(design([50, 0], "channels", weight_bits=4, activation_bits=5))
    layer = network.layers["0"]
    kept = layer.projection.kept[0, :, 0, 0]
    assert kept.sum() == 3
    with torch.inference_mode():
        expected = layer(images)
        others = images.clone()
        others[:, ~kept] = torch.rand_like(others[:, ~kept])
        assert torch.equal(layer(others), expected)
        narrower = nn.Conv2d(3, 4, 3, padding=1)
        # Steps are those that the narrower layer's own weights are given.
        own = layer.float_weight[:, kept]
        steps = weight_steps(own, network.recipe.weight_clip_ratios)[2]
        assert torch.equal(steps, layer.weight_steps[2])
        narrower.weight.copy_(quantize_weight(own, steps, 4))
        narrower.bias.copy_(layer.module.bias)
        step = layer.input_step(5)
        rounded = (images[:, kept] / step).round().clamp(0, 31) * step
        assert torch.allclose(narrower(rounded), expected, atol=1e-5)


def test_bias_takes_what_pruning_loses_on_average(conv):
    network, images = conv
    with torch.inference_mode():
        network.set_float()
        exact = network.layers["0"](images).mean((0, 2, 3))
        network.set_design(design([50, 0], "channels"))
        layer = network.layers["0"]
        corrected = layer(images).mean((0, 2, 3))
        plain = F.conv2d(images, layer.module.weight, layer.float_bias, padding=1).mean((0, 2, 3))
    assert (corrected - exact).abs().max() < 0.02 * (plain - exact).abs().max()


def test_lstm_prunes_inputs_and_hidden_state_alike():
    torch.manual_seed(0)
    network = QuantizedNetwork(nn.Sequential(nn.LSTM(5, 6)), chip=CHIP)
    network.calibrate([torch.rand(3, 2, 5)])
    values = {"pruning_ratio": 50, "pruning_method": "channels"}
    network.set_design(Design.of(values, layers=1, space=SPACE))
    weight = network.layers["0.l0"]._weight
    assert (weight.abs().sum(0) == 0).sum() == 5  # of 11 rows
    assert network.model(torch.rand(3, 2, 5))[0].isfinite().all()


# Measurement


@pytest.fixture(scope="module")
def subject():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 96)
    images = rng.normal(0, 1, (96, 32)).astype(np.float32)
    images[np.arange(96)[:, None], 8 * labels[:, None] + np.arange(8)] += 1.5
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 24), nn.ReLU(), nn.Linear(24, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    inputs, classes = torch.from_numpy(images), torch.from_numpy(labels)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(model(inputs), classes).backward()
        optimizer.step()
    search = Examples(images, labels)
    return Subject("stripes", model.eval(), search, search)


@pytest.mark.long
def test_pairs_of_ratio_and_method_are_measured(subject, tmp_path):
    """Turned one at a time, neither would say what both do."""
    bits = weight_bits()
    space = DesignSpace((bits, PRUNING_RATIO, PRUNING_METHOD))
    measurement = Measurement(subject, tmp_path / "log.jsonl", space=space, chip=CHIP)
    table = build_table(measurement, "a test", fit_designs=40)
    pair = ("pruning_ratio", "pruning_method")
    assert set(table.terms) == {("weight_bits",), pair}
    assert table.terms[pair].shape == (2, 5, 3)
    # Ratio 0 is nothing, whatever the method; more is never less.
    assert (table.terms[pair][:, 0] == 0).all()
    assert (np.diff(table.terms[pair], axis=1) >= 0).all()
    measured = measurement.table().terms[pair]
    evaluator = NetworkEvaluator(subject, chip=CHIP)
    only = DesignSpace((PRUNING_RATIO, PRUNING_METHOD))
    values = {"pruning_ratio": [75, 0], "pruning_method": ["columns", "fine"]}
    whole = evaluator.evaluate(Design.of(values, space=only), "search").divergence
    assert measured[0, 3, 1] == pytest.approx(whole, rel=1e-3)
    # Once measured, nothing is run again; and the file says the same.
    count = len(measurement.log.results)
    measurement.measure_divergences()
    assert len(measurement.log.results) == count
    again = SensitivityTable.from_text(table.to_text())
    assert again.terms[pair] == pytest.approx(table.terms[pair], rel=1e-4)
    drops = again.accuracy(space).term_values(np.zeros((2, 3), np.int64))
    assert len(drops) == 2


# What cannot be


def test_unknown_method_is_refused(conv):
    network, _ = conv
    with pytest.raises(
        AccuracyDataError,
        match=r"Expected pruning_method among channels, columns, fine, got 'filters'\. Take one",
    ):
        choose_method(network.layers["0"], "filters")


def test_columns_need_a_chip():
    network = QuantizedNetwork(nn.Sequential(nn.Linear(64, 4)))
    network.calibrate(torch.rand(8, 64))
    layer = network.layers["0"]
    prune(layer, 50)  # single weights do not
    assert (layer.module.weight == 0).sum() == 128
    with pytest.raises(AccuracyDataError, match=r"Expected a chip, which the effect of a knob"):
        choose_method(layer, "columns")


def test_layer_that_is_not_calibrated_is_refused():
    network = QuantizedNetwork(nn.Sequential(nn.Linear(64, 4)), chip=CHIP)
    with pytest.raises(AccuracyDataError, match=r"Expected a calibrated network\. Call calibrate"):
        prune(network.layers["0"], 50)
