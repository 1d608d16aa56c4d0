"""Accuracy of the digits network: the quantised network itself, on scikit-learn's digits.

The network computes as the chip would, on integers: activations are unsigned, weights symmetric
per output channel, and every multiply-accumulate is exact. Only then is a sum scaled back. So a
design has the same accuracy on every machine, to the image.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.accuracy.model.bit_widths import BIT_WIDTHS, MIN_BITS
from lrmp.accuracy.model.drop_map import IdentityMap
from lrmp.errors import AccuracyTableError, DesignError
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.networks import load_network
from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Floats = NDArray[np.float32]
Split = Literal["train", "search", "test"]
Bits = tuple[tuple[int, int], ...]  # of weights and activations, layer by layer

WEIGHTS = "digits_cnn.safetensors"
REMEMBERED_DESIGNS = 2**14
REMEMBERED_BYTES = 2**27  # of feature maps: those of about 18 designs that share nothing
BLOCK = 2**17  # numbers in the inputs of the images multiplied at a time: half of an L2 cache


@dataclass(frozen=True)
class Images:
    """Labelled images.

    Attributes:
        pixels: Shape (N, 8, 8, 1), in 0..1.
        labels: Shape (N,), digits 0..9.
    """

    pixels: Floats
    labels: NDArray[np.int64]


@cache
def load_digits_split(split: Split) -> Images:
    """Load a part of scikit-learn's 1797 handwritten digits.

    Every second image trains and calibrates; of the others, every second one is for the search
    and the rest for the test, so that all writers occur in all parts.

    Args:
        split: ``"train"`` (899 images), ``"search"`` (449) or ``"test"`` (449).

    Returns:
        The images.
    """
    from sklearn.datasets import load_digits  # a second that only the first evaluation pays

    pixels, labels = load_digits(return_X_y=True)
    start, step = {"train": (0, 2), "search": (1, 4), "test": (3, 4)}[split]
    return Images(
        pixels=(pixels[start::step].reshape(-1, 8, 8, 1) / 16).astype(np.float32),
        labels=labels[start::step].astype(np.int64),
    )


def patches(maps: Floats, layer: Layer) -> Floats:
    """Lay out the inputs of a layer as the rows of a matrix product.

    Args:
        maps: Feature maps of shape (N, side, side, channels).
        layer: The layer that reads them; a linear layer reads all of a map at once.

    Returns:
        Shape (N, P, K); a row runs over kernel rows, kernel columns, channels.
    """
    count = len(maps)
    if layer.kind == "linear":
        return maps.reshape(count, 1, layer.rows)
    margin = layer.kernel_size // 2
    padded = np.pad(maps, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    return _windows(padded, layer).reshape(count, layer.positions, layer.rows)


def _windows(padded: Floats, layer: Layer) -> Floats:
    """View what the kernel of a convolution sees at every position.

    Returns:
        Shape (N, side, side, kernel rows, kernel columns, channels).
    """
    k, stride = layer.kernel_size, layer.stride
    windows = sliding_window_view(padded, (k, k), axis=(1, 2))[:, ::stride, ::stride]
    return windows.transpose(0, 1, 2, 4, 5, 3)


def to_maps(outputs: Floats) -> Floats:
    """Turn the outputs of a convolution back into feature maps.

    Args:
        outputs: Shape (N, P, M), with P a square.

    Returns:
        Shape (N, side, side, M).
    """
    count, positions, channels = outputs.shape
    side = int(positions**0.5)
    return outputs.reshape(count, side, side, channels)


@dataclass(frozen=True)
class QuantizedLayer:
    """Weights, bias and quantiser steps of one layer.

    Attributes:
        layer: Its topology.
        weight: Float weights, shape (M, K), K as in ``patches``.
        bias: Shape (M,).
        weight_steps: Step of every output channel by weight bits 2..8, shape (7, M).
        activation_steps: Step of the input by activation bits 2..8, shape (7,).
    """

    layer: Layer
    weight: Floats
    bias: Floats
    weight_steps: Floats
    activation_steps: Floats

    @cached_property
    def integer_weights(self) -> list[Floats]:
        """Integer weights by bits 2..8, each of shape (K, M), held as float32."""
        return [
            quantize_weights(self.weight, step, bits).T.copy()
            for bits, step in zip(BIT_WIDTHS, self.weight_steps, strict=True)
        ]

    def __call__(self, maps: Floats, weight_bits: int, activation_bits: int) -> Floats:
        """Multiply quantised inputs by quantised weights.

        Args:
            maps: Inputs, as ``patches`` takes them; not negative.
            weight_bits: 2..8.
            activation_bits: 2..8.

        Returns:
            Outputs before the activation function, shape (N, P, M).
        """
        layer, most = self.layer, 2**activation_bits - 1
        weights = self.integer_weights[weight_bits - MIN_BITS]
        step = self.activation_steps[activation_bits - MIN_BITS]
        scale = self.weight_steps[weight_bits - MIN_BITS] * step
        count, positions = len(maps), layer.positions
        # Rows of all positions of an image: loops over a few channels would take twice the time.
        scale, bias = np.tile(scale, positions), np.tile(self.bias, positions)
        outputs = np.empty((count * positions, layer.columns), np.float32)
        # What a block needs fits the processor's cache, and its memory serves all blocks.
        size = min(count, max(1, BLOCK // (positions * layer.rows)))
        inputs = _Inputs(layer, size, maps.shape[1:])
        for start in range(0, count, size):
            block = inputs.of(maps[start : start + size], step, most)
            # Integers in float32: exact, in whatever order they are added, because the largest
            # sum, 432 rows x 255 x 127, is below 2**24. `load_quantized_layers` checks that.
            part = outputs[start * positions : start * positions + len(block)]
            np.matmul(block, weights, out=part)
            images = part.reshape(-1, positions * layer.columns)
            images *= scale
            images += bias
        return outputs.reshape(count, positions, -1)


class _Inputs:
    """Memory for the quantised inputs of a block of images, as rows of a matrix product.

    Args:
        layer: The layer that reads them.
        size: Most images of a block.
        shape: Of one image's feature maps.
    """

    def __init__(self, layer: Layer, size: int, shape: tuple[int, ...]) -> None:
        self._positions = layer.positions
        self._windows: Floats | None = None
        self._rows = np.empty((size * layer.positions, layer.rows), np.float32)
        if layer.kind == "linear":
            self._inside = self._rows.reshape(size, *shape)
            return
        side, _, channels = shape
        margin = layer.kernel_size // 2
        padded = np.zeros((size, side + 2 * margin, side + 2 * margin, channels), np.float32)
        self._inside = padded[:, margin : margin + side, margin : margin + side]
        self._windows = _windows(padded, layer)
        self._laid_out = self._rows.reshape(self._windows.shape)

    def of(self, maps: Floats, step: np.float32, most: int) -> Floats:
        """Quantise inputs and lay them out.

        Args:
            maps: Of at most as many images as there is memory for.
            step: Of the quantiser.
            most: Its largest integer.

        Returns:
            As ``patches`` of ``quantize_activations`` returns them, the images one after the other;
            until the next call.
        """
        inside = self._inside[: len(maps)]
        _quantize(maps, step, most, inside)
        if self._windows is not None:
            self._laid_out[: len(maps)] = self._windows[: len(maps)]
        return self._rows[: len(maps) * self._positions]


def quantize_weights(weight: Floats, step: Floats, bits: int) -> Floats:
    """Round weights to symmetric integers.

    Args:
        weight: Shape (M, K).
        step: Shape (M,).
        bits: 2..8.

    Returns:
        Integers in -(2^(bits-1) - 1) .. 2^(bits-1) - 1 as float32, shape (M, K).
    """
    most = 2 ** (bits - 1) - 1
    integers: Floats = np.rint(weight / step[:, None])
    return integers.clip(-most, most)


def quantize_activations(maps: Floats, step: np.float32, bits: int) -> Floats:
    """Round activations to unsigned integers.

    Args:
        maps: Any shape.
        step: One step for the tensor.
        bits: 2..8.

    Returns:
        Integers in 0 .. 2^bits - 1 as float32, same shape.
    """
    return _quantize(maps, step, 2**bits - 1, np.empty_like(maps))


def _quantize(maps: Floats, step: np.float32, most: int, out: Floats) -> Floats:
    integers = maps / step  # in memory of its own: `out` may have gaps, which cost twice the time
    np.rint(integers, out=integers)
    return np.clip(integers, 0, most, out=out)


def load_quantized_layers(network: Network) -> list[QuantizedLayer]:
    """Load the trained weights and calibrated steps that ship with lrmp.

    Args:
        network: The digits network.

    Returns:
        One entry per layer.

    Raises:
        AccuracyTableError: If the file does not hold this network, or its sums could be inexact.
    """
    data = resources.files("lrmp.accuracy.model").joinpath(WEIGHTS).read_bytes()
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise AccuracyTableError(
            f"Expected {WEIGHTS} to be a whole safetensors file: {error}. Install lrmp again."
        ) from error
    layers = []
    for layer in network.layers:
        bits = len(BIT_WIDTHS)
        shapes = {
            "weight": (layer.columns, layer.rows),
            "bias": (layer.columns,),
            "weight_steps": (bits, layer.columns),
            "activation_steps": (bits,),
        }
        for name, shape in shapes.items():
            tensor = tensors.get(f"{layer.name}.{name}")
            if tensor is None or tensor.shape != shape or tensor.dtype != np.float32:
                raise AccuracyTableError(
                    f"Expected {WEIGHTS} to hold {layer.name}.{name}, float32 of shape {shape}, "
                    f"got {'nothing' if tensor is None else f'{tensor.dtype} of {tensor.shape}'}. "
                    "Train it again with python -m lrmp.accuracy.lab.train_digits."
                )
        largest = layer.rows * 255 * 127
        if largest >= 2**24:
            raise AccuracyTableError(
                f"Expected sums of layer {layer.name} below 2**24 to be exact in float32, "
                f"got up to {largest}."
            )
        layers.append(
            QuantizedLayer(layer, **{name: tensors[f"{layer.name}.{name}"] for name in shapes})
        )
    return layers


class DigitsAccuracy:
    """Accuracy drop of the digits network, measured by running it.

    Searches see the 449 search images, the leaderboard the 449 test images; weights and quantiser
    steps were fixed on the training images alone. One image is 0.22 points. The latest 16,384
    designs are remembered, and so are 128 MiB of feature maps: a design that begins like an earlier
    one starts where they part.

    Args:
        network: The digits network; None means just that.
        space: The knobs: bits of weights and activations, 2..8 or fewer of these widths.

    Raises:
        AccuracyTableError: If it is another network, the space has other knobs or values, or the
            weight file is damaged.
    """

    kind: AccuracyKind = "network"
    drop_map = IdentityMap()
    is_estimate = False
    provenance = "quantised digits_cnn on scikit-learn's handwritten digits, integer arithmetic"

    def __init__(self, network: Network | None = None, space: DesignSpace = PRECISION) -> None:
        network = network or load_network("digits_cnn")
        if network != load_network("digits_cnn"):
            raise AccuracyTableError(
                f"Expected network digits_cnn, the one with trained weights, got {network.name}."
            )
        if set(space.names) != set(PRECISION.names):
            raise AccuracyTableError(
                f"Expected the knobs {' and '.join(PRECISION.names)} for the digits network, got "
                f"{', '.join(space.names)}. For others, give accuracy= as points by layer."
            )
        for knob in space:
            if wrong := [value for value in knob.values if value not in BIT_WIDTHS]:
                raise AccuracyTableError(
                    f"Expected {knob.name} that the digits network has quantiser steps for, "
                    f"{BIT_WIDTHS[0]} to {BIT_WIDTHS[-1]}, got {wrong[0]!r}."
                )
        self.space = space
        self._layers = load_quantized_layers(network)
        self._remembered: OrderedDict[bytes, float] = OrderedDict()
        self._beginnings = _Beginnings()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the weight file and the version of the splits."""
        weights = resources.files("lrmp.accuracy.model").joinpath(WEIGHTS).read_bytes()
        return hashlib.sha256(b"digits splits 1\n" + weights).hexdigest()

    def float_correct(self, split: Split) -> int:
        """Count the images that the network classifies correctly without quantisation.

        Args:
            split: Which images.

        Returns:
            Number of images.
        """
        images = load_digits_split(split)
        maps = images.pixels
        for index, entry in enumerate(self._layers):
            maps = self._activate(index, patches(maps, entry.layer) @ entry.weight.T + entry.bias)
        return _correct(maps, images)

    def correct(self, design: Design, split: Split) -> int:
        """Count the images that the quantised network classifies correctly.

        Args:
            design: Of 5 layers.
            split: Which images.

        Returns:
            Number of images.

        Raises:
            DesignError: If the design has another number of layers or other knobs.
        """
        images = load_digits_split(split)
        bits = self._bits(design)
        beginnings = self._beginnings if split == "search" else _Beginnings()
        kept, found = beginnings.longest(bits)
        maps = images.pixels if found is None else found
        with _blas().limit(limits=1):
            for index in range(kept, len(bits)):
                maps = self._activate(index, self._layers[index](maps, *bits[index]))
                beginnings.remember(bits[: index + 1], maps)
        return _correct(maps, images)

    def drop(self, design: Design) -> float:
        """Measure the drop on the search images.

        Args:
            design: Of 5 layers.

        Returns:
            Percentage points against the float network.
        """
        key = design.settings.tobytes()
        if key in self._remembered:
            self._remembered.move_to_end(key)
        else:
            if len(self._remembered) >= REMEMBERED_DESIGNS:
                self._remembered.popitem(last=False)
            correct = self.correct(design, "search")
            self._remembered[key] = _points(self._float_search_correct - correct, "search")
        return self._remembered[key]

    def drops(self, settings: IntArray, replication: IntArray) -> NDArray[np.float64]:
        """Measure the drops of many designs on the search images.

        Args:
            settings: Places of values, shape (B, 5, 2).
            replication: Copies, shape (B, 5); they play no part.

        Returns:
            Percentage points, shape (B,).
        """
        drops = np.empty(len(settings))
        # Designs that begin alike follow each other, so that what they share is still remembered.
        for row in np.lexsort(settings.reshape(len(settings), -1).T[::-1]):
            drops[row] = self.drop(Design(self.space, settings[row], replication[row]))
        return drops

    def divergence(self, design: Design) -> float:
        """Return the drop: a network that is run shows it itself.

        Args:
            design: Of 5 layers.

        Returns:
            Percentage points.
        """
        return self.drop(design)

    def divergences(self, settings: IntArray, replication: IntArray) -> NDArray[np.float64]:
        """Return the drops of many designs.

        Args:
            settings: Places of values, shape (B, 5, 2).
            replication: Copies, shape (B, 5).

        Returns:
            Percentage points, shape (B,).
        """
        return self.drops(settings, replication)

    def sensitivities(self) -> NDArray[np.float64]:
        """Measure the drops with one knob of one layer at its lowest value, shape (5, 2).

        Returns:
            Percentage points; the search images decide.
        """
        return _sensitivities(self.space).copy()

    def test_drop(self, design: Design) -> float:
        """Measure the drop on the test images.

        Args:
            design: Of 5 layers.

        Returns:
            Percentage points against the float network.
        """
        correct = self.correct(design, "test")
        return _points(self.float_correct("test") - correct, "test")

    def _bits(self, design: Design) -> Bits:
        """Check the design and pair its bits layer by layer."""
        if design.space != self.space or len(design) != len(self._layers):
            raise DesignError(
                f"Expected a design of {len(self._layers)} layers with "
                f"{' and '.join(self.space.names)}, got {design!r}."
            )
        weights, activations = design["weight_bits"], design["activation_bits"]
        return tuple(zip(weights.tolist(), activations.tolist(), strict=True))

    @cached_property
    def _float_search_correct(self) -> int:
        return self.float_correct("search")

    def _activate(self, index: int, outputs: Floats) -> Floats:
        """Apply ReLU and restore feature maps, except after the last layer."""
        if index == len(self._layers) - 1:
            return outputs[:, 0, :]
        return to_maps(np.maximum(outputs, 0, out=outputs))


