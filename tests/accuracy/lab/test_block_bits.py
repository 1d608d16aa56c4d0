"""Bits of blocks: their assignment against trying everything, and the weights that come of it."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lrmp.accuracy.lab.quantization import QuantizedNetwork
from lrmp.accuracy.lab.quantization.bit_assignment import BitAssignment
from lrmp.accuracy.lab.quantization.block_bits import BlockRounding, LayerBlocks, round_blocks
from lrmp.accuracy.lab.quantization.weight_projection import KeptWeights
from lrmp.errors import AccuracyDataError
from lrmp.hardware import load_preset

CHIP = replace(load_preset("lrmp_frontiers_2024"), active_columns=8)
UNIT = 9, 8


def least_errors(errors):
    """Try every assignment: the least sum of errors by the sum of the bits."""
    blocks, widths = errors.shape
    best = np.full(blocks * (widths - 1) + 1, np.inf)
    for bits in itertools.product(range(widths), repeat=blocks):
        total = sum(bits)
        best[total] = min(best[total], errors[range(blocks), bits].sum())
    return np.minimum.accumulate(best)  # bits may be left over


def convex_errors(rng, blocks, widths):
    gains = np.sort(rng.exponential(size=(blocks, widths - 1)), axis=1)
    return np.cumsum(np.concatenate([np.zeros((blocks, 1)), gains], 1), 1)[:, ::-1]


def sum_of(errors, bits):
    return errors[range(len(errors)), bits].sum()


def test_assignment_is_the_best_where_errors_are_convex():
    rng = np.random.default_rng(0)
    for _ in range(20):
        errors = convex_errors(rng, 4, 5)
        best = least_errors(errors)
        for total in range(17):
            bits = BitAssignment(errors).assign(total)
            assert bits.sum() == total
            assert sum_of(errors, bits) == pytest.approx(best[total], abs=1e-12)


def test_assignment_of_real_blocks_is_within_a_step_of_the_best():
    """Errors of rounding are not convex: the first bit, a lone sign, is worth nothing."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(8, 36, generator=generator) * torch.logspace(-2, 0, 4).repeat_interleave(9)
    rounding = BlockRounding(weight, torch.full((8,), 3 / 127), 1, UNIT)
    assert rounding.errors.shape == (4, 9)
    assert (np.diff(rounding.errors, axis=1) <= 0).all()
    assert (rounding.errors[:, 0] == rounding.errors[:, 1]).all()
    best = least_errors(rounding.errors)
    exact = 0
    for total in range(33):
        bits = BitAssignment(rounding.errors).assign(total)
        error = sum_of(rounding.errors, bits)
        assert bits.sum() <= total
        assert best[total] - 1e-9 <= error <= best[max(0, total - 8)] + 1e-9
        exact += error <= best[total] + 1e-9
    assert exact > 24


def test_bits_that_help_nobody_are_not_spent():
    errors = np.array([[4.0, 1.0, 0.0, 0.0], [2.0, 2.0, 0.5, 0.5]])
    assert BitAssignment(errors).assign(0).tolist() == [0, 0]
    # 3 for the first bit, 1 for the second of the first block; 1.5 for two bits of the second.
    assert BitAssignment(errors).assign(1).tolist() == [1, 0]
    assert BitAssignment(errors).assign(2).tolist() == [2, 0]
    assert BitAssignment(errors).assign(3).tolist() == [2, 0]  # two bits do not fit one
    assert BitAssignment(errors).assign(4).tolist() == [2, 2]
    assert BitAssignment(errors).assign(6).tolist() == [2, 2]


@pytest.fixture
def convolution():
    torch.manual_seed(0)
    network = QuantizedNetwork(nn.Sequential(nn.Conv2d(20, 30, 3, groups=2)), chip=CHIP)
    images = torch.rand(4, 20, 6, 6)
    network.calibrate(images)
    return network, next(iter(network.layers.values())), images


def blocks_of(weight, groups):
    """Cut a convolution's weights into blocks, one by one."""
    matrix = weight.flatten(1).unflatten(0, (groups, -1))
    return [
        matrix[group, column : column + 8, row : row + 9]
        for group in range(groups)
        for column in range(0, matrix.shape[1], 8)
        for row in range(0, matrix.shape[2], 9)
    ]


def test_every_block_has_its_bits(convolution):
    _, layer, _ = convolution
    grid = LayerBlocks(layer.grids, 2, UNIT).grid(8)
    # 15 channels and 90 rows of each group: 2 x 10 blocks.
    assert len(grid.errors) == 2 * 2 * 10
    bits, error = grid.assign(13)
    assert bits.sum() <= 40 * 13 // 4
    assert len(set(bits.tolist())) > 1
    rounded = grid.rounded(bits)
    weight = layer.float_weight.flatten(1)
    assert float((rounded - weight).double().square().sum()) == pytest.approx(error, rel=1e-4)
    integers = rounded / layer.weight_steps[-1][:, None]
    assert torch.allclose(integers, integers.round(), atol=1e-3)
    levels = blocks_of(integers.round().int().view_as(layer.float_weight), 2)
    for block, width in zip(levels, bits.tolist(), strict=True):
        magnitudes = block.abs().flatten().tolist()
        together = np.bitwise_or.reduce(magnitudes)
        # A sign, and what is between the highest bit that is set and the lowest.
        lowest = int(together & -together).bit_length() - 1
        used = int(together).bit_length() - lowest + 1 if together else 0
        assert used <= width


