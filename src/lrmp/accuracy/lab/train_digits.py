"""Train and calibrate the digits network: ``python -m lrmp.accuracy.lab.train_digits``.

Writes ``digits_cnn.safetensors`` beside this file: float weights trained on the training images,
and for every layer and bit width the quantiser steps of least squared error. Only training images
are used. Half a minute on one core; the same machine and torch build give the same file.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional as F
from tqdm import trange

from lrmp.accuracy.model.bit_widths import BIT_WIDTHS
from lrmp.accuracy.model.digits import (
    WEIGHTS,
    Floats,
    load_digits_split,
    patches,
    quantize_activations,
    quantize_weights,
    to_maps,
)
from lrmp.hardware.networks import load_network

EPOCHS = 150
BATCH = 64
CLIP_RATIOS = np.linspace(0.2, 1.0, 81)


class DigitsCNN(nn.Module):
    """The float network, its layers named and shaped as in ``load_network("digits_cnn")``."""

    def __init__(self) -> None:
        super().__init__()
        for layer in load_network("digits_cnn").layers:
            if layer.kind == "linear":
                module: nn.Module = nn.Linear(layer.rows, layer.columns)
            else:
                k = layer.kernel_size
                module = nn.Conv2d(
                    layer.rows // k**2, layer.columns, k, stride=layer.stride, padding=k // 2
                )
            self.add_module(layer.name, module)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Classify images.

        Args:
            maps: Shape (N, 8, 8, 1).

        Returns:
            Scores, shape (N, 10).
        """
        *convolutions, classifier = self.children()
        maps = maps.permute(0, 3, 1, 2)
        for convolution in convolutions:
            maps = F.relu(convolution(maps))
        scores: torch.Tensor = classifier(maps.permute(0, 2, 3, 1).flatten(1))
        return scores


def train(seed: int = 0) -> DigitsCNN:
    """Train on the training images, shifted by up to one pixel at random.

    Args:
        seed: Fixes initial weights, order and shifts.

    Returns:
        The trained network.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    images = load_digits_split("train")
    labels = torch.from_numpy(images.labels)
    model = DigitsCNN()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
    batches = -(-len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * batches)
    padded = np.pad(images.pixels, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for _ in trange(EPOCHS, desc="training"):
        for batch in np.array_split(rng.permutation(len(labels)), batches):
            dy, dx = rng.integers(0, 3, size=2)
            shifted = torch.from_numpy(padded[batch, dy : dy + 8, dx : dx + 8])
            loss = F.cross_entropy(model(shifted), labels[batch], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return model


def activation_step(maps: Floats, bits: int) -> np.float32:
    """Find the step of least squared error for non-negative activations.

    Args:
        maps: Calibration activations, any shape.
        bits: 2..8.

    Returns:
        The step.
    """
    steps = (CLIP_RATIOS * float(maps.max()) / (2**bits - 1)).astype(np.float32)
    errors = [np.square(quantize_activations(maps, s, bits) * s - maps).mean() for s in steps]
    return np.float32(steps[int(np.argmin(errors))])


def weight_step(weight: Floats, bits: int) -> Floats:
    """Find the step of least squared error for every output channel.

    Args:
        weight: Shape (M, K).
        bits: 2..8.

    Returns:
        Steps, shape (M,).
    """
    largest = np.abs(weight).max(axis=1) / (2 ** (bits - 1) - 1)
    steps = (CLIP_RATIOS[:, None] * largest).astype(np.float32)
    errors = [
        np.square(quantize_weights(weight, s, bits) * s[:, None] - weight).mean(axis=1)
        for s in steps
    ]
    best = np.argmin(errors, axis=0)
    chosen: Floats = np.take_along_axis(steps, best[None], axis=0)[0]
    return chosen


def calibrate(model: DigitsCNN) -> dict[str, Floats]:
    """Collect weights, biases and quantiser steps.

    Args:
        model: The trained network.

    Returns:
        The tensors of the weight file, by name.
    """
    tensors: dict[str, Floats] = {}
    maps = load_digits_split("train").pixels
    for layer in load_network("digits_cnn").layers:
        module = model.get_submodule(layer.name)
        parameters = {name: value.detach() for name, value in module.named_parameters()}
        kernel, bias = parameters["weight"], parameters["bias"].numpy()
        if layer.kind == "conv2d":  # rows in the order of `patches`
            kernel = kernel.permute(0, 2, 3, 1)
        weight = kernel.reshape(layer.columns, layer.rows).contiguous().numpy()
        tensors[f"{layer.name}.weight"] = weight
        tensors[f"{layer.name}.bias"] = bias
        tensors[f"{layer.name}.weight_steps"] = np.stack(
            [weight_step(weight, bits) for bits in BIT_WIDTHS]
        )
        tensors[f"{layer.name}.activation_steps"] = np.array(
            [activation_step(maps, bits) for bits in BIT_WIDTHS], dtype=np.float32
        )
        if layer.kind == "conv2d":
            maps = to_maps(np.maximum(patches(maps, layer) @ weight.T + bias, 0))
    return tensors


def main() -> None:
    """Train, calibrate and write the weight file."""
    torch.set_num_threads(1)
    path = Path(__file__).resolve().parents[1] / "model" / WEIGHTS
    save_file(calibrate(train()), path)
    print(f"wrote {path} ({path.stat().st_size} bytes)")


if __name__ == "__main__":
    main()