class _Beginnings:
    """Feature maps behind the first layers of the latest designs, ``REMEMBERED_BYTES`` of them."""

    def __init__(self) -> None:
        self._maps: OrderedDict[Bits, Floats] = OrderedDict()
        self._bytes = 0

    def longest(self, bits: Bits) -> tuple[int, Floats | None]:
        """Find the most layers of a design that have been run.

        Args:
            bits: Of weights and activations, layer by layer.

        Returns:
            Their number and their outputs; 0 and None if there are none.
        """
        for kept in range(len(bits), 0, -1):
            if (maps := self._maps.get(bits[:kept])) is not None:
                for count in range(kept, 0, -1):  # the shortest, which most designs share, last
                    if bits[:count] in self._maps:
                        self._maps.move_to_end(bits[:count])
                return kept, maps
        return 0, None

    def remember(self, bits: Bits, maps: Floats) -> None:
        """Remember the outputs of the first layers, and forget what was not used for longest.

        Args:
            bits: Of these layers.
            maps: Not to be written any more.
        """
        self._maps[bits] = maps
        self._bytes += maps.nbytes
        while self._bytes > REMEMBERED_BYTES:
            _, forgotten = self._maps.popitem(last=False)
            self._bytes -= forgotten.nbytes


@cache
def _blas() -> "ThreadpoolController":
    """Find what sets the threads of matrix products.

    Where the processor is busy, as it is when agents train or environments step side by side,
    several threads spend most of their time waiting for each other.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


@cache  # all tasks of the network ask; a second each
def _sensitivities(space: DesignSpace) -> NDArray[np.float64]:
    accuracy = DigitsAccuracy(space=space)
    layers = len(accuracy._layers)
    points = np.zeros((layers, len(space)))
    ones = np.ones(layers, dtype=np.int64)
    for layer, knob in np.ndindex(*points.shape):
        settings = space.plain_settings(layers)
        settings[layer, knob] = space.choices(layer)[knob][0]
        points[layer, knob] = max(0.0, accuracy.drop(Design(space, settings, ones)))
    return points


def _correct(scores: Floats, images: Images) -> int:
    return int(np.count_nonzero(scores.argmax(axis=1) == images.labels))


def _points(images: int, split: Split) -> float:
    """Turn a difference in images into percentage points."""
    return 100 * images / len(load_digits_split(split).labels)
