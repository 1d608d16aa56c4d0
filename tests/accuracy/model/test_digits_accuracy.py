"""The digits network: exact integers, pinned counts, and a test split that no search sees."""

import dataclasses
import hashlib
from collections import Counter

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.datasets import load_digits

import lrmp.accuracy.model.digits as digits_module
from lrmp.accuracy.model.digits import (
    WEIGHTS,
    DigitsAccuracy,
    load_digits_split,
    load_quantized_layers,
    patches,
    quantize_activations,
    quantize_weights,
    to_maps,
)
from lrmp.envs import LayerwiseEnv, evaluate, load_task
from lrmp.errors import AccuracyTableError, DesignError
from lrmp.hardware import Layer, Network, load_network
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob
from lrmp.hardware.space.precision import PRECISION, activation_bits, precision, weight_bits

SPLITS = ["train", "search", "test"]
NETWORK = load_network("digits_cnn")


@pytest.fixture(scope="module")
def layers():
    return load_quantized_layers(NETWORK)


@pytest.fixture(scope="module")
def weights_path():
    """Where the weight file lies in the installed package."""
    return digits_module.resources.files("lrmp.accuracy.model").joinpath(WEIGHTS)


def design(weights, activations, space=PRECISION):
    values = {"weight_bits": weights, "activation_bits": activations}
    return Design.of(values, layers=5, space=space)


def uniform(bits):
    return design(bits, bits)


# Images


def test_splits_are_disjoint_and_together_all_images():
    images, labels = load_digits(return_X_y=True)
    everything = Counter(
        (image.astype(np.float32).tobytes(), int(label))
        for image, label in zip(images, labels, strict=True)
    )
    parts = Counter()
    for split in SPLITS:
        part = load_digits_split(split)
        parts.update(
            ((16 * pixels).astype(np.float32).tobytes(), int(label))
            for pixels, label in zip(part.pixels, part.labels, strict=True)
        )
    assert parts.total() == 1797
    assert parts == everything


@pytest.mark.parametrize(("split", "count"), [("train", 899), ("search", 449), ("test", 449)])
def test_split_is_scaled_and_holds_every_digit(split, count):
    images = load_digits_split(split)
    assert images.pixels.shape == (count, 8, 8, 1)
    assert images.pixels.dtype == np.float32
    assert images.pixels.min() == 0
    assert images.pixels.max() == 1
    assert images.labels.shape == (count,)
    assert set(images.labels.tolist()) == set(range(10))


# Counts


@pytest.mark.parametrize(("split", "correct"), [("train", 898), ("search", 440), ("test", 446)])
def test_float_network_is_pinned(split, correct):
    assert DigitsAccuracy().float_correct(split) == correct


@pytest.mark.parametrize(
    ("bits", "train", "search", "test"),
    [(8, 898, 440, 447), (4, 897, 438, 442), (2, 664, 319, 313)],
)
def test_quantised_network_is_pinned(bits, train, search, test):
    accuracy = DigitsAccuracy()
    counts = [accuracy.correct(uniform(bits), split) for split in SPLITS]
    assert counts == [train, search, test]


@pytest.mark.parametrize(("bits", "images"), [(8, 0), (4, 2), (2, 121)])
def test_drop_counts_lost_search_images(bits, images):
    drop = load_task("LRMP-Digits-v0").accuracy.drop(uniform(bits))
    assert type(drop) is float
    assert drop == 100 * images / 449


@pytest.mark.parametrize(("bits", "images"), [(8, -1), (4, 4), (2, 133)])
def test_test_drop_counts_lost_test_images(bits, images):
    assert DigitsAccuracy().test_drop(uniform(bits)) == 100 * images / 449


def test_model_describes_itself():
    accuracy = DigitsAccuracy()
    assert accuracy.kind == "network"
    assert accuracy.is_estimate is False
    assert "scikit-learn" in accuracy.provenance
    assert accuracy.fingerprint == DigitsAccuracy().fingerprint


