"""Circulant blocks of weights: the nearest ones, how they are stored, that training keeps them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrmp.accuracy.lab.evaluator import NetworkEvaluator
from lrmp.accuracy.lab.measurement import Measurement
from lrmp.accuracy.lab.quantization import QuantizedNetwork
from lrmp.accuracy.lab.quantization.block_circulant import CirculantBlocks, make_circulant
from lrmp.accuracy.lab.quantization.fine_tuning import FineTuning, fine_tune, trainable_copy
from lrmp.accuracy.lab.table_build import build_table
from lrmp.errors import AccuracyDataError
from lrmp.hardware.families.block import BLOCK
from lrmp.hardware.space.block_circulant import BLOCK_SIZE, ROTATIONS
from lrmp.hardware.space.column_nonzeros import column_nonzeros
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.mean_weight_bits import MEAN_WEIGHT_BITS
from lrmp.hardware.space.precision import PRECISION, weight_bits

pytestmark = pytest.mark.long


SPACE = DesignSpace((*PRECISION, BLOCK_SIZE, ROTATIONS))


def design(block, layers=2, **values):
    return Design.of({"block_size": block} | values, layers=layers, space=SPACE)


def diagonal_of(place, size, outputs, inputs):
    """Say which weights are equal: group, blocks and diagonal, and the element of the kernel."""
    output, channel, *element = place
    group, output = divmod(output, outputs)
    blocks = output // size, channel // size
    return (group, *blocks, (channel - output) % size, *element)


# The nearest weights

SHAPES = [
    ((8, 8), 1),
    ((6, 5), 1),  # blocks are cut off on both sides
    ((4, 3, 3, 3), 1),
    ((8, 4, 3), 1),
    ((12, 4, 3, 3), 2),
    ((6, 1, 3, 3), 6),
    ((3, 2), 1),  # fewer channels than a block has
]


@pytest.mark.parametrize(("shape", "groups"), SHAPES)
@pytest.mark.parametrize("size", [2, 4, 8])
def test_weights_of_a_diagonal_become_their_mean(shape, groups, size):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    alike = {}
    for place in np.ndindex(shape):
        key = diagonal_of(place, size, shape[0] // groups, shape[1])
        alike.setdefault(key, []).append(place)
    expected = torch.empty(shape)
    for places in alike.values():
        mean = sum(weight[place].double() for place in places) / len(places)
        for place in places:
            expected[place] = mean
    found = CirculantBlocks(weight, size, groups)(weight)
    assert torch.allclose(found, expected, atol=1e-7)
    # Those of a diagonal are the same bit for bit, and so they stay.
    for places in alike.values():
        assert len({float(found[place]) for place in places}) == 1
    assert torch.equal(CirculantBlocks(found, size, groups)(found), found)


@pytest.mark.parametrize(("outputs", "inputs"), [(8, 8), (6, 5)])
def test_no_circulant_weights_are_nearer(outputs, inputs):
    # A basis of all that is circulant, one matrix per diagonal, and NumPy's least squares.
    weight = torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(0))
    keys = [diagonal_of(place, 4, outputs, inputs) for place in np.ndindex(outputs, inputs)]
    basis = np.array([[key == each for each in sorted(set(keys))] for key in keys], float)
    nearest = basis @ np.linalg.lstsq(basis, weight.flatten().double().numpy())[0]
    found = CirculantBlocks(weight, 4)(weight)
    assert np.allclose(found.flatten(), nearest, atol=1e-6)


def test_layout_in_memory_stays():
    weight = torch.randn(4, 4, 3, 3).to(memory_format=torch.channels_last)
    found = CirculantBlocks(weight, 2)(weight)
    assert found.is_contiguous(memory_format=torch.channels_last)


# What crossbars compute


@pytest.fixture
def conv():
    torch.manual_seed(0)
    images = torch.rand(16, 6, 5, 5)
    modules = nn.Conv2d(6, 10, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(250, 6)
    network = QuantizedNetwork(nn.Sequential(*modules).eval(), chip=BLOCK.chip())
    network.calibrate(images)
    return network, images


def integers_of(layer, bits):
    steps = layer.weight_steps[bits - 2]
    return (layer.module.weight / steps.view(-1, *[1] * (layer.module.weight.ndim - 1))).round()


@pytest.mark.parametrize("rotations", [1, 2, 4])
@pytest.mark.parametrize("name", ["0", "3"])
def test_one_column_per_block_read_with_rotated_inputs_gives_the_product(conv, name, rotations):
    network, _ = conv
    network.set_design(design("4x4", weight_bits=4))
    layer = network.layers[name]
    matrix = integers_of(layer, 4).flatten(2).numpy() if name == "0" else None
    if matrix is None:
        matrix = integers_of(layer, 4)[..., None].numpy()
    outputs, channels, elements = matrix.shape
    rows = -(-channels // 4) * 4
    inputs = np.zeros((rows, elements), np.int64)
    inputs[:channels] = np.random.default_rng(0).integers(-128, 128, (channels, elements))
    expected = np.einsum("oce,ce->o", matrix.astype(np.int64), inputs[:channels])

    # What is stored: of every block of outputs the weights of its first output; where the last
    # block of inputs is cut off, of those outputs that have them.
    found = np.zeros((outputs + 3) // 4 * 4, np.int64)
    for block in range(0, outputs, 4):
        stored = np.zeros((rows, elements), np.int64)
        for place in np.ndindex(min(4, outputs - block), channels):
            row, channel = place
            first = channel // 4 * 4 + (channel - row) % 4
            stored[first] = matrix[block + row, channel]
        columns = [rotated(stored, -r) for r in range(rotations)]
        for turn in range(4 // rotations):
            driven = rotated(inputs, turn * rotations)
            for r, column in enumerate(columns):
                found[block + turn * rotations + r] = (column * driven).sum()
    assert found[:outputs].tolist() == expected.tolist()


def rotated(vectors, by):
    """Rotate every block of four channels up."""
    return np.roll(vectors.reshape(-1, 4, vectors.shape[-1]), -by, axis=1).reshape(vectors.shape)


def test_outputs_of_a_block_share_their_step(conv):
    network, images = conv
    network.set_design(design("4x4", weight_bits=3))
    for layer in network.layers.values():
        steps = layer.weight_steps
        blocks = steps.split(4, 1)
        assert all(bool((block == block[:, :1]).all()) for block in blocks)
        assert len({float(block[0, 0]) for block in blocks}) == len(blocks)
    # Integers and floats agree.
    with torch.inference_mode():
        found = network(images)
    assert torch.allclose(network(images), found, atol=1e-4)


def test_blocks_of_one_weight_are_the_layer_bit_for_bit(conv):
    network, images = conv
    with torch.inference_mode():
        network.set_design(Design.of({"weight_bits": 5, "activation_bits": 4}, layers=2))
        expected = network(images)
        network.set_design(design("1x1", weight_bits=5, activation_bits=4, rotations=8))
        assert torch.equal(network(images), expected)
        assert all(layer.projection is None for layer in network.layers.values())


def test_rotations_change_nothing(conv):
    network, images = conv
    with torch.inference_mode():
        found = []
        for rotations in ROTATIONS.values:
            network.set_design(design("4x4", rotations=rotations))
            found.append(network(images))
    assert all(torch.equal(each, found[0]) for each in found)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 1, 3, 0)])
def test_order_of_knobs_plays_no_part_and_nothing_is_left_behind(conv, order):
    network, images = conv
    space = DesignSpace(SPACE.knobs[place] for place in order)
    values = {"weight_bits": 4, "block_size": ["2x2", "1x1"]}
    with torch.inference_mode():
        exact = network(images)
        network.set_design(Design.of(values, space=SPACE))
        expected = network(images)
        network.set_design(Design.of(values, space=space))
        assert torch.equal(network(images), expected)
        network.set_design(design("8x8"))
        assert not torch.equal(network(images), expected)
        network.set_float()
        assert torch.equal(network(images), exact)


def test_single_input_channel_loses_nothing():
    # A block of one channel has diagonals of one weight: its zeros are paid for, not its weights.
    images = torch.rand(4, 1, 6, 6)
    network = QuantizedNetwork(nn.Sequential(nn.Conv2d(1, 6, 3)))
    network.calibrate(images)
    exact = network(images)
    make_circulant(network.layers["0"], "4x4")
    assert torch.equal(network(images), exact)


def test_lstm_has_blocks_of_input_and_state_in_one_matrix():
    torch.manual_seed(0)
    network = QuantizedNetwork(nn.Sequential(nn.LSTM(5, 6)))
    network.calibrate([torch.rand(3, 2, 5)])
    layer = network.layers["0.l0"]
    make_circulant(layer, "4x4")
    assert torch.equal(layer._weight, CirculantBlocks(layer.float_weight, 4)(layer.float_weight))
    assert network.model(torch.rand(3, 2, 5))[0].isfinite().all()


def test_error_grows_with_the_blocks(conv):
    network, images = conv
    errors = []
    with torch.inference_mode():
        exact = network(images)
        for block in ("1x1", "2x2", "8x8"):
            network.set_design(design([block, "1x1"]))
            errors.append(float((network(images) - exact).square().mean()))
    assert errors[2] > errors[1] > 10 * errors[0]


# Measurement


def test_rotations_are_not_run_and_their_terms_stay_zero(folder, protocol, tmp_path, monkeypatch):
    asked = []
    run = NetworkEvaluator.stage_divergences

    def spied(self, index, space, known=frozenset()):
        for turned, divergence in run(self, index, space, known):
            asked.append(turned)
            yield turned, divergence

    monkeypatch.setattr(NetworkEvaluator, "stage_divergences", spied)
    few = DesignSpace((replace(weight_bits(), values=(2, 8)), replace(ROTATIONS, values=(1, 4))))
    measurement = Measurement(protocol.subject(folder), tmp_path / "log.jsonl", space=few)
    table = build_table(measurement, "a test", fit_designs=12)
    assert {knobs for _, knobs, _ in asked} == {("weight_bits",)}
    assert len(asked) == 10 * 2
    assert (table.terms["rotations",] == 0).all()
    assert (table.terms["weight_bits",] > 0).all()
    count = len(measurement.log.results)
    measurement.measure_divergences()
    assert len(measurement.log.results) == count


# Fine-tuning


@pytest.fixture(scope="module")
def problem():
    """Tell which of four stripes of a noisy picture is bright, with a perceptron."""
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(rng.integers(0, 4, 512))
    images = torch.from_numpy(rng.normal(0, 1, (512, 62)).astype(np.float32))
    for image, label in zip(images, labels.tolist(), strict=True):
        image[15 * label : 15 * label + 15] += 0.7
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(62, 30), nn.ReLU(), nn.Linear(30, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(80):
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    network = QuantizedNetwork(model.requires_grad_(False).eval())
    network.calibrate(images[:64])
    return network, images, labels


def test_fine_tuning_starts_at_the_circulant_network_and_keeps_it_so(problem):
    network, images, labels = problem
    chosen = design(["4x4", "2x2"], weight_bits=4, activation_bits=4)
    model = trainable_copy(network, chosen)

    def loss(found):
        with torch.no_grad():
            return float(F.cross_entropy(found(images), labels))

    network.set_design(chosen)
    with torch.no_grad():
        assert torch.allclose(model(images), network(images), atol=1e-4)
    network.set_float()
    before, exact = loss(model), loss(network)
    start = model[0].module.weight.detach().clone()
    fine_tune(model, images, labels, FineTuning(epochs=6, batch=32, learning_rate=3e-3))
    assert loss(model) < before - 0.3 * (before - exact)
    assert not torch.equal(model[0].module.weight, start)
    for layer, size in ((model[0], 4), (model[2], 2)):
        assert len(layer.weight_step) == -(-len(layer.module.weight) // size)
        # Unit inputs read the weights that are computed with: the same for a whole diagonal.
        unit = layer.activation_step.detach()
        inputs = layer.module.weight.shape[1]
        with torch.no_grad():
            computed = layer(torch.eye(inputs) * unit) - layer(torch.zeros(1, inputs))
        found = CirculantBlocks(computed.T, size)(computed.T)
        assert torch.allclose(found, computed.T, atol=1e-6)
        assert computed.std() > 1e-3


# What cannot be


def test_two_knobs_that_choose_weights_are_refused(conv):
    network, _ = conv
    space = DesignSpace((*PRECISION, column_nonzeros(9), BLOCK_SIZE))
    both = Design.of({"column_nonzeros": 4, "block_size": "2x2"}, layers=2, space=space)
    message = (
        r"Expected one knob that says which weights .*, got column_nonzeros and block_size\. Leave"
    )
    with pytest.raises(AccuracyDataError, match=message):
        network.set_design(both)
    with pytest.raises(AccuracyDataError, match=message):
        network.check(space)
    # One of them in every layer is no contradiction.
    values = {"column_nonzeros": [4, 9], "block_size": ["1x1", "2x2"]}
    network.set_design(Design.of(values, space=space))


def test_blocks_of_shared_weights_with_bits_of_their_own_are_refused(conv):
    network, _ = conv
    space = DesignSpace((*PRECISION, BLOCK_SIZE, MEAN_WEIGHT_BITS))
    values = {"block_size": "2x2", "mean_weight_bits": MEAN_WEIGHT_BITS.values[0]}
    for knobs in (space.knobs, space.knobs[::-1]):
        with pytest.raises(
            AccuracyDataError, match=r"weights that block_size stores once .* Leave"
        ):
            network.set_design(Design.of(values, layers=2, space=DesignSpace(knobs)))
    network.set_float()


def test_layer_that_is_not_calibrated_is_refused():
    network = QuantizedNetwork(nn.Sequential(nn.Linear(8, 4)))
    with pytest.raises(AccuracyDataError, match=r"Expected a calibrated network\. Call calibrate"):
        make_circulant(network.layers["0"], "2x2")
