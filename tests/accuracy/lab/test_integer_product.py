"""Products of integers: exact sums, the numbers of the float path, and when there are none."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrmp.accuracy.lab.quantization import QuantizedNetwork, integer_product
from lrmp.accuracy.lab.quantization.block_bits import round_blocks
from lrmp.accuracy.lab.quantization.deferred_maps import defers_exactly, settled
from lrmp.accuracy.lab.quantization.integer_product import (
    SIGNED_ZERO,
    Grid,
    IntegerConvolution,
    IntegerLinear,
    integer_inputs,
    kernels_are_exact,
)
from lrmp.accuracy.lab.quantization.layers import QuantizedProduct
from lrmp.accuracy.lab.quantization.steps import (
    activation_range,
    quantize_activation,
    weight_range,
)
from lrmp.hardware import load_preset
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.precision import PRECISION

BITS = range(2, 9)
#: Kernel, stride, padding, dilation and groups of convolutions of 12 channels to 24.
SHAPES = {
    "1 x 1": (1, 1, 0, 1, 1),
    "3 x 3": (3, 1, 1, 1, 1),
    "strided": (3, 2, 1, 1, 1),
    "dilated": (3, 1, 2, 2, 1),
    "uneven": ((3, 2), (2, 1), (0, 1), 1, 1),
    "grouped": (3, 1, 1, 1, 4),
    "depthwise": (5, 2, 2, 1, 12),
}

needs_kernels = pytest.mark.skipif(
    not kernels_are_exact(), reason="this processor, or this torch, has no exact 8-bit kernels"
)


def convolution(shape, bias=True):
    return nn.Conv2d(12, 24, *SHAPES[shape], bias=bias).requires_grad_(False)


def drawn(seed, shape):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 20, shape).astype(np.float32))


@needs_kernels
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_convolution_is_the_exact_sum_scaled_once(shape, signed, bias):
    module, rng, step = convolution(shape, bias), np.random.default_rng(0), 0.37
    steps = torch.from_numpy(rng.uniform(0.5, 2, 24)).float()
    maps = drawn(1, (3, 12, 9, 7)) if signed else drawn(1, (3, 12, 9, 7)).abs()
    geometry = (module.stride, module.padding, module.dilation, module.groups)
    for bits in BITS:
        low, high = weight_range(bits)
        integers = torch.from_numpy(rng.integers(low, high + 1, tuple(module.weight.shape)))
        weight = integers.float() * steps[:, None, None, None]
        run = IntegerConvolution(module, weight, steps)
        # One packed convolution serves all widths of the inputs, and batches of any shape.
        for inputs, width in ((maps, 8), (maps[:1, :, :5], 5), (maps, 2), (maps, bits)):
            grid = Grid(step, width, signed)
            given = integer_inputs(inputs, grid)
            whole = given.long() - (SIGNED_ZERO if signed else 0)
            low, high = activation_range(width, signed=signed)
            assert low <= whole.min() <= whole.max() <= high
            with torch.inference_mode():
                found = run(given, grid, module.bias)
            sums = F.conv2d(whole.double(), integers.double(), None, *geometry)
            assert sums.abs().max() > 3  # something is added up
            expected = sums * steps.double()[:, None, None] * float(np.float32(step))
            if bias:
                expected += module.bias.double()[:, None, None]
            torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=2e-5)


@needs_kernels
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("rows", [1, 30, 800])
def test_linear_layer_is_the_exact_sum_scaled_once(rows, signed, bias):
    rng, step = np.random.default_rng(0), 0.37
    steps = torch.from_numpy(rng.uniform(0.5, 2, 24)).float()
    maps = drawn(1, (3, 5, rows)) if signed else drawn(1, (3, 5, rows)).abs()
    shift = drawn(2, (24,)) if bias else None
    for bits in BITS:
        low, high = weight_range(bits)
        integers = torch.from_numpy(rng.integers(low, high + 1, (24, rows)))
        weight = integers.float() * steps[:, None]
        run = IntegerLinear(weight if bits % 2 else weight.T.contiguous().T, steps)
        for inputs, width in ((maps, 8), (maps[:1, 0], 5), (maps.transpose(0, 1), 2), (maps, bits)):
            grid = Grid(step, width, signed)
            given = integer_inputs(inputs, grid)
            with torch.inference_mode():
                found = run(given, grid, shift)
            whole = given.double() - (SIGNED_ZERO if signed else 0)
            sums = F.linear(whole, integers.double())
            assert sums.abs().max() > 0
            expected = sums * steps.double() * float(np.float32(step))
            if shift is not None:
                expected += shift.double()
            torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=2e-5)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("bits", BITS)
def test_integers_are_those_of_the_rounded_activations(bits, signed):
    maps, step = drawn(2, (2, 3, 40, 40)), 0.31
    maps[0, 0, 0, :4] = torch.tensor([1e9, -1e9, 0.5 * step, 1.5 * step])  # ends and ties
    before = maps.clone()
    whole = integer_inputs(maps, Grid(step, bits, signed)).float() - SIGNED_ZERO * signed
    assert torch.equal(
        whole * np.float32(step), quantize_activation(maps, step, bits, signed=signed)
    )
    assert torch.equal(maps, before)


# The layer


@pytest.fixture
def layer():
    """Return what makes a calibrated layer of a module, and inputs for it."""

    def make(module, signed=True, layout=torch.channels_last, shape=(4, 12, 9, 7)):
        inputs = drawn(3, shape).contiguous(memory_format=layout)
        inputs = inputs if signed else inputs.abs()
        network = QuantizedNetwork(nn.Sequential(module).to(memory_format=layout).eval())
        network.calibrate(inputs)
        return network.layers["0"], inputs

    return make


@pytest.fixture
def runs(monkeypatch):
    """Count the products of integers."""
    defers_exactly()  # tries some once
    counted = []

    def counting(call):
        def counted_call(self, *args, **options):
            counted.append(self)
            return call(self, *args, **options)

        return counted_call

    for kind in (IntegerConvolution, IntegerLinear):
        monkeypatch.setattr(kind, "__call__", counting(kind.__call__))
    return counted


def run(layer, inputs):
    with torch.inference_mode():
        return settled(layer(inputs))


def run_in_float(layer, inputs, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(integer_product, "kernels_are_exact", lambda: False)
        return run(layer, inputs)


@needs_kernels
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_layer_gives_what_it_gives_in_float(shape, signed, layout, layer, runs, monkeypatch):
    found, inputs = layer(convolution(shape), signed, layout)
    for bits, width in ((2, 2), (8, 3), (5, 8), (8, 8)):
        found.round_weights(bits)
        found.round_inputs(width)
        before = len(runs)
        outputs = run(found, inputs)
        assert len(runs) == before + 1
        expected = run_in_float(found, inputs, monkeypatch)
        assert len(runs) == before + 1
        assert outputs.stride() == expected.stride()
        scale = float(expected.abs().max())
        torch.testing.assert_close(outputs, expected, rtol=1e-5, atol=1e-6 * scale)


@needs_kernels
@pytest.mark.parametrize("shape", [(6, 12), (4, 9, 12), (2, 3, 4, 12)])
@pytest.mark.parametrize("signed", [True, False])
def test_linear_layer_gives_what_it_gives_in_float(signed, shape, runs, monkeypatch):
    module = nn.Linear(12, 24).requires_grad_(False)
    inputs = drawn(3, shape) if signed else drawn(3, shape).abs()
    network = QuantizedNetwork(nn.Sequential(module).eval())
    network.calibrate(inputs)
    found = network.layers["0"]
    for bits, width in ((2, 2), (8, 3), (5, 8), (8, 8)):
        found.round_weights(bits)
        found.round_inputs(width)
        for given in (inputs, inputs.transpose(0, -2)):
            before = len(runs)
            outputs = run(found, given)
            assert len(runs) == before + 1
            expected = run_in_float(found, given, monkeypatch)
            assert len(runs) == before + 1
            scale = float(expected.abs().max())
            torch.testing.assert_close(outputs, expected, rtol=1e-5, atol=1e-6 * scale)
        assert torch.equal(run(copy.deepcopy(found), inputs), run(found, inputs))


@needs_kernels
@pytest.mark.parametrize("strides", [(63, 1, 7, 1), (63, 63, 7, 1)], ids=["channels last", "rows"])
def test_maps_of_one_channel_lie_as_in_float(strides, layer, runs, monkeypatch):
    found, _ = layer(nn.Conv2d(1, 24, 3), shape=(4, 1, 9, 7))
    inputs = torch.empty_strided((4, 1, 9, 7), strides).copy_(drawn(3, (4, 1, 9, 7)))
    found.round_weights(4)
    found.round_inputs(4)
    outputs = run(found, inputs)
    assert runs
    assert outputs.stride() == run_in_float(found, inputs, monkeypatch).stride()


@needs_kernels
def test_changed_outputs_and_runs_are_counted_alike(layer, runs):
    found, inputs = layer(convolution("3 x 3"))
    found.round_weights(4)
    found.round_inputs(4)
    plain, before = run(found, inputs), found.runs
    found.on_outputs.append(lambda outputs: outputs.clamp(-1, 1))
    assert torch.equal(run(found, inputs), plain.clamp(-1, 1))
    assert found.runs == before + 1
    assert len(runs) == 2


@needs_kernels
def test_new_calibration_forgets_the_old_integers(layer):
    found, inputs = layer(convolution("3 x 3"))
    network = QuantizedNetwork(nn.Sequential(found.module))
    (other,) = network.layers.values()
    outputs = []
    for scale in (1.0, 0.01):
        network.calibrate(scale * inputs)
        other.round_weights(8)
        other.round_inputs(8)
        outputs.append(run(other, scale * inputs))
    bias = other.module.bias[:, None, None]
    assert torch.allclose((outputs[1] - bias) / 0.01, outputs[0] - bias, atol=0.5)


@needs_kernels
def test_copy_of_a_layer_that_ran_in_integers_runs_too(layer, runs):
    found, inputs = layer(convolution("3 x 3"))
    found.round_weights(4)
    found.round_inputs(4)
    outputs = run(found, inputs)
    twin = copy.deepcopy(found)
    assert torch.equal(run(twin, inputs), outputs)
    assert isinstance(twin, QuantizedProduct)
    assert runs


# Without integers


@needs_kernels
@pytest.mark.parametrize(
    ("weights", "inputs"), [(None, None), (4, None), (None, 4)], ids=["float", "weights", "inputs"]
)
def test_float_operands_are_multiplied_in_float(weights, inputs, layer, runs):
    found, maps = layer(convolution("3 x 3"))
    if weights:
        found.round_weights(weights)
    if inputs:
        found.round_inputs(inputs)
    run(found, maps)
    assert not runs


class PaddedByItself(nn.Conv2d):
    def forward(self, inputs):
        return super().forward(F.pad(inputs, (0, 1, 0, 1)))


@needs_kernels
@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(12, 24, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(12, 24, 3, padding="same"),
        PaddedByItself(12, 24, 3, stride=2),
    ],
    ids=["reflected", "named padding", "subclass"],
)
def test_other_convolutions_stay_in_float(module, layer, runs):
    found, inputs = layer(module.requires_grad_(False))
    found.round_weights(8)
    found.round_inputs(8)
    outputs, expected = run(found, inputs), module(inputs)
    assert not runs
    assert (outputs - expected).abs().mean() < 0.02 * expected.abs().mean()


@needs_kernels
def test_sums_that_32_bits_may_not_hold_stay_in_float(runs):
    for rows, integers in ((65_793, True), (65_794, False)):  # 255 * 128 each, below 2**31
        module = nn.Linear(rows, 2, bias=False).requires_grad_(False)
        module.weight[:] = 1.0
        network = QuantizedNetwork(nn.Sequential(module).eval())
        network.calibrate(torch.ones(4, rows))
        found = network.layers["0"]
        found.round_weights(8)
        found.round_inputs(8)
        before = len(runs)
        outputs = run(found, torch.ones(4, rows))
        assert (len(runs) > before) == integers
        torch.testing.assert_close(outputs, torch.full((4, 2), float(rows)), rtol=1e-4, atol=0)


@needs_kernels
def test_single_maps_stay_in_float(layer, runs):
    found, inputs = layer(convolution("3 x 3"))
    found.round_weights(8)
    found.round_inputs(8)
    assert run(found, inputs[0]).shape == (24, 9, 7)
    assert not runs


@needs_kernels
def test_hooks_of_the_users_see_every_run(layer, runs):
    module, seen = convolution("3 x 3"), []
    module.register_forward_hook(lambda module, inputs, outputs: seen.append(outputs))
    found, inputs = layer(module)
    found.round_weights(8)
    found.round_inputs(8)
    seen.clear()
    assert run(found, inputs) is seen[0]
    assert not runs


@needs_kernels
def test_gradients_need_floats(layer, runs):
    found, inputs = layer(convolution("3 x 3"))
    found.round_weights(8)
    found.round_inputs(8)
    found(inputs)
    assert not runs
    with torch.no_grad():
        settled(found(inputs))
    assert len(runs) == 1


@needs_kernels
def test_weights_that_are_multiples_of_no_steps_need_floats(layer, runs):
    found, inputs = layer(convolution("3 x 3"))
    found.round_weights(8)
    found.round_inputs(8)
    outputs = run(found, inputs)
    found.module.weight = nn.Parameter(0.5 * found.module.weight, requires_grad=False)
    halved = run(found, inputs)
    assert len(runs) == 1
    bias = found.module.bias[:, None, None]
    assert torch.allclose(halved - bias, 0.5 * (outputs - bias), atol=1e-3)
    found.round_weights(8)
    assert torch.equal(run(found, inputs), outputs)
    assert len(runs) == 2
    found.module.bias = nn.Parameter(found.module.bias + 3, requires_grad=False)
    assert torch.allclose(run(found, inputs), outputs + 3, atol=1e-4)


@needs_kernels
@pytest.mark.parametrize("module", [convolution("grouped"), nn.Linear(12, 24)], ids=["conv", "fc"])
@pytest.mark.parametrize("mean_quarters", [5, 14, 22, 32])
def test_blocks_are_multiplied_in_integers(mean_quarters, module, runs, monkeypatch):
    inputs = drawn(3, (4, 12, 9, 7) if isinstance(module, nn.Conv2d) else (40, 12))
    chip = replace(load_preset("lrmp_frontiers_2024"), active_columns=8, columns_per_adc=32)
    network = QuantizedNetwork(nn.Sequential(module).eval(), chip=chip)
    network.calibrate(inputs)
    found = network.layers["0"]
    for mean in (mean_quarters, 18):  # the second one's weights are others
        round_blocks(found, mean)
        found.round_inputs(7)
        before = len(runs)
        outputs = run(found, inputs)
        assert len(runs) == before + 1
        expected = run_in_float(found, inputs, monkeypatch)
        scale = float(expected.abs().max())
        torch.testing.assert_close(outputs, expected, rtol=1e-5, atol=1e-6 * scale)
        assert torch.equal(run(copy.deepcopy(found), inputs), run(found, inputs))


@needs_kernels
def test_zeros_among_rounded_weights_are_multiplied_in_integers(layer, runs, monkeypatch):
    found, inputs = layer(convolution("3 x 3"))
    kept = (drawn(5, found.float_weight.shape) > 0).float()
    found.round_weights(5)
    found.round_inputs(8)
    found.change_weights(lambda weight: weight * kept)
    outputs = run(found, inputs)
    assert len(runs) == 1
    expected = run_in_float(found, inputs, monkeypatch)
    torch.testing.assert_close(outputs, expected, rtol=1e-5, atol=1e-5)
    found.change_weights(lambda weight: weight + 1e-3)
    run(found, inputs)
    assert len(runs) == 1
    found.set_float()
    found.round_inputs(8)
    run(found, inputs)  # float weights
    assert len(runs) == 1


KINDS = [IntegerConvolution, IntegerLinear]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [AttributeError, RuntimeError, NotImplementedError, TypeError])
def test_missing_kernels_are_not_exact(error, kind, monkeypatch):
    def missing(self, *args, **options):
        raise error("no such kernel")

    monkeypatch.setattr(kind, "__call__", missing)
    assert kernels_are_exact.__wrapped__() is False


@pytest.mark.parametrize("kind", KINDS)
def test_kernels_that_saturate_are_not_exact(kind, monkeypatch):
    call = kind.__call__

    def saturating(self, *args, **options):
        return call(self, *args, **options).clamp(-(2**15), 2**15 - 1)

    monkeypatch.setattr(kind, "__call__", saturating)
    assert kernels_are_exact.__wrapped__() is False


def test_network_runs_without_the_kernels(monkeypatch, runs):
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4))
    images = drawn(4, (8, 3, 8, 8))
    network = QuantizedNetwork(model.requires_grad_(False).eval())
    network.calibrate(images)
    bits = {"weight_bits": 8, "activation_bits": 8}
    network.set_design(Design.of(bits, layers=2, space=PRECISION))
    monkeypatch.setattr(integer_product, "kernels_are_exact", lambda: False)
    with torch.inference_mode():
        scores = network(images)
    assert not runs
    assert (scores - model(images)).abs().max() < 0.1 * model(images).abs().max()
