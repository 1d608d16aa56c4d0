"""Ranges of DACs and ADCs in real layers: neutral when ideal, best in between."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lrmp.accuracy.lab.network_effect import network_effect
from lrmp.accuracy.lab.quantization import QuantizedNetwork
from lrmp.accuracy.lab.quantization.fine_tuning import trainable_copy
from lrmp.accuracy.lab.quantization.steps import input_magnitudes
from lrmp.errors import AccuracyDataError
from lrmp.hardware import CostModel, Design, DesignSpace, load_network, load_preset
from lrmp.hardware.space.analog_ranges import COLUMN_RANGE, DEVIATIONS, INPUT_RANGE, PERCENTILES
from lrmp.hardware.space.precision import PRECISION

CHIP = load_preset("neurram_nature_2022")
SPACE = DesignSpace((*PRECISION, INPUT_RANGE, COLUMN_RANGE))


def network_of(*modules, inputs, chip=CHIP):
    network = QuantizedNetwork(nn.Sequential(*modules), chip=chip)
    network.calibrate(inputs)
    return network


def run(network, inputs, **values):
    network.set_design(Design.of(values, layers=len(network.layers), space=SPACE))
    with torch.inference_mode():
        found = network(inputs)
    network.set_float()
    return found


def test_they_cost_nothing():
    network = load_network("lenet")
    space = DesignSpace((INPUT_RANGE, COLUMN_RANGE))
    model = CostModel(network, CHIP, space)
    narrow = Design.of({"input_range": "95", "column_range": "0"}, layers=4, space=space)
    assert model.evaluate(narrow) == model.baseline == CostModel(network, CHIP).baseline


def test_plain_values_change_nothing():
    torch.manual_seed(0)
    inputs = torch.rand(8, 3, 6, 6)
    network = network_of(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3), inputs=inputs)
    plain = Design.of({"weight_bits": 4, "activation_bits": 5}, layers=2)
    network.set_design(plain)
    with torch.inference_mode():
        expected = network(inputs)
    assert torch.equal(run(network, inputs, weight_bits=4, activation_bits=5), expected)


def test_percentiles_by_hand():
    # 1, -2, ..., 1000: 95 % of the magnitudes are at most 950, 99.99 % all of them.
    sample = torch.arange(1.0, 1001) * torch.tensor([1.0, -1.0]).repeat(500)
    assert input_magnitudes(sample[torch.randperm(1000)]) == {
        "95": 950,
        "99": 990,
        "99.9": 999,
        "99.99": 1000,
        "100": 1000,
    }
    assert set(input_magnitudes(torch.zeros(5)).values()) == {1.0}  # nothing to divide by 0


def test_inputs_are_clipped_and_their_steps_spread():
    torch.manual_seed(0)
    inputs = torch.rand(8, 10)
    inputs[0, 0] = 50.0
    module = nn.Linear(10, 3)
    network = network_of(module, inputs=inputs)
    layer = network.layers["0"]
    network_effect(INPUT_RANGE)(layer, "95")
    limit = layer.input_magnitudes["95"]
    assert limit < 1
    with torch.inference_mode():
        assert torch.equal(network(inputs), module(inputs.clamp(max=limit)))
        layer.round_inputs(3)
        grid = (inputs / (limit / 7)).round().clamp(0, 7) * (limit / 7)
        assert torch.allclose(network(inputs), module(grid), atol=1e-5)
        layer.set_float()
        assert torch.equal(network(inputs), module(inputs))


def test_the_best_input_range_of_heavy_tails_is_in_between():
    rng = np.random.default_rng(0)
    inputs = torch.from_numpy(rng.standard_t(4, (64, 256)).astype(np.float32))
    torch.manual_seed(0)
    module = nn.Linear(256, 32)
    network = network_of(module, inputs=inputs)
    with torch.inference_mode():
        exact = module(inputs)
        errors = [
            (run(network, inputs, activation_bits=6, input_range=each) - exact).square().mean()
            for each in PERCENTILES
        ]
    best = int(np.argmin(errors))
    assert 0 < best < len(PERCENTILES) - 1
    assert errors[0] > 1.2 * errors[best] < errors[-1]


@pytest.mark.parametrize("width", [100, 300])
def test_columns_are_converted_crossbar_by_crossbar(width):
    """128 pairs of rows per crossbar, so 300 rows have three conversions; by their definition."""
    torch.manual_seed(0)
    inputs = torch.rand(8, width)
    module = nn.Linear(width, 5)
    chip = replace(CHIP, adc_resolution_bits=6)  # 31 codes and their negatives
    network = network_of(module, inputs=inputs, chip=chip)
    layer = network.layers["0"]
    network_effect(COLUMN_RANGE)(layer, "2")
    with torch.inference_mode():
        found = network(inputs)
        expected = module.bias.expand(8, 5).clone()
        for start in range(0, width, 128):
            rows = slice(start, start + 128)
            sums = inputs[:, rows] @ module.weight[:, rows].T
            step = (sums[:2].abs().mean(0) + 2 * sums[:2].std(0)) / 31
            expected += (sums / step).round().clamp(-31, 31) * step
    assert torch.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Conv2d(40, 6, 3, padding=1, bias=False), (2, 40, 5, 5)),
        (nn.Conv2d(8, 8, 3, groups=8), (2, 8, 5, 5)),
        (nn.Conv1d(100, 4, 3), (2, 100, 7)),
        (nn.Conv2d(300, 4, 1, groups=2), (2, 300, 3, 3)),
    ],
)
def test_fine_conversions_add_up_to_the_convolution(module, shape):
    torch.manual_seed(0)
    inputs = torch.rand(shape)
    chip = replace(CHIP, adc_resolution_bits=22)
    network = network_of(module, inputs=inputs, chip=chip)
    layer = next(iter(network.layers.values()))
    network_effect(COLUMN_RANGE)(layer, "12")
    with torch.inference_mode():
        assert torch.allclose(network(inputs), module(inputs), atol=1e-3)


def test_the_best_column_range_is_in_between_where_the_adc_saturates():
    torch.manual_seed(0)
    inputs = torch.rand(8, 100, 20)  # 2 examples of 20 positions
    module = nn.Conv1d(100, 32, 1)
    coarse = network_of(module, inputs=inputs, chip=replace(CHIP, adc_resolution_bits=5))
    fine = network_of(module, inputs=inputs, chip=replace(CHIP, adc_resolution_bits=20))
    with torch.inference_mode():
        exact = module(inputs)
    found = {}
    for name, network in (("coarse", coarse), ("fine", fine)):
        layer, found[name] = network.layers["0"], []
        for deviations in DEVIATIONS:
            network_effect(COLUMN_RANGE)(layer, deviations)
            with torch.inference_mode():
                found[name].append(float((network(inputs) - exact).square().mean()))
            layer.set_float()
    best = int(np.argmin(found["coarse"]))
    assert 0 < best < len(DEVIATIONS) - 1
    assert int(np.argmin(found["fine"])) > best  # what does not round should not clip


def test_a_layer_whose_sums_are_converted_is_not_told_by_its_weights():
    torch.manual_seed(0)
    inputs = torch.rand(8, 6)
    layer = network_of(nn.Linear(6, 4), inputs=inputs).layers["0"]
    layer.round_inputs(4)
    whole = layer.state
    network_effect(INPUT_RANGE)(layer, "95")
    assert layer.state not in (None, whole)
    network_effect(COLUMN_RANGE)(layer, "4")
    assert layer.state is None


def test_unknown_percentiles_and_recurrent_layers_are_refused():
    inputs = torch.rand(8, 4)
    layer = network_of(nn.Linear(4, 2), inputs=inputs).layers["0"]
    with pytest.raises(
        AccuracyDataError, match=r"^Expected an input_range among 95, .*, got '42'\.$"
    ):
        network_effect(INPUT_RANGE)(layer, "42")
    lstm = QuantizedNetwork(nn.Sequential(nn.LSTM(3, 4)), chip=CHIP)
    lstm.calibrate([torch.rand(5, 2, 3)])
    with pytest.raises(
        AccuracyDataError,
        match=r"^Expected calibrated convolutions .*, got a QuantizedRecurrent\.$",
    ):
        network_effect(COLUMN_RANGE)(next(iter(lstm.layers.values())), "2")


def test_the_best_input_range_of_a_real_network_is_in_between(data):
    from lrmp.accuracy.lab.evaluator import NetworkEvaluator
    from lrmp.accuracy.lab.protocol import load_protocol

    evaluator = NetworkEvaluator(load_protocol("mlp").subject(data), chip=CHIP)
    layer = evaluator.network.layers["fc2"]
    batch = evaluator.split("search").images[0]
    hidden = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: hidden.append(inputs[0].clone()))
    with torch.inference_mode():
        evaluator.network(batch)
    hook.remove()
    errors = []
    for percentile in PERCENTILES:
        with torch.inference_mode():
            exact = layer(hidden[0])
            layer.round_inputs(4)
            network_effect(INPUT_RANGE)(layer, percentile)
            errors.append(float((layer(hidden[0]) - exact).square().mean()))
            layer.set_float()
    assert 0 < int(np.argmin(errors)) < len(PERCENTILES) - 1


def test_fine_tuning_starts_at_limited_inputs_and_refuses_converted_sums():
    torch.manual_seed(0)
    inputs = torch.rand(8, 6)
    network = network_of(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2), inputs=inputs)
    bits = {"weight_bits": 4, "activation_bits": 3}
    narrow = Design.of(bits | {"input_range": "95"}, layers=2, space=SPACE)
    with torch.inference_mode():
        tuned = trainable_copy(network, narrow)(inputs)
    assert torch.allclose(tuned, run(network, inputs, **bits, input_range="95"), atol=1e-6)
    coarse = Design.of(bits | {"column_range": "3"}, layers=2, space=SPACE)
    with pytest.raises(AccuracyDataError, match=r"whose products are exact, .* qat-1 trains"):
        trainable_copy(network, coarse)
