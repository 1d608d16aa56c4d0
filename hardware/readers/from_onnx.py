"""Reads a network from an ONNX file: its graph, its shapes and its bits, never its weights."""

import re
import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    TypeProto,
    defs,
    helper,
    numpy_helper,
    shape_inference,
)

from lrmp.errors import NetworkError
from lrmp.hardware.networks.network import Network
from lrmp.hardware.readers.einsum import einsum_terms
from lrmp.hardware.readers.onnx_bits import annotated_bits, fewest, operator_bits, type_bits
from lrmp.hardware.readers.onnx_constants import COMPUTED, compute
from lrmp.hardware.readers.onnx_dialects import LAYERS, STANDARD, Lowering, lower
from lrmp.hardware.readers.onnx_file import DAMAGE, MAX_COMPUTED, Array, load_model, tensor_values
from lrmp.hardware.readers.onnx_inputs import GraphInputs, graph_inputs
from lrmp.hardware.readers.onnx_operators import LIKE_FIRST, MOVE, SAME
from lrmp.hardware.readers.onnx_recorder import OperatorRecorder
from lrmp.hardware.readers.trace import Bits, Shape, Trace, Value, transposed, unsupported

#: Names that exporters make up for tensors; they say nothing about the layer.
_MADE_UP = re.compile(r"^(onnx::.*|val_\d+|_?\d+|.*_output_\d+|Constant.*|.*/Constant.*)$")

_SUBGRAPHS = (AttributeProto.GRAPH, AttributeProto.GRAPHS)


def network_from_onnx(
    path: str | PathLike[str],
    input_shapes: Mapping[str, Sequence[int]] | None,
    name: str | None,
    batch_dimension: int | None,
    input_values: Mapping[str, Any] | None = None,
) -> tuple[Network, tuple[Bits, ...]]:
    """Read a network from an ONNX file; see ``Network.from_onnx``.

    Args:
        path: The file.
        input_shapes: Shapes of inputs whose sizes the file leaves open.
        name: Name of the network; None for the file's stem.
        batch_dimension: Dimension of the first input that must be 1; None for no check.
        input_values: Values of inputs that are to be constants.

    Returns:
        The network, and what the file quantises every layer to.

    Raises:
        NetworkError: If the file cannot be read.
    """
    file = Path(fspath(path))
    model = load_model(file)
    reader = None
    try:
        inputs = graph_inputs(model.graph, input_shapes or {}, input_values or {}, batch_dimension)
        trace = Trace(file.stem if name is None else name)
        reader = _Reader(trace, model, inputs, file.parent)
        reader.read()
    except NetworkError:
        raise
    except DAMAGE as error:
        place = f" at {reader.recorder.label!r}" if reader and reader.recorder.label else ""
        raise NetworkError(
            f"Expected {file} to be a whole ONNX file, got {type(error).__name__}{place}: "
            f"{error}. Export or fetch it again."
        ) from error
    if reader.left_out and not trace.has_layers:
        raise next(iter(reader.left_out.values()))
    network = trace.build()
    if reader.left_out:
        warnings.warn(
            f"Left out of network {network.name!r} and its cost, since no layer follows: "
            f"{', '.join(reader.left_out)}"
            f"{f' and {reader.behind} operators behind' if reader.behind else ''}.",
            stacklevel=3,
        )
    return network, trace.bits


@dataclass(frozen=True)
class _Unread:
    """A tensor that no layer may depend on: an operator on the way to it cannot be read.

    Attributes:
        error: Why.
    """

    error: NetworkError


