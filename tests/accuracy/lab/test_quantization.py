"""Quantised networks: grids by hand, least squared error, nothing left behind in the float one."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from lrmp.accuracy.lab.models import MODELS, load_model
from lrmp.accuracy.lab.models.staged import layer_modules
from lrmp.accuracy.lab.quantization import QuantizedNetwork, Recipe, load_recipe
from lrmp.accuracy.lab.quantization.layers import QuantizedProduct
from lrmp.accuracy.lab.quantization.network import fold_batch_norm
from lrmp.accuracy.lab.quantization.recurrent import QuantizedRecurrent
from lrmp.accuracy.lab.quantization.steps import (
    activation_range,
    activation_steps,
    quantize_activation,
    quantize_weight,
    weight_range,
    weight_steps,
)
from lrmp.errors import AccuracyDataError
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.precision import PRECISION, precision

BITS = range(2, 9)


def uniform(weights, activations, layers=10, space=PRECISION):
    values = {"weight_bits": weights, "activation_bits": activations}
    return Design.of(values, layers=layers, space=space)


def seeded(shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def shuffle_batch_norm(model):
    """Give batch norms statistics worth folding; fresh ones are the identity."""
    rng = np.random.default_rng(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight, 0.5, 1.5),
                (module.bias, -0.2, 0.2),
                (module.running_mean, -0.2, 0.2),
                (module.running_var, 0.5, 1.5),
            ):
                values = rng.uniform(low, high, tuple(tensor.shape)).astype(np.float32)
                tensor.copy_(torch.from_numpy(values))
    return model


@pytest.fixture(scope="module")
def resnet8():
    torch.manual_seed(0)
    model = shuffle_batch_norm(load_model("resnet8"))
    return model, 255 * torch.rand(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def calibrated(resnet8):
    model, images = resnet8
    network = QuantizedNetwork(model)
    network.calibrate(images)
    return network


@pytest.fixture
def quantized(calibrated):
    yield calibrated
    calibrated.set_float()


# Grids


@pytest.mark.parametrize("bits", BITS)
def test_ranges_are_symmetric_unsigned_and_twos_complement(bits):
    assert weight_range(bits) == (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1)
    assert activation_range(bits, signed=False) == (0, 2**bits - 1)
    assert activation_range(bits, signed=True) == (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("signed", [False, True])
def test_activations_are_rounded_as_the_native_operator_does(bits, signed):
    values = 3 * seeded(10_000)
    for step in (0.1, 0.0371, 1 / 3):
        expected = torch.fake_quantize_per_tensor_affine(
            values, step, 0, *activation_range(bits, signed=signed)
        )
        assert torch.equal(quantize_activation(values, step, bits, signed=signed), expected)


def test_rounding_leaves_its_input_alone():
    values = seeded(100)
    before = values.clone()
    quantize_activation(values, 0.1, 3, signed=True)
    assert torch.equal(values, before)


def test_weights_by_hand():
    weight = torch.tensor([[0.9, -0.26, 0.24], [4.0, -8.0, 1.0]])
    rounded = quantize_weight(weight, torch.tensor([0.5, 2.0]), 3)
    assert rounded.tolist() == [[1.0, -0.5, 0.0], [4.0, -6.0, 0.0]]


@pytest.mark.parametrize("bits", BITS)
def test_weight_steps_have_the_least_error_of_all_candidates(bits):
    weight = seeded((5, 64))
    chosen = weight_steps(weight, (0.1, 40))[bits - 2]

    def error(steps):
        return (quantize_weight(weight, steps, bits) - weight).square().sum(1)

    least = error(chosen)
    for ratio in np.geomspace(0.1, 1, 40):
        steps = weight.abs().amax(1) * float(ratio) / weight_range(bits)[1]
        assert (least <= error(steps) * (1 + 1e-5)).all()
    # Clipping pays at few bits: the step of the largest weight alone is worse.
    if bits <= 3:
        assert (least < 0.9 * error(weight.abs().amax(1) / weight_range(bits)[1])).all()


@pytest.mark.parametrize("signed", [False, True])
def test_activation_steps_have_the_least_error_of_all_candidates(signed):
    values = seeded(5000) if signed else seeded(5000).relu()
    values[0] = 30.0  # an outlier worth clipping
    steps = activation_steps(values, (0.02, 60), signed=signed)

    def error(step, bits):
        return float(
            (quantize_activation(values, step, bits, signed=signed) - values).square().sum()
        )

    for bits, step in zip(BITS, steps.tolist(), strict=True):
        largest = activation_range(bits, signed=signed)[1]
        candidates = [30.0 * float(ratio) / largest for ratio in np.geomspace(0.02, 1, 60)]
        assert error(step, bits) == min(error(candidate, bits) for candidate in candidates)
    assert steps[2] * activation_range(4, signed=signed)[1] < 30


def test_channel_of_zeros_stays_zero():
    weight = torch.zeros(2, 3)
    weight[0] = 1.0
    steps = weight_steps(weight, (0.1, 40))
    assert torch.equal(quantize_weight(weight, steps[0], 2), weight)


# The copy and the float network


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("resnet34", "resnet101")])
def test_uncalibrated_copy_computes_like_the_float_network(name):
    torch.manual_seed(0)
    model = shuffle_batch_norm(load_model(name))
    images = seeded((2, *(min(size, 64) for size in model.input_shape)))
    with torch.inference_mode():
        expected, found = model(images), QuantizedNetwork(model)(images)
    scale = float(expected.abs().max())
    assert torch.allclose(found, expected, atol=1e-4 * scale)


def test_layers_are_those_of_the_model_in_order(resnet8):
    assert list(QuantizedNetwork(resnet8[0]).layers) == list(layer_modules(resnet8[0]))


def test_float_network_is_never_modified(resnet8):
    model, images = resnet8
    before = copy.deepcopy(model.state_dict())
    modules = {name: type(module) for name, module in model.named_modules()}
    with torch.inference_mode():
        expected = model(images)
    network = QuantizedNetwork(model)
    network.calibrate(images)
    network.set_design(uniform(2, 2))
    with torch.inference_mode():
        network(images)
        assert torch.equal(model(images), expected)
    assert {name: type(module) for name, module in model.named_modules()} == modules
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_no_hooks_stay_behind(quantized, resnet8):
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    for module in (*resnet8[0].modules(), *quantized.model.modules()):
        assert not any(getattr(module, name) for name in hooks)
    assert not nn.modules.module._global_forward_hooks


def test_bits_can_be_taken_back(quantized, resnet8):
    _, images = resnet8
    with torch.inference_mode():
        expected = quantized(images)
        quantized.set_design(uniform(3, 3))
        changed = quantized(images)
        quantized.set_float()
        assert torch.equal(quantized(images), expected)
    assert not torch.allclose(changed, expected, rtol=0.01)


def test_weights_and_inputs_lie_on_their_grids(quantized):
    layer = quantized.layers["layer2.conv1"]
    layer.round_weights(3)
    layer.round_inputs(2)
    steps = layer.weight_steps[1].view(-1, 1, 1, 1)
    integers = layer.module.weight / steps
    assert torch.allclose(integers, integers.round(), atol=1e-4)
    assert integers.abs().max() <= 3.001
    assert len(torch.unique(layer._quantize_input(torch.linspace(0, 1000, 1000)))) == 4
    assert not layer.signed  # it stands behind a ReLU


def test_inputs_of_either_sign_get_a_signed_grid():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    network = QuantizedNetwork(model)
    network.calibrate(seeded((100, 4)))
    assert all(layer.signed for layer in network.layers.values())


def test_more_bits_come_nearer_to_the_float_network(quantized, resnet8):
    _, images = resnet8
    errors = []
    with torch.inference_mode():
        expected = quantized(images)
        for bits in (2, 4, 6, 8):
            quantized.set_design(uniform(bits, bits))
            errors.append(float((quantized(images) - expected).square().mean()))
    assert errors[0] > 4 * errors[1] > 16 * errors[2] > 64 * errors[3] > 0


def test_grouped_and_depthwise_convolutions_keep_their_groups():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.ReLU(), nn.Conv2d(8, 4, 3, groups=2))
    images = seeded((16, 8, 9, 9))
    network = QuantizedNetwork(model)
    network.calibrate(images)
    network.set_design(uniform(8, 8, 2))
    assert network.layers["0"].weight_steps.shape == (7, 8)
    assert network.layers["2"].weight_steps.shape == (7, 4)
    with torch.inference_mode():
        assert torch.allclose(network(images), model(images), atol=0.05)


# Bias correction


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_bias_correction_restores_the_mean_of_every_channel(groups):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=groups))
    images = seeded((64, 8, 9, 9)) + 1
    means = {}
    for corrected in (True, False):
        network = QuantizedNetwork(model, Recipe("test", bias_correction=corrected))
        network.calibrate(images)
        network.layers["0"].round_weights(2)
        with torch.inference_mode():
            means[corrected] = (network(images) - model(images)).mean((0, 2, 3)).abs().max()
    assert means[False] > 0.05
    assert means[True] < 1e-4


@pytest.mark.parametrize(
    ("module", "shape", "axes"),
    [
        (nn.Linear(6, 8), (64, 5, 6), (0, 1)),
        (nn.Linear(6, 8), (64, 5, 3, 6), (0, 1, 2)),
        (nn.Conv1d(6, 8, 3, stride=2, padding=1), (64, 6, 9), (0, 2)),
    ],
    ids=["sequence", "grid", "signal"],
)
def test_bias_correction_knows_where_channels_are(module, shape, axes):
    torch.manual_seed(0)
    model, inputs = nn.Sequential(module), seeded(shape) + 1
    network = QuantizedNetwork(model)
    network.calibrate([inputs[:40], inputs[40:]])
    network.layers["0"].round_weights(2)
    with torch.inference_mode():
        error = network(inputs) - model(inputs)
    assert error.mean(axes).abs().max() < 1e-5
    assert error.abs().mean() > 0.05


class Standardised(nn.Conv2d):
    """Computes the weights that it multiplies by, so that rounding its own rounds nothing."""

    def forward(self, inputs):
        mean, deviation = (
            self.weight.mean((1, 2, 3), True),
            self.weight.std((1, 2, 3), keepdim=True),
        )
        return self._conv_forward(inputs, (self.weight - mean) / deviation, self.bias)


class Padded(nn.Conv2d):
    """Pads by itself and multiplies by its weights as they are."""

    def forward(self, inputs):
        return super().forward(nn.functional.pad(inputs, (0, 1, 0, 1)))


def test_layers_of_other_kinds_multiply_by_their_weights():
    torch.manual_seed(0)
    network = QuantizedNetwork(nn.Sequential(Padded(3, 4, 3, stride=2)))
    network.calibrate(seeded((8, 3, 8, 8)))
    assert network.layers["0"].weight_steps is not None
    with pytest.raises(
        AccuracyDataError,
        match=r"Expected layers that multiply .* as they are, got a Standardised, which computes",
    ):
        QuantizedNetwork(nn.Sequential(Standardised(3, 4, 3))).calibrate(seeded((8, 3, 8, 8)))


def test_recipe_without_bias_correction_has_none(resnet8):
    model, images = resnet8
    network = QuantizedNetwork(model, "ptq-1-uncorrected")
    network.calibrate(images)
    assert all(layer.bias_corrections is None for layer in network.layers.values())


# LSTM


@pytest.fixture
def lstm():
    torch.manual_seed(0)
    return nn.LSTM(5, 7), seeded((6, 4, 5))


def test_lstm_in_float_is_torchs(lstm):
    module, inputs = lstm
    outputs, (hidden, cell) = module(inputs)
    found, (found_hidden, found_cell) = QuantizedRecurrent(module)(inputs)
    for a, b in ((outputs, found), (hidden, found_hidden), (cell, found_cell)):
        assert a.shape == b.shape
        assert torch.allclose(a, b, atol=1e-6)


def test_lstm_continues_from_a_state(lstm):
    module, inputs = lstm
    layer = QuantizedRecurrent(module)
    _, state = layer(inputs[:2])
    assert torch.allclose(layer(inputs[2:], state)[0], layer(inputs)[0][2:], atol=1e-6)


def test_lstm_batch_first_swaps_the_axes():
    torch.manual_seed(0)
    module = nn.LSTM(5, 7, batch_first=True, bias=False)
    inputs = seeded((4, 6, 5))
    assert torch.allclose(QuantizedRecurrent(module)(inputs)[0], module(inputs)[0], atol=1e-6)


def test_lstm_rounds_both_matrices_and_both_inputs(lstm):
    module, inputs = lstm

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = module

        def forward(self, inputs):
            return self.lstm(inputs)[0]

    network = QuantizedNetwork(Model())
    network.calibrate([inputs])
    layer = network.layers["lstm.l0"]
    assert layer.weight_steps.shape == (7, 28)
    assert layer.signed
    with torch.inference_mode():
        expected = network(inputs)
        errors = []
        for bits in ((8, 8), (2, 8), (8, 2)):
            network.set_design(uniform(*bits, 1))
            errors.append(float((network(inputs) - expected).square().mean()))
    assert 0 < errors[0] < 0.1 * min(errors[1:])
    levels = torch.unique((layer._weight / layer.weight_steps[6][:, None]).round())
    assert len(levels) > 3
    layer.round_weights(2)
    assert set(torch.unique((layer._weight / layer.weight_steps[0][:, None]).round()).tolist()) == {
        -1,
        0,
        1,
    }


@pytest.mark.parametrize(
    "options", [{"bidirectional": True}, {"num_layers": 2}, {"proj_size": 3}], ids=str
)
def test_lstm_of_another_kind_is_refused(options):
    with pytest.raises(AccuracyDataError, match=r"Expected an LSTM of one layer, one direction"):
        QuantizedRecurrent(nn.LSTM(5, 7, **options))


# Errors


def test_bits_before_calibration_are_refused(resnet8):
    with pytest.raises(AccuracyDataError, match=r"Expected a calibrated network\. Call calibrate"):
        QuantizedNetwork(resnet8[0]).set_design(uniform(8, 8))


WIDE = precision(9)


@pytest.mark.parametrize(
    ("design", "message"),
    [
        (uniform(8, 8, 9), r"Expected a design of 10 layers, got one of 9\."),
        (uniform(9, 8, space=WIDE), r"Expected weight_bits .* steps for, 2 to 8, got 9\."),
        (uniform(8, 9, space=WIDE), r"Expected activation_bits .* steps for, 2 to 8, got 9\."),
    ],
)
def test_design_that_the_network_cannot_have_is_refused(quantized, design, message):
    with pytest.raises(AccuracyDataError, match=message):
        quantized.set_design(design)


def test_space_is_checked_before_any_design(quantized):
    quantized.check(PRECISION)
    with pytest.raises(AccuracyDataError, match=r"Expected weight_bits .* 2 to 8, got 9"):
        quantized.check(WIDE)
    assert quantized.layers["conv1"].weight_bits is None


def test_layer_that_never_runs_is_refused():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, inputs):
            return self.used(inputs)

    with pytest.raises(AccuracyDataError, match=r"Expected every layer to run on the calibration"):
        QuantizedNetwork(Model()).calibrate(seeded((4, 2)))


def test_unknown_recipe_is_refused():
    with pytest.raises(AccuracyDataError, match=r"recipe .* got 'ptq-9'\. Did you mean 'ptq-1'\?"):
        load_recipe("ptq-9")


def test_folding_needs_no_batch_norm_afterwards(resnet8):
    folded = fold_batch_norm(resnet8[0])
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert all(
        isinstance(layer, QuantizedProduct) for layer in QuantizedNetwork(folded).layers.values()
    )
