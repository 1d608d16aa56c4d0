"""Running designs on images: protocols, splits, prefixes, and what a search may see."""

import dataclasses
import json
import re
import shutil

import gymnasium as gym
import numpy as np
import pytest
import torch

import lrmp.accuracy.lab.protocol as protocol_module
from lrmp.accuracy.lab import table_build
from lrmp.accuracy.lab.evaluator import NetworkEvaluator
from lrmp.accuracy.lab.images import SOURCES
from lrmp.accuracy.lab.measurement import Measurement
from lrmp.accuracy.lab.network import NetworkAccuracy
from lrmp.accuracy.lab.protocol import (
    Split,
    identity,
    load_protocol,
    read_protocols,
)
from lrmp.accuracy.lab.table_build import build_table, extend_shipped, write_table
from lrmp.accuracy.model.design_result import design_result
from lrmp.accuracy.model.factories import noise_seeds
from lrmp.accuracy.model.sensitivity_table import SensitivityTable, load_designs
from lrmp.envs import LayerwiseEnv, load_task
from lrmp.errors import AccuracyDataError, AccuracyTableError
from lrmp.hardware import load_network
from lrmp.hardware.families import FAMILIES
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.precision import PRECISION

PROTOCOLS = read_protocols()
SPLITS = ["calibration", "search", "test"]


@pytest.fixture(scope="module")
def evaluator(folder, protocol):
    return NetworkEvaluator(protocol.subject(folder))


def uniform(bits, layers=10):
    return Design.of({"weight_bits": bits, "activation_bits": bits}, layers=layers)


# Protocols


@pytest.mark.parametrize("name", PROTOCOLS)
def test_splits_share_no_image(name):
    protocol = PROTOCOLS[name]
    seen = [
        (protocol.split(split).source, int(index))
        for split in SPLITS
        for index in protocol.split(split).indices()
    ]
    assert len(seen) == len(set(seen)) == sum(len(protocol.split(split)) for split in SPLITS)
    for split in SPLITS:
        source = protocol.split(split)
        assert source.indices().max() < SOURCES[source.source][0]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_training_images_are_no_search_or_test_images(name):
    protocol = PROTOCOLS[name]
    if protocol.training is None:
        with pytest.raises(AccuracyDataError, match=rf"a training split, got {name}, whose"):
            protocol.split("training")
    else:
        assert len(np.unique(protocol.training.indices())) == SOURCES[protocol.training.source][0]
        assert protocol.training.source not in (protocol.search.source, protocol.test.source)


@pytest.mark.parametrize(
    "split",
    [
        Split("imagenet-val900", 0, 100, 901),
        Split("imagenet-val900", 0, 900, 900),
        Split("imagenet-val900", 0, -1, 5),
    ],
)
def test_split_of_more_images_than_there_are_is_refused(split):
    message = rf"Expected images {split.start} to {split.stop} of imagenet-val900, got a set of 900"
    with pytest.raises(AccuracyDataError, match=rf"{message}\. Take fewer, or a larger set"):
        split.indices()


@pytest.mark.parametrize(("label", "named"), [(10, 10), (200, 200), (-1, -1)])
def test_class_that_the_network_does_not_have_is_refused(folder, protocol, tmp_path, label, named):
    (tmp_path / "cifar10").mkdir()
    name = "cifar10/cifar10_lossless_subset.npz"
    with np.load(folder / name) as whole:
        arrays = {key: whole[key] for key in whole.files}
    arrays["y_test"] = arrays["y_test"].astype(np.int16)
    arrays["y_test"][protocol.search.indices()[3]] = label
    np.savez(tmp_path / name, **arrays)
    assert len(protocol.load("test", tmp_path)) == 48
    message = rf"Expected classes 0 to 9 for resnet8 in cifar10-lossless-test, got {named}\. Give"
    with pytest.raises(AccuracyDataError, match=message):
        protocol.load("search", tmp_path)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((40, 32, 3), "got 32 x 40 with 3 channels in cifar10-lossless-test. Give"),
        ((32, 32, 1), "got 32 x 32 with 1 channel in cifar10-lossless-test. Give"),
    ],
)
def test_images_that_the_network_does_not_take_are_refused(
    folder, protocol, tmp_path, shape, message
):
    (tmp_path / "cifar10").mkdir()
    pixels, labels = np.zeros((1000, *shape), np.uint8), np.zeros(1000, np.uint8)
    np.savez(tmp_path / "cifar10" / "cifar10_lossless_subset.npz", x_test=pixels, y_test=labels)
    shutil.copy(folder / "resnet8.safetensors", tmp_path)
    evaluator = NetworkEvaluator(protocol.subject(tmp_path))
    with pytest.raises(
        AccuracyDataError,
        match=re.escape(f"Expected images of 32 x 32 with 3 channels for resnet8, {message}"),
    ):
        evaluator.split("search")


