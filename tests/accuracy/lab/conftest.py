"""A small network with weights and images, without any download."""

import dataclasses
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("torch") is not None:
    import torch
    from safetensors.torch import save_file

    from lrmp.accuracy.lab.models import load_model
    from lrmp.accuracy.lab.protocol import file_sha256, read_protocols


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A data folder with random images in the place of CIFAR-10, and an untrained ResNet-8.

    Three quarters of the test images are labelled as the network sees them, so that it has an
    accuracy to lose.
    """
    root = tmp_path_factory.mktemp("data")
    (root / "cifar10").mkdir()
    torch.manual_seed(0)
    model = load_model("resnet8")
    with torch.no_grad():
        model.get_parameter("fc.weight").mul_(0.5)  # raw pixels give large scores
    save_file(model.state_dict(), root / "resnet8.safetensors")
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (1000, 32, 32, 3), dtype=np.uint8)
    inputs = torch.from_numpy(read_protocols()["resnet8"].preprocess(pixels)).permute(0, 3, 1, 2)
    with torch.no_grad():
        seen = model.eval()(inputs).argmax(1).numpy().astype(np.uint8)
    labels = np.where(rng.random(1000) < 0.75, seen, rng.integers(0, 10, 1000, dtype=np.uint8))
    np.savez(
        root / "cifar10" / "cifar10_lossless_subset.npz",
        x_train=rng.integers(0, 256, (4000, 32, 32, 3), dtype=np.uint8),
        y_train=rng.integers(0, 10, 4000, dtype=np.uint8),
        x_test=pixels,
        y_test=labels,
    )
    return root


@pytest.fixture(scope="session")
def protocol(folder):
    lossless = read_protocols()["resnet8"]
    return dataclasses.replace(
        lossless,
        weights="resnet8.safetensors",
        sha256=file_sha256(folder / "resnet8.safetensors"),
        calibration=dataclasses.replace(lossless.calibration, stop=32),
        search=dataclasses.replace(lossless.search, start=0, stop=32),
        test=dataclasses.replace(lossless.test, start=500, stop=548),
        sensitivity_images=32,
    )
