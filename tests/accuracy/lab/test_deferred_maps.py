"""Convolutions that wait for what comes next give what they give at once, to the bit."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrmp.accuracy.lab.quantization import QuantizedNetwork, layers
from lrmp.accuracy.lab.quantization.deferred_maps import DeferredMaps, defers_exactly, settled
from lrmp.accuracy.lab.quantization.integer_product import (
    Grid,
    IntegerConvolution,
    integer_inputs,
    kernels_are_exact,
)
from lrmp.accuracy.lab.quantization.steps import weight_range
from lrmp.hardware.space.design import Design

pytestmark = pytest.mark.skipif(
    not (kernels_are_exact() and defers_exactly()),
    reason="this processor, or this torch, has no exact 8-bit kernels",
)

LAYOUTS = [torch.channels_last, torch.contiguous_format]
#: Channels, kernel, stride, padding and groups.
SHAPES = {
    "3 x 3": (12, 3, 1, 1, 1),
    "strided 1 x 1": (12, 1, 2, 0, 1),
    "depthwise": (24, 5, 2, 2, 24),
}


def drawn(seed, shape):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 20, shape).astype(np.float32))


def convolved(shape="3 x 3", layout=torch.channels_last, signed=True, seed=0):
    """Return the operands of a convolution of integers, as it is called with them."""
    channels, *places = SHAPES[shape]
    kernel, stride, padding, groups = places
    module = nn.Conv2d(channels, 24, kernel, stride, padding, groups=groups)
    rng = np.random.default_rng(seed)
    low, high = weight_range(8)
    integers = torch.from_numpy(rng.integers(low, high + 1, tuple(module.weight.shape)))
    steps = torch.from_numpy(rng.uniform(0.005, 0.02, 24)).float()
    weight = (integers * steps[:, None, None, None]).float().contiguous(memory_format=layout)
    grid = Grid(0.37, 8, signed)
    maps = drawn(seed, (3, channels, 9, 7)).contiguous(memory_format=layout)
    maps = maps if signed else maps.abs()
    convolution = IntegerConvolution(module, weight, steps)
    return convolution, integer_inputs(maps, grid), grid, drawn(seed + 1, (24,))


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


@pytest.fixture
def runs(monkeypatch):
    """Note what the outputs of every convolution of integers are rounded to, None for float."""
    noted = []
    call = IntegerConvolution.__call__

    def noting(self, *args):
        noted.append(args[4] if len(args) > 4 else None)
        return call(self, *args)

    monkeypatch.setattr(IntegerConvolution, "__call__", noting)
    return noted


def same(found, expected):
    return torch.equal(found, expected) and found.stride() == expected.stride()


ACTIVATIONS = {
    "none": lambda maps: maps,
    "relu": F.relu,
    "relu6": F.relu6,
    "hardtanh": F.hardtanh,
    "hardtanh with bounds": lambda maps: F.hardtanh(maps, -20.0, 35.5),
    "module": nn.ReLU6(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_outputs_are_rounded_on_the_way(name, shape, signed, layout, runs):
    given = convolved(shape, layout, signed)
    activation = ACTIVATIONS[name]
    outputs = activation(given[0](*given[1:]))
    deferred = activation(DeferredMaps(*given))
    assert same(settled(deferred), outputs)
    largest = float(outputs.abs().max())
    del runs[:]
    for bits in range(2, 9):
        for negative in (True, False):
            for share in (0.3, 1.1):  # of the largest value
                grid = Grid(share * largest / 2**bits, bits, negative)
                found = activation(DeferredMaps(*given)).rounded_to(grid)
                assert same(found, integer_inputs(outputs, grid))
                assert runs.pop() == grid  # at once
    assert not runs


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_shortcut_is_added_on_the_way(shape, layout, runs):
    given = convolved(shape, layout)
    outputs = given[0](*given[1:])
    shortcut = drawn(5, outputs.shape).contiguous(memory_format=layout)
    before = shortcut.clone()
    del runs[:]
    for found in (DeferredMaps(*given) + shortcut, shortcut + DeferredMaps(*given)):
        assert type(found) is torch.Tensor
        assert same(found, outputs + shortcut)
    assert runs == [None, None]
    assert torch.equal(shortcut, before)
    both = F.relu(DeferredMaps(*given)) + DeferredMaps(*given)
    assert same(both, F.relu(outputs) + outputs)


OTHERS = {
    "scaled shortcut": lambda maps, other: torch.add(maps, other, alpha=2),
    "broadcast": lambda maps, other: maps + other[:, :, :1, :1],
    "double": lambda maps, other: maps + other.double(),
    "number": lambda maps, other: maps + 1.5,
    "other layout": lambda maps, other: maps + other.contiguous(),
    "added in place": lambda maps, other: maps.add_(other).relu(),
    "added to in place": lambda maps, other: other.clone().add_(maps),
    "list": lambda maps, other: torch.cat([maps, other]),
    "keyword": lambda maps, other: torch.add(input=other, other=maps),
    "two activation functions": lambda maps, other: F.relu6(F.hardtanh(maps, -5.0, 9.0)),
    "pooling": lambda maps, other: F.max_pool2d(maps, 2),
    "convolution": lambda maps, other: F.conv2d(maps, other[:1]),
    "flattened": lambda maps, other: maps.flatten(1),
    "in place": lambda maps, other: F.relu_(maps) + other,
    "module in place": lambda maps, other: (nn.ReLU(inplace=True)(maps), maps + other)[1],
    "rounded": lambda maps, other: maps.round(),
    "in place on a view": lambda maps, other: (maps[0].zero_(), F.relu(maps) + maps)[1],
    "kept from before": lambda maps, other: (F.relu(maps), maps.mul_(2), maps)[2],
}


@pytest.mark.parametrize("name", OTHERS)
def test_all_else_sees_an_ordinary_tensor(name):
    given, function = convolved(), OTHERS[name]
    outputs = given[0](*given[1:])
    other = drawn(5, outputs.shape).contiguous(memory_format=torch.channels_last)
    expected = function(outputs.clone(), other)
    found = settled(function(DeferredMaps(*given), other))
    assert type(found) is torch.Tensor
    assert same(found, expected)


def test_deferred_function_is_of_what_was_there():
    given = convolved()
    outputs = given[0](*given[1:])
    maps = DeferredMaps(*given)
    rectified = F.relu(maps)
    maps.mul_(-1)
    assert torch.equal(settled(rectified), F.relu(outputs))
    assert torch.equal(settled(maps), -outputs)


def test_outputs_that_are_read_twice_are_computed_once_from_then_on(runs):
    given = convolved()
    one, other = Grid(0.5, 4, signed=True), Grid(0.6, 8, signed=False)
    for expected in ([one, None], [None], [None]):
        del runs[:]
        maps = DeferredMaps(*given)
        found = [maps.rounded_to(one), maps.rounded_to(other)]
        assert runs == expected
        outputs = given[0](*given[1:])
        assert all(map(torch.equal, found, [integer_inputs(outputs, g) for g in (one, other)]))


# Networks


class Residual(nn.Module):
    """A network with all that is deferred, and with what is not."""

    def __init__(self, in_place):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.expand, self.depthwise = nn.Conv2d(16, 48, 1), nn.Conv2d(48, 48, 3, 1, 1, 1, 48)
        self.project, self.branch = nn.Conv2d(48, 16, 1), nn.Conv2d(48, 16, 1)
        self.relu, self.relu6 = nn.ReLU(inplace=in_place), nn.ReLU6(inplace=in_place)
        self.last = nn.Linear(16, 10)

    def forward(self, images):
        maps = F.max_pool2d(self.relu(self.stem(images)), 2)
        inner = self.relu6(self.depthwise(self.relu6(self.expand(maps))))
        maps = self.relu(maps + self.project(inner)) + self.branch(inner)
        return self.last(maps.mean((2, 3)))


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_network_computes_what_it_computes_step_by_step(layout, in_place, runs, monkeypatch):
    torch.manual_seed(0)
    model = Residual(in_place).requires_grad_(False).eval().to(memory_format=layout)
    images = drawn(3, (8, 3, 32, 32)).contiguous(memory_format=layout)
    network = QuantizedNetwork(model)
    network.calibrate(images)
    rng, scores = np.random.default_rng(0), []
    for _ in range(4):
        bits = {"weight_bits": rng.integers(3, 9, 6), "activation_bits": rng.integers(3, 9, 6)}
        network.set_design(Design.of({k: v.tolist() for k, v in bits.items()}, layers=6))
        scores.append(network(images))
        assert type(scores[-1]) is torch.Tensor
        assert any(runs)  # some outputs were rounded on the way
        with monkeypatch.context() as patch:
            patch.setattr(layers, "defers_exactly", lambda: False)
            del runs[:]
            assert torch.equal(network(images), scores[-1])
            assert not any(runs)
    assert len({float(found.sum()) for found in scores}) == 4


def test_layer_without_the_kernels_is_not_deferred(monkeypatch):
    def missing(self, *args):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(IntegerConvolution, "__call__", missing)
    assert defers_exactly.__wrapped__() is False


def test_kernels_that_round_otherwise_are_noticed(monkeypatch):
    call = IntegerConvolution.__call__

    def truncating(self, inputs, grid, bias=None, *then):
        found = call(self, inputs, grid, bias, *then)
        return found if found.is_floating_point() else (found - 1).clamp(0)

    monkeypatch.setattr(IntegerConvolution, "__call__", truncating)
    assert defers_exactly.__wrapped__() is False
