"""One layer of a network, as crossbars see it."""

from dataclasses import dataclass
from typing import Literal, Self, get_args

from lrmp.errors import NetworkError

LayerKind = Literal["conv2d", "linear"]


@dataclass(frozen=True, slots=True)
class Layer:
    """A weight matrix and how often one inference multiplies by it. Topology only.

    Attributes:
        name: Unique within the network, such as ``"layer1.0.conv1"``.
        kind: ``"conv2d"`` or ``"linear"``.
        rows: K, inputs of the matrix: kernel height x kernel width x input channels.
        columns: M, outputs of the matrix: output channels.
        positions: P, output positions, that is matrix-vector multiplications per inference.
        kernel_size: Side of the square kernel in elements; 1 for linear layers.
        stride: In input elements; 1 for linear layers.

    Raises:
        NetworkError: If a size is not a positive integer.
    """

    name: str
    kind: LayerKind
    rows: int
    columns: int
    positions: int
    kernel_size: int = 1
    stride: int = 1

    def __post_init__(self) -> None:
        for field in ("rows", "columns", "positions", "kernel_size", "stride"):
            _check_size(self.name, field, getattr(self, field))
        if self.kind not in get_args(LayerKind):
            raise NetworkError(
                f"Expected kind of layer {self.name!r} to be one of "
                f"{', '.join(get_args(LayerKind))}; got {self.kind!r}."
            )
        if self.macs >= 2**62:
            raise NetworkError(
                f"Expected layer {self.name!r} to have fewer than 2**62 multiply-accumulates, so "
                f"that 64-bit integers are exact, got {self.macs}."
            )

    @property
    def weights(self) -> int:
        """Number of weights, K x M."""
        return self.rows * self.columns

    @property
    def macs(self) -> int:
        """Multiply-accumulates per inference, K x M x P."""
        return self.weights * self.positions

    @classmethod
    def conv2d(
        cls,
        name: str,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        input_size: int,
        stride: int = 1,
        padding: int | None = None,
    ) -> Self:
        """Describe a square 2-D convolution.

        Args:
            name: Name of the layer.
            in_channels: Input channels.
            out_channels: Output channels.
            kernel_size: Side of the kernel.
            input_size: Side of the input feature map, in elements.
            stride: Step of the kernel.
            padding: Elements added on every side; None for ``(kernel_size - 1) // 2``, which
                keeps the size under odd kernels of stride 1.

        Returns:
            The layer.

        Raises:
            NetworkError: If a size is not positive, or the kernel does not fit the padded input.
        """
        for field, value in (
            ("kernel_size", kernel_size),
            ("stride", stride),
            ("input_size", input_size),
        ):
            _check_size(name, field, value)
        if padding is None:
            padding = (kernel_size - 1) // 2
        if padding < 0 or input_size + 2 * padding < kernel_size:
            raise NetworkError(
                f"Expected kernel_size of layer {name!r} to fit its input of {input_size} with "
                f"padding {padding} on every side, got {kernel_size}."
            )
        side = (input_size + 2 * padding - kernel_size) // stride + 1
        return cls(
            name=name,
            kind="conv2d",
            rows=kernel_size * kernel_size * in_channels,
            columns=out_channels,
            positions=side * side,
            kernel_size=kernel_size,
            stride=stride,
        )

    @classmethod
    def linear(cls, name: str, in_features: int, out_features: int) -> Self:
        """Describe a fully connected layer: one matrix-vector multiplication per inference.

        Args:
            name: Name of the layer.
            in_features: Inputs.
            out_features: Outputs.

        Returns:
            The layer.
        """
        return cls(name=name, kind="linear", rows=in_features, columns=out_features, positions=1)


def _check_size(layer: str, field: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise NetworkError(
            f"Expected {field} of layer {layer!r} to be an integer >= 1, got {value!r}."
        )