# What a search may see


def fresh_digits_task():
    return dataclasses.replace(load_task("LRMP-Digits-v0"), id="Custom")


@pytest.mark.parametrize("forbidden", ["train", "test"])
def test_search_touches_the_search_images_alone(forbidden, monkeypatch):
    def guarded(split):
        if split == forbidden:
            raise PermissionError(f"the {split} images are not for searches")
        return load_digits_split(split)

    monkeypatch.setattr(digits_module, "load_digits_split", guarded)
    task = fresh_digits_task()  # remembers no design
    env = LayerwiseEnv(task)
    env.reset(seed=0)
    env.action_space.seed(0)
    assert [env.step(env.action_space.sample())[2] for _ in range(5)] == [False] * 4 + [True]
    assert evaluate(task, weight_bits=5, activation_bits=3).report.tiles <= task.budget
    with pytest.raises(PermissionError):
        task.accuracy.correct(uniform(4), forbidden)


def test_search_result_does_not_depend_on_the_other_images(monkeypatch):
    expected = load_task("LRMP-Digits-v0").accuracy.drop(uniform(3))

    def corrupted(split):
        images = load_digits_split(split)
        if split == "search":
            return images
        return dataclasses.replace(images, pixels=1 - images.pixels, labels=9 - images.labels)

    monkeypatch.setattr(digits_module, "load_digits_split", corrupted)
    accuracy = DigitsAccuracy()
    assert accuracy.float_correct("test") != 446
    assert accuracy.drop(uniform(3)) == expected


# Shortcuts


