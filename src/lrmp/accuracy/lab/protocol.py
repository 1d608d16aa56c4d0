"""The accuracy-check protocol of a network: weights, images, recipe. See docs/protocol.md."""

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.lab.images import ImageSet, Source, load_images, source_size
from lrmp.errors import AccuracyDataError, unknown_name
from lrmp.foreign_file import file_digest
from lrmp.hardware.networks import load_network
from lrmp.hardware.networks.network import Network

if TYPE_CHECKING:
    from torch import Tensor

    from lrmp.accuracy.lab.examples import Examples
    from lrmp.accuracy.lab.subject import Subject

PROTOCOLS = "protocols.toml"
PACKAGE = "lrmp.accuracy.lab"

SplitName = Literal["calibration", "search", "test", "training"]
Preprocessing = Literal["unit", "raw", "imagenet", "tensorflow", "efficientnet"]

#: (pixel / scale - mean) / std, by channel.
PREPROCESSING: dict[str, tuple[float, tuple[float, ...], tuple[float, ...]]] = {
    "unit": (255.0, (0.0,), (1.0,)),
    "raw": (1.0, (0.0,), (1.0,)),
    "imagenet": (255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "tensorflow": (127.5, (1.0,), (1.0,)),
    "efficientnet": (1.0, (127.0,), (128.0,)),
}


@dataclass(frozen=True)
class Split:
    """Some images of a source.

    Attributes:
        source: A key of ``SOURCES``, or a folder of images.
        seed: Of the shuffle.
        start: First image after the shuffle.
        stop: Behind the last.
    """

    source: Source
    seed: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def indices(self) -> NDArray[np.int64]:
        """Return which images of the source these are.

        Returns:
            Shape (N,).

        Raises:
            AccuracyDataError: If there is no such set, or it has fewer images.
        """
        size = source_size(self.source)
        if not 0 <= self.start < self.stop <= size:
            raise AccuracyDataError(
                f"Expected images {self.start} to {self.stop} of {self.source}, got a set of "
                f"{size}. Take fewer, or a larger set."
            )
        return np.random.default_rng(self.seed).permutation(size)[self.start : self.stop]

    def __str__(self) -> str:
        return f"{self.source}[{self.start}:{self.stop}] shuffled by {self.seed}"


@dataclass(frozen=True)
class Protocol:
    """What fixes the accuracy of a design of a network.

    Attributes:
        network: Name in ``lrmp.hardware`` and of the model.
        weights: File below the data folder, or beside this module if lrmp ships it.
        sha256: Of that file.
        about: Origin and licence of the weights.
        preprocessing: A key of ``PREPROCESSING``.
        calibration: Images that quantiser steps and bias corrections are chosen on.
        search: Images that searches, and the table, may see.
        test: Images that only a network check sees.
        sensitivity_images: How many of the search images the divergences are averaged over.
        recipe: Of quantisation.
        allowed_drop: Percentage points.
        evaluations: Designs that a search may score.
        float_top1: Percent, or None where it was not measured.
        float_images: The source that it was measured on.
        training: Images that fine-tuning may see, or None where there are none.
    """

    network: str
    weights: str
    sha256: str
    about: str
    preprocessing: Preprocessing
    calibration: Split
    search: Split
    test: Split
    sensitivity_images: int
    recipe: str
    allowed_drop: float
    evaluations: int
    float_top1: float | None = None
    float_images: str | None = None
    training: Split | None = None

    def split(self, name: SplitName) -> Split:
        """Look up a split.

        Args:
            name: Of the split.

        Returns:
            The split.

        Raises:
            AccuracyDataError: If the network has no training images here.
        """
        split: Split | None = getattr(self, name)
        if split is None:
            raise AccuracyDataError(
                f"Expected a network with a {name} split, got {self.network}, whose "
                f"{name} images are not at hand."
            )
        return split

    def load(self, name: SplitName, root: Path, limit: int | None = None) -> ImageSet:
        """Load the images of a split.

        Args:
            name: Of the split.
            root: The data folder.
            limit: The first of its images alone; None for all.

        Returns:
            The images.

        Raises:
            AccuracyDataError: If the files are missing or damaged, or hold classes that the network
                does not have.
        """
        split = self.split(name)
        images = load_images(split.source, split.indices()[:limit], root)
        classes = load_network(self.network).layers[-1].columns
        lowest, highest = int(images.labels.min()), int(images.labels.max())
        if not 0 <= lowest <= highest < classes:
            raise AccuracyDataError(
                f"Expected classes 0 to {classes - 1} for {self.network} in {split.source}, got "
                f"{lowest if lowest < 0 else highest}. Give images of the network's classes."
            )
        return images

    def weights_path(self, root: Path) -> Path:
        """Find the weights, and check that they are the protocol's.

        Args:
            root: The data folder.

        Returns:
            The file.

        Raises:
            AccuracyDataError: If there is no such file, or its hash differs.
        """
        shipped = Path(str(resources.files(PACKAGE).joinpath(self.weights)))
        path = shipped if shipped.is_file() else root / self.weights
        check_sha256(path, self.sha256)
        return path

    def preprocess(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn pixels into what the network was trained on.

        Args:
            pixels: Shape (N, height, width, channels).

        Returns:
            Same shape.
        """
        scale, mean, std = PREPROCESSING[self.preprocessing]
        scaled = pixels.astype(np.float32)
        scaled /= np.float32(scale)
        scaled -= np.array(mean, np.float32)
        scaled /= np.array(std, np.float32)
        return scaled

    def subject(self, root: Path) -> "Subject":
        """Load the network; its images are loaded when they are first needed.

        Args:
            root: The data folder.

        Returns:
            What the laboratory measures.

        Raises:
            AccuracyDataError: If the weights are missing or not the protocol's.
        """
        from lrmp.accuracy.lab.models import load_model
        from lrmp.accuracy.lab.subject import Subject

        model = load_model(self.network, self.weights_path(root))
        calibration, search, test, training = (
            partial(self._examples, split, root, model.input_shape)
            for split in ("calibration", "search", "test", "training")
        )
        return Subject(
            name=self.network,
            module=model,
            calibration=calibration,
            search=search,
            test=test,
            training=None if self.training is None else training,
            preprocess=self._preprocess_batch,
            recipe=self.recipe,
            sensitivity_images=self.sensitivity_images,
            about=self.about,
            factory=partial(self.subject, root),
            protocol=self,
        )

    def _examples(
        self, name: SplitName, root: Path, shape: tuple[int, int, int], limit: int | None
    ) -> "Examples":
        from lrmp.accuracy.lab.examples import Examples

        images = self.load(name, root, limit)
        channels, height, width = shape
        _, *found = images.pixels.shape
        if found != [height, width, channels]:
            raise AccuracyDataError(
                f"Expected images of {width} x {height} with {_channels(channels)} for "
                f"{self.network}, got {found[1]} x {found[0]} with {_channels(found[2])} in "
                f"{self.split(name).source}. Give images of the network's kind."
            )
        return Examples(images.pixels, images.labels)

    def _preprocess_batch(self, pixels: "Tensor") -> "Tensor":
        """Turn pixels, shape (B, height, width, channels), into what torch's modules take."""
        from torch import from_numpy

        # (N, H, W, C) seen as (N, C, H, W) is channels last already.
        return from_numpy(self.preprocess(pixels.numpy())).permute(0, 3, 1, 2)

    @property
    def conditions(self) -> dict[str, Any]:
        """What the numbers of a table depend on, as its provenance states it."""
        return {
            "sha256": self.sha256,
            "preprocessing": self.preprocessing,
            "recipe": self.recipe,
            "calibration": str(self.calibration),
            "search": str(self.search),
            "sensitivity_images": self.sensitivity_images,
        }


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"


def identity(protocol: Protocol) -> str:
    """Hash what the accuracy of a design depends on.

    Args:
        protocol: Of the network.

    Returns:
        SHA-256 of weights, images and recipe.
    """
    values = asdict(protocol)
    parts = ("sha256", "preprocessing", "calibration", "search", "test", "recipe")
    text = json.dumps({name: values[name] for name in (*parts, "sensitivity_images")})
    return hashlib.sha256(text.encode()).hexdigest()


def check_sha256(path: Path, expected: str) -> None:
    """Check that a file is the one that a protocol names.

    Args:
        path: The file.
        expected: Its SHA-256 in hexadecimal digits.

    Raises:
        AccuracyDataError: If it is missing or another.
    """
    found = file_sha256(path)
    if found != expected:
        raise AccuracyDataError(
            f"Expected {path} to have SHA-256 {expected}, got {found}. Fetch the weights that "
            "docs/protocol.md names."
        )


def file_sha256(path: Path) -> str:
    """Hash a file of weights.

    Args:
        path: The file.

    Returns:
        Hexadecimal digits.

    Raises:
        AccuracyDataError: If there is no such file.
    """
    if not path.is_file():
        raise AccuracyDataError(
            f"Expected weights at {path}, got no such file. Name the data folder with --data or "
            "the environment variable LRMP_DATA."
        )
    try:
        return file_digest(path)
    except OSError as error:
        raise AccuracyDataError(f"Expected readable weights at {path}: {error}.") from error


@cache
def read_protocols() -> dict[str, Protocol]:
    """Read all protocols.

    Returns:
        Protocols by network name.
    """
    text = resources.files(PACKAGE).joinpath(PROTOCOLS).read_text("utf-8")
    document: dict[str, dict[str, Any]] = tomllib.loads(text)
    defaults = document.pop("defaults")
    protocols = {}
    for name, entry in document.items():
        values: dict[str, Any] = {
            key: Split(**value) if isinstance(value, dict) else value
            for key, value in (defaults | entry).items()
        }
        protocols[name] = Protocol(network=name, **values)
    return protocols


def load_protocol(network: str) -> Protocol:
    """Look up the protocol of a network.

    Args:
        network: Its name.

    Returns:
        The protocol.

    Raises:
        AccuracyDataError: If the network has none.
    """
    protocols = read_protocols()
    if network not in protocols:
        raise AccuracyDataError(unknown_name("network with a protocol", network, protocols))
    return protocols[network]


def protocol_of(network: Network) -> Protocol:
    """Find the protocol of a network by its topology, not its name alone.

    Args:
        network: Any network, such as one that was read from a file.

    Returns:
        The protocol of the built-in network that it is.

    Raises:
        AccuracyDataError: If no network with a protocol has its name and its matrices.
    """
    protocol = load_protocol(network.name)
    known, given = (
        [(layer.rows, layer.columns, layer.groups) for layer in each.layers]
        for each in (load_network(network.name), network)
    )
    if known != given:
        raise AccuracyDataError(
            f"Expected {network.name} with the layers of lrmp's own network of this name, whose "
            "weights and images are known; got other layers. Rename it, or give an accuracy table."
        )
    return protocol
