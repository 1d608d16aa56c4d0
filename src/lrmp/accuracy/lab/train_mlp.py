"""Train the perceptron for MNIST: ``python -m lrmp.accuracy.lab.train_mlp --data FOLDER``.

Writes ``mlp_mnist.safetensors`` beside this file, in half precision. Only training images are
used. Three minutes on one core; the same machine and torch build give the same file, and another
file is a new version of the MLP tasks (its hash stands in ``protocols.toml``).
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from tqdm import trange

from lrmp.accuracy.lab.images import SOURCES, ImageSet, data_root
from lrmp.accuracy.lab.images.sources import load_images
from lrmp.accuracy.lab.models.mnist import MLP

WEIGHTS = "mlp_mnist.safetensors"
EPOCHS = 12
BATCH = 128
SHIFT = 2  # pixels, in every direction


def train(images: ImageSet, seed: int = 0, epochs: int = EPOCHS) -> MLP:
    """Train on images shifted by up to two pixels at random.

    Args:
        images: MNIST's training images.
        seed: Fixes initial weights, order and shifts.
        epochs: Passes over the images.

    Returns:
        The trained network.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pixels = torch.from_numpy(images.pixels[..., 0].astype(np.float32) / 255)
    padded = F.pad(pixels, (SHIFT, SHIFT, SHIFT, SHIFT))
    labels = torch.from_numpy(images.labels)
    model = MLP()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
    batches = -(-len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * batches)
    for _ in trange(epochs, desc="training"):
        for batch in np.array_split(rng.permutation(len(labels)), batches):
            dy, dx = rng.integers(0, 2 * SHIFT + 1, size=2)
            shifted = padded[batch, dy : dy + 28, dx : dx + 28]
            loss = F.cross_entropy(model(shifted), labels[batch], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return model


def main() -> None:
    """Train and write the weight file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="data folder")
    root = data_root(parser.parse_args().data)
    torch.set_num_threads(1)
    images = load_images("mnist-train", np.arange(SOURCES["mnist-train"][0]), root)
    path = Path(__file__).resolve().with_name(WEIGHTS)
    tensors = {name: value.half() for name, value in train(images).state_dict().items()}
    save_file(tensors, path)
    print(f"wrote {path} (SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()})")


if __name__ == "__main__":
    main()
