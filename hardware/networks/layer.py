"""One layer of a network, as crossbars see it."""

from dataclasses import dataclass
from typing import Literal, Self, get_args

from lrmp.errors import NetworkError

LayerKind = Literal["conv2d", "conv1d", "conv3d", "linear", "recurrent", "matmul"]

#: Vector operations of one LSTM cell and time step per hidden unit: four gate non-linearities,
#: ``c = f*c + i*g`` (3) and ``h = o*tanh(c)`` (2).
LSTM_VECTOR_OPS = 9
#: The same of a GRU: three gate non-linearities, the reset product and its addition (2), and
#: ``h = (1 - z)*n + z*h`` (3).
GRU_VECTOR_OPS = 8

_KERNEL_AXES = {"conv2d": 2, "conv3d": 3}
_SIZES = ("rows", "columns", "positions", "kernel_size", "stride", "groups", "time_steps")


@dataclass(frozen=True, slots=True)
class Layer:
    """A matrix and how often one inference multiplies by it. Topology only.

    Attributes:
        name: Unique within the network, such as ``"layer1.0.conv1"``.
        kind: ``"conv2d"``, ``"conv1d"``, ``"conv3d"``, ``"linear"``, ``"recurrent"`` (LSTM or GRU
            gates), or ``"matmul"``, whose matrix is no weight but computed in the same inference
            (Q.K^T, A.V).
        rows: K, inputs that each output sums over: kernel elements x input channels of a group;
            input + hidden size of a recurrent layer.
        columns: M, outputs of all groups.
        positions: P, output positions, that is matrix-vector multiplications per inference.
        kernel_size: Longest side of the kernel in elements; 1 where there is none.
        stride: Longer step of the kernel in input elements; the longest of several uses.
        groups: Independent blocks of ``rows`` x ``columns / groups``: grouped and depth-wise
            convolution, heads of an attention matmul.
        time_steps: Positions that must run one after another, since each needs the last one's
            result. Copies share the ``positions / time_steps`` others.
        input_elements: Distinct inputs per inference, at most one per row, group and position,
            which None stands for. The windows of a convolution overlap, so it has fewer.
        vector_ops: Element-wise operations up to the next layer: activation, pooling (one per
            element of a window), addition of a shortcut, gates. Batch norm is folded.

    Raises:
        NetworkError: If a size is not a positive integer, the groups do not divide the columns or
            the time steps the positions.
    """

    name: str
    kind: LayerKind
    rows: int
    columns: int
    positions: int
    kernel_size: int = 1
    stride: int = 1
    groups: int = 1
    time_steps: int = 1
    input_elements: int = None  # type: ignore[assignment]  # __post_init__ replaces None
    vector_ops: int = 0

    def __post_init__(self) -> None:
        for field in _SIZES:
            _check_size(self.name, field, getattr(self, field))
        _check_size(self.name, "vector_ops", self.vector_ops, least=0)
        most = self.inputs_per_position * self.positions
        elements = most if self.input_elements is None else self.input_elements
        _check_size(self.name, "input_elements", elements)
        object.__setattr__(self, "input_elements", min(elements, most))
        if self.kind not in get_args(LayerKind):
            raise NetworkError(
                f"Expected kind of layer {self.name!r} to be one of "
                f"{', '.join(get_args(LayerKind))}; got {self.kind!r}."
            )
        for part, whole in (("groups", "columns"), ("time_steps", "positions")):
            if getattr(self, whole) % getattr(self, part):
                raise NetworkError(
                    f"Expected {part} of layer {self.name!r} to divide its {whole} "
                    f"({getattr(self, whole)}), got {getattr(self, part)}."
                )
        if self.macs >= 2**53:
            raise NetworkError(
                f"Expected layer {self.name!r} to have fewer than 2**53 multiply-accumulates, so "
                f"that all that is counted from them is exact, got {self.macs}."
            )

    @property
    def weights(self) -> int:
        """Elements of the matrix, K x M; of a matmul they are no weights but activations."""
        return self.rows * self.columns

    @property
    def macs(self) -> int:
        """Multiply-accumulates per inference, K x M x P."""
        return self.weights * self.positions

    @property
    def outputs(self) -> int:
        """Output elements per inference, M x P."""
        return self.columns * self.positions

    @property
    def kernel_elements(self) -> int:
        """Elements of the kernel, as if all its sides were as long as the longest one."""
        elements: int = self.kernel_size ** _KERNEL_AXES.get(self.kind, 1)
        return elements

    @property
    def inputs_per_position(self) -> int:
        """Inputs of one position: K of every group."""
        return self.rows * self.groups

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
        *,
        groups: int = 1,
        vector_ops: int = 0,
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
            groups: Blocks of channels convolved apart; ``in_channels`` for a depth-wise one.
            vector_ops: Element-wise operations up to the next layer.

        Returns:
            The layer.

        Raises:
            NetworkError: If a size is not positive, the kernel does not fit the padded input, or
                the groups do not divide the channels.
        """
        side = _output_size(name, kernel_size, input_size, stride, padding)
        return cls(
            name=name,
            kind="conv2d",
            rows=kernel_size * kernel_size * _group_channels(name, in_channels, groups),
            columns=out_channels,
            positions=side * side,
            kernel_size=kernel_size,
            stride=stride,
            groups=groups,
            input_elements=in_channels * input_size * input_size,
            vector_ops=vector_ops,
        )

    @classmethod
    def conv1d(
        cls,
        name: str,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        input_size: int,
        stride: int = 1,
        padding: int | None = None,
        *,
        groups: int = 1,
        vector_ops: int = 0,
    ) -> Self:
        """Describe a 1-D convolution.

        Args:
            name: Name of the layer.
            in_channels: Input channels.
            out_channels: Output channels.
            kernel_size: Length of the kernel.
            input_size: Length of the input, in elements.
            stride: Step of the kernel.
            padding: Elements added at both ends; None for ``(kernel_size - 1) // 2``.
            groups: Blocks of channels convolved apart.
            vector_ops: Element-wise operations up to the next layer.

        Returns:
            The layer.

        Raises:
            NetworkError: If a size is not positive, the kernel does not fit the padded input, or
                the groups do not divide the channels.
        """
        return cls(
            name=name,
            kind="conv1d",
            rows=kernel_size * _group_channels(name, in_channels, groups),
            columns=out_channels,
            positions=_output_size(name, kernel_size, input_size, stride, padding),
            kernel_size=kernel_size,
            stride=stride,
            groups=groups,
            input_elements=in_channels * input_size,
            vector_ops=vector_ops,
        )

    @classmethod
    def linear(
        cls,
        name: str,
        in_features: int,
        out_features: int,
        positions: int = 1,
        *,
        vector_ops: int = 0,
    ) -> Self:
        """Describe a fully connected layer or a projection of tokens.

        Args:
            name: Name of the layer.
            in_features: Inputs.
            out_features: Outputs.
            positions: Vectors per inference: 1, or the tokens of a transformer.
            vector_ops: Element-wise operations up to the next layer.

        Returns:
            The layer.
        """
        return cls(name, "linear", in_features, out_features, positions, vector_ops=vector_ops)

    @classmethod
    def lstm(cls, name: str, input_size: int, hidden_size: int, time_steps: int) -> Self:
        """Describe an LSTM layer: input and hidden state drive the columns of four gates.

        Args:
            name: Name of the layer.
            input_size: Inputs per time step.
            hidden_size: Hidden units.
            time_steps: Length of the sequence; its steps run one after another.

        Returns:
            The layer.
        """
        return cls._recurrent(name, input_size, hidden_size, time_steps, 4, LSTM_VECTOR_OPS)

    @classmethod
    def gru(cls, name: str, input_size: int, hidden_size: int, time_steps: int) -> Self:
        """Describe a GRU layer: input and hidden state drive the columns of three gates.

        Args:
            name: Name of the layer.
            input_size: Inputs per time step.
            hidden_size: Hidden units.
            time_steps: Length of the sequence; its steps run one after another.

        Returns:
            The layer.
        """
        return cls._recurrent(name, input_size, hidden_size, time_steps, 3, GRU_VECTOR_OPS)

    @classmethod
    def _recurrent(
        cls,
        name: str,
        input_size: int,
        hidden_size: int,
        time_steps: int,
        gates: int,
        vector_ops_per_unit: int,
    ) -> Self:
        return cls(
            name,
            "recurrent",
            rows=input_size + hidden_size,
            columns=gates * hidden_size,
            positions=time_steps,
            time_steps=time_steps,
            vector_ops=vector_ops_per_unit * hidden_size * time_steps,
        )

    @classmethod
    def matmul(
        cls,
        name: str,
        inner: int,
        outputs: int,
        positions: int,
        *,
        heads: int = 1,
        vector_ops: int = 0,
    ) -> Self:
        """Describe a product of two activations, such as Q.K^T or A.V of an attention.

        Args:
            name: Name of the layer.
            inner: Length of the sums: the head size of Q.K^T, the tokens of A.V.
            outputs: Outputs per position and head: the tokens of Q.K^T, the head size of A.V.
            positions: Vectors of the left operand per head: the tokens.
            heads: Independent products.
            vector_ops: Element-wise operations up to the next layer, such as the softmax.

        Returns:
            The layer.
        """
        return cls(
            name,
            "matmul",
            rows=inner,
            columns=outputs * heads,
            positions=positions,
            groups=heads,
            vector_ops=vector_ops,
        )


def _output_size(name: str, kernel: int, size: int, stride: int, padding: int | None) -> int:
    """Count the positions of a kernel along one side."""
    for field, value in (("kernel_size", kernel), ("stride", stride), ("input_size", size)):
        _check_size(name, field, value)
    if padding is None:
        padding = (kernel - 1) // 2
    if padding < 0 or size + 2 * padding < kernel:
        raise NetworkError(
            f"Expected kernel_size of layer {name!r} to fit its input of {size} with "
            f"padding {padding} on every side, got {kernel}."
        )
    return (size + 2 * padding - kernel) // stride + 1


def _group_channels(name: str, in_channels: int, groups: int) -> int:
    """Count the input channels of one group."""
    _check_size(name, "in_channels", in_channels)
    _check_size(name, "groups", groups)
    if in_channels % groups:
        raise NetworkError(
            f"Expected groups of layer {name!r} to divide its in_channels ({in_channels}), "
            f"got {groups}."
        )
    return in_channels // groups


def _check_size(layer: str, field: str, value: object, least: int = 1) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise NetworkError(
            f"Expected {field} of layer {layer!r} to be an integer >= {least}, got {value!r}."
        )
