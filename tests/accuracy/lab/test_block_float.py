"""Inputs that share an exponent by row group, against exact arithmetic number by number."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrmp.accuracy.lab.quantization import QuantizedNetwork
from lrmp.accuracy.lab.quantization.block_float import align_, align_inputs
from lrmp.accuracy.lab.quantization.row_groups import RowwiseProduct, group_slices
from lrmp.errors import AccuracyDataError
from lrmp.hardware import load_preset

CHIP = replace(load_preset("lrmp_frontiers_2024"), float_input_bits=16)


def quantized(module, inputs, chip=CHIP):
    network = QuantizedNetwork(nn.Sequential(module), chip=chip)
    network.calibrate(inputs)
    return network, next(iter(network.layers.values()))


def aligned_by_hand(group, bits, signed):
    """Align one row group in fractions."""
    exponents = [max(math.frexp(x)[1] - 1, -14) for x in group if x]
    if not exponents:
        return group
    step = Fraction(2) ** (max(exponents) + 1 - bits + signed)
    most = 2 ** (bits - signed) - 1
    least = -most - 1 if signed else 0
    return [float(min(max(round(Fraction(x) / step), least), most) * step) for x in group]


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [2, 3, 8, 11, 19, 40, 69])
def test_alignment_is_that_of_exact_arithmetic(bits, signed):
    rng = np.random.default_rng(bits)
    every = rng.integers(0, 2**16, (200, 9), dtype=np.uint16).view(np.float16).astype(np.float32)
    close = rng.standard_normal((200, 9)).astype(np.float16).astype(np.float32)
    numbers = np.concatenate([np.where(np.isfinite(every), every, 0), close, np.zeros((1, 9))])
    numbers = numbers.astype(np.float32)
    if not signed:
        numbers = np.abs(numbers)
    found = torch.from_numpy(numbers.copy())[..., None]
    align_(found, bits, signed=signed)
    expected = [aligned_by_hand(group.tolist(), bits, signed) for group in numbers]
    assert found[..., 0].tolist() == expected


def test_no_number_is_lost_where_all_exponents_fit():
    rng = np.random.default_rng(0)
    every = rng.integers(0, 2**15, (500, 9), dtype=np.uint16).view(np.float16).astype(np.float32)
    numbers = torch.from_numpy(np.where(np.isfinite(every), every, 0).astype(np.float32))
    for bits, signed, exact in ((40, False, True), (41, True, True), (39, False, False)):
        found = numbers[..., None].clone()
        align_(found, bits, signed=signed)
        assert torch.equal(found[..., 0], numbers) == exact


def test_more_bits_never_err_more():
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(300, 9, 1, generator=generator).mul(2).exp().half().float()
    before = torch.full_like(numbers, math.inf)
    for bits in range(1, 30):
        found = numbers.clone()
        align_(found, bits, signed=False)
        error = (found - numbers).abs()
        assert (error <= before).all()
        before = error
    assert before.max() == 0


def test_row_groups_end_where_crossbars_do():
    # 256 rows are 28 groups of 9 and one of 4; of 300 rows 44 are left, 4 of 9 and one of 8.
    assert group_slices(300, CHIP) == [
        (slice(0, 252), 9),
        (slice(252, 256), 4),
        (slice(256, 292), 9),
        (slice(292, 300), 8),
    ]
    assert group_slices(9, CHIP) == [(slice(0, 9), 9)]
    assert group_slices(2, CHIP) == [(slice(0, 2), 2)]
    # With two rows a weight, a group of 9 rows has 4 weights, a crossbar 128.
    rows = replace(CHIP, weight_encoding="differential-rows")
    assert group_slices(129, rows) == [(slice(0, 128), 4), (slice(128, 129), 1)]


MODULES = [
    (nn.Linear(300, 7), (5, 300)),
    (nn.Linear(10, 3, bias=False), (2, 4, 10)),
    (nn.Conv2d(32, 6, 3, padding=1), (3, 32, 8, 7)),
    (nn.Conv2d(8, 12, (3, 2), stride=(2, 1), padding=(1, 0), groups=4), (2, 8, 9, 8)),
    (nn.Conv2d(6, 6, 3, padding=2, dilation=2, groups=6, bias=False), (2, 6, 9, 9)),
    (nn.Conv2d(5, 4, 1, stride=2), (2, 5, 6, 6)),
    (nn.Conv2d(5, 4, 3, padding="same"), (2, 5, 6, 6)),
    (nn.Conv1d(6, 4, 5, stride=2, padding=2), (3, 6, 20)),
]


@pytest.mark.parametrize(("module", "shape"), MODULES)
def test_rowwise_products_are_those_of_the_layer(module, shape):
    inputs = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    network, layer = quantized(module, inputs)
    kept = inputs.clone()
    with torch.inference_mode():
        expected = network(inputs)
        layer.products = RowwiseProduct(layer, lambda groups: None)
        found = network(inputs)
        layer.products = RowwiseProduct(layer, lambda groups: groups.zero_())
        nothing = network(inputs)
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, atol=1e-5)
    assert torch.equal(inputs, kept)
    zero = torch.zeros_like(inputs)
    assert torch.allclose(nothing, module(zero), atol=1e-6)


@pytest.mark.parametrize(("module", "shape"), MODULES[2:4])
def test_convolutions_share_exponents_by_row_group_and_position(module, shape):
    """Against patches from torch's own unfolding, aligned group by group in fractions."""
    inputs = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    network, layer = quantized(module, inputs)
    chip = replace(CHIP, crossbar_rows=32, active_rows=5)
    layer.enter(1, chip)
    align_inputs(layer, -6)
    with torch.inference_mode():
        found = network(inputs)
    half = inputs.half().double()
    window = module.kernel_size, module.dilation, module.padding, module.stride
    patches = F.unfold(half, *window).unflatten(1, (module.groups, -1))
    aligned = patches.clone()
    rows = patches.shape[2]
    starts = [
        (row, min(row + 5, crossbar + 32, rows))
        for crossbar in range(0, rows, 32)
        for row in range(crossbar, min(crossbar + 32, rows), 5)
    ]
    for image, group, position in np.ndindex(len(inputs), module.groups, patches.shape[3]):
        for start, stop in starts:
            numbers = patches[image, group, start:stop, position].tolist()
            by_hand = aligned_by_hand(numbers, 5, signed=True)
            aligned[image, group, start:stop, position] = torch.tensor(by_hand).double()
    weight = module.weight.detach().double().flatten(1).unflatten(0, (module.groups, -1))
    expected = (weight @ aligned).flatten(1, 2) + module.bias.detach().double()[:, None]
    assert torch.allclose(found.double(), expected.view(found.shape), atol=1e-4)
    assert not torch.allclose(found.double(), module(inputs).double(), atol=1e-2)