def test_limit_loads_the_first_images_alone(evaluator, protocol, folder):
    protocol = dataclasses.replace(protocol, training=protocol.search)
    few = NetworkEvaluator(protocol.subject(folder))
    images, labels = few.labelled_images("training", 5)
    whole = evaluator.split("search")
    assert torch.equal(images, torch.cat(whole.images)[:5])
    assert torch.equal(labels, torch.cat(whole.labels)[:5])
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert len(few.labelled_images("training")[1]) == len(protocol.search)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_allows_one_point(name):
    assert PROTOCOLS[name].allowed_drop == 1.0
    assert 0 < PROTOCOLS[name].sensitivity_images <= len(PROTOCOLS[name].search)


def test_identity_follows_weights_images_and_recipe():
    protocol = PROTOCOLS["resnet20"]
    changes = [
        {},
        {"sha256": "0"},
        {"recipe": "ptq-1-uncorrected"},
        {"test": Split("cifar10-lossless-test", 0, 500, 999)},
        {"search": Split("cifar10-lossless-test", 1, 0, 500)},
    ]
    assert len({identity(dataclasses.replace(protocol, **change)) for change in changes}) == 5
    assert identity(dataclasses.replace(protocol, about="elsewhere")) == identity(protocol)


def test_unknown_network_is_refused():
    with pytest.raises(AccuracyDataError, match=r"protocol .* Did you mean 'resnet20'\?"):
        load_protocol("resnet_20")


def test_other_weights_are_refused(folder, protocol):
    other = dataclasses.replace(protocol, sha256="0" * 64)
    with pytest.raises(AccuracyDataError, match=r"Expected .* to have SHA-256 0{64}, got "):
        NetworkEvaluator(other.subject(folder))


def test_missing_weights_are_refused(tmp_path, protocol):
    with pytest.raises(AccuracyDataError, match=r"Expected weights at .* Name the data folder"):
        NetworkEvaluator(protocol.subject(tmp_path))


@pytest.mark.parametrize(
    ("name", "pixel", "value"),
    [
        ("mlp", 51, 0.2),
        ("resnet8", 51, 51),
        ("mobilenet_v2", 51, -0.6),
        ("efficientnet_lite0", 51, -0.59375),
    ],
)
def test_preprocessing_by_hand(name, pixel, value):
    found = PROTOCOLS[name].preprocess(np.full((1, 2, 2, 1), pixel, np.uint8))
    assert found == pytest.approx(value, abs=1e-6)
    assert found.dtype == np.float32


def test_imagenet_preprocessing_by_hand():
    found = PROTOCOLS["resnet18"].preprocess(np.full((1, 1, 1, 3), 102, np.uint8))
    expected = [(0.4 - 0.485) / 0.229, (0.4 - 0.456) / 0.224, (0.4 - 0.406) / 0.225]
    assert found[0, 0, 0] == pytest.approx(expected, abs=1e-6)


# Designs


def test_result_is_that_of_the_network_image_by_image(evaluator, protocol, folder):
    result = evaluator.evaluate(uniform(3), "test")
    images = protocol.load("test", folder)
    batch = torch.from_numpy(protocol.preprocess(images.pixels)).permute(0, 3, 1, 2)
    labels = torch.from_numpy(images.labels)
    network = evaluator.network
    with torch.inference_mode():
        before = evaluator.float_model(batch).log_softmax(1)
        network.set_design(uniform(3))
        after = network(batch).log_softmax(1)
        network.set_float()
    right, still = before.argmax(1) == labels, after.argmax(1) == labels
    assert result.images == 48
    assert result.float_correct == int(right.sum())
    assert result.lost == int((right & ~still).sum())
    assert result.gained == int((still & ~right).sum())
    before, after = before.double(), after.double()
    divergence = float((before.exp() * (before - after)).sum(1).mean())
    assert result.divergence == pytest.approx(divergence, rel=1e-3)
    assert result.divergence > 0.001


def test_evaluation_leaves_the_network_in_float(evaluator):
    first = evaluator.evaluate(uniform(2), "search")
    assert all(layer.weight_bits is None for layer in evaluator.network.layers.values())
    evaluator.evaluate(uniform(8), "search")
    assert evaluator.evaluate(uniform(2), "search") == first


def test_stages_name_the_layers_they_run(evaluator):
    assert evaluator.stage_layers == [
        ["conv1"],
        ["layer1.conv1", "layer1.conv2"],
        ["layer2.conv1", "layer2.conv2", "layer2.shortcut"],
        ["layer3.conv1", "layer3.conv2", "layer3.shortcut"],
        ["fc"],
    ]


