"""Words in SRAM that correct weights: what they add up to, and what they are good for."""

import numpy as np
import pytest
import torch
from torch import nn

from lrmp.accuracy.lab.quantization import QuantizedNetwork
from lrmp.accuracy.lab.quantization.sram_residual import keep_words, words
from lrmp.errors import AccuracyDataError
from lrmp.hardware.families.noise import noisy_chip
from lrmp.hardware.space.averaging import AVERAGING_COPIES
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION
from lrmp.hardware.space.sram_residual import SRAM_BITS, SRAM_SHIFT, SRAM_SPARSITY

WORDS = (SRAM_SPARSITY, SRAM_BITS, SRAM_SHIFT)
SPACE = DesignSpace((*PRECISION, *WORDS))
#: Cells are programmed with noise where copies are averaged, be it one.
NOISY = DesignSpace((*PRECISION, *WORDS, AVERAGING_COPIES))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    images = torch.rand(16, 6, 8, 8)
    modules = nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 4)
    found = QuantizedNetwork(nn.Sequential(*modules).eval(), chip=noisy_chip())
    found.calibrate(images)
    return found, images


def design(space=SPACE, **values):
    given = {"weight_bits": 4, "activation_bits": 8, "sram_sparsity": 0, "sram_bits": 3}
    return Design.of(given | values, layers=2, space=space)


def weight_of(network, design, seed=None):
    network.set_design(design, seed)
    return network.layers["0"].module.weight.detach().clone()


def error(network, design, seeds=range(4)):
    """Mean squared error of the weights of the first layer."""
    exact = network.layers["0"].float_weight
    return np.mean([float((weight_of(network, design, s) - exact).square().mean()) for s in seeds])


# Words


def test_words_by_hand():
    residual = torch.tensor([[0.30, -0.30, 0.06, 2.0, 0.0, 0.0, 0.0, 0.0, 0.9]])
    steps = torch.tensor([[1.0]])
    # 2 bits in steps of a quarter: -2..1 quarters; shifted by one: -2..1 halves.
    quarters = [0.25, -0.25, 0.0, 0.25, 0.0, 0.0, 0.0, 0.0, 0.25]
    assert words(residual, steps, 2, 0, 0)[0].tolist() == quarters
    halves = [0.5, -0.5, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.5]
    assert words(residual, steps, 2, 1, 0)[0].tolist() == halves
    # Of two groups, of 8 rows and of 1, the first takes away more.
    assert words(residual, steps, 2, 0, 50)[0].tolist() == [*quarters[:8], 0.0]


def test_whole_groups_are_dropped():
    residual = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    found = words(residual, torch.ones(4, 1, 1, 1), 4, 3, 80).flatten(1)
    groups = nn.functional.pad(found, (0, 5)).unflatten(1, (4, 8))
    # 16 groups less floor(12.8).
    assert int((groups != 0).any(2).sum()) == 4


# What they come to


def test_no_words_are_plain_rram(network):
    network, _ = network
    expected = weight_of(network, Design.of({"weight_bits": 4, "activation_bits": 8}, layers=2))
    bias = network.layers["0"].module.bias.clone()
    assert torch.equal(weight_of(network, design(sram_sparsity=100)), expected)
    assert torch.equal(network.layers["0"].module.bias, bias)
    noisy = DesignSpace((*PRECISION, AVERAGING_COPIES))
    values = {"weight_bits": 4, "activation_bits": 8, "averaging_copies": 1}
    alone = weight_of(network, Design.of(values, layers=2, space=noisy), seed=3)
    with_knobs = design(NOISY, sram_sparsity=100, averaging_copies=1)
    assert torch.equal(weight_of(network, with_knobs, seed=3), alone)


@pytest.mark.parametrize("bits", SRAM_BITS.values)
def test_without_noise_all_words_are_a_finer_quantiser(network, bits):
    network, _ = network
    found = weight_of(network, design(sram_bits=bits))
    layer = network.layers["0"]
    step = layer.weight_steps[2].reshape(-1, 1, 1, 1) / 2**bits  # of 4-bit weights
    exact = layer.float_weight
    inside = exact.abs() < 7 * layer.weight_steps[2].reshape(-1, 1, 1, 1)  # of what 4 bits reach
    finer = (exact / step).round() * step
    off = ((found - finer).abs() / step)[inside]
    # The largest word is one short of the half step between two weights, on one side.
    assert off.max() < 1.01
    assert (off < 0.01).float().mean() > 1 - 1.5 / 2**bits


def test_bias_takes_what_is_left(network):
    network, images = network
    with torch.inference_mode():
        network.set_float()
        exact = network.layers["0"](images).mean((0, 2, 3))
        network.set_design(design(weight_bits=2, sram_sparsity=50))
        found = network.layers["0"](images).mean((0, 2, 3))
        layer = network.layers["0"]
        weight = layer.module.weight
        plain = nn.functional.conv2d(images, weight, layer.float_bias, padding=1).mean((0, 2, 3))
    assert (found - exact).abs().max() < 0.05 * (plain - exact).abs().max()


# What they are good for


def test_more_bits_never_err_more_with_the_best_shift(network):
    network, _ = network
    best = [
        min(
            error(network, design(NOISY, sram_bits=bits, sram_shift=shift, averaging_copies=1))
            for shift in SRAM_SHIFT.values
        )
        for bits in SRAM_BITS.values
    ]
    none = error(network, design(NOISY, sram_sparsity=100, averaging_copies=1))
    assert best[2] < best[1] < best[0] < 0.5 * none


def test_fewer_words_err_more(network):
    network, _ = network
    errors = [
        error(network, design(NOISY, sram_sparsity=sparsity, averaging_copies=1))
        for sparsity in SRAM_SPARSITY.values
    ]
    assert errors == sorted(errors)


def test_words_correct_noise_whatever_the_order_of_the_knobs(network):
    network, _ = network
    space = DesignSpace((*WORDS, AVERAGING_COPIES, *PRECISION))
    values = {"averaging_copies": 2}
    one = weight_of(network, design(NOISY, **values), seed=1)
    assert torch.equal(weight_of(network, design(space, **values), seed=1), one)
    other = weight_of(network, design(space, **values), seed=2)
    assert not torch.equal(other, one)


def test_what_no_words_are_like_does_not_matter_to_what_a_layer_is(network):
    network, _ = network
    layer = network.layers["0"]

    def state(seed=None, space=SPACE, **values):
        network.set_design(design(space, **values), seed)
        return layer.state

    none = state(sram_sparsity=100, sram_bits=2, sram_shift=0)
    assert state(sram_sparsity=100, sram_bits=4, sram_shift=3) == none
    others = [state(sram_sparsity=0, sram_bits=2), state(sram_sparsity=0, sram_bits=4)]
    assert len({none, *others, state(sram_sparsity=100, weight_bits=5)}) == 4
    assert state(sram_sparsity=100, activation_bits=3) != none
    assert state(1, NOISY, sram_sparsity=100, averaging_copies=1) is None  # it draws
    network.set_float()


def test_nothing_is_left_for_the_next_design(network):
    network, images = network
    with torch.inference_mode():
        network.set_float()
        expected = network(images)
        network.set_design(design())
        assert not torch.equal(network(images), expected)
        network.set_float()
        assert torch.equal(network(images), expected)


def test_layer_that_is_not_calibrated_is_refused():
    fresh = QuantizedNetwork(nn.Sequential(nn.Linear(64, 4)))
    with pytest.raises(AccuracyDataError, match=r"Expected a calibrated network\. Call calibrate"):
        keep_words(fresh.layers["0"], 50)
