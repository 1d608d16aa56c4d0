"""The network that is optimised: its layers, and what runs it."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lrmp.accuracy.lab.images.location import data_root
from lrmp.accuracy.lab.images.own_images import (
    UNIT,
    OwnImages,
    Pixels,
    class_folders,
    read_own_images,
)
from lrmp.accuracy.lab.protocol import load_protocol, read_protocols
from lrmp.errors import AccuracyDataError, MissingExtraError, NetworkError, RunError
from lrmp.foreign_file import file_digest
from lrmp.hardware.networks import NETWORKS, load_network
from lrmp.hardware.networks.network import Network
from lrmp.hardware.readers.file_bits import FileBits, read_file_bits

if TYPE_CHECKING:
    from lrmp.accuracy.lab.examples import Examples
    from lrmp.accuracy.lab.quantization.network import QuantizedNetwork
    from lrmp.accuracy.lab.subject import Subject

#: Fewest images: steps need some, and so do both halves of those that designs run on.
LEAST_CALIBRATION, LEAST_VALIDATION = 8, 20
SPLIT_SEED = 0
MOST_BYTES = 2**31 - 1  # of an ONNX file: the format allows no more
_TRIED = 3  # images that a converted file is compared on


@dataclass(frozen=True)
class Images:
    """The images of a network, and how they are prepared.

    Attributes:
        calibration: Folder or archive that quantiser steps are chosen on; labels play no part.
        validation: Folder or archive that designs run on. One half, drawn once, is what
            sensitivities and searches see, the other only checks.
        pixels: What is done to pixels.
        search: At most so many images that searches see.
        sensitivity: At most so many of those, that sensitivities are measured on.
    """

    calibration: Path
    validation: Path
    pixels: Pixels = UNIT
    search: int = 500
    sensitivity: int = 200

    def __post_init__(self) -> None:
        for name in ("search", "sensitivity"):
            if getattr(self, name) < LEAST_VALIDATION // 2:
                raise AccuracyDataError(
                    f"Expected at least {LEAST_VALIDATION // 2} {name} images, got "
                    f"{getattr(self, name)}."
                )


@dataclass(frozen=True, eq=False)
class OwnNetwork:
    """A network as the user names it.

    Attributes:
        source: Name of a built-in network, an ONNX file, or a ``torch.nn.Module``.
        name: Of the network; None for that of the file or class.
        inputs: Shapes of inputs with a batch of 1, by name; ``""`` is the first.
    """

    source: Any
    name: str | None = None
    inputs: Mapping[str, Sequence[int]] | None = None

    @property
    def is_onnx(self) -> bool:
        """Whether it is an ONNX file."""
        return isinstance(self.source, str | Path) and str(self.source).endswith(".onnx")

    @property
    def is_built_in(self) -> bool:
        """Whether it comes with lrmp."""
        return isinstance(self.source, str) and self.source in NETWORKS

    @property
    def label(self) -> str:
        """Its name, as files can have it."""
        name = self.name
        if name is None and self.is_onnx:
            name = Path(self.source).stem
        elif name is None:
            name = self.source if isinstance(self.source, str) else type(self.source).__name__
        cleaned = re.sub(r"[^A-Za-z0-9._-]", "_", name).strip("._-")[:64]
        return cleaned or "network"

    @property
    def identity(self) -> str:
        """SHA-256 of what it is: of the file, the printed module, or the name."""
        if self.is_onnx:
            try:
                return file_digest(Path(self.source), MOST_BYTES)
            except OSError as error:
                raise NetworkError(
                    f"Expected a readable ONNX file at {self.source}: {error}."
                ) from error
        text = re.sub("0x[0-9a-f]+", "", str(self.source))
        return hashlib.sha256(text.encode()).hexdigest()

    def network(self) -> Network:
        """Read the layers.

        Returns:
            The network.

        Raises:
            NetworkError: If it cannot be read, or nobody says the shape of its inputs.
        """
        shapes = dict(self.inputs or {})
        if self.is_onnx:
            named = self._named_shapes()
            return Network.from_onnx(self.source, input_shapes=named, name=self.label)
        if isinstance(self.source, str):
            return load_network(self.source)
        torch = _torch()
        if not shapes:
            raise NetworkError(
                f"Expected the shape of the input of {self.label}, such as --input-shape "
                "1,3,224,224; got none."
            )
        example = torch.zeros(tuple(next(iter(shapes.values()))))
        return Network.from_torch(self.source, example, name=self.label)

    def file_bits(self) -> FileBits:
        """Read the bits that an ONNX file quantises the layers to.

        Returns:
            The network and its bits.

        Raises:
            NetworkError: If it is no ONNX file, or cannot be read.
        """
        if not self.is_onnx:
            raise NetworkError(
                f"Expected an ONNX file where bits are taken from the file, got {self.label}, "
                "which has none of its own. Set them: --set weight_bits=4."
            )
        return read_file_bits(self.source, input_shapes=self._named_shapes(), name=self.label)

    def _named_shapes(self) -> dict[str, Sequence[int]] | None:
        """Return shapes by the names that the inputs of an ONNX file have."""
        shapes = dict(self.inputs or {})
        if "" in shapes:
            shapes = {_first_input(Path(self.source)): shapes[""]}
        return shapes or None

    def subject(self, images: Images | None, data: Path | None) -> "Subject":
        """Prepare the network to be measured.

        Args:
            images: Its images; None for a built-in network, which has its own.
            data: Folder of a built-in network's weights and images; None for the default.

        Returns:
            What the laboratory measures.

        Raises:
            AccuracyDataError: If images are missing, or do not fit the network.
            MissingExtraError: If a library is not installed.
        """
        if self.is_built_in:
            if images is not None:
                raise AccuracyDataError(
                    f"Expected no images for {self.source}, which is measured on images of its "
                    "own. Give the ONNX file or torch module of the network for yours."
                )
            if self.source not in read_protocols():
                raise AccuracyDataError(
                    f"Expected a network whose weights and images are known, got {self.source}: "
                    f"there are {', '.join(read_protocols())}. Give your own weights as an ONNX "
                    "file, or --no-accuracy."
                )
            return load_protocol(self.source).subject(data_root(data))
        if images is None:
            raise RunError(
                "Expected --calibration and --validation, images that the network is run on; or "
                "--no-accuracy, which optimises the copies alone."
            )
        _torch()
        subject = _own_subject(self, images)
        return replace(subject, factory=partial(_own_subject, self, images))


def _own_subject(own: OwnNetwork, images: Images) -> "Subject":
    """Read network and images; worker processes call this again."""
    from lrmp.accuracy.lab.subject import Subject

    layout = own.network() if own.is_onnx or own.inputs else None
    shape = _image_shape(own)
    read = partial(read_own_images, shape=shape, pixels=images.pixels)
    calibration = read(images.calibration, least=LEAST_CALIBRATION, use="calibration")
    validation = read(images.validation, least=LEAST_VALIDATION, use="validation")
    module = _module(own, layout, calibration)
    _check_classes(module, validation, images.validation)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(validation))
    middle = len(order) // 2
    search = order[: min(middle, images.search)]
    return Subject(
        name=own.label,
        module=module,
        calibration=_examples(calibration, np.arange(len(calibration)), labelled=False),
        search=_examples(validation, search),
        test=_examples(validation, order[middle:]),
        sensitivity_images=min(len(search), images.sensitivity),
        layout=layout,
    )


def calibrated(own: OwnNetwork, calibration: Path, pixels: Pixels = UNIT) -> "QuantizedNetwork":
    """Choose the steps of an ONNX file, as ``subject`` lets the laboratory do.

    Args:
        own: An ONNX file.
        calibration: Folder or archive of images.
        pixels: What is done to pixels.

    Returns:
        The quantised network.

    Raises:
        AccuracyDataError: If images are missing or do not fit, or the file cannot be run.
    """
    _torch()
    from lrmp.accuracy.lab.evaluator import NetworkEvaluator
    from lrmp.accuracy.lab.subject import Subject

    layout = own.network()
    images = read_own_images(
        calibration, _image_shape(own), pixels, LEAST_CALIBRATION, "calibration"
    )
    examples = _examples(images, np.arange(len(images)), labelled=False)
    module = _module(own, layout, images)
    return NetworkEvaluator(Subject(own.label, module, examples, examples, layout=layout)).network


def _module(own: OwnNetwork, layout: Network | None, images: OwnImages) -> Any:
    """Return what runs the network."""
    import torch

    from lrmp.accuracy.lab.models.onnx_module import module_from_onnx

    if not own.is_onnx:
        return own.source
    assert layout is not None
    example = torch.from_numpy(images.inputs[:_TRIED])
    return module_from_onnx(Path(own.source), layout.layers, example)


def _examples(images: OwnImages, places: Any, *, labelled: bool = True) -> "Examples":
    from lrmp.accuracy.lab.examples import Examples

    labels = images.labels if labelled else None
    return Examples(images.inputs[places], None if labels is None else labels[places])


def _check_classes(module: Any, validation: OwnImages, path: Path) -> None:
    """Check that folders that are told by their order are as many as the classes."""
    import torch

    folders = class_folders(path)
    if folders is None:
        return
    with torch.inference_mode():
        classes = module.eval()(torch.from_numpy(validation.inputs[:1])).shape[-1]
    if classes != folders:
        raise AccuracyDataError(
            f"Expected a folder for each of the {classes} classes of the network in {path}, got "
            f"{folders}. Name the folders by the numbers of their classes, or add the others."
        )


def _image_shape(own: OwnNetwork) -> tuple[int, ...] | None:
    """Return what the network takes, without the batch; None if nobody says it."""
    if own.inputs:
        return tuple(next(iter(own.inputs.values())))[1:]
    return _onnx_shape(Path(own.source)) if own.is_onnx else None


def _first_input(path: Path) -> str:
    return str(_first(path).name)


def _onnx_shape(path: Path) -> tuple[int, ...] | None:
    sizes = [each.dim_value for each in _first(path).type.tensor_type.shape.dim][1:]
    return tuple(sizes) if all(size > 0 for size in sizes) else None


def _first(path: Path) -> Any:
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError.of(error.name, "to read ONNX files", "optimize") from error
    graph = onnx.load(path, load_external_data=False).graph  # read before, by the cost model
    stored = {tensor.name for tensor in graph.initializer}
    return next(each for each in graph.input if each.name not in stored)


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError.of(error.name, "to run networks", "optimize") from error
    return torch
