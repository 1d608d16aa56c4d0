"""A small trained network as an ONNX file, and real images: handwritten digits of 8 x 8."""

import warnings
from importlib.util import find_spec

import numpy as np
import pytest

torch = pytest.importorskip("torch")
if find_spec("onnx2pytorch") is None:  # importing it by itself needs torchvision
    pytest.skip("runs ONNX files with onnx2pytorch", allow_module_level=True)
from PIL import Image  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from torch import nn  # noqa: E402


class Digits(nn.Module):
    """Three layers and a shortcut; 96 % after a second."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.out = nn.Linear(8 * 16, 10)

    def forward(self, images):
        maps = torch.relu(self.norm(self.first(images)))
        maps = self.pool(torch.relu(maps + self.second(maps)))
        return self.out(maps.flatten(1))


@pytest.fixture(scope="session")
def digits():
    """Pixels from 0 to 255, shape (N, 8, 8), and labels."""
    found = load_digits()
    return (found.images * 255 / 16).round().astype(np.uint8), found.target


@pytest.fixture(scope="session")
def trained(digits):
    pixels, labels = digits
    inputs = torch.from_numpy(pixels[:1000, None].astype(np.float32) / 255)
    known = torch.from_numpy(labels[:1000])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Digits()
        optimiser = torch.optim.Adam(network.parameters(), 5e-3)
        for _ in range(4):
            for places in torch.randperm(1000).split(50):
                optimiser.zero_grad()
                nn.functional.cross_entropy(network(inputs[places]), known[places]).backward()
                optimiser.step()
    return network.eval()


@pytest.fixture(scope="session")
def onnx_file(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "digits.onnx"
    example = torch.zeros(1, 1, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns of itself
        torch.onnx.export(trained, (example,), path, dynamo=True, verbose=False)
    return path


@pytest.fixture(scope="session")
def folders(digits, tmp_path_factory):
    """Calibration images without labels, validation images in a folder for every class."""
    pixels, labels = digits
    root = tmp_path_factory.mktemp("images")
    for use, places in (("calibration", range(32)), ("validation", range(1000, 1300))):
        for place in places:
            folder = root / use / (str(labels[place]) if use == "validation" else "")
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[place]).save(folder / f"{place}.png")
    return root / "calibration", root / "validation"


@pytest.fixture(scope="session")
def archives(digits, tmp_path_factory):
    """The same images as archives, the validation images without labels."""
    pixels, _ = digits
    root = tmp_path_factory.mktemp("archives")
    np.savez(root / "calibration.npz", images=pixels[:32])
    np.savez(root / "validation.npz", images=pixels[1000:1300])
    return root / "calibration.npz", root / "validation.npz"