@pytest.mark.long
@pytest.mark.parametrize("stage", [0, 2, 4])
def test_kept_prefix_changes_no_divergence(folder, protocol, evaluator, stage):
    fresh = NetworkEvaluator(protocol.subject(folder))
    list(fresh.stage_divergences(0, PRECISION))  # the prefix now stands at another stage
    found = dict(fresh.stage_divergences(stage, PRECISION))
    split = evaluator.split("search")
    for name in evaluator.stage_layers[stage]:
        layer = evaluator.network.layers[name]
        for knob, bits, rounded in (
            ("weight_bits", 2, layer.round_weights),
            ("activation_bits", 3, layer.round_inputs),
        ):
            rounded(bits)
            with torch.inference_mode():
                after = evaluator.network(split.images[0]).log_softmax(1)
            layer.set_float()
            before, after = split.log_probabilities[0].double(), after.double()
            whole = float((before.exp() * (before - after)).sum(1).mean())
            assert found[name, (knob,), (bits,)] == pytest.approx(whole, rel=1e-3, abs=1e-7)


# What a search may see


@pytest.fixture
def requested(monkeypatch):
    """Record which images of which source are loaded."""
    seen = set()
    load = protocol_module.load_images

    def recording(source, indices, root):
        seen.update((source, int(index)) for index in indices)
        return load(source, indices, root)

    monkeypatch.setattr(protocol_module, "load_images", recording)
    return seen


def images_of(protocol, split):
    found = protocol.split(split)
    return {(found.source, int(index)) for index in found.indices()}


def test_search_never_touches_the_test_split(folder, protocol, requested):
    task = dataclasses.replace(load_task("LRMP-ResNet20-v0"), id="Custom", budget=200).with_tenant(
        network=load_network("resnet8"),
        accuracy_factory=lambda network, chip, space: NetworkAccuracy(protocol, space, folder),
    )
    env = LayerwiseEnv(task, discrete=True)
    env.reset(seed=0)
    for _ in range(10):
        *_, info = env.step([3, 3])
    assert info["accuracy_drop"] == task.accuracy.drop(uniform(5))
    assert requested == images_of(protocol, "calibration") | images_of(protocol, "search")
    task.accuracy.test_drop(uniform(5))
    assert images_of(protocol, "test") <= requested


