"""The quantised network on the images of its subject."""

import copy
import math
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain, pairwise, takewhile
from statistics import fmean

import torch
from torch import Tensor, nn

from lrmp.accuracy.lab.class_probabilities import class_probabilities, temperature
from lrmp.accuracy.lab.models.opened import open_layers
from lrmp.accuracy.lab.models.staged import Stage, StagedModel
from lrmp.accuracy.lab.models.traced import trace_stages
from lrmp.accuracy.lab.network_effect import network_effect
from lrmp.accuracy.lab.noise_seeds import check_seeds
from lrmp.accuracy.lab.protocol import SplitName
from lrmp.accuracy.lab.quantization import QuantizedNetwork
from lrmp.accuracy.lab.quantization.deferred_maps import settled
from lrmp.accuracy.lab.quantization.filter_pruning import rank_filters
from lrmp.accuracy.lab.quantization.network import CALIBRATION_BATCH
from lrmp.accuracy.lab.subject import Subject
from lrmp.accuracy.model.design_result import DesignResult
from lrmp.accuracy.model.turn import Turned, turns
from lrmp.errors import AccuracyDataError, NetworkError, unlike_names
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.networks import load_network
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.design_space import DesignSpace

PIXELS_PER_BATCH, BATCH_ELSEWHERE = 2**15, 256
PIXELS_KEPT = 2**21  # of images whose maps are kept: 40 of ImageNet, 2,000 of CIFAR-10
CUBES = 5  # axes of the weights of a convolution of three dimensions
PARTS = 10  # of the images, for which expected drops are kept apart


@dataclass(frozen=True)
class Batches:
    """The images of a split, and what the float network says of them.

    Attributes:
        images: Batches of preprocessed images.
        labels: Their classes.
        log_probabilities: Of the float network, batches of shape (B, classes).
        temperature: Under which its probabilities fit the labels best.
    """

    images: list[Tensor]
    labels: list[Tensor]
    log_probabilities: list[Tensor]
    temperature: float


class Comparison:
    """Counts, batch by batch, how the scores of a network differ from the float network's.

    Args:
        temperature: Of the float network's probabilities.
    """

    def __init__(self, temperature: float) -> None:
        self._temperature = temperature
        # By run, and by batch.
        self._divergences: list[list[Tensor]] = []
        self._expected: list[list[Tensor]] = []
        self._after: list[list[Tensor]] = []
        self._before: list[list[Tensor]] = []

    def start_run(self) -> None:
        """Count all images again, such as with other noise; the first run starts so, too."""
        for kept in (self._divergences, self._expected, self._after, self._before):
            kept.append([])

    def add(self, scores: Tensor, labels: Tensor, expected: Tensor) -> None:
        """Count a batch.

        Args:
            scores: Before the softmax, shape (B, classes).
            labels: Shape (B,).
            expected: Logarithms of the float network's probabilities, shape (B, classes).
        """
        found = scores.log_softmax(1)
        each = expected.double().exp() * (expected.double() - found.double())
        self._divergences[-1].append(each.sum(1))
        before, after = expected.argmax(1), found.argmax(1)
        self._before[-1].append(before == labels)
        self._after[-1].append(after == labels)
        chances = class_probabilities(expected, self._temperature)
        answers = torch.stack([before, after], 1)
        drops = chances.gather(1, answers) @ chances.new_tensor([100.0, -100.0])
        self._expected[-1].append(drops)

    def result(self) -> DesignResult:
        """Sum up.

        Returns:
            Over all batches of all runs.

        Raises:
            AccuracyDataError: If scores are infinite, or no numbers.
        """
        runs = len(self._divergences)
        divergences, expected, after, before = (
            torch.stack([torch.cat(run) for run in kept])  # shape (runs, images)
            for kept in (self._divergences, self._expected, self._after, self._before)
        )
        for run in divergences:
            _check_finite(run[:, None], "of every design", 0)
        divergence, drop = divergences.mean(0), expected.mean(0)
        images = len(divergence)
        deviation = float(divergence.std()) if images > 1 else math.inf
        parts = min(PARTS, images)
        return DesignResult(
            float(divergence.mean()),
            deviation / math.sqrt(images),
            images,
            int(before[0].sum()),
            tuple((before & ~after).flatten().nonzero().flatten().tolist()),
            tuple((after & ~before).flatten().nonzero().flatten().tolist()),
            tuple(round(float(drop[part::parts].mean()), 4) for part in range(parts)),
            runs,
        )


