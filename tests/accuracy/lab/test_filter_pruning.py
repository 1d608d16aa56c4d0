"""Pruned filters: which go, and that nothing which is left depends on them."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from lrmp.accuracy.lab.evaluator import NetworkEvaluator
from lrmp.accuracy.lab.examples import Examples
from lrmp.accuracy.lab.quantization.filter_pruning import most_important
from lrmp.accuracy.lab.quantization.steps import quantize_weight
from lrmp.accuracy.lab.subject import Subject
from lrmp.hardware.networks.filter_groups import filter_groups
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION
from lrmp.hardware.space.pruned_inputs import PRUNED_INPUTS

SPACE = DesignSpace((*PRECISION, PRUNED_INPUTS))


class Block(nn.Module):
    def __init__(self, stream=8, inner=4):
        super().__init__()
        self.stem = nn.Conv2d(1, stream, 3, padding=1)
        self.one = nn.Conv2d(stream, inner, 3, padding=1)
        self.two = nn.Conv2d(inner, stream, 3, padding=1)
        self.fc = nn.Linear(stream, 4)

    def forward(self, maps):
        maps = torch.relu(self.stem(maps))
        maps = torch.relu(self.two(torch.relu(self.one(maps))) + maps)
        return self.fc(maps.mean((2, 3)))


@pytest.fixture
def evaluator():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    images = rng.random((32, 1, 6, 6)).astype(np.float32)
    search = Examples(images, rng.integers(0, 4, 32))
    return NetworkEvaluator(Subject("block", Block().eval(), search, search))


def design(pruned, **values):
    given = {"weight_bits": 8, "activation_bits": 8, "pruned_inputs": pruned} | values
    return Design.of(given, layers=4, space=SPACE)


def test_channels_that_readers_weigh_least_go(evaluator):
    network = evaluator.network
    layers = list(network.layers.values())
    stream = filter_groups(evaluator.subject.network())[0]
    readers = [layers[n] for n in stream.readers]
    norms = sum(
        layer.float_weight.double().square().transpose(0, 1).flatten(1).sum(1) for layer in readers
    )
    order = most_important(readers, 8)
    assert order.tolist() == norms.argsort(descending=True).tolist()
    network.set_design(design([0, 25, 0, 25]))
    gone = set(order[-2:].tolist())
    for reader in readers:  # all of them lose the same
        kept = reader.projection.kept.transpose(0, 1).flatten(1)[:, 0]
        assert set((~kept).nonzero().flatten().tolist()) == gone


@torch.inference_mode()
def test_outputs_do_not_depend_on_pruned_filters(evaluator):
    """So the network is the one that never had them, to the last bit."""
    network, (images, _) = evaluator.network, next(evaluator.subject.batches("search", 32))
    network.set_design(design([0, 25, 50, 25], weight_bits=5, activation_bits=6))
    expected = network(images)
    stem, one, two, _ = network.layers.values()
    for producers, reader in (((stem, two), one), ((one,), two)):
        gone = ~reader.projection.kept.transpose(0, 1).flatten(1)[:, 0]
        for producer in producers:
            producer.module.weight.data[gone] = torch.randn_like(producer.module.weight[gone])
            producer.module.bias.data[gone] = 3.0
    assert torch.equal(network(images), expected)


@torch.inference_mode()
def test_physically_narrower_network_computes_the_same(evaluator):
    network, (images, _) = evaluator.network, next(evaluator.subject.batches("search", 32))
    network.set_design(design([0, 25, 50, 25]))
    for layer in network.layers.values():
        layer.activation_bits = None
    expected = network(images)
    stem, one, two, fc = network.layers.values()
    stream, inner = (
        reader.projection.kept.transpose(0, 1).flatten(1)[:, 0] for reader in (one, two)
    )
    narrow = Block(6, 2)
    every = torch.ones(1, dtype=torch.bool)
    for name, layer, outputs, inputs in (
        ("stem", stem, stream, every),
        ("one", one, inner, stream),
        ("two", two, stream, inner),
        ("fc", fc, torch.ones(4, dtype=torch.bool), stream),
    ):
        module = narrow.get_submodule(name)
        module.weight.copy_(layer.module.weight[outputs][:, inputs])
        module.bias.copy_(layer.module.bias[outputs])
        own = layer.float_weight[outputs][:, inputs]  # rounded in steps that fit what is left
        steps = layer.weight_steps[6][outputs]
        assert torch.equal(module.weight, quantize_weight(own, steps, 8))
    assert torch.allclose(narrow(images), expected, atol=1e-5)


def test_nothing_pruned_is_the_network_without_the_knob(evaluator):
    bits = {"weight_bits": [3, 4, 5, 8], "activation_bits": [8, 4, 5, 6]}
    plain = evaluator.evaluate(Design.of(bits, layers=4), "search")
    assert evaluator.evaluate(design(0, **bits), "search") == plain
    assert evaluator.evaluate(design([0, 50, 0, 50], **bits), "search") != plain


def test_a_network_that_knows_its_filters_can_be_sent_to_other_processes(evaluator):
    network, (images, _) = evaluator.network, next(evaluator.subject.batches("search", 32))
    copied = pickle.loads(pickle.dumps(network))
    for each in (network, copied):
        each.set_design(design([0, 25, 50, 25]))
    assert torch.equal(network(images), copied(images))