@pytest.mark.long
def test_table_is_made_without_the_test_split(folder, protocol, requested, tmp_path):
    measurement = Measurement(protocol.subject(folder), tmp_path / "log.jsonl")
    table = build_table(measurement, "a test", fit_designs=12)
    assert requested == images_of(protocol, "calibration") | images_of(protocol, "search")
    assert {axes: entries.shape for axes, entries in table.terms.items()} == {
        ("weight_bits",): (10, 7),
        ("activation_bits",): (10, 7),
    }
    assert table.provenance["command"] == "a test"
    path = write_table(table, measurement, tmp_path)
    assert SensitivityTable.from_text(path.read_text("utf-8")).to_text() == table.to_text()
    lines = (tmp_path / "resnet8.measured.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == measurement.log.results
    assert sum('"design"' in line for line in lines) == 12 + 1  # and the plain one


# Resuming


@pytest.mark.long
def test_interrupted_measurement_goes_on_and_gives_the_same_log(
    folder, protocol, tmp_path, monkeypatch
):
    whole = Measurement(protocol.subject(folder), tmp_path / "whole.jsonl")
    whole.measure_divergences()
    expected = (tmp_path / "whole.jsonl").read_text("utf-8")
    lines = expected.splitlines(keepends=True)
    path = tmp_path / "cut.jsonl"
    path.write_text("".join(lines[:30]) + lines[30][:12], "utf-8")  # killed within a line
    resumed = Measurement(protocol.subject(folder), path)
    assert len(resumed.known()) == 29
    resumed.measure_divergences()
    assert path.read_text("utf-8") == expected


@pytest.mark.long
def test_worker_processes_find_the_same_divergences(folder, protocol, tmp_path):
    one = Measurement(protocol.subject(folder), tmp_path / "one.jsonl")
    two = Measurement(protocol.subject(folder), tmp_path / "two.jsonl", processes=2)
    one.measure_divergences()
    two.measure_divergences()
    a, b = one.table().terms, two.table().terms
    for axes in (("weight_bits",), ("activation_bits",)):
        # Another number of threads sums in another order: a value on a rounding border may flip.
        assert a[axes] == pytest.approx(b[axes], rel=1e-2, abs=1e-6)


def test_log_of_another_measurement_is_refused(folder, protocol, tmp_path):
    Measurement(protocol.subject(folder), tmp_path / "log.jsonl")
    other = dataclasses.replace(protocol, recipe="ptq-1-uncorrected")
    with pytest.raises(AccuracyDataError, match=r"another one's \(different: protocol\)"):
        Measurement(other.subject(folder), tmp_path / "log.jsonl")


# More designs for a table that is shipped


@pytest.mark.long
def test_shipped_results_are_not_measured_again(folder, protocol, tmp_path, monkeypatch):
    first = Measurement(protocol.subject(folder), tmp_path / "first.jsonl")
    table = build_table(first, "a test", fit_designs=12)
    monkeypatch.setattr(table_build, "load_table", lambda *which: table)
    monkeypatch.setattr(table_build, "load_measured", lambda *which: first.log.results)

    second = Measurement(protocol.subject(folder), tmp_path / "second.jsonl")
    extend_shipped(second)
    held = len(second.log.results)
    assert held == len(first.log.results)
    extend_shipped(second)  # what is there already stays as it is
    assert build_table(second, "a test", fit_designs=12).to_text() == table.to_text()
    assert len(second.log.results) == held
    assert len(second.measure_designs("test", 3, seed=2)) == 3
    assert len(second.log.results) == held + 3


def test_shipped_results_of_other_weights_are_refused(folder, protocol, tmp_path):
    measurement = Measurement(protocol.subject(folder), tmp_path / "log.jsonl")
    with pytest.raises(
        AccuracyTableError,
        match=r"with other sha256, calibration, search, sensitivity_images\. Measure without",
    ):
        extend_shipped(measurement)
    assert measurement.log.results == []


# The environment's argument


def test_environment_takes_the_table_or_the_network():
    table = gym.make("LRMP-ResNet20-v0", accuracy="table").unwrapped.task
    assert table is load_task("LRMP-ResNet20-v0")
    network = gym.make("LRMP-ResNet20-v0", accuracy="network", disable_env_checker=True)
    task = network.unwrapped.task
    assert task.accuracy_label == "network"
    assert task.fingerprint != table.fingerprint
    assert gym.make("LRMP-Digits-v0", accuracy="network").unwrapped.task.accuracy_label == "network"


def test_digits_have_no_table():
    with pytest.raises(AccuracyTableError, match=r"with a sensitivity table .* got 'digits_cnn'"):
        gym.make("LRMP-Digits-v0", accuracy="table")


def test_unknown_accuracy_is_refused():
    with pytest.raises(AccuracyTableError, match=r"Expected accuracy to be 'table' or 'network'"):
        gym.make("LRMP-ResNet20-v0", accuracy="guess")


# Real weights on real images


@pytest.mark.parametrize(
    "name",
    [name for name, protocol in PROTOCOLS.items() if protocol.float_images == "mnist-test"]
    + ["resnet8", "resnet20"],
)
def test_float_accuracy_is_the_documented_one(name, data):
    assert whole_float_top1(name, data) == pytest.approx(PROTOCOLS[name].float_top1, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        name
        for name, protocol in PROTOCOLS.items()
        if protocol.float_top1 and name not in ("lenet", "resnet8", "resnet20")
    ],
)
def test_float_accuracy_of_large_networks_is_the_documented_one(name, data):
    assert whole_float_top1(name, data) == pytest.approx(PROTOCOLS[name].float_top1, abs=0.1)


def whole_float_top1(name, data):
    protocol = PROTOCOLS[name]
    count = SOURCES[protocol.float_images][0]
    whole = dataclasses.replace(protocol, test=Split(protocol.float_images, 0, 0, count))
    return NetworkEvaluator(whole.subject(data)).float_top1("test")


@pytest.mark.long
@pytest.mark.parametrize(
    "family", [name for name, family in FAMILIES.items() if "resnet20" in family.networks]
)
def test_shipped_designs_are_reproduced(family, data):
    layout, chip = load_network("resnet20"), FAMILIES[family].chip()
    space = FAMILIES[family].space(layout, chip)
    subject = PROTOCOLS["resnet20"].subject(data)
    evaluator = NetworkEvaluator(subject, noise_seeds=noise_seeds(chip), chip=chip)
    for entry in [line for line in load_designs("resnet20", family) if line["split"] == "test"][:3]:
        found = evaluator.evaluate(Design.of(entry["design"], space=space), "test")
        expected = design_result(entry)
        assert found.divergence == pytest.approx(expected.divergence, rel=0.02)
        # Other processors add in another order: an image on the edge may fall either way.
        assert abs(found.drop - expected.drop) <= 0.4