def on_copy(stage: Stage) -> Stage:
    """Keep a function from writing into its argument, as ``nn.ReLU(inplace=True)`` does.

    Args:
        stage: Any.

    Returns:
        The same function of a copy.
    """
    return lambda maps: stage(maps.clone())


def _check_scores(name: str, scores: object, count: int) -> None:
    """Check that a float network classifies."""
    shape = tuple(scores.shape) if isinstance(scores, Tensor) else None
    if shape is None or len(shape) != 2 or shape[0] != count or shape[1] < 2:
        got = type(scores).__name__ if shape is None else f"a tensor of shape {shape}"
        raise AccuracyDataError(
            f"Expected {name} to give the scores of at least 2 classes for {count} inputs, shape "
            f"({count}, classes), got {got}. Wrap the module in one that does."
        )


def _check_finite(values: Tensor, whose: str, images: int) -> None:
    """Check what a network says of images, shape (B, ...), before which there are others."""
    broken = (~values.isfinite()).any(1).nonzero().flatten()
    if len(broken):
        raise AccuracyDataError(
            f"Expected finite scores {whose}, got infinite ones, or none that are numbers, for "
            f"image {images + int(broken[0])}."
        )


def _check_labels(labels: Tensor, classes: int, split: SplitName, images: int) -> None:
    wrong = (labels >= classes).nonzero().flatten()
    if len(wrong):
        raise AccuracyDataError(
            f"Expected labels from 0 to {classes - 1}, which the network has scores for, got "
            f"{int(labels[wrong[0]])} for image {images + int(wrong[0])} of the {split} split."
        )


@dataclass(frozen=True)
class _Batch:
    """A batch of a split: where it begins there, its images, labels and float probabilities."""

    first: int
    images: Tensor
    labels: Tensor
    expected: Tensor


def _batches_of(split: Batches) -> list[_Batch]:
    """List the batches of a split."""
    starts = accumulate(map(len, split.images), initial=0)
    parts = zip(starts, split.images, split.labels, split.log_probabilities, strict=False)
    return [_Batch(*part) for part in parts]


