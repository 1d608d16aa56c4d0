"""The bits that a network's file has chosen, as a design."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from lrmp.errors import DesignError, MissingExtraError
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.precision import PRECISION, precision_for

#: In the order in which readers give them: of the matrix, and of what is multiplied by it.
NAMES = ("weight_bits", "activation_bits")


@dataclass(frozen=True)
class FileBits:
    """What a file quantises every layer of a network to.

    Attributes:
        network: L layers.
        bits: By ``"weight_bits"`` and ``"activation_bits"`` those of every layer; None where the
            file leaves them as floats.
    """

    network: Network
    bits: Mapping[str, tuple[int | None, ...]]

    @property
    def open_layers(self) -> dict[str, list[str]]:
        """Layers without bits in the file, by the name of the knob."""
        names = [layer.name for layer in self.network.layers]
        return {
            knob: [name for name, width in zip(names, widths, strict=True) if width is None]
            for knob, widths in self.bits.items()
        }

    def values(self) -> dict[str, list[int]]:
        """Return bits of every layer by knob; plain ones where the file has none."""
        return {
            knob: [int(PRECISION[knob].plain) if width is None else width for width in widths]
            for knob, widths in self.bits.items()
        }

    def require_any(self) -> None:
        """Refuse a file of floats.

        Raises:
            DesignError: If no layer has bits.
        """
        if all(width is None for widths in self.bits.values() for width in widths):
            raise DesignError(
                f"Expected {self.network.name} to have quantised layers, got floats alone. Set the "
                "bits by weight_bits and activation_bits."
            )

    def design(self) -> Design:
        """Make a design of one copy.

        Returns:
            Of LRMP's knobs; with values below or above their own where the file has such.

        Raises:
            DesignError: If the file has no bits at all, or more than 16.
        """
        self.require_any()
        values = self.values()
        space = precision_for([width for widths in values.values() for width in widths])
        return Design.of(values, space=space)


def read_file_bits(
    path: str | PathLike[str],
    *,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    name: str | None = None,
    batch_dimension: int | None = 0,
    input_values: Mapping[str, Any] | None = None,
) -> FileBits:
    """Read a network with its bits from an ONNX file: QONNX, Brevitas, FINN, QDQ or QLinear.

    Args:
        path: The file.
        input_shapes: As for ``Network.from_onnx``, as are the others.
        name: Of the network.
        batch_dimension: Dimension of the first input that must be 1.
        input_values: Of inputs that are to be constants.

    Returns:
        The network and its bits.

    Raises:
        MissingExtraError: If onnx is not installed.
        NetworkError: As ``Network.from_onnx``.
    """
    try:
        from lrmp.hardware.readers.from_onnx import network_from_onnx
    except ImportError as error:
        raise MissingExtraError.of("onnx", "to read an ONNX file", "onnx") from error
    network, bits = network_from_onnx(path, input_shapes, name, batch_dimension, input_values)
    weights, activations = zip(*bits, strict=True)
    return FileBits(network, dict(zip(NAMES, (weights, activations), strict=True)))
