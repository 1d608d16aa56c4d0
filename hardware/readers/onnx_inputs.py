"""The inputs of an ONNX graph: their shapes, given values, and weights left among them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import AttributeProto, GraphProto, NodeProto, ValueInfoProto, helper

from lrmp.errors import NetworkError, unknown_name
from lrmp.hardware.readers.onnx_file import Array
from lrmp.hardware.readers.trace import Shape, check_batch

DYNAMIC_HINT = "Export the network with fixed sizes, or pass input_shapes={"

#: Operands that are parameters of the operator: no inference computes them.
_PARAMETERS = {
    **dict.fromkeys(["Conv", "ConvTranspose", "FusedConv"], (1, 2)),
    **dict.fromkeys(["LSTM", "GRU", "RNN"], (1, 2, 3, 7)),
    "BatchNormalization": (1, 2, 3, 4),
    **dict.fromkeys(["GroupNormalization", "InstanceNormalization", "LayerNormalization"], (1, 2)),
    **dict.fromkeys(["PRelu", "RMSNormalization"], (1,)),
}


@dataclass(frozen=True)
class GraphInputs:
    """What a graph is given.

    Attributes:
        shapes: Of what the network computes on.
        values: Of what the user has fixed.
        weights: Shapes of parameters that the file leaves to be given.
    """

    shapes: Mapping[str, Shape]
    values: Mapping[str, Array]
    weights: Mapping[str, Shape]


def graph_inputs(
    graph: GraphProto,
    given_shapes: Mapping[str, Sequence[int]],
    given_values: Mapping[str, Any],
    batch_dimension: int | None,
) -> GraphInputs:
    """Find the shape of every input, and refuse open ones.

    Args:
        graph: Of a model.
        given_shapes: Of inputs whose sizes the file leaves open.
        given_values: Of inputs that are to be constants.
        batch_dimension: Dimension of the first input that must be 1; None for no check.

    Returns:
        The inputs.

    Raises:
        NetworkError: If an input is unknown, open, does not fit what is given, or has a batch.
    """
    constants = {tensor.name for tensor in graph.initializer}
    entries = {i.name: i for i in graph.input if i.name not in constants}
    if not entries:
        raise NetworkError(f"Expected graph {graph.name!r} to have an input, got none.")
    for argument, given in (("input_shapes", given_shapes), ("input_values", given_values)):
        if unknown := sorted(set(given) - set(entries)):
            raise NetworkError(unknown_name(f"each name in {argument}", unknown[0], entries))
    values = {name: _value(entries[name], value) for name, value in given_values.items()}
    shapes = {
        name: _shape(entry, given_shapes.get(name))
        for name, entry in entries.items()
        if name not in values
    }
    parameters = _parameters(graph.node, shapes, constants, batch_dimension)
    inputs = {name: shape for name, shape in shapes.items() if name not in parameters}
    if not inputs:
        raise NetworkError(
            f"Expected graph {graph.name!r} to have an input beside weights and values, got only "
            f"{', '.join(shapes) or ', '.join(values)}."
        )
    first, shape = next(iter(inputs.items()))
    check_batch(
        shape,
        batch_dimension,
        f"input {first!r}",
        f"Pass input_shapes={{{first!r}: {_with_batch(shape, batch_dimension)}}}, or another "
        "batch_dimension; None if there is none.",
    )
    return GraphInputs(
        inputs, values, {name: shapes[name] for name in shapes if name in parameters}
    )


def _shape(entry: ValueInfoProto, given: Sequence[int] | None) -> Shape:
    tensor = entry.type.tensor_type
    sizes: list[Any] | None = None
    if tensor.HasField("shape"):
        # Some exporters write -1 or 0 where a size is open.
        sizes = [d.dim_value if d.dim_value > 0 else d.dim_param or "?" for d in tensor.shape.dim]
    if given is not None:
        return _checked(entry.name, sizes, given)
    if sizes is None or any(isinstance(size, str) for size in sizes):
        shown = "no shape" if sizes is None else f"({', '.join(map(str, sizes))})"
        example = "(...)" if sizes is None else _example(sizes)
        raise NetworkError(
            f"Expected fixed sizes of input {entry.name!r}, got {shown}"
            f"{_open_dimensions(sizes)}. {DYNAMIC_HINT}{entry.name!r}: {example}}}."
        )
    return tuple(int(size) for size in sizes)


def _value(entry: ValueInfoProto, given: Any) -> Array:
    """Make a constant of what the user gives for an input."""
    dtype = helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type)
    try:
        array = np.asarray(given)
        fits = np.can_cast(array.dtype, dtype, "same_kind") and array.dtype.kind in "biuf"
        value = array.astype(dtype)
    except (TypeError, ValueError, OverflowError):
        fits = False
    sizes = [d.dim_value for d in entry.type.tensor_type.shape.dim]
    known = entry.type.tensor_type.HasField("shape")
    if fits and known and len(sizes) == 1 and value.ndim == 0:
        value = value.reshape(1)  # a list of one
    if not fits or (
        known
        and (
            len(sizes) != value.ndim
            or any(a > 0 and a != b for a, b in zip(sizes, value.shape, strict=True))
        )
    ):
        raise NetworkError(
            f"Expected input_values[{entry.name!r}] as {dtype} of shape "
            f"{tuple(sizes) if known else 'any'}, got {given!r:.80}."
        )
    return value


def _checked(name: str, sizes: list[Any] | None, given: Sequence[int]) -> Shape:
    shape = tuple(given)
    if any(not isinstance(size, int) or isinstance(size, bool) or size < 1 for size in shape):
        raise NetworkError(
            f"Expected input_shapes[{name!r}] to be integers >= 1, got {tuple(given)}."
        )
    if sizes is not None and (
        len(sizes) != len(shape)
        or any(isinstance(a, int) and a != b for a, b in zip(sizes, shape, strict=True))
    ):
        raise NetworkError(
            f"Expected input_shapes[{name!r}] to fit the file's ({', '.join(map(str, sizes))}), "
            f"got {shape}."
        )
    return shape


def _open_dimensions(sizes: list[Any] | None) -> str:
    if sizes is None:
        return ""
    places = [str(place) for place, size in enumerate(sizes) if isinstance(size, str)]
    return f": dimension {' and '.join(places)} is open"


def _example(sizes: list[Any]) -> str:
    """Show a shape to pass: 1 for an open batch, dots for what only the caller knows."""
    shown = [
        str(size) if isinstance(size, int) else "1" if place == 0 else "..."
        for place, size in enumerate(sizes)
    ]
    return f"({', '.join(shown)}{',' if len(shown) == 1 else ''})"


def _with_batch(shape: Shape, axis: int | None) -> Shape:
    place = 0 if axis is None or not -len(shape) <= axis < len(shape) else axis % len(shape)
    return tuple(1 if i == place else size for i, size in enumerate(shape))


# -- weights among the inputs ---------------------------------------------------------------


def _parameters(
    nodes: Iterable[NodeProto],
    shapes: Mapping[str, Shape],
    constants: set[str],
    batch_dimension: int | None,
) -> set[str]:
    """Find inputs that can only be weights: nothing but parameters of operators."""
    uses: dict[str, list[bool]] = defaultdict(list)
    for node in nodes:
        for place, name in enumerate(node.input):
            if name in shapes:
                uses[name].append(_is_parameter(node, place, shapes, constants, batch_dimension))
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                for name in _outer_names(attribute.g):
                    uses[name].append(False)
    return {name for name, parameters in uses.items() if all(parameters)}


def _is_parameter(
    node: NodeProto,
    place: int,
    shapes: Mapping[str, Shape],
    constants: set[str],
    batch_dimension: int | None,
) -> bool:
    kind, shape = node.op_type, shapes[node.input[place]]
    others = [name for other, name in enumerate(node.input) if other != place]
    if kind == "Gemm":
        return place > 0 and node.input[0] not in constants
    if kind == "MatMul":
        # A matrix of activations has the batch in one of its two dimensions.
        matrix = len(shape) == 2 and batch_dimension in (0, 1) and shape[batch_dimension] != 1
        return place == 1 and matrix and others[0] not in constants
    if kind == "Add":  # a bias
        return len(shape) == 1 and shape != (1,) and batch_dimension is not None
    return place in _PARAMETERS.get(kind, ())


def _outer_names(graph: GraphProto) -> set[str]:
    """Find the names that a subgraph, and those within it, may take from outside."""
    names = {name for node in graph.node for name in node.input}
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                names |= _outer_names(attribute.g)
    return names
