"""Averaged copies in real layers: the moments of the tile, drawn once per weight."""

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from lrmp.accuracy.lab.analog_tile import AnalogTile
from lrmp.accuracy.lab.network_effect import network_effect
from lrmp.accuracy.lab.quantization import QuantizedNetwork
from lrmp.accuracy.model.bit_widths import MIN_BITS
from lrmp.accuracy.model.cell_moments import product_error
from lrmp.errors import AccuracyDataError
from lrmp.hardware import load_preset
from lrmp.hardware.chip.preset import with_noise
from lrmp.hardware.space.averaging import AVERAGING_COPIES
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION

CHIP = with_noise(load_preset("neurram_nature_2022"), "rram_wan_2022_1_second")
STATIC = with_noise(
    load_preset("neurram_nature_2022"), "rram_wan_2022_1_second", read_microsiemens=0.0
)
SPACE = DesignSpace((*PRECISION, AVERAGING_COPIES))


@cache
def linear(chip):
    torch.manual_seed(0)
    network = QuantizedNetwork(nn.Sequential(nn.Linear(200, 16)), chip=chip)
    inputs = torch.rand(16, 200)
    network.calibrate(inputs)
    return network, inputs


def outputs(network, inputs, copies, seed, bits=8):
    values = {"weight_bits": bits, "activation_bits": 8, "averaging_copies": copies}
    network.set_design(Design.of(values, layers=len(network.layers), space=SPACE), seed)
    network.noise_run.start_batch("search", 0, len(inputs))
    with torch.inference_mode():
        found = network(inputs)
    network.set_float()
    return found


def rounded(network, inputs, bits=8):
    network.set_design(
        Design.of({"weight_bits": bits, "activation_bits": 8}, layers=len(network.layers))
    )
    with torch.inference_mode():
        found = network(inputs)
    network.set_float()
    return found


@pytest.mark.parametrize("bits", [4, 8])
def test_error_of_a_layer_is_that_of_the_closed_form_and_of_the_tile(bits):
    network, inputs = linear(CHIP)
    exact = rounded(network, inputs, bits)
    found = torch.stack([outputs(network, inputs, 1, seed, bits) for seed in range(30)]) - exact
    layer = next(iter(network.layers.values()))
    steps = layer.weight_steps[bits - MIN_BITS]
    weights = (layer.grids.rounded(bits) / steps[:, None]).round().long().numpy().T
    step = layer.activation_steps[8 - MIN_BITS]
    integers = (inputs / step).round().clamp(0, 255).long().numpy()
    fine = replace(CHIP, adc_resolution_bits=24)  # no ADC is part of the effect
    bias, deviation = product_error(weights, bits, integers, 8, fine, 1)
    scale = (steps * step).numpy()
    expected = np.square(bias * scale).mean() + np.square(deviation * scale).mean()
    tile = [
        AnalogTile(weights, bits, fine, seed)(integers, 8).numpy() - integers @ weights
        for seed in range(10)
    ]
    # 30 draws of 16 columns: 480 numbers, whose mean square is known to 6.5 %.
    assert float(found.square().mean()) == pytest.approx(expected, rel=0.15)
    assert np.square(np.stack(tile) * scale).mean() == pytest.approx(expected, rel=0.2)


def test_copies_divide_the_same_draw():
    network, inputs = linear(STATIC)
    exact = rounded(network, inputs)
    one, four = (outputs(network, inputs, copies, 5) - exact for copies in (1, 4))
    # one = mean + drawn and four = mean + drawn / 2, where the mean error of cells is small.
    mean = 2 * four - one
    assert mean.square().mean() < 0.05 * one.square().mean()
    eight = outputs(network, inputs, 8, 5) - exact
    assert torch.allclose(eight - mean, (one - mean) / 8**0.5, atol=1e-5)
    assert torch.equal(outputs(network, inputs, 1, 5), outputs(network, inputs, 1, 5))
    assert not torch.equal(outputs(network, inputs, 1, 6), outputs(network, inputs, 1, 5))