def test_small_blocks_lose_nothing_with_their_highest_bits():
    """A block whose integers of 8 bits have empty planes needs no bits for them."""
    weight = torch.randint(-127, 128, (8, 27), generator=torch.Generator().manual_seed(0)).float()
    weight[:, 9:18] = weight[:, 9:18].div(43, rounding_mode="trunc")  # -2..2: a sign and two bits
    weight[:, 18:] = 0
    rounding = BlockRounding(weight, torch.ones(8), 1, UNIT)
    bits, error = rounding.assign(32)
    assert bits.tolist() == [8, 3, 0]
    assert error == 0
    assert torch.equal(rounding.rounded(bits), weight)


@pytest.mark.parametrize("bits", range(2, 9))
def test_blocks_err_no_more_than_the_whole_layer_with_as_many_bits(convolution, bits):
    _, layer, _ = convolution
    uniform = (layer.grids.rounded(bits) - layer.float_weight).square().sum()
    round_blocks(layer, 4 * bits)
    assert (layer.module.weight - layer.float_weight).square().sum() <= uniform * (1 + 1e-5)


def test_equal_blocks_round_as_the_layer_does(convolution):
    _, layer, _ = convolution
    blocks = LayerBlocks(layer.grids, 2, UNIT)
    for bits in range(2, 9):
        grid = blocks.grid(bits)
        expected = layer.grids.rounded(bits).flatten(1)
        # On the grid for the width the lowest bit of all is the same.
        grid.lowest[:] = 8 - bits
        found = grid.rounded(np.full(len(grid.errors), bits))
        assert torch.allclose(found, expected, rtol=1e-5, atol=1e-8)


def test_more_bits_err_less_and_nothing_is_left_over(convolution):
    network, layer, images = convolution
    with torch.inference_mode():
        expected = network(images)
        errors = []
        for mean in (4, 6, 8, 12, 16, 24, 32):
            round_blocks(layer, mean)
            errors.append(float((layer.module.weight - layer.float_weight).square().sum()))
        assert errors == sorted(errors, reverse=True)
        assert not torch.equal(network(images), expected)
        layer.set_float()
        assert torch.equal(network(images), expected)
        round_blocks(layer, 0)
        assert not layer.module.weight.any()


def test_bias_takes_up_the_mean_error(convolution):
    network, layer, images = convolution
    with torch.inference_mode():
        expected = network(images).mean((0, 2, 3))
        round_blocks(layer, 6)
        found = network(images).mean((0, 2, 3))
    assert torch.allclose(found, expected, atol=1e-4)


def test_blocks_are_those_of_the_weights_that_pruning_leaves(convolution):
    _, layer, _ = convolution
    kept = torch.rand(layer.float_weight.shape, generator=torch.Generator().manual_seed(0)) < 0.3
    layer.project_weights("some", None, lambda weight: KeptWeights(kept))
    round_blocks(layer, 10)
    pruned_first = layer.module.weight.clone()
    assert not pruned_first[~kept].any()
    layer.set_float()
    round_blocks(layer, 10)
    assert layer.module.weight[~kept].any()
    layer.project_weights("some", None, lambda weight: KeptWeights(kept))
    assert torch.equal(layer.module.weight, pruned_first)


def test_a_recurrent_layer_has_blocks_too():
    torch.manual_seed(0)
    network = QuantizedNetwork(nn.Sequential(nn.LSTM(5, 6)), chip=CHIP)
    inputs = torch.rand(4, 2, 5)
    network.calibrate([inputs])
    layer = network.layers["0.l0"]
    float_outputs = network.model(inputs)[0]
    round_blocks(layer, 8)
    assert not torch.allclose(network.model(inputs)[0], float_outputs, atol=1e-3)
    round_blocks(layer, 32)
    assert torch.allclose(network.model(inputs)[0], float_outputs, atol=1e-2)
    layer.set_float()
    assert torch.equal(network.model(inputs)[0], float_outputs)


def test_bad_values_and_chips_are_refused(convolution):
    _, layer, _ = convolution
    with pytest.raises(AccuracyDataError) as error:
        round_blocks(layer, 33)
    assert str(error.value) == "Expected mean_weight_bits of 0 to 32 quarter bits, got 33."
    layer.enter(1, replace(CHIP, active_columns=0))
    with pytest.raises(AccuracyDataError) as error:
        round_blocks(layer, 16)
    assert str(error.value) == (
        "Expected a chip that reads operation units where mean_weight_bits is chosen, got "
        "'lrmp_frontiers_2024' with active_columns 0. Set it, or take weight_bits."
    )
    uncalibrated = next(iter(QuantizedNetwork(nn.Sequential(nn.Linear(6, 4))).layers.values()))
    uncalibrated.enter(1, CHIP)
    with pytest.raises(AccuracyDataError, match="Expected a calibrated network"):
        round_blocks(uncalibrated, 16)
