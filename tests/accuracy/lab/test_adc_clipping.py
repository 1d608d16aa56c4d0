"""ADCs that clip, against crossbars that are read cell by cell."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrmp.accuracy.lab.quantization import QuantizedNetwork
from lrmp.accuracy.lab.quantization.fine_tuning import trainable_copy
from lrmp.errors import AccuracyDataError, DesignError
from lrmp.hardware import CostModel, Layer, Network
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.adc import adc_bits
from lrmp.hardware.space.adc_clip_bits import ADC_CLIP_BITS
from lrmp.hardware.space.column_nonzeros import column_nonzeros
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION

CHIP = Accelerator(
    name="toy",
    crossbar_rows=40,
    crossbar_columns=40,
    cell_bits=2,
    dac_bits=1,
    active_rows=16,
    columns_per_adc=4,
    clock_mhz=100,
    output_elements_per_cycle=0,
    weight_encoding="differential-columns",
    adc="early-stop",
)
SPACE = DesignSpace((ADC_CLIP_BITS, *PRECISION, replace(column_nonzeros(16), values=(4, 16))))


def calibrated(module, images, chip=CHIP):
    torch.manual_seed(0)
    network = QuantizedNetwork(nn.Sequential(module).eval(), chip=chip)
    network.calibrate(images)
    return network


def design(**values):
    return Design.of(values, layers=1, space=SPACE)


def read_cell_by_cell(layer, columns, chip, limit):
    """Multiply as the crossbars do, in Python's integers.

    ``columns`` are the rounded inputs of every position, shape (positions, groups, K).
    """
    bits, width = layer.weight_bits, layer.activation_bits
    steps = layer.weight_steps[bits - 2].numpy()
    weight = layer.module.weight.detach().flatten(1).numpy()
    whole = np.rint(weight / steps[:, None]).astype(np.int64)
    step = layer.activation_steps[width - 2]
    inputs = np.rint(columns.numpy() / step).astype(np.int64)
    moved = 2 ** (width - 1) if layer.signed else 0
    outputs = np.zeros((len(inputs), len(whole)))
    per_group = len(whole) // inputs.shape[1]
    for position, of_groups in enumerate(inputs):
        for m, weights in enumerate(whole):
            x = of_groups[m // per_group] + moved
            total = -moved * int(weights.sum())
            for crossbar in range(0, len(x), chip.crossbar_rows):
                end = min(crossbar + chip.crossbar_rows, len(x))
                for first in range(crossbar, end, chip.active_rows):
                    rows = range(first, min(first + chip.active_rows, end))
                    for sign in (1, -1):
                        for i in range(0, 8, chip.cell_bits):
                            for j in range(0, width, chip.dac_bits):
                                total_of_column = sum(
                                    (max(0, sign * int(weights[k])) >> i)
                                    % 2**chip.cell_bits
                                    * ((int(x[k]) >> j) % 2**chip.dac_bits)
                                    for k in rows
                                )
                                total += sign * min(total_of_column, limit) << (i + j)
            outputs[position, m] = total * steps[m] * step
    return outputs


CASES = {
    "linear": (lambda: nn.Linear(50, 3), (2, 50)),
    "conv": (lambda: nn.Conv2d(5, 3, 3, stride=2, padding=1), (1, 5, 5, 4)),
    "grouped": (lambda: nn.Conv2d(4, 6, 3, groups=2, dilation=2, padding=2), (1, 4, 4, 4)),
    "conv1d": (lambda: nn.Conv1d(6, 3, 5, padding=2, stride=2), (1, 6, 7)),
}


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("dac_bits", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_clipped_products_are_those_of_crossbars_read_cell_by_cell(name, dac_bits, signed):
    build, shape = CASES[name]
    torch.manual_seed(0)
    images = torch.rand(shape) - 0.5 * signed
    chip, module = replace(CHIP, dac_bits=dac_bits), build()
    network = calibrated(module, images, chip)
    layer = network.layers["0"]
    with torch.inference_mode():
        network.set_design(design(weight_bits=6, activation_bits=5))
        exact = network(images)
        network.set_design(design(weight_bits=6, activation_bits=5, adc_clip_bits="3"))
        found = network(images)
    rounded = layer.activation_steps[3] * (images / layer.activation_steps[3]).round().clamp(
        *((-16, 15) if signed else (0, 31))
    )
    if name == "linear":
        columns = rounded[:, None]
    else:
        image = rounded if rounded.ndim == 4 else rounded[:, :, None]
        sizes = (module.kernel_size, module.dilation, module.padding, module.stride)
        if name == "conv1d":
            sizes = tuple((one, *size) for one, size in zip((1, 1, 0, 1), sizes, strict=True))
        columns = F.unfold(image, *sizes)[0].T.unflatten(1, (module.groups, -1))
    for limit, outputs in ((7, found), (10**9, exact)):
        expected = torch.from_numpy(read_cell_by_cell(layer, columns, chip, limit))
        expected = expected + layer.module.bias.detach()
        in_rows = outputs if name == "linear" else outputs[0].flatten(1).T
        assert torch.allclose(in_rows.double(), expected, atol=1e-4)
    assert not torch.allclose(found, exact, atol=1e-2)


def test_enough_bits_lose_nothing_and_fewer_lose_more():
    images = torch.rand(8, 50, generator=torch.Generator().manual_seed(0))
    network = calibrated(nn.Linear(50, 6), images)
    with torch.inference_mode():
        network.set_design(Design.of({"weight_bits": 8, "activation_bits": 8}, layers=1))
        exact = network(images)
        network.set_design(design())
        assert torch.equal(network(images), exact)
        errors = []
        for label in ADC_CLIP_BITS.values:
            network.set_design(design(adc_clip_bits=label))
            errors.append(float((network(images) - exact).abs().sum()))
        # 16 rows of 2-bit cells: B = 6 bits tell all sums apart.
        assert adc_bits(16, 1, 2) == 6
        assert errors[0] > errors[1] > 0
        assert errors[1] >= errors[2]
        assert errors[3:] == [0, 0, 0]
        # Of 4 weights per column 4 bits do.
        network.set_design(design(column_nonzeros=4))
        pruned = network(images)
        network.set_design(design(column_nonzeros=4, adc_clip_bits="4"))
        assert torch.equal(network(images), pruned)
        network.set_design(design(column_nonzeros=4, adc_clip_bits="3"))
        assert not torch.equal(network(images), pruned)
        network.set_design(design())
        assert torch.equal(network(images), exact)


def test_clipping_costs_as_few_bits_as_it_has():
    network = Network("toy", (Layer.linear("fc", 20, 3, positions=2),))
    bits = CostModel(network, CHIP, SPACE).conversion.bits
    assert bits.reshape(6, 2).tolist() == [[3, 3], [4, 4], [4, 5], [4, 6], [4, 6], [4, 6]]
    lossless = replace(ADC_CLIP_BITS, values=("6", "lossless"))
    fixed = replace(CHIP, adc="fixed")
    assert CostModel(network, fixed, DesignSpace((lossless,))).conversion.bits.max() == 6
    with pytest.raises(DesignError, match=r"ADCs follow .* where adc_clip_bits is chosen"):
        CostModel(network, fixed, DesignSpace((ADC_CLIP_BITS,)))


def test_chip_that_is_not_simulated_is_refused():
    images = torch.rand(4, 8)
    network = calibrated(nn.Linear(8, 2), images, replace(CHIP, weight_encoding="offset"))
    with pytest.raises(
        AccuracyDataError, match=r"Expected a chip with weight_encoding 'differential-columns'"
    ):
        network.set_design(design(adc_clip_bits="3"))


@pytest.mark.parametrize(
    ("module", "images", "found"),
    [
        (nn.LSTM(3, 4), [torch.rand(2, 1, 3)], "QuantizedRecurrent"),
        (nn.Conv2d(1, 2, 3, padding="same"), torch.rand(1, 1, 5, 5), "Conv2d"),
        (nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"), torch.rand(1, 1, 5, 5), "Conv2d"),
    ],
)
def test_layer_whose_sums_are_not_simulated_is_refused(module, images, found):
    network = calibrated(module, images)
    with pytest.raises(AccuracyDataError, match=rf"padded by a number of zeros, .* got a {found}"):
        network.set_design(design(adc_clip_bits="3"))


def test_sums_that_are_no_whole_numbers_are_refused():
    images = torch.rand(4, 8)
    network = calibrated(nn.Linear(8, 2), images)
    space = DesignSpace((ADC_CLIP_BITS,))
    network.set_design(Design.of({"adc_clip_bits": "3"}, layers=1, space=space))
    with pytest.raises(AccuracyDataError, match=r"rounds weights and inputs, and changes them in"):
        network(images)


def test_fine_tuning_refuses_products_that_are_clipped():
    images = torch.rand(4, 8)
    network = calibrated(nn.Linear(8, 2), images)
    with pytest.raises(AccuracyDataError, match=r"whose products are exact, .* qat-1 trains"):
        trainable_copy(network, design(adc_clip_bits="3"))