def test_reads_add_noise_to_every_image():
    with_reads, inputs = linear(CHIP)
    without, _ = linear(STATIC)
    again = torch.cat([inputs[:1]] * len(inputs))
    static = outputs(without, again, 1, 0)
    assert torch.equal(static, static[:1].expand_as(static))
    noisy = outputs(with_reads, again, 1, 0)
    assert (noisy - static).std() > 0
    assert not torch.equal(noisy[0], noisy[1])
    more = outputs(with_reads, again, 4, 0) - outputs(without, again, 4, 0)
    assert torch.allclose(2 * more, noisy - static, atol=1e-4)


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(4, 6, 3, padding=1, stride=2),
        nn.Conv2d(4, 8, 3, padding=1, groups=4),
        nn.Conv1d(4, 6, 3, padding=1),
    ],
)
def test_convolutions_read_what_their_windows_drive(module):
    """The noise of a read grows with the driven rows of its window and group, by the definition."""
    torch.manual_seed(0)
    network = QuantizedNetwork(nn.Sequential(module), chip=CHIP)
    shape = (4, 4, 8, 8) if isinstance(module, nn.Conv2d) else (4, 4, 8)
    inputs = torch.rand(shape)
    network.calibrate(inputs)
    static = QuantizedNetwork(nn.Sequential(module), chip=STATIC)
    static.calibrate(inputs)
    layer = next(iter(network.layers.values()))
    step, steps = layer.activation_steps[-1], layer.weight_steps[-1]
    integers = (inputs / step).round().clamp(0, 255).long()
    # 8 one-bit digits count 1, 4, 16, ... in the variance; the weights are ones.
    squares = sum(4.0**bit * (integers >> bit & 1) for bit in range(8))
    ones = torch.ones_like(layer.float_weight)
    rows = torch.func.functional_call(module, {"weight": ones, "bias": None}, (squares,))
    # Cells of 4 and 3 bits in pairs: 2 * (15 ** 2 + (16 * 7) ** 2), each 1 % of its range.
    cells = 2 * (15**2 + 112**2) * 0.01**2
    scale = (steps * step).reshape(-1, *(1,) * (inputs.ndim - 2))
    expected = (rows * cells).sqrt() * scale
    found = [
        outputs(network, inputs, 1, seed) - outputs(static, inputs, 1, seed) for seed in range(60)
    ]
    ratio = torch.stack(found) / expected
    assert float(ratio.square().mean()) == pytest.approx(1, rel=0.1)
    assert float(ratio.square().mean(0).max()) < 2.5


def test_averages_need_noise_a_chip_and_products():
    effect = network_effect(AVERAGING_COPIES)
    network, _ = linear(load_preset("neurram_nature_2022"))
    layer = next(iter(network.layers.values()))
    network.noise_run.seed = 0
    with pytest.raises(
        AccuracyDataError,
        match=re.escape(
            "Expected a chip with noise, which averaging_copies averages, got "
            "'neurram_nature_2022' without. Give it a [noise] table, or leave the knob out."
        ),
    ):
        effect(layer, 2)
    network.set_float()
    nowhere, _ = linear(None)
    with pytest.raises(AccuracyDataError, match=r"^Expected a chip, which the effect of a knob"):
        effect(next(iter(nowhere.layers.values())), 2)
    unseeded, _ = linear(CHIP)
    with pytest.raises(AccuracyDataError, match=r"^Expected a run with a seed"):
        effect(next(iter(unseeded.layers.values())), 2)
    lstm = QuantizedNetwork(nn.Sequential(nn.LSTM(3, 4)), chip=CHIP)
    lstm.calibrate([torch.rand(5, 2, 3)])
    lstm.noise_run.seed = 0
    with pytest.raises(
        AccuracyDataError,
        match=r"^Expected convolutions and fully connected layers, .* got a QuantizedRecurrent\.$",
    ):
        effect(next(iter(lstm.layers.values())), 2)


def test_nothing_is_left_for_the_next_design():
    network, inputs = linear(CHIP)
    exact = rounded(network, inputs)
    outputs(network, inputs, 4, 0)
    assert torch.equal(rounded(network, inputs), exact)
