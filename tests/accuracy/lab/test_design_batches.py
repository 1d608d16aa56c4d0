"""Designs in a batch give what each gives alone; results are counted image by image."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrmp.accuracy.lab import evaluator as evaluator_module
from lrmp.accuracy.lab.evaluator import Comparison, NetworkEvaluator
from lrmp.accuracy.lab.models.staged import StagedModel
from lrmp.errors import AccuracyDataError
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION, weight_bits


@pytest.fixture(scope="module")
def evaluator(folder, protocol):
    return NetworkEvaluator(protocol.subject(folder))


def random_designs(count, layers=10, seed=0):
    """Draw designs of which many begin alike: each changes the one before from some layer on."""
    rng = np.random.default_rng(seed)
    settings, designs = PRECISION.plain_settings(layers).copy(), []
    for _ in range(count):
        first = int(rng.integers(layers))
        settings[first:] = rng.integers(1, 7, (layers - first, 2))
        designs.append(Design(PRECISION, settings.copy(), np.ones(layers, np.int64)))
    return [designs[place] for place in rng.permutation(count)]


def runs(evaluator):
    return sum(layer.runs for layer in evaluator.network.layers.values())


@pytest.mark.long
def test_batch_gives_what_every_design_gives_alone(evaluator):
    designs = random_designs(12)
    designs += [designs[3], designs[0], designs[3]]
    before = runs(evaluator)
    alone = [evaluator.evaluate(design, "search") for design in designs]
    between = runs(evaluator)
    together = evaluator.evaluate_all(designs, "search")
    assert together == alone  # to the bit, in the order given
    assert len(set(together)) > 10
    assert runs(evaluator) - between < 0.8 * (between - before)  # what is alike ran once
    assert all(layer.weight_bits is None for layer in evaluator.network.layers.values())


def test_copies_of_a_design_change_nothing(evaluator):
    design = random_designs(1)[0]
    copied = Design(PRECISION, design.settings, np.full(10, 3))
    one, other = evaluator.evaluate_all([design, copied], "search")
    assert one == other


def test_designs_of_different_spaces_share_nothing(evaluator):
    fewer = DesignSpace((dataclasses.replace(weight_bits(), values=(4, 8)),))
    one = Design(fewer, np.zeros((10, 1), np.int64), np.ones(10, np.int64))  # 4 bits
    narrow = DesignSpace((dataclasses.replace(weight_bits(), values=(2, 8)),))
    other = Design(narrow, one.settings, one.replication)  # 2 bits
    expected = [evaluator.evaluate(one, "search"), evaluator.evaluate(other, "search")]
    assert expected[0] != expected[1]
    assert evaluator.evaluate_all([one, other], "search") == expected


def test_number_of_batches_kept_changes_nothing(evaluator, monkeypatch):
    designs = random_designs(4, seed=1)
    expected = evaluator.evaluate_all(designs, "test")
    monkeypatch.setattr(evaluator_module, "PIXELS_KEPT", 1)
    assert evaluator.evaluate_all(designs, "test") == expected


def test_no_designs_have_no_results(evaluator):
    assert evaluator.evaluate_all([], "search") == []


def test_design_that_the_network_cannot_have_stops_the_batch(evaluator):
    short = Design.of({"weight_bits": 4, "activation_bits": 4}, layers=9)
    with pytest.raises(AccuracyDataError, match=r"Expected a design of 10 layers, got one of 9\."):
        evaluator.evaluate_all([random_designs(1)[0], short], "search")
    assert all(layer.weight_bits is None for layer in evaluator.network.layers.values())


# Stages that write into their inputs


class Writing(StagedModel):
    """Every stage begins by writing into what it is given; the third through a view of it."""

    input_shape = (3, 32, 32)

    def __init__(self, in_place):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 8, 3, stride=2), nn.Conv2d(8, 8, 3, stride=2)
        self.fc1, self.fc2 = nn.Linear(392, 16), nn.Linear(16, 10)
        self.relu = nn.ReLU(inplace=in_place)
        self.in_place = in_place

    def stages(self):
        def scaled(maps):
            return maps.mul_(0.02) if self.in_place else maps.mul(0.02)

        def shifted(maps):
            return maps.add_(0.5) if self.in_place else maps.add(0.5)

        return [
            lambda images: self.conv1(scaled(images)),
            lambda maps: self.conv2(shifted(maps)),
            lambda maps: maps.flatten(1),
            lambda features: self.fc1(self.relu(shifted(features))),
            lambda features: self.fc2(self.relu(features)),
        ]


@pytest.fixture
def writing(folder, protocol):
    """Return evaluators of a network that writes in place, and of the same one that does not."""

    def make(in_place):
        torch.manual_seed(0)
        model = Writing(in_place).requires_grad_(False).eval()
        subject = dataclasses.replace(protocol.subject(folder), module=model, protocol=None)
        return NetworkEvaluator(subject)

    return make(True), make(False)


@pytest.mark.long
def test_stages_that_write_in_place_leave_kept_maps_alone(writing):
    in_place, plain = writing
    designs = random_designs(6, layers=4)
    images = [batch.clone() for batch in in_place.split("search").images]
    expected = [plain.evaluate(design, "search") for design in designs]
    assert in_place.evaluate_all(designs, "search") == expected
    assert [in_place.evaluate(design, "search") for design in designs] == expected
    assert len(set(expected)) > 4
    assert all(map(torch.equal, in_place.split("search").images, images))


def test_sensitivities_of_stages_that_write_in_place(writing):
    in_place, plain = writing
    for stage in range(5):
        found = dict(in_place.stage_divergences(stage, PRECISION))
        assert found == dict(plain.stage_divergences(stage, PRECISION))
    assert max(found.values()) > 0


def test_compared_module_may_write_into_images(writing):
    in_place, plain = writing
    first = in_place.compare(lambda images: plain.network(images.relu_()), "search")
    assert in_place.compare(lambda images: plain.network(images.relu_()), "search") == first


# Counting


def test_comparison_by_hand():
    expected = torch.tensor([[0.5, 0.25, 0.25], [0.8, 0.1, 0.1], [0.2, 0.2, 0.6], [0.1, 0.7, 0.2]])
    found = torch.tensor([[0.25, 0.5, 0.25], [0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.2, 0.6, 0.2]])
    labels = torch.tensor([0, 1, 0, 1])  # float right: 0, 3; design right: 2, 3
    comparison = Comparison(1.0)
    comparison.start_run()
    comparison.add(found[:3].log() + 7, labels[:3], expected[:3].log())  # scores: any offset
    comparison.add(found[3:].log(), labels[3:], expected[3:].log())
    result = comparison.result()
    divergences = [
        0.5 * math.log(2) + 0.25 * math.log(0.5),
        0.0,
        0.2 * math.log(1 / 3) + 0.6 * math.log(3),
        0.1 * math.log(0.5) + 0.7 * math.log(7 / 6),
    ]
    assert result.divergence == pytest.approx(np.mean(divergences), abs=1e-6)
    error = np.std(divergences, ddof=1) / 2
    assert result.divergence_error == pytest.approx(error, rel=1e-5)
    assert (result.images, result.float_correct) == (4, 2)
    assert (result.lost_images, result.gained_images) == ((0,), (2,))
    assert (result.lost, result.gained) == (1, 1)
    assert result.changes.tolist() == [1, 0, -1, 0]
    assert result.drop == 0
    assert result.top1 == 50


def test_error_of_the_divergence_is_that_of_resampled_images():
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(0, 2, (400, 5)))
    noisy = logits + torch.from_numpy(rng.normal(0, 0.5, (400, 5)))
    expected = logits.log_softmax(1)
    comparison = Comparison(1.0)
    comparison.start_run()
    comparison.add(noisy, expected.argmax(1), expected)
    each = F.kl_div(noisy.log_softmax(1), expected, reduction="none", log_target=True).sum(1)
    means = each.numpy()[rng.integers(0, 400, (2000, 400))].mean(1)
    result = comparison.result()
    assert result.divergence == pytest.approx(float(each.mean()))
    assert result.divergence_error == pytest.approx(means.std(), rel=0.1)


def test_one_image_says_nothing_of_the_error():
    comparison = Comparison(1.0)
    comparison.start_run()
    comparison.add(torch.zeros(1, 2), torch.zeros(1), torch.zeros(1, 2).log_softmax(1))
    assert comparison.result().divergence_error == math.inf