def _grouped(split: Batches) -> Iterator[list[_Batch]]:
    """Yield a few batches at a time: maps of so many are kept, and designs change so seldom."""
    everything = _batches_of(split)
    images = everything[0].images
    pixels = len(images) * _places(images.shape[1:])
    kept = max(1, PIXELS_KEPT // pixels)
    for start in range(0, len(everything), kept):
        yield everything[start : start + kept]


def _places(shape: torch.Size) -> int:
    """Count the pixels of an image, and the numbers of any other input."""
    return max(1, math.prod(shape[1:] if len(shape) == 3 else shape))


@dataclass(frozen=True)
class _Whole:
    """What a design depends on, layer by layer.

    Attributes:
        space: The knobs.
        layers: Setting, and copies where a knob's effect asks for them (else 0).
        noisy: Names of the layers that draw noise.
    """

    space: DesignSpace
    layers: list[tuple[bytes, int]]
    noisy: frozenset[str]


class NetworkEvaluator:
    """Runs designs of one network; splits are loaded when they are first asked for.

    Args:
        subject: The network and its images.
        device: Where torch computes.
        noise_seeds: Where a design draws noise, it runs once with each of these, and results are
            means; other designs run once.
        chip: The chip that effects of knobs may look at.

    Raises:
        AccuracyDataError: If the seeds are no different whole numbers.
    """

    def __init__(
        self,
        subject: Subject,
        device: str = "cpu",
        noise_seeds: Sequence[int] = (),
        chip: Accelerator | None = None,
    ) -> None:
        self.subject, self.chip = subject, chip
        self.noise_seeds = check_seeds(noise_seeds)
        self._processor = device
        self._layout, self._shape = torch.channels_last, torch.Size()
        self._splits: dict[SplitName, Batches] = {}
        self._prefix: tuple[int, list[Tensor]] | None = None

    @cached_property
    def float_model(self) -> nn.Module:
        """A copy of the float network, in evaluation mode.

        Raises:
            AccuracyDataError: If it does not take the images, or gives no scores.
        """
        subject = self.subject
        try:
            model = copy.deepcopy(subject.module).requires_grad_(False).eval()
        except (RuntimeError, TypeError) as error:
            raise AccuracyDataError(
                f"Expected a module that copy.deepcopy can copy, got {subject.name}: {error}."
            ) from error
        few = CALIBRATION_BATCH
        inputs, _ = next(subject.batches("search", few, limit=few))
        self._shape = inputs.shape[1:]
        # Channels last is 1.3 to 2 times faster on CPUs and changes no more than rounding; but a
        # module that views the memory of maps as rows does not take them, nor do three dimensions.
        cubes = any(value.ndim == CUBES for value in model.parameters())
        layouts = (torch.channels_last, torch.contiguous_format)
        failure: Exception | None = None
        for layout in layouts[cubes:]:
            self._layout = layout
            model.to(self._processor, memory_format=layout)  # type: ignore[call-overload]
            try:
                with torch.inference_mode():
                    scores = model(self._laid_out(inputs.clone()))
                break
            except Exception as error:  # whatever the user's code raises
                failure = error
        else:
            raise AccuracyDataError(
                f"Expected {subject.name} to take inputs of shape {tuple(inputs.shape)} and type "
                f"{inputs.dtype}, got {type(failure).__name__}: {failure} Give examples as the "
                "module takes them, or preprocess."
            ) from failure
        _check_scores(subject.name, scores, len(inputs))
        if isinstance(model, StagedModel):
            return model
        layers = None if self._costed is None else self._costed.layers
        return open_layers(model, self._laid_out(inputs.clone()), layers)

    @cached_property
    def _costed(self) -> Network | None:
        """The network that costs are known by; None where nobody can read it."""
        if self.subject.protocol is not None:
            return load_network(self.subject.protocol.network)
        try:
            return self.subject.network()
        except NetworkError:
            return None  # it can be measured all the same

    @property
    def _batch_size(self) -> int:
        if not self._processor.startswith("cpu"):
            return BATCH_ELSEWHERE
        # Small batches stay in the caches: 8 images of 224 x 224 run 1.3 times faster than 64.
        # With 4 the maps of MobileNetV2, too, stay below the 32 MB from which malloc asks the
        # system for fresh pages every time: 1.8 times faster than 8.
        return max(4, PIXELS_PER_BATCH // _places(self._shape))

    def _laid_out(self, inputs: Tensor) -> Tensor:
        maps = inputs.to(self._processor)
        return maps.contiguous(memory_format=self._layout) if maps.ndim == 4 else maps

    @cached_property
    def network(self) -> QuantizedNetwork:
        """The quantised copy, calibrated on the calibration images.

        Raises:
            AccuracyDataError: If the network cannot be quantised, or its layers are not those that
                its costs are known by.
        """
        model, traced = self.float_model, None
        batches = [batch for batch, _ in self._batches("calibration", CALIBRATION_BATCH)]
        if not isinstance(model, StagedModel):
            traced = trace_stages(model, batches[0])
        network = QuantizedNetwork(model, self.subject.recipe, traced, self.chip)
        network.calibrate(batches)
        self._check_layers(list(network.layers))
        if self._costed is not None:
            rank_filters(list(network.layers.values()), self._costed)
        return network

    def _check_layers(self, names: list[str]) -> None:
        """Check that the layers are those of the network as the cost model sees it."""
        if self._costed is None:
            return
        expected = [layer.name for layer in self._costed.layers]
        if names != expected:
            raise AccuracyDataError(
                f"Expected {self.subject.name} to be quantised in all layers that "
                f"Network.from_torch finds, {unlike_names('layers', expected, names)}. Only "
                "modules of the kinds Conv1d, Conv2d, Conv3d, ConvTranspose, Linear, LSTM, GRU, "
                "RNN and MultiheadAttention are, each with weights of its own, and products of "
                "activations that torch.fx can follow; write the network with those, or give "
                "--no-accuracy."
            )

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

        Raises:
            AccuracyDataError: If there is no such split, the float network gives no finite scores,
                or a label is none of its classes.
        """
        if name not in self._splits:
            images, known, found = list[Tensor](), list[Tensor](), list[Tensor]()
            run, before = on_copy(self.float_model), 0
            for inputs, labels in self._batches(name):
                with torch.inference_mode():
                    log_probabilities = run(inputs).log_softmax(1)
                _check_finite(log_probabilities, f"of {self.subject.name}", before)
                if labels is None:
                    labels = log_probabilities.argmax(1)
                _check_labels(labels, log_probabilities.shape[1], name, before)
                images.append(inputs)
                known.append(labels)
                found.append(log_probabilities)
                before += len(inputs)
            fitted = temperature(torch.cat(found).cpu(), torch.cat(known).cpu())
            self._splits[name] = Batches(images, known, found, fitted)
        return self._splits[name]

    def _batches(
        self, name: SplitName, size: int | None = None, limit: int | None = None
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        self.float_model  # noqa: B018  says what inputs are like
        for inputs, labels in self.subject.batches(name, size or self._batch_size, limit):
            if inputs.shape[1:] != self._shape:
                raise AccuracyDataError(
                    f"Expected {name} images of shape {tuple(self._shape)}, as those of the search "
                    f"split are, got {tuple(inputs.shape[1:])}."
                )
            known = None if labels is None else labels.to(self._processor)
            yield self._laid_out(inputs), known

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
        return self.evaluate_all([design], name)[0]

    def evaluate_all(self, designs: Sequence[Design], name: SplitName) -> list[DesignResult]:
        """Run designs; what several of them begin with is computed once.

        Args:
            designs: Each of L layers.
            name: Of the split.

        Returns:
            What each does to the images, in the order given.

        Raises:
            AccuracyDataError: If the network cannot have a design, or one draws noise and there
                are no seeds.
        """
        split, seeds = self.split(name), self._seeds
        found = [Comparison(split.temperature) for _ in designs]
        try:
            wholes = [self._whole(design) for design in designs]
            # The first layers' settings, which decide what is shared, are compared first.
            places = sorted(range(len(designs)), key=lambda place: wholes[place].layers)
            self._run_designs(designs, wholes, places, seeds[0], found, name)
            noisy = [place for place in places if wholes[place].noisy]
            for seed in seeds[1:]:
                self._run_designs(designs, wholes, noisy, seed, found, name)
        finally:
            self.network.set_float()
        return [comparison.result() for comparison in found]

    def _run_designs(
        self,
        designs: Sequence[Design],
        wholes: Sequence[_Whole],
        places: Sequence[int],
        seed: int | None,
        found: Sequence[Comparison],
        name: SplitName,
    ) -> None:
        """Run some of the designs, in an order in which neighbours begin alike, with a seed."""
        shared = [self._shared_stages(wholes[a], wholes[b]) for a, b in pairwise(places)]
        for place in places:
            found[place].start_run()
        with torch.inference_mode():
            for batches in _grouped(self.split(name)):
                labels = torch.cat([batch.labels for batch in batches])
                expected = torch.cat([batch.expected for batch in batches])
                # Maps behind every stage for the design before, by batch.
                kept = [[batch.images] for batch in batches]
                for place, first in zip(places, [0, *shared], strict=False):
                    self.network.set_design(designs[place], seed)
                    for maps, batch in zip(kept, batches, strict=True):
                        self._run_stages(maps, first, batch, name)
                    scores = torch.cat([maps[-1] for maps in kept])
                    found[place].add(scores, labels, expected)

    @property
    def _seeds(self) -> tuple[int | None, ...]:
        return self.noise_seeds or (None,)

    def _run_stages(self, maps: list[Tensor], first: int, batch: _Batch, name: SplitName) -> None:
        """Run the stages from some one on; maps are those behind every stage, from the images on.

        Those behind the first stages are another design's, which has these stages in common.
        """
        del maps[first + 1 :]
        self.network.noise_run.start_batch(name, batch.first, len(batch.labels))
        for stage in self._stages[first:]:
            maps.append(settled(stage(maps[-1])))

    def _whole(self, design: Design) -> _Whole:
        """Find out what a design depends on."""
        self.network.set_design(design, self._seeds[0])
        layers = self.network.layers
        parts = zip(design.settings, design.replication, layers.values(), strict=True)
        return _Whole(
            design.space,
            [
                (setting.tobytes(), int(copies) if layer.reads_copies else 0)
                for setting, copies, layer in parts
            ],
            frozenset(name for name, layer in layers.items() if layer.draws_noise),
        )

    def _shared_stages(self, one: _Whole, other: _Whole) -> int:
        """Count the stages, from the first, that two designs run alike; never the last one."""
        if one.space != other.space:
            return 0
        pairs = zip(self.layers, one.layers, other.layers, strict=True)
        # What a noisy layer draws depends on its uses before, so they run all or none.
        names = {name for name, a, b in pairs if a != b} | (one.noisy & self._used_again)
        alike = list(takewhile(lambda layers: names.isdisjoint(layers), self.stage_layers))
        return min(len(alike), len(self.stage_layers) - 1)

    def compare(self, model: Stage, name: SplitName) -> DesignResult:
        """Compare any other form of the network with the float network.

        Args:
            model: Takes and gives what the float network does.
            name: Of the split.

        Returns:
            What it does to the images.
        """
        return self._compare([on_copy(model)], self.split(name).images, name)

    def labelled_images(self, name: SplitName, limit: int | None = None) -> tuple[Tensor, Tensor]:
        """Load a split in one piece, such as for training.

        Args:
            name: Of the split.
            limit: The first of its images alone; None for all.

        Returns:
            Preprocessed images, shape (N, ...), and labels, shape (N,): where nobody knows them,
            what the float network says.

        Raises:
            AccuracyDataError: If the network has no such images.
        """
        images, known = list[Tensor](), list[Tensor]()
        for inputs, labels in self._batches(name, limit=limit):
            if labels is None:
                with torch.no_grad():
                    labels = on_copy(self.float_model)(inputs).argmax(1)
            images.append(inputs)
            known.append(labels)
        return torch.cat(images), torch.cat(known)

    def _compare(
        self, stages: Sequence[Stage], inputs: Sequence[Tensor], name: SplitName
    ) -> DesignResult:
        """Run stages on the first ``len(inputs)`` batches and compare with the float network."""
        split = self.split(name)
        comparison = Comparison(split.temperature)
        comparison.start_run()
        with torch.inference_mode():
            for scores, batch in zip(inputs, _batches_of(split), strict=False):
                self.network.noise_run.start_batch(name, batch.first, len(batch.labels))
                for stage in stages:
                    scores = settled(stage(scores))
                comparison.add(scores, batch.labels, batch.expected)
        return comparison.result()

    @property
    def stage_layers(self) -> list[list[str]]:
        """Names of the layers that every stage runs."""
        return self._stages_and_layers[1]

    @cached_property
    def _used_again(self) -> frozenset[str]:
        """Names of the layers that run in several stages."""
        stages = Counter(chain.from_iterable(self.stage_layers))
        return frozenset(name for name, count in stages.items() if count > 1)

    @property
    def _stages(self) -> list[Stage]:
        """The stages; none of them writes into what it is given, which others may be given, too."""
        return self._stages_and_layers[0]

    @cached_property
    def _stages_and_layers(self) -> tuple[list[Stage], list[list[str]]]:
        layers, stages, names = self.network.layers, [], []
        # Tensors count who writes into them, but not those of the inference mode.
        with torch.inference_mode(mode=False), torch.no_grad():
            maps = self.split("search").images[0][:1].clone()
            for stage in self.network.stages():
                runs, writes = {name: layer.runs for name, layer in layers.items()}, maps._version
                outputs = settled(stage(maps))
                stages.append(stage if maps._version == writes else on_copy(stage))
                names.append([name for name, layer in layers.items() if layer.runs > runs[name]])
                maps = outputs
        return stages, names

    def stage_divergences(
        self, index: int, space: DesignSpace, known: Set[Turned] = frozenset()
    ) -> Iterator[tuple[Turned, float]]:
        """Turn one knob of one layer that first runs in a stage at a time, on the search images.

        Knobs that act together are turned together; values that make the same of a layer run once.
        All else stays in float, and there is one copy of the layer. What comes before the stage
        runs once and is kept for the next one.

        Args:
            index: Of the stage.
            space: The knobs.
            known: Divergences that are not wanted.

        Yields:
            Layer, knobs and values, and the divergence in nats, the mean over the seeds of noise.

        Raises:
            AccuracyDataError: If the network cannot have a value of a knob.
        """
        stages, inputs = self._stages[index:], self._stage_inputs(index)
        before = set(chain.from_iterable(self.stage_layers[:index]))
        for name in self.stage_layers[index]:
            if name in before:
                continue
            layer = self.network.layers[name]
            remembered: dict[Hashable, float] = {}
            for names, values in turns(space):
                if (name, names, values) in known:
                    continue
                found = []
                for seed in self._seeds:
                    try:
                        self.network.noise_run.seed = seed
                        for knob, value in zip(names, values, strict=True):
                            network_effect(space[knob])(layer, value)
                        layer.close()
                        state = layer.state
                        if state is None or state not in remembered:
                            divergence = self._compare(stages, inputs, "search").divergence
                            remembered[state] = divergence
                        found.append(remembered[state])
                        if not layer.draws_noise:
                            break
                    finally:
                        self.network.set_float()
                yield (name, names, values), fmean(found)

    def _stage_inputs(self, index: int) -> list[Tensor]:
        """Return the float inputs of a stage for the images that sensitivities are measured on."""
        if self._prefix is None or self._prefix[0] > index:
            batches, left = [], self.subject.sensitivity_images
            for batch in self.split("search").images:
                if left is None or left > 0:
                    batches.append(batch)
                left = None if left is None else left - len(batch)
            self._prefix = (0, batches)
        at, batches = self._prefix
        with torch.inference_mode():
            for stage in self._stages[at:index]:
                batches = [settled(stage(batch)) for batch in batches]
        self._prefix = (index, batches)
        return batches
