"""The quantised network on the images of its protocol."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from lrmp.accuracy.lab.images import ImageSet
from lrmp.accuracy.lab.models import load_model
from lrmp.accuracy.lab.models.staged import Stage, StagedModel
from lrmp.accuracy.lab.network_effect import network_effect
from lrmp.accuracy.lab.protocol import Protocol, SplitName
from lrmp.accuracy.lab.quantization import QuantizedNetwork
from lrmp.accuracy.lab.quantization.network import CALIBRATION_BATCH
from lrmp.accuracy.model.design_result import DesignResult
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Value

#: Layer, knob and value of a divergence.
Turned = tuple[str, str, Value]
PIXELS_PER_BATCH, BATCH_ELSEWHERE = 2**15, 256


@dataclass(frozen=True)
class Batches:
    """The images of a split, and what the float network says of them.

    Attributes:
        images: Batches of preprocessed images.
        labels: Their classes.
        log_probabilities: Of the float network, batches of shape (B, classes).
    """

    images: list[Tensor]
    labels: list[Tensor]
    log_probabilities: list[Tensor]


class NetworkEvaluator:
    """Runs designs of one network; splits are loaded when they are first asked for.

    Args:
        protocol: Weights, images and recipe.
        root: The data folder.
        device: Where torch computes.
        model: The float network, if it is not the protocol's own.

    Raises:
        AccuracyDataError: If the weights are missing or not the protocol's.
    """

    def __init__(
        self,
        protocol: Protocol,
        root: Path,
        device: str = "cpu",
        model: StagedModel | None = None,
    ) -> None:
        self.protocol = protocol
        self.root = root
        self._processor = device
        if model is None:
            model = load_model(protocol.network, protocol.weights_path(root))
        # Channels last is 1.3 to 2 times faster on CPUs and changes no more than rounding.
        self.float_model = model.to(self._processor).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._splits: dict[SplitName, Batches] = {}
        self._prefix: tuple[int, list[Tensor]] | None = None

    @cached_property
    def network(self) -> QuantizedNetwork:
        """The quantised copy, calibrated on the calibration images."""
        network = QuantizedNetwork(self.float_model, self.protocol.recipe)
        images = self.protocol.load("calibration", self.root)
        network.calibrate([batch for batch, _ in self._batches(images, CALIBRATION_BATCH)])
        return network

    @property
    def layers(self) -> list[str]:
        """Names of the layers in network order."""
        return list(self.network.layers)

    def split(self, name: SplitName) -> Batches:
        """Load a split and run the float network on it; later calls remember.

        Args:
            name: ``"search"`` or ``"test"``.

        Returns:
            The batches.
        """
        if name not in self._splits:
            batches = list(self._batches(self.protocol.load(name, self.root)))
            with torch.inference_mode():
                log_probabilities = [
                    self.float_model(images).log_softmax(1) for images, _ in batches
                ]
            self._splits[name] = Batches(
                [images for images, _ in batches],
                [labels for _, labels in batches],
                log_probabilities,
            )
        return self._splits[name]

    def _batches(
        self, images: ImageSet, size: int | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        if size is None:
            _, height, width, _ = images.pixels.shape
            # Small batches stay in the caches: 8 images of 224 x 224 run 1.3 times faster than 64.
            # With 4 the maps of MobileNetV2, too, stay below the 32 MB from which malloc asks the
            # system for fresh pages every time: 1.8 times faster than 8.
            on_cpu = max(4, PIXELS_PER_BATCH // (height * width))
            size = on_cpu if self._processor.startswith("cpu") else BATCH_ELSEWHERE
        for start in range(0, len(images), size):
            pixels = self.protocol.preprocess(images.pixels[start : start + size])
            yield (
                # (N, H, W, C) seen as (N, C, H, W) is channels last already.
                torch.from_numpy(pixels).permute(0, 3, 1, 2).to(self._processor),
                torch.from_numpy(images.labels[start : start + size]).to(self._processor),
            )

    def float_top1(self, name: SplitName) -> float:
        """Measure the float network.

        Args:
            name: Of the split.

        Returns:
            Percent.
        """
        split = self.split(name)
        correct = sum(
            int((scores.argmax(1) == labels).sum())
            for scores, labels in zip(split.log_probabilities, split.labels, strict=True)
        )
        return 100 * correct / sum(map(len, split.labels))

    def evaluate(self, design: Design, name: SplitName) -> DesignResult:
        """Run a design.

        Args:
            design: Of L layers.
            name: Of the split.

        Returns:
            What it does to the images.

        Raises:
            AccuracyDataError: If the network cannot have the design.
        """
        try:
            self.network.set_design(design)
            return self.compare(self.network, name)
        finally:
            self.network.set_float()

    def compare(self, model: Stage, name: SplitName) -> DesignResult:
        """Compare any other form of the network with the float network.

        Args:
            model: Takes and gives what the float network does.
            name: Of the split.

        Returns:
            What it does to the images.
        """
        return self._compare([model], self.split(name).images, self.split(name))

    def labelled_images(self, name: SplitName, limit: int | None = None) -> tuple[Tensor, Tensor]:
        """Load a split in one piece, such as for training.

        Args:
            name: Of the split.
            limit: The first of its images alone; None for all.

        Returns:
            Preprocessed images, shape (N, channels, height, width), and labels, shape (N,).

        Raises:
            AccuracyDataError: If the network has no such images.
        """
        found = self.protocol.load(name, self.root)
        found = ImageSet(found.pixels[:limit], found.labels[:limit])
        images, labels = zip(*self._batches(found), strict=True)
        return torch.cat(images), torch.cat(labels)

    def _compare(
        self, stages: Sequence[Stage], inputs: Sequence[Tensor], split: Batches
    ) -> DesignResult:
        """Run stages on the first ``len(inputs)`` batches and compare with the float network."""
        total, images, right, lost, gained = 0.0, 0, 0, 0, 0
        with torch.inference_mode():
            for batch, labels, expected in zip(
                inputs, split.labels, split.log_probabilities, strict=False
            ):
                scores = batch
                for stage in stages:
                    scores = stage(scores)
                found = scores.log_softmax(1)
                total += float(
                    (expected.double().exp() * (expected.double() - found.double())).sum()
                )
                before, after = expected.argmax(1) == labels, found.argmax(1) == labels
                images += len(labels)
                right += int(before.sum())
                lost += int((before & ~after).sum())
                gained += int((after & ~before).sum())
        return DesignResult(total / images, images, right, lost, gained)

    @cached_property
    def stage_layers(self) -> list[list[str]]:
        """Names of the layers that every stage runs."""
        network, found = self.network, []
        batch = self.split("search").images[0][:1]
        with torch.inference_mode():
            for stage in network.stages():
                runs = {name: layer.runs for name, layer in network.layers.items()}
                batch = stage(batch)
                found.append(
                    [name for name, layer in network.layers.items() if layer.runs > runs[name]]
                )
        return found

    def stage_divergences(
        self, index: int, space: DesignSpace, known: Set[Turned] = frozenset()
    ) -> Iterator[tuple[Turned, float]]:
        """Turn one knob of one layer of a stage at a time, on the search images.

        All else stays in float. What comes before the stage runs once and is kept for the next one.

        Args:
            index: Of the stage.
            space: The knobs.
            known: Divergences that are not wanted.

        Yields:
            Layer, knob and value, and the divergence in nats.

        Raises:
            AccuracyDataError: If the network cannot have a value of a knob.
        """
        split, stages = self.split("search"), self.network.stages()
        inputs = self._stage_inputs(index)
        for name in self.stage_layers[index]:
            layer = self.network.layers[name]
            for knob in space:
                for value in knob.values:
                    if (name, knob.name, value) in known:
                        continue
                    try:
                        network_effect(knob)(layer, value)
                        result = self._compare(stages[index:], inputs, split)
                    finally:
                        layer.set_float()
                    yield (name, knob.name, value), result.divergence

    def _stage_inputs(self, index: int) -> list[Tensor]:
        """Return the float inputs of a stage for the images that sensitivities are measured on."""
        if self._prefix is None or self._prefix[0] > index:
            batches, left = [], self.protocol.sensitivity_images
            for batch in self.split("search").images:
                if left > 0:
                    batches.append(batch)
                left -= len(batch)
            self._prefix = (0, batches)
        at, batches = self._prefix
        with torch.inference_mode():
            for stage in self.network.stages()[at:index]:
                batches = [stage(batch) for batch in batches]
        self._prefix = (index, batches)
        return batches