def test_wide_alignment_computes_with_half_precision_inputs():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(2, 32, 8, 7, generator=generator).mul(2).exp()
    network, layer = quantized(nn.Conv2d(32, 6, 3, padding=1), inputs)
    with torch.inference_mode():
        in_float = network(inputs)
        layer.products = RowwiseProduct(layer, lambda groups: None)
        expected = network(inputs.half().float())
        for bits in (29, 58):
            align_inputs(layer, bits)
            assert torch.equal(network(inputs), expected)
        align_inputs(layer, -4)
        assert not torch.equal(network(inputs), expected)
        layer.set_float()
        assert layer.products is None
        assert torch.equal(network(inputs), in_float)
        assert not torch.equal(in_float, expected)


def test_large_numbers_are_the_largest_half():
    inputs = torch.full((1, 4), 1e6)
    network, layer = quantized(nn.Linear(4, 1, bias=False), inputs)
    align_inputs(layer, 8)
    with torch.inference_mode():
        found = network(inputs)
    assert torch.allclose(found, layer.float_weight.sum() * 65504.0)


def test_weights_are_those_that_other_knobs_leave():
    inputs = torch.rand(3, 20, generator=torch.Generator().manual_seed(0))
    network, layer = quantized(nn.Linear(20, 4), inputs)
    with torch.inference_mode():
        align_inputs(layer, 8)
        layer.round_weights(3)
        after = network(inputs)
        layer.set_float()
        layer.round_weights(3)
        align_inputs(layer, 8)
        assert torch.equal(network(inputs), after)
        layer.on_outputs.append(lambda outputs: 2 * outputs)
        assert torch.equal(network(inputs), 2 * after)


def test_bad_layers_and_values_are_refused():
    inputs = torch.rand(2, 3, 6, 6)
    with pytest.raises(AccuracyDataError) as error:
        align_inputs(quantized(nn.Conv2d(3, 4, 3), inputs)[1], -10)
    assert str(error.value) == (
        "Expected alignment_bits of at least -9, which leaves 2 bits of an input, got -10."
    )
    reflecting = nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect")
    for module, given in ((reflecting, inputs), (nn.LSTM(3, 4), torch.rand(5, 2, 3))):
        with pytest.raises(AccuracyDataError, match="Expected a convolution that pads with zeros"):
            align_inputs(quantized(module, given)[1], 0)
    with pytest.raises(AccuracyDataError, match="Expected a chip"):
        align_inputs(quantized(nn.Linear(6, 4), inputs, chip=None)[1], 0)
    uncalibrated = next(iter(QuantizedNetwork(nn.Sequential(nn.Linear(6, 4))).layers.values()))
    uncalibrated.enter(1, CHIP)
    with pytest.raises(AccuracyDataError, match="Expected a calibrated network"):
        align_inputs(uncalibrated, 0)
