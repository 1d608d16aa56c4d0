"""Few weights per column: which are kept, how they are rounded, and that training keeps them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrmp.accuracy.lab.quantization import QuantizedNetwork
from lrmp.accuracy.lab.quantization.column_pruning import keep_largest, largest_weights
from lrmp.accuracy.lab.quantization.fine_tuning import FineTuning, fine_tune, trainable_copy
from lrmp.accuracy.lab.quantization.row_groups import row_groups
from lrmp.accuracy.lab.quantization.steps import quantize_weight, weight_steps
from lrmp.errors import AccuracyDataError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.space.column_nonzeros import column_nonzeros
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION

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
SPACE = DesignSpace((*PRECISION, replace(column_nonzeros(8), values=(2, 4, 8))))


def network_of(*modules, images, chip=CHIP):
    network = QuantizedNetwork(nn.Sequential(*modules).eval(), chip=chip)
    network.calibrate(images)
    return network


@pytest.fixture
def conv():
    torch.manual_seed(0)
    images = torch.rand(16, 6, 5, 5)
    modules = nn.Conv2d(6, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(100, 4)
    return network_of(*modules, images=images), images


def design(nonzeros, layers=2, **values):
    return Design.of(
        {"weight_bits": 8, "activation_bits": 8, "column_nonzeros": nonzeros} | values,
        layers=layers,
        space=SPACE,
    )


# Which weights


@pytest.mark.parametrize(
    ("chip", "rows", "sizes"),
    [
        (CHIP, 50, [8, 8, 4, 8, 8, 4, 8, 2]),  # crossbars of 20 rows: 20, 20 and 10
        (CHIP, 7, [7]),
        (replace(CHIP, active_rows=20), 50, [20, 20, 10]),
        # Two rows for each weight: 10 weights of a crossbar, 4 of a row group.
        (replace(CHIP, weight_encoding="differential-rows"), 23, [4, 4, 2, 4, 4, 2, 3]),
    ],
)
def test_rows_are_cut_as_crossbars_read_them(chip, rows, sizes):
    groups = row_groups(rows, chip)
    assert [group.stop - group.start for group in groups] == sizes
    assert [group.start for group in groups] == np.cumsum([0, *sizes[:-1]]).tolist()


@pytest.mark.parametrize("nonzeros", [2, 4])
def test_largest_weights_of_every_row_group_and_channel_are_kept(nonzeros):
    weight = torch.randn(5, 6, 3, 3, generator=torch.Generator().manual_seed(0))
    kept = largest_weights(weight, nonzeros, CHIP)
    for channel, mask in zip(weight.reshape(5, 54).tolist(), kept.reshape(5, 54), strict=True):
        for crossbar in range(0, 54, 20):
            last = min(crossbar + 20, 54)
            for first in range(crossbar, last, 8):
                rows = range(first, min(first + 8, last))
                largest = sorted(rows, key=lambda row: -abs(channel[row]))[:nonzeros]
                assert [row for row in rows if mask[row]] == sorted(largest)


def test_rows_are_in_the_order_of_im2col():
    # Channel by channel: with 9 rows together every kernel of 3 x 3 is a row group.
    weight = torch.randn(2, 5, 3, 3, generator=torch.Generator().manual_seed(0))
    kept = largest_weights(weight, 1, replace(CHIP, crossbar_rows=18, active_rows=9))
    assert kept.flatten(2).sum(2).tolist() == [[1] * 5] * 2
    columns = F.unfold(torch.arange(45.0).view(1, 5, 3, 3), 3).flatten()
    assert columns.tolist() == torch.arange(45.0).tolist()


def test_of_equal_weights_the_first_are_kept():
    assert largest_weights(torch.ones(1, 8), 4, CHIP).tolist() == [[True] * 4 + [False] * 4]


def test_groups_of_channels_have_matrices_of_their_own():
    # 6 groups of 1 channel: 9 rows each, a row group of 8 and one of 1, whatever the others hold.
    images = torch.rand(4, 6, 5, 5)
    network = network_of(nn.Conv2d(6, 6, 3, groups=6), images=images)
    network.set_design(design(2, layers=1))
    kept = network.layers["0"].projection.kept.reshape(6, 9)
    assert kept[:, :8].sum(1).tolist() == [2] * 6
    assert kept[:, 8].all()


def test_lstm_prunes_input_and_hidden_state_as_one_matrix():
    torch.manual_seed(0)
    network = network_of(nn.LSTM(5, 6), images=[torch.rand(3, 2, 5)])
    network.set_design(design(2, layers=1))
    layer = network.layers["0.l0"]
    weight = layer._weight
    assert weight.shape == (24, 11)  # 5 inputs and 6 of the state: row groups of 8 and 3
    assert ((weight[:, :8] != 0).sum(1) <= 2).all()
    assert ((weight[:, 8:] != 0).sum(1) <= 2).all()
    outputs = network.model(torch.rand(3, 2, 5))[0]
    assert outputs.isfinite().all()


# What is computed


def test_all_rows_are_the_unpruned_layer_bit_for_bit(conv):
    network, images = conv
    with torch.inference_mode():
        network.set_design(Design.of({"weight_bits": 5, "activation_bits": 4}, layers=2))
        expected = network(images)
        network.set_design(design(8, weight_bits=5, activation_bits=4))
        assert torch.equal(network(images), expected)
        assert all(layer.projection is None for layer in network.layers.values())


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (2, 0, 1)])
def test_pruned_weights_are_rounded_in_steps_of_their_own(conv, order):
    network, images = conv
    space = DesignSpace(SPACE.knobs[place] for place in order)
    values = {"weight_bits": 3, "activation_bits": 8, "column_nonzeros": [2, 8]}
    network.set_design(Design.of(values, space=space))
    layer = network.layers["0"]
    pruned = layer.float_weight * largest_weights(layer.float_weight, 2, CHIP)
    steps = weight_steps(pruned, network.recipe.weight_clip_ratios)[1]
    expected = quantize_weight(pruned, steps, 3)
    assert torch.equal(layer.module.weight.data, expected)
    assert ((expected != 0).flatten(1).sum(1) <= 2 * len(row_groups(54, CHIP))).all()
    # Integers and floats agree.
    with torch.inference_mode():
        found = network(images)
    assert torch.allclose(network(images), found, atol=1e-4)


def test_bias_takes_what_pruning_loses_on_average(conv):
    network, images = conv
    with torch.inference_mode():
        network.set_float()
        exact = network.layers["0"](images).mean((0, 2, 3))
        network.set_design(design([2, 8]))
        layer = network.layers["0"]
        corrected = layer(images).mean((0, 2, 3))
        pruned = layer.module.weight
        plain = F.conv2d(images, pruned, layer.float_bias, padding=1).mean((0, 2, 3))
    assert (corrected - exact).abs().max() < 0.02 * (plain - exact).abs().max()


def test_nothing_of_a_pruned_design_is_left_for_the_next(conv):
    network, images = conv
    with torch.inference_mode():
        expected = network(images)
        network.set_design(Design.plain(2))
        plain = network(images)
        once = [network.set_design(design(2)), network(images)][1]
        network.set_design(Design.plain(2))
        assert torch.equal(network(images), plain)
        network.set_design(design(4))
        assert not torch.equal(network(images), once)
        network.set_design(design(2))
        assert torch.equal(network(images), once)
        network.set_float()
        assert torch.equal(network(images), expected)


def test_float_weights_are_pruned_where_no_knob_rounds_them(conv):
    network, images = conv
    space = DesignSpace((SPACE["column_nonzeros"],))
    network.set_design(Design.of({"column_nonzeros": [2, 8]}, space=space))
    layer = network.layers["0"]
    assert torch.equal(layer.module.weight != 0, largest_weights(layer.float_weight, 2, CHIP))
    assert network(images).isfinite().all()


def test_error_falls_with_the_weights_that_are_kept(conv):
    network, images = conv
    errors = []
    with torch.inference_mode():
        exact = network(images)
        for nonzeros in (2, 4, 8):
            network.set_design(design(nonzeros))
            errors.append(float((network(images) - exact).square().mean()))
    assert errors[0] > 2 * errors[1] > 8 * errors[2]


# Fine-tuning


@pytest.fixture(scope="module")
def problem():
    """Tell which of four stripes of a noisy picture is bright, with a perceptron."""
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(rng.integers(0, 4, 512))
    images = torch.from_numpy(rng.normal(0, 1, (512, 64)).astype(np.float32))
    for image, label in zip(images, labels.tolist(), strict=True):
        image[16 * label : 16 * label + 16] += 0.7
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(80):
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    network = QuantizedNetwork(model.requires_grad_(False).eval(), chip=CHIP)
    network.calibrate(images[:64])
    return network, images, labels


def loss(model, problem):
    with torch.no_grad():
        return float(F.cross_entropy(model(problem[1]), problem[2]))


def test_fine_tuning_starts_at_the_pruned_network_and_keeps_the_mask(problem):
    network, images, labels = problem
    chosen = design(2, weight_bits=4, activation_bits=4)
    model = trainable_copy(network, chosen)
    network.set_design(chosen)
    masks = [layer.projection.kept.clone() for layer in network.layers.values()]
    with torch.no_grad():
        assert torch.allclose(model(images), network(images), atol=1e-4)
    network.set_float()
    before = loss(model, problem)
    start = [model[place].module.weight.detach().clone() for place in (0, 2)]
    fine_tune(model, images, labels, FineTuning(epochs=6, batch=32, learning_rate=3e-3))
    exact = loss(network, problem)
    assert loss(model, problem) < before - 0.3 * (before - exact)
    for place, mask, first in zip((0, 2), masks, start, strict=True):
        layer = model[place]
        assert not torch.equal(layer.module.weight[mask], first[mask])
        assert torch.equal(layer.module.weight[~mask], first[~mask])
        # Unit inputs read the weights that are computed with.
        computed = layer(torch.eye(mask.shape[1]) * layer.activation_step.detach())
        computed = computed - layer(torch.zeros(1, mask.shape[1]))
        assert (computed.T[~mask].abs() < 1e-6).all()
        assert (computed.T[mask].abs() > 1e-6).any()


# What cannot be


def test_layer_without_a_chip_is_refused(problem):
    network = QuantizedNetwork(nn.Sequential(nn.Linear(64, 4)))
    network.calibrate(problem[1][:8])
    with pytest.raises(
        AccuracyDataError, match=r"Expected a chip, which the effect of a knob asks"
    ):
        network.set_design(design(2, layers=1))


def test_layer_that_is_not_calibrated_is_refused():
    network = QuantizedNetwork(nn.Sequential(nn.Linear(64, 4)), chip=CHIP)
    with pytest.raises(AccuracyDataError, match=r"Expected a calibrated network\. Call calibrate"):
        keep_largest(network.layers["0"], 2)