class _Reader:
    """Walks a graph node by node, infers its shapes and records it in a trace."""

    def __init__(self, trace: Trace, model: ModelProto, inputs: GraphInputs, folder: Path) -> None:
        self.trace = trace
        self.recorder = OperatorRecorder(trace)
        self.model = model
        self.opsets = {
            "" if entry.domain == "ai.onnx" else entry.domain: entry.version
            for entry in model.opset_import
        }
        self.inputs = inputs
        self.folder = folder
        self.types: dict[str, TypeProto] = {}
        self.data: dict[str, Array] = {}
        self.env: dict[str, Value | _Unread] = {}
        self.annotated = annotated_bits(model.graph)
        self.used = _used_names(model.graph) | {entry.name for entry in model.graph.output}
        self.left_out: dict[str, NetworkError] = {}
        self.behind = 0
        self.nodes = 0

    def read(self) -> None:
        for entry in self.model.graph.input:
            name, element = entry.name, entry.type.tensor_type.elem_type
            bits = fewest(self.annotated.get(name), type_bits(element))
            if name in self.inputs.shapes:
                shape = self.inputs.shapes[name]
                self.env[name] = self.trace.input(shape)
                self.tensor(name).bits = bits
            elif name in self.inputs.weights:
                shape = self.inputs.weights[name]
                self.env[name] = self.trace.known(shape, name, _parameter(name), bits)
            elif name in self.inputs.values:
                self.data[name] = self.inputs.values[name]
                shape = self.data[name].shape
                self.env[name] = self.trace.known(shape, name)
            else:
                continue  # has an initial value
            self.types[name] = helper.make_tensor_type_proto(element, shape)
        self.read_graph(self.model.graph)

    def read_graph(self, graph: GraphProto) -> None:
        for tensor in graph.initializer:
            self.add_constant(tensor.name, tensor, tensor.name)
        for sparse in graph.sparse_initializer:
            name, shape = sparse.values.name, tuple(sparse.dims)
            self.types[name] = helper.make_tensor_type_proto(sparse.values.data_type, shape)
            self.env[name] = self.trace.known(shape, name, name)
        for node in graph.node:
            self.nodes += 1
            self.read_node(node)

    def add_constant(self, name: str, tensor: TensorProto, key: Hashable) -> None:
        shape = tuple(tensor.dims)
        is_weight = tensor.data_type not in (TensorProto.INT64, TensorProto.BOOL)
        bits = fewest(self.annotated.get(name), type_bits(tensor.data_type))
        self.types[name] = helper.make_tensor_type_proto(tensor.data_type, shape)
        self.env[name] = self.trace.known(shape, key, _parameter(name) if is_weight else None, bits)
        values = tensor_values(tensor, self.folder)
        if values is not None:
            self.data[name] = values

    def tensor(self, name: str) -> Value:
        """Find a tensor; raise why it could not be read."""
        value = self.env[name]
        if isinstance(value, _Unread):
            raise value.error
        return value

    def shape_of(self, name: str) -> Shape:
        return self.tensor(name).shape

    def type_of(self, name: str) -> int:
        return self.types[name].tensor_type.elem_type

    # -- nodes -----------------------------------------------------------------------------

    def read_node(self, node: NodeProto, opset: int | None = None) -> None:
        """Read an operator; one of the standard's version ``opset``, or of the file's."""
        where = self.where(node)
        label = self.recorder.label = node.name or f"{node.op_type}_{self.nodes}"
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        self.check_inputs(node)
        unread = next((x for e in node.input if isinstance(x := self.env.get(e), _Unread)), None)
        if unread is not None:
            if _holds_layers(node):
                raise unread.error
            self.behind += 1
            self.leave(node, unread.error)
            return
        if node.op_type == "If" and node.input[0] in self.data:
            self.read_branch(node, attributes)
            return
        try:
            schema = self.schema(node, opset)
            if schema is None and node.op_type not in LIKE_FIRST:
                lowered = lower(node, attributes, self.shape_of, self.type_of, label)
                if lowered is None:
                    domain = f" of domain {node.domain!r}" if node.domain else ""
                    unsupported(f"the operator {node.op_type}{domain}", label)
                self.read_lowered(node, lowered)
                return
            self.read_known(node, attributes, schema, where)
        except NetworkError as error:
            if self.must_be_read(node):
                raise
            if any(output in self.used for output in node.output):
                self.left_out[f"{node.op_type} {label!r}"] = error
            self.leave(node, error)

    def check_inputs(self, node: NodeProto) -> None:
        for entry in node.input:
            if entry and entry not in self.env:
                raise NetworkError(
                    f"Expected input {entry!r} of {node.op_type} {self.recorder.label!r} to be "
                    "computed before it, got no such tensor. The file is damaged; export it again."
                )

    def read_known(
        self, node: NodeProto, attributes: dict[str, Any], schema: Any, where: str
    ) -> None:
        """Read an operator whose outputs can be inferred."""
        inputs = [self.tensor(entry) if entry else None for entry in node.input]
        given = [x for x in inputs if x is not None]
        constant = all(x.constant for x in given)
        types = self.infer(node, attributes, schema)
        if constant or node.op_type == "Shape":
            self.compute(node, attributes, types, schema)
        self.types.update(types)
        for output in set(node.output) & self.data.keys():  # may know more than was inferred
            array = self.data[output]
            element = helper.np_dtype_to_tensor_dtype(array.dtype)
            self.types[output] = helper.make_tensor_type_proto(element, array.shape)
        shapes = {output: self.shape(node, output, types) for output in node.output if output}
        first = node.output[0]
        first_shape = shapes[first]
        if first_shape is None:
            sizes = _sizes(types[first]) if first in types else None
            raise NetworkError(
                f"Expected {node.op_type} {self.recorder.label!r} to have an output whose shape is "
                f"known before the run, got {sizes}. Export the network with fixed sizes, "
                "or leave this part out."
            )
        operands = [self.data.get(entry) for entry in node.input]
        bits = operator_bits(node.op_type, operands, attributes, self.type_of(first))
        result = None
        if not (constant or node.op_type == "Shape"):
            result = self.recorder.record(node, inputs, attributes, first_shape, where)
        for place, output in enumerate(node.output):
            shape = shapes.get(output)
            if not output:
                continue
            if shape is None:  # a mask of Dropout below opset 12, say: mostly nobody reads it
                self.env[output] = _Unread(
                    NetworkError(
                        f"Expected output {output!r} of {node.op_type} {self.recorder.label!r} to "
                        "have a shape that is known before the run, got none. Export the network "
                        "with fixed sizes, or leave this part out."
                    )
                )
            elif result is None or (place and node.op_type == "DynamicQuantizeLinear"):
                # Scales of a grid, computed or not, fold into those of the next layer.
                self.env[output] = self.known(node, given, shape, place)
            else:
                self.env[output] = result if place == 0 else self.trace.move([result], shape)
        value = self.tensor(first)
        value.bits = fewest(value.bits, bits, self.annotated.get(first))

    def read_lowered(self, node: NodeProto, lowered: Lowering) -> None:
        for name, (shape, source, bits) in lowered.weights.items():
            stored = self.tensor(source)
            self.env[name] = self.trace.known(shape, stored.key, stored.parameter, bits)
            self.types[name] = helper.make_tensor_type_proto(TensorProto.FLOAT, shape)
        label = self.recorder.label
        for inner in lowered.nodes:
            self.read_node(inner, STANDARD)
        for output in node.output:
            if output and output not in self.env:
                self.env[output] = _Unread(
                    NetworkError(
                        f"Expected outputs of {node.op_type} {label!r} that are known here, got "
                        f"{output!r}. Leave this part out."
                    )
                )

    def schema(self, node: NodeProto, opset: int | None) -> Any:
        """Find what the standard says of an operator; None if nothing."""
        if node.domain not in ("", "ai.onnx"):
            return None
        version = self.opsets.get("", 1) if opset is None else opset
        try:
            return defs.get_schema(node.op_type, version, "")
        except defs.SchemaError:
            # Optimisers write operators into files of a version that did not have them yet.
            later = [
                schema
                for schema in defs.get_all_schemas_with_history()
                if schema.name == node.op_type and not schema.domain
            ]
            return min(later, key=lambda schema: schema.since_version, default=None)

    def check_attributes(self, node: NodeProto, attributes: dict[str, Any]) -> None:
        """Refuse what shape inference cannot take."""
        if node.op_type == "If":
            numbers = [name for name, shape in self.inputs.shapes.items() if prod(shape) == 1]
            hint = ""
            if numbers:
                hint = (
                    f" (or pass input_values={{{numbers[0]!r}: ...}}, on the command line "
                    f"--input-value {numbers[0]}=...)"
                )
            unsupported(f"the operator If on a computed value{hint}", self.recorder.label)
        if any(a.type in _SUBGRAPHS for a in node.attribute):
            unsupported(f"the operator {node.op_type}", self.recorder.label)
        if node.op_type == "Einsum":
            # Shape inference of onnx up to 1.23 at least does not return from some equations.
            equation = attributes.get("equation", b"").decode("utf-8", "replace")
            ranks = [len(self.tensor(entry).shape) for entry in node.input]
            if einsum_terms(equation, ranks) is None:
                unsupported(f"einsum of {equation!r}", self.recorder.label)

    def infer(
        self, node: NodeProto, attributes: dict[str, Any], schema: Any
    ) -> dict[str, TypeProto]:
        """Infer the types of a node's outputs from its inputs' shapes and known values."""
        given = [entry for entry in node.input if entry]
        self.check_attributes(node, attributes)
        if node.op_type == "Constant" and "value" in attributes:  # of any type, in old files too
            value = attributes["value"]
            return {node.output[0]: helper.make_tensor_type_proto(value.data_type, value.dims)}
        if node.op_type in LIKE_FIRST:  # nothing is inferred for some of them
            return {node.output[0]: self.types[given[0]]}
        ranks = {len(_sizes(self.types[e]) or ()) for e in given[:2]}
        if node.op_type in ("Conv", "ConvTranspose") and len(ranks) > 1:
            # Shape inference of onnx up to 1.19 at least crashes on this.
            raise NetworkError(
                f"Expected input and weight of {node.op_type} {self.recorder.label!r} to have as "
                f"many dimensions, got {[_sizes(self.types[entry]) for entry in given[:2]]}."
            )
        version = max(self.opsets.get("", 1), schema.since_version)
        try:
            return shape_inference.infer_node_outputs(
                schema,
                node,
                {entry: self.types[entry] for entry in given},
                {e: numpy_helper.from_array(self.data[e]) for e in given if e in self.data},
                opset_imports=[helper.make_opsetid("", version)],
                ir_version=self.model.ir_version,
            )
        except (shape_inference.InferenceError, onnx.checker.ValidationError) as error:
            raise NetworkError(
                f"Expected inputs that fit {node.op_type} {self.recorder.label!r}, got "
                f"{[_sizes(self.types[entry]) for entry in given]}: "
                f"{str(error).splitlines()[0]}."
            ) from error

    def shape(self, node: NodeProto, output: str, types: dict[str, TypeProto]) -> Shape | None:
        """Find the shape of an output; None if it is not known before the run."""
        if output in self.data:
            known: Shape = self.data[output].shape
            return known
        sizes = _sizes(types[output]) if output in types else None
        if sizes is None or None in sizes:
            return None
        return tuple(size for size in sizes if size is not None)

    def known(self, node: NodeProto, inputs: list[Value], shape: Shape, place: int) -> Value:
        """Make a constant of constants; casts, quantised and transposed ones stay recognisable."""
        parameters = {x.parameter for x in inputs if x.parameter is not None}
        parameter = parameters.pop() if len(parameters) == 1 else None
        key: Hashable = (node.output[place],)
        if inputs and node.op_type in SAME - {"Identity"} and not place:
            # Scale and zero point come after what is quantised. Exporters also store equal
            # weights once and tell them apart by Identity.
            key, parameter = inputs[0].key, inputs[0].parameter
        elif inputs and node.op_type == "Transpose" and len(inputs[0].shape) == 2:
            key = transposed(inputs[0].key)
        kept = inputs and node.op_type in SAME | MOVE | {"Clip"}
        return self.trace.known(shape, key, parameter, inputs[0].bits if kept else None)

    def compute(
        self, node: NodeProto, attributes: dict[str, Any], types: dict[str, TypeProto], schema: Any
    ) -> None:
        """Compute a small constant, since a shape may depend on it."""
        given = [entry for entry in node.input if entry]
        if node.op_type == "Shape":
            shape = self.tensor(node.input[0]).shape
            part = shape[attributes.get("start", 0) : attributes.get("end", len(shape))]
            self.data[node.output[0]] = np.array(part, dtype=np.int64)
            return
        sizes = [_sizes(types[output]) or () for output in node.output if output in types]
        if sum(prod(size or 0 for size in shape) for shape in sizes) > MAX_COMPUTED:
            return
        if node.op_type == "Constant" and "value" in attributes:
            values = tensor_values(attributes["value"], self.folder)
            if values is not None:
                self.data[node.output[0]] = values
        elif (
            node.op_type in COMPUTED
            and schema is not None
            and all(entry in self.data for entry in given)
            # Else the values would be looked for in the current folder.
            and not any(a.t.data_location == TensorProto.EXTERNAL for a in node.attribute)
        ):
            operands = {entry: self.data[entry] for entry in given}
            version = max(self.opsets.get("", 1), schema.since_version)
            results = compute(node, operands, version) or ()
            self.data.update(zip([o for o in node.output if o], results, strict=False))

    def read_branch(self, node: NodeProto, attributes: dict[str, Any]) -> None:
        """Follow the branch that a condition known before the run takes."""
        taken = "then_branch" if self.data[node.input[0]].item() else "else_branch"
        branch: GraphProto = attributes[taken]
        self.read_graph(branch)
        for inner, outer in zip(branch.output, node.output, strict=True):
            self.env[outer] = self.env[inner.name]
            if inner.name in self.types:
                self.types[outer] = self.types[inner.name]
            if inner.name in self.data:
                self.data[outer] = self.data[inner.name]

    # -- what cannot be read ---------------------------------------------------------------

    def leave(self, node: NodeProto, error: NetworkError) -> None:
        for output in node.output:
            if output:
                self.env[output] = _Unread(error)

    def must_be_read(self, node: NodeProto) -> bool:
        """Say whether an operator may hold a matrix of weights, or feeds nothing but constants."""
        if _holds_layers(node):
            return True
        foreign = node.domain not in ("", "ai.onnx")
        return foreign and any(
            isinstance(x := self.env.get(entry), Value) and x.constant and len(x.shape) > 1
            for entry in node.input
        )

    def where(self, node: NodeProto) -> str:
        """Name the module that a node comes from, as its exporter noted it, else the node."""
        for entry in node.metadata_props:
            if entry.key == "pkg.torch.onnx.name_scopes":
                scopes = re.findall(r"'([^']*)'", entry.value)
                if len(scopes) > 1 and scopes[-2]:
                    return str(scopes[-2])
        if node.name.startswith("/"):
            path: list[str] = []
            for part in node.name.split("/")[1:-1]:
                # torch repeats the name of a Sequential: /layer1/layer1.0/conv1/Conv
                if path and part.startswith(f"{path[-1]}."):
                    path[-1] = part
                else:
                    path.append(part)
            return ".".join(path)
        return node.name or f"{node.op_type}_{self.nodes}"


def _parameter(name: str) -> str | None:
    return None if _MADE_UP.match(name) else name


def _sizes(entry: TypeProto) -> tuple[int | None, ...] | None:
    tensor = entry.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)


def _holds_layers(node: NodeProto) -> bool:
    """Say whether an operator, or one in its subgraphs, holds a matrix."""
    if node.op_type in LAYERS:
        return True
    graphs = [
        graph
        for a in node.attribute
        if a.type in _SUBGRAPHS
        for graph in (a.graphs if a.graphs else [a.g])
    ]
    return any(_holds_layers(inner) for graph in graphs for inner in graph.node)


def _used_names(graph: GraphProto) -> set[str]:
    """Find the tensors that operators read, those in subgraphs among them."""
    names: set[str] = set()
    for node in graph.node:
        names.update(node.input)
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                names |= _used_names(attribute.g)
                names.update(entry.name for entry in attribute.g.output)
    return names