def neighbours(seed, count):
    """Walk through designs that share beginnings of every length with the one before."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(2, 9, (2, 5))
    for _ in range(count):
        start = rng.integers(0, 6)
        bits = bits.copy()
        bits[:, start:] = rng.integers(2, 9, (2, 5 - start))
        yield design(*bits)


def test_shared_beginnings_change_no_count():
    walking = DigitsAccuracy()
    for step, bits in enumerate(neighbours(0, 15)):
        assert walking.correct(bits, "search") == DigitsAccuracy().correct(bits, "search")
        if step % 3 == 0:  # other images in between leave no trace
            assert walking.correct(bits, "test") == DigitsAccuracy().correct(bits, "test")


@pytest.mark.parametrize("knob", [0, 1], ids=PRECISION.names)
def test_change_of_one_knob_alone_is_noticed(knob):
    walking = DigitsAccuracy()
    walking.correct(uniform(8), "search")
    for layer in range(5):
        bits = np.full((2, 5), 8)
        bits[knob, layer] = 2
        found = walking.correct(design(*bits), "search")
        assert found == DigitsAccuracy().correct(design(*bits), "search")


def test_remembered_designs_are_the_measured_ones(monkeypatch):
    monkeypatch.setattr(digits_module, "REMEMBERED_DESIGNS", 3)
    accuracy = DigitsAccuracy()
    designs = list(neighbours(2, 6))
    expected = [100 * (440 - DigitsAccuracy().correct(bits, "search")) / 449 for bits in designs]
    assert len(set(expected)) > 3
    for _ in range(2):
        assert [accuracy.drop(bits) for bits in designs] == expected
    assert accuracy.drop(designs[0]) == expected[0]


def test_designs_are_told_apart_by_knob():
    accuracy = DigitsAccuracy()
    assert accuracy.drop(design(2, 8)) != accuracy.drop(design(8, 2))


def test_drops_are_those_one_by_one():
    accuracy = DigitsAccuracy()
    designs = list(neighbours(4, 3))
    settings = np.array([each.settings for each in designs])
    drops = accuracy.drops(settings, np.ones((3, 5), np.int64))
    assert drops.tolist() == [DigitsAccuracy().drop(each) for each in designs]


# Spaces


def test_sensitivities_are_drops_of_one_knob_at_its_lowest_value():
    expected = np.zeros((5, 2))
    for layer, knob in np.ndindex(5, 2):
        bits = np.full((2, 5), 8)
        bits[knob, layer] = 2
        expected[layer, knob] = max(0, DigitsAccuracy().drop(design(*bits)))
    assert DigitsAccuracy().sensitivities().tolist() == expected.tolist()
    assert expected.max() > 1


def test_fewer_widths_in_another_order_count_the_same():
    values = {"weight_bits": (4, 8), "activation_bits": (2, 4, 8)}
    knobs = (
        dataclasses.replace(activation_bits(), values=values["activation_bits"]),
        dataclasses.replace(weight_bits(), values=values["weight_bits"]),
    )
    space = DesignSpace(knobs, {"weight_bits": ((8,), (4, 8), (4, 8), (4, 8), (8,))})
    accuracy = DigitsAccuracy(space=space)
    weights, activations = [8, 4, 8, 4, 8], [2, 4, 8, 8, 4]
    drop = accuracy.drop(design(weights, activations, space))
    assert drop == DigitsAccuracy().drop(design(weights, activations)) != 0
    assert accuracy.sensitivities()[[0, 4], 1].tolist() == [0, 0]  # these weights have 8 bits alone
    assert (accuracy.sensitivities()[1:4, 0] == DigitsAccuracy().sensitivities()[1:4, 1]).all()


TOY = Knob("toy", (1, 2), 2)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (precision(9), r"weight_bits that the digits network has .* steps for, 2 to 8, got 9"),
        (
            DesignSpace((*PRECISION, TOY)),
            r"the knobs weight_bits and activation_bits .* got weight_bits, activation_bits, toy\.",
        ),
        (DesignSpace((weight_bits(),)), r"the knobs weight_bits and .*, got weight_bits\. For"),
    ],
)
def test_space_that_the_network_cannot_run_is_refused(space, message):
    with pytest.raises(AccuracyTableError, match=rf"^Expected {message}"):
        DigitsAccuracy(space=space)


@pytest.mark.parametrize(
    "other", [Design.plain(4), Design.plain(5, precision(16))], ids=["layers", "space"]
)
def test_other_design_is_refused(other):
    accuracy = DigitsAccuracy()
    before = accuracy.drop(uniform(4))
    with pytest.raises(DesignError, match=r"Expected a design of 5 layers with weight_bits and"):
        accuracy.drop(other)
    assert accuracy.drop(uniform(4)) == before


# Exact arithmetic


@pytest.mark.parametrize("bits", [(8, 8), (5, 7), (2, 2)])
def test_float32_sums_equal_integer_sums(layers, bits):
    w, a = bits
    maps = load_digits_split("search").pixels[:128]
    for index, entry in enumerate(layers):
        step = entry.activation_steps[a - 2]
        inputs = patches(quantize_activations(maps, step, a), entry.layer)
        weights = entry.integer_weights[w - 2]
        assert inputs.dtype == weights.dtype == np.float32
        assert inputs.min() >= 0
        assert inputs.max() <= 2**a - 1
        assert np.abs(weights).max() <= 2 ** (w - 1) - 1
        exact_inputs, exact_weights = inputs.astype(np.int64), weights.astype(np.int64)
        assert np.array_equal(inputs, exact_inputs)
        assert np.array_equal(weights, exact_weights)
        assert np.array_equal((inputs @ weights).astype(np.int64), exact_inputs @ exact_weights)
        outputs = entry(maps, w, a)
        if index < len(layers) - 1:
            maps = to_maps(np.maximum(outputs, 0))


def test_largest_possible_sum_is_exact(layers):
    rows = max(entry.layer.rows for entry in layers)
    inputs = np.full((1, rows), 255, np.float32)
    weights = np.full((rows, 1), 127, np.float32)
    weights[-1] = 126  # one unit of the last place decides
    assert int((inputs @ weights)[0, 0]) == rows * 255 * 127 - 255


def test_quantisers_round_half_to_even_and_clip():
    maps = np.array([-1.0, 0.24, 0.25, 0.26, 0.75, 1.25, 1.5, 9.0], np.float32)
    assert quantize_activations(maps, np.float32(0.5), 2).tolist() == [0, 0, 0, 1, 2, 2, 3, 3]
    assert maps[0] == -1
    weight = np.array([[-9.0, -0.5, 0.25, 0.75], [1.0, 3.0, -3.0, 0.9]], np.float32)
    steps = np.array([0.5, 2.0], np.float32)
    assert quantize_weights(weight, steps, 3).tolist() == [[-3, -1, 0, 2], [0, 2, -2, 0]]
    assert quantize_weights(weight, steps, 2).tolist() == [[-1, -1, 0, 1], [0, 1, -1, 0]]


def test_torch_convolutions_on_the_integers_count_the_same(layers):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional

    def scores(split, weights, activations):
        maps = torch.from_numpy(load_digits_split(split).pixels).permute(0, 3, 1, 2)
        for entry, w, a in zip(layers, weights.tolist(), activations.tolist(), strict=True):
            layer = entry.layer
            step = torch.tensor(entry.activation_steps[a - 2])
            inputs = torch.round(maps / step).clamp(0, 2**a - 1).double()
            steps = torch.tensor(entry.weight_steps[w - 2])
            most = 2 ** (w - 1) - 1
            kernel = torch.round(torch.tensor(entry.weight) / steps[:, None]).clamp(-most, most)
            if layer.kind == "conv2d":
                k = layer.kernel_size
                kernel = kernel.reshape(layer.columns, k, k, -1).permute(0, 3, 1, 2)
                sums = functional.conv2d(
                    inputs, kernel.double(), stride=layer.stride, padding=k // 2
                )
                shape = (1, -1, 1, 1)
            else:
                sums = inputs.permute(0, 2, 3, 1).flatten(1) @ kernel.double().T
                shape = (1, -1)
            bias = torch.tensor(entry.bias)
            maps = sums.float() * (steps * step).reshape(shape) + bias.reshape(shape)
            if layer.kind == "conv2d":
                maps = functional.relu(maps)
        return maps

    accuracy = DigitsAccuracy()
    rng = np.random.default_rng(3)
    for number in range(10):
        bits = rng.integers(2, 9, (2, 5))
        split = ("search", "test")[number % 2]
        labels = torch.from_numpy(load_digits_split(split).labels)
        hits = scores(split, *bits).argmax(dim=1) == labels
        assert accuracy.correct(design(*bits), split) == int(hits.sum())


# The weight file


def test_weight_file_is_small_and_float32(weights_path):
    assert weights_path.stat().st_size < 200_000
    tensors = load_file(weights_path)
    parts = ("weight", "bias", "weight_steps", "activation_steps")
    assert set(tensors) == {f"{layer.name}.{part}" for layer in NETWORK.layers for part in parts}
    for name, tensor in tensors.items():
        assert tensor.dtype == np.float32, name
        assert np.isfinite(tensor).all(), name
        if name.endswith("_steps"):
            assert (tensor > 0).all(), name


@pytest.fixture
def other_file(monkeypatch, tmp_path):
    """A path that the loader reads in place of the shipped file."""
    path = tmp_path / "other.safetensors"
    monkeypatch.setattr(digits_module, "WEIGHTS", str(path))
    return path


def test_fingerprint_follows_the_weight_file(weights_path, other_file):
    tensors = load_file(weights_path)
    save_file(tensors, other_file)
    same = DigitsAccuracy()
    assert same.correct(uniform(2), "search") == 319
    fingerprint = same.fingerprint
    tensors["fc.bias"] = tensors["fc.bias"] + np.float32(1e-6)
    save_file(tensors, other_file)
    assert DigitsAccuracy().fingerprint != fingerprint


def test_truncated_weight_file_is_refused(weights_path, other_file):
    other_file.write_bytes(weights_path.read_bytes()[:-100])
    with pytest.raises(AccuracyTableError, match=r"Expected .*other\.safetensors"):
        load_quantized_layers(NETWORK)


@pytest.mark.parametrize(
    ("name", "change", "got"),
    [
        ("conv2.bias", lambda tensor: None, "nothing"),
        ("conv1.weight", lambda tensor: tensor[:, :-1].copy(), r"float32 of \(16, 8\)"),
        ("fc.weight_steps", lambda tensor: tensor[1:].copy(), r"float32 of \(6, 10\)"),
        ("fc.activation_steps", lambda tensor: tensor.astype(np.float64), r"float64 of \(7,\)"),
    ],
)
def test_weight_file_of_another_network_is_refused(weights_path, other_file, name, change, got):
    tensors = load_file(weights_path)
    changed = change(tensors.pop(name))
    if changed is not None:
        tensors[name] = changed
    save_file(tensors, other_file)
    with pytest.raises(
        AccuracyTableError,
        match=rf"Expected .* to hold {name}, float32 of shape .*, got {got}\. Train it again",
    ):
        load_quantized_layers(NETWORK)


@pytest.mark.parametrize(("rows", "exact"), [(518, True), (519, False)])
def test_layer_whose_sums_float32_could_not_hold_is_refused(other_file, rows, exact):
    save_file(
        {
            "wide.weight": np.ones((10, rows), np.float32),
            "wide.bias": np.zeros(10, np.float32),
            "wide.weight_steps": np.ones((7, 10), np.float32),
            "wide.activation_steps": np.ones(7, np.float32),
        },
        other_file,
    )
    network = Network("wide", (Layer.linear("wide", rows, 10),))
    if exact:
        assert len(load_quantized_layers(network)) == 1
    else:
        with pytest.raises(
            AccuracyTableError,
            match=r"Expected sums of layer wide below 2\*\*24 to be exact in float32, "
            rf"got up to {519 * 255 * 127}\.",
        ):
            load_quantized_layers(network)


def test_images_are_the_ones_the_results_were_made_with():
    # Pinned, since scikit-learn ships them and a changed image changes the task.
    digest = hashlib.sha256()
    for split in ("train", "search", "test"):
        images = load_digits_split(split)
        digest.update((images.pixels * 16).astype(np.uint8).tobytes())
        digest.update(images.labels.astype(np.uint8).tobytes())
    assert digest.hexdigest() == "52c81b5530c3a10946c46cfdfa718a8556b8cce818da85779d3bebdbea480186"


def test_beginnings_that_were_forgotten_are_run_again(monkeypatch):
    monkeypatch.setattr(digits_module, "REMEMBERED_BYTES", 2**22)
    accuracy = DigitsAccuracy()
    for bits in neighbours(6, 6):
        assert accuracy.correct(bits, "search") == DigitsAccuracy().correct(bits, "search")
        kept = [maps.nbytes for maps in accuracy._beginnings._maps.values()]
        assert sum(kept) == accuracy._beginnings._bytes <= 2**22


def test_beginnings_are_not_run_twice(monkeypatch):
    ran = []
    call = digits_module.QuantizedLayer.__call__

    def counted(self, maps, *bits):
        ran.append(self.layer.name)
        return call(self, maps, *bits)

    monkeypatch.setattr(digits_module.QuantizedLayer, "__call__", counted)
    accuracy = DigitsAccuracy()
    first, second = design([8] * 5, [8] * 5), design([8, 8, 4, 8, 8], [8] * 5)
    for bits in (first, second, design([8] * 5, [8, 8, 8, 8, 4])):
        accuracy.drop(bits)
    names = [layer.name for layer in NETWORK.layers]
    assert ran == names + names[2:] + names[4:]  # the third begins like the first
