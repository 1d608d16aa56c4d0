"""Networks on the command line, and how they are read."""

import argparse
import warnings
from collections.abc import Sequence
from typing import Any

from lrmp.cli.output import note_warnings
from lrmp.errors import NetworkError
from lrmp.hardware.networks.network import Network
from lrmp.hardware.readers.file_bits import FileBits
from lrmp.hardware.readers.network_source import FORMS, InputShape, Reading
from lrmp.hardware.readers.network_source import read_bits as read_source_bits
from lrmp.hardware.readers.network_source import read_network as read_source

HELP = FORMS
SHAPE_HELP = (
    "sizes of an input: 1,3,224,224 for a torch module, batch first, or 1,128:int64 for tokens; "
    "NAME=1,3,224,224 for a keyword argument, or an input of an ONNX file with open sizes; repeat "
    "it for further inputs"
)
#: How errors of the readers name arguments of Python, and what these are here.
_OPTIONS = (
    ("input_shapes={", "--input-shape NAME=1,3,224,224"),
    ("batch_dimension", "--batch-dimension PLACE or none"),
    ("input_values={", "--input-value NAME=NUMBER"),
)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Offer what says how a network is read.

    Args:
        parser: Of a command.
    """
    parser.add_argument("--input-shape", action="append", metavar="SIZES", help=SHAPE_HELP)
    parser.add_argument(
        "--input-value",
        action="append",
        metavar="NAME=NUMBER",
        help="make an input of an ONNX file a constant, such as sample_rate=16000; a list: "
        "NAME=1,2,3; repeat it for further inputs",
    )
    parser.add_argument(
        "--batch-dimension",
        type=_dimension,
        default=0,
        metavar="PLACE|none",
        help="dimension of the first input that is the batch of 1; none if there is no batch; "
        "default: %(default)s",
    )


def reading(options: argparse.Namespace) -> Reading:
    """Read the options that ``add_reading`` offers.

    Args:
        options: Of the command.

    Returns:
        What they say.

    Raises:
        NetworkError: If a word is none of its kind.
    """
    return Reading(
        tuple(InputShape.parse(word) for word in options.input_shape or ()),
        dict(_value(word) for word in options.input_value or ()),
        options.batch_dimension,
    )


def read_network(word: str, how: Reading | Sequence[InputShape] = ()) -> Network:
    """Find the network that a word stands for; what is left out of it is noted.

    Args:
        word: Name of a built-in network, an ONNX file, or ``module:factory``.
        how: How it is read, or the shapes of its inputs alone.

    Returns:
        The network.

    Raises:
        NetworkError: If there is none, it cannot be read, or shapes are missing.
        MissingExtraError: If torch or onnx is needed and not installed.
    """
    try:
        with note_warnings():
            return read_source(word, how if isinstance(how, Reading) else Reading(how))
    except NetworkError as error:
        options = [there for name, there in _OPTIONS if name in str(error)]
        if not options:
            raise
        raise NetworkError(f"{error} On the command line: {'; '.join(options)}.") from error


def read_bits(word: str, how: Reading) -> FileBits:
    """Find the bits that the file of a network has chosen.

    Args:
        word: An ONNX file.
        how: How it is read.

    Returns:
        The network, and its bits.

    Raises:
        NetworkError: If it is no ONNX file.
    """
    if not word.endswith(".onnx"):
        raise NetworkError(
            f"Expected an ONNX file beside --set from-file, got {word}, which has no bits of its "
            "own. Set them: --set weight_bits=4."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said when the network was read
        return read_source_bits(word, how)


def _value(word: str) -> tuple[str, Any]:
    name, _, text = word.partition("=")
    try:
        numbers = [
            float(part) if set(part) & set(".einf") else int(part) for part in text.split(",")
        ]
    except ValueError as error:
        raise NetworkError(
            f"Expected --input-value as NAME=NUMBER, such as sample_rate=16000; got {word!r}."
        ) from error
    return name, numbers if len(numbers) > 1 else numbers[0]


def _dimension(word: str) -> int | None:
    if word == "none":
        return None
    try:
        return int(word)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected the place of a dimension, or none, got {word!r}"
        ) from None
