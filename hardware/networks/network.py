"""A network: the layers whose weights sit in crossbars, in the order they run."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.errors import MissingExtraError, NetworkError
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.hardware.layer_table import LayerTable, Row
from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.short_repr import short_name, short_repr

#: Pairs of layers by number: whose outputs are read, and who reads them.
Edges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Network(LayerTable):
    """Layers in network order. Pooling, normalisation and element-wise layers hold no crossbars.

    Attributes:
        name: Such as ``"resnet18"``.
        layers: At least one; names are unique.
        edges: Which layer reads the outputs of which, through additions, concatenations, poolings
            and whatever else holds no crossbars: pairs (source, target) of numbers of layers,
            sorted. A target before its source, or a layer that reads itself, is one whose weights
            are used again. None where it is not known, as for layers that were listed by hand.
            They change no cost, so they are no part of a task's fingerprint.

    Raises:
        NetworkError: If there is no layer, two layers share a name, or an edge is not between two
            layers.
    """

    name: str
    layers: tuple[Layer, ...]
    edges: Edges | None = None

    def __post_init__(self) -> None:
        if not self.layers:
            raise NetworkError(f"Expected network {self.name!r} to have at least one layer, got 0.")
        names = [layer.name for layer in self.layers]
        for name in names:
            if names.count(name) > 1:
                raise NetworkError(
                    f"Expected unique layer names in network {self.name!r}, got {name!r} twice."
                )
        if self.edges is not None:
            object.__setattr__(self, "edges", _checked_edges(self.name, self.edges, len(names)))

    def __len__(self) -> int:
        return len(self.layers)

    def __repr__(self) -> str:
        facts = f"{len(self)} layers", f"{self.macs:.4g} multiply-accumulates"
        return short_repr(self, short_name(self.name), *facts)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Network, (self.name, self.layers, self.edges))  # without the arrays below

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many layers every network has, where several share a chip; of one L."""
        return (len(self),)

    @cached_property
    def runs(self) -> IntArray | None:
        """How often every layer runs in what is costed, shape (L,); None if each runs once."""
        return None

    @property
    def edges_or_chain(self) -> Edges:
        """The edges; where they are not known, those of a chain, in which each feeds the next."""
        return chain(len(self)) if self.edges is None else self.edges

    @cached_property
    def rows(self) -> IntArray:
        """K of every layer, shape (L,)."""
        return read_only([layer.rows for layer in self.layers])

    @cached_property
    def columns(self) -> IntArray:
        """M of every layer, shape (L,)."""
        return read_only([layer.columns for layer in self.layers])

    @cached_property
    def positions(self) -> IntArray:
        """P of every layer, shape (L,)."""
        return read_only([layer.positions for layer in self.layers])

    @cached_property
    def groups(self) -> IntArray:
        """Groups of every layer, shape (L,)."""
        return read_only([layer.groups for layer in self.layers])

    @cached_property
    def kernel_elements(self) -> IntArray:
        """Elements of the kernel of every layer, as if it were square, shape (L,)."""
        return read_only([layer.kernel_elements for layer in self.layers])

    @cached_property
    def time_steps(self) -> IntArray:
        """Positions of every layer that run one after another, shape (L,)."""
        return read_only([layer.time_steps for layer in self.layers])

    @cached_property
    def input_elements(self) -> IntArray:
        """Distinct inputs of every layer, shape (L,)."""
        return read_only([layer.input_elements for layer in self.layers])

    @cached_property
    def vector_ops(self) -> IntArray:
        """Element-wise operations after every layer, shape (L,)."""
        return read_only([layer.vector_ops for layer in self.layers])

    @cached_property
    def macs_by_layer(self) -> IntArray:
        """Multiply-accumulates of every layer, shape (L,)."""
        return read_only([layer.macs for layer in self.layers])

    @cached_property
    def is_matmul(self) -> NDArray[np.bool_]:
        """Whether a layer multiplies two activations, shape (L,)."""
        array = np.array([layer.kind == "matmul" for layer in self.layers])
        array.flags.writeable = False
        return array

    @property
    def macs(self) -> int:
        """Multiply-accumulates per inference."""
        return sum(layer.macs for layer in self.layers)

    def to_table(self) -> list[Row]:
        """Return the fields of every layer, and its weights and multiply-accumulates.

        Returns:
            One mapping per layer; ``"layer"`` is its name.
        """
        return [
            {"layer": layer.name}
            | {key: value for key, value in asdict(layer).items() if key != "name"}
            | {"weights": layer.weights, "macs": layer.macs}
            for layer in self.layers
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the network as plain JSON values.

        Returns:
            A mapping with the name, for every layer the arguments of ``Layer``, and the edges,
            which may be None.
        """
        return {
            "name": self.name,
            "layers": [asdict(layer) for layer in self.layers],
            "edges": None if self.edges is None else [list(edge) for edge in self.edges],
        }

    @classmethod
    def from_torch(
        cls,
        module: Any,
        example_input: Any,
        *,
        name: str | None = None,
        batch_dimension: int | None = 0,
    ) -> "Network":
        """Read the layers of a torch module by running ``torch.export`` on an example input.

        One call of the module is one inference: whatever precedes the features of a linear layer
        multiplies its positions. The module is left as it was; its weights are not read, so it
        may live on the ``meta`` device. A layer is named after its weight: ``layer1.0.conv1`` for
        ``layer1.0.conv1.weight``, ``attn.in_proj`` for ``attn.in_proj_weight``, ``lstm.l0`` for
        ``lstm.weight_ih_l0``; a product of two activations after its module, as in ``attn.qk``
        and ``attn.av`` of an attention, else ``attn.matmul``. Weights used several times are one
        layer, and equal names get a number.

        Args:
            module: A ``torch.nn.Module``, traced in evaluation mode. Its control flow may depend
                on shapes, not on values.
            example_input: A tensor, a tuple of positional or a dictionary of keyword arguments,
                with the shapes of one inference.
            name: Name of the network; None for the module's class.
            batch_dimension: Dimension of the first tensor that must be 1; None for inputs without
                a batch. An LSTM that is not ``batch_first`` has its batch in dimension 1.

        Returns:
            The network.

        Raises:
            MissingExtraError: If torch is not installed.
            NetworkError: If the module cannot be traced on this input, its batch is not 1, it
                has no layer, or it runs an operator that computes and is not known.
        """
        try:
            from lrmp.hardware.readers.from_torch import network_from_torch
        except ImportError as error:
            raise MissingExtraError.of("torch", "to read a torch module", "train") from error
        return network_from_torch(module, example_input, name, batch_dimension)

    @classmethod
    def from_onnx(
        cls,
        path: "str | PathLike[str]",
        *,
        input_shapes: Mapping[str, Sequence[int]] | None = None,
        name: str | None = None,
        batch_dimension: int | None = 0,
        input_values: Mapping[str, Any] | None = None,
    ) -> "Network":
        """Read the layers of an ONNX file.

        Shapes are inferred node by node; weights are not read, so a file may come without them:
        without its files of external data, without values, or with weights as inputs. Operators of
        ONNX Runtime (``com.microsoft``), QONNX, Brevitas and FINN are read, too. What cannot be
        read and no layer follows, such as a non-maximum suppression, is left out with a warning.
        Names, batch and repeated weights are as in ``from_torch``. Where an exporter has
        replaced a weight by one with a name of its own making, as torch does when it folds batch
        norm or transposes, the layer is named after the module in the node's metadata or name,
        else after the node.

        Args:
            path: The file.
            input_shapes: Shapes by name of the inputs whose sizes the file leaves open, such as
                ``{"x": (1, 3, 224, 224)}``.
            name: Name of the network; None for the file's stem.
            batch_dimension: Dimension of the first input that must be 1; None for inputs without a
                batch. An LSTM's input has its batch in dimension 1.
            input_values: Numbers by name of the inputs that are to be constants, such as
                ``{"sample_rate": 16000}``, by which the file chooses a branch.

        Returns:
            The network.

        Raises:
            MissingExtraError: If onnx is not installed.
            NetworkError: If the file is missing, damaged, leaves a size open or does not fit
                ``input_shapes``, its batch is not 1, it has no layer, or it holds an operator that
                computes and is not known.
        """
        try:
            from lrmp.hardware.readers.from_onnx import network_from_onnx
        except ImportError as error:
            raise MissingExtraError.of("onnx", "to read an ONNX file", "onnx") from error
        return network_from_onnx(path, input_shapes, name, batch_dimension, input_values)[0]


def chain(count: int) -> Edges:
    """Connect layers one after the other.

    Args:
        count: L.

    Returns:
        L - 1 edges, from each layer to the next.
    """
    return tuple(zip(range(count - 1), range(1, count), strict=True))


def _checked_edges(name: str, edges: Any, count: int) -> Edges:
    """Sort edges, each once, or say what is wrong with one."""
    if not isinstance(edges, list | tuple):
        raise NetworkError(
            f"Expected edges of network {name!r} as pairs of numbers of layers, or None where they "
            f"are not known; got {edges!r}."
        )
    found = set[tuple[int, int]]()
    for edge in edges:
        pair = tuple(edge) if isinstance(edge, list | tuple) else ()
        if len(pair) != 2 or not all(type(end) is int and 0 <= end < count for end in pair):
            raise NetworkError(
                f"Expected every edge of network {name!r} to be two numbers of layers, 0 to "
                f"{count - 1}: whose outputs are read, and who reads them; got {edge!r}."
            )
        found.add((pair[0], pair[1]))
    return tuple(sorted(found))
