"""Reads a network from an ONNX file: its graph and its shapes, never its weights."""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from math import prod
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import onnx.inliner
from google.protobuf.message import DecodeError
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
from onnx.reference import ReferenceEvaluator

from lrmp.errors import NetworkError, unknown_name
from lrmp.foreign_file import read_foreign
from lrmp.hardware.networks.network import Network
from lrmp.hardware.readers.onnx_limits import check_functions, check_nodes
from lrmp.hardware.readers.onnx_operators import (
    AFFINE,
    COMPUTED,
    KEEP,
    MOVE,
    NORMALISE,
    POINTWISE,
    REDUCE,
    SAME,
    VARIADIC,
)
from lrmp.hardware.readers.trace import Shape, Trace, Value, check_batch, transposed, unsupported

#: Tensors that an operator is given; None for one that is left out.
Operands = list[Any]

#: The format itself allows no more.
MAX_FILE_BYTES = 2**31 - 1

#: Constants of at most this many elements are computed, since they may be shapes.
MAX_COMPUTED = 65_536

#: What onnx and Python raise on fields with senseless content.
DAMAGE = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)

#: Names that exporters make up for tensors; they say nothing about the layer.
_MADE_UP = re.compile(r"^(onnx::.*|val_\d+|_?\d+|.*_output_\d+|Constant.*|.*/Constant.*)$")

DYNAMIC_HINT = "Export the network with fixed sizes, or pass input_shapes={"


def network_from_onnx(
    path: str | PathLike[str],
    input_shapes: Mapping[str, Sequence[int]] | None,
    name: str | None,
    batch_dimension: int | None,
) -> Network:
    """Read a network from an ONNX file; see ``Network.from_onnx``.

    Args:
        path: The file.
        input_shapes: Shapes of inputs whose sizes the file leaves open.
        name: Name of the network; None for the file's stem.
        batch_dimension: Dimension of the first input that must be 1; None for no check.

    Returns:
        The network.

    Raises:
        NetworkError: If the file cannot be read.
    """
    file = Path(fspath(path))
    model = _load(file)
    reader = None
    try:
        shapes = _input_shapes(model.graph, input_shapes or {})
        first, shape = next(iter(shapes.items()))
        check_batch(
            shape,
            batch_dimension,
            f"input {first!r}",
            f"Pass input_shapes={{{first!r}: {_with_batch(shape, batch_dimension)}}}, or another "
            "batch_dimension; None if there is none.",
        )
        reader = _Reader(Trace(file.stem if name is None else name), model, shapes)
        reader.read()
    except NetworkError:
        raise
    except DAMAGE as error:
        place = f" at {reader.label!r}" if reader is not None and reader.label else ""
        raise NetworkError(
            f"Expected {file} to be a whole ONNX file, got {type(error).__name__}{place}: "
            f"{error}. Export or fetch it again."
        ) from error
    return reader.trace.build()


def _load(path: Path) -> ModelProto:
    try:
        data = read_foreign(path, MAX_FILE_BYTES)
        model = onnx.load_model_from_string(data, format="protobuf")
        if model.functions:
            check_functions(model)
            model = onnx.inliner.inline_local_functions(model)
        check_nodes(model.graph)
    except OSError as error:
        raise NetworkError(f"Expected a readable ONNX file at {path}: {error}.") from error
    except (DecodeError, *DAMAGE) as error:
        raise NetworkError(
            f"Expected {path} to be a whole ONNX file: {error}. Export or fetch it again."
        ) from error
    if not model.graph.node or not model.graph.input:
        raise NetworkError(
            f"Expected {path} to hold a graph with inputs and operators, got "
            f"{len(model.graph.input)} inputs and {len(model.graph.node)} operators."
        )
    return model


def _input_shapes(graph: GraphProto, given: Mapping[str, Sequence[int]]) -> dict[str, Shape]:
    """Find the shape of every input, and refuse open ones."""
    initializers = {tensor.name for tensor in graph.initializer}
    inputs = [i for i in graph.input if i.name not in initializers]
    if not inputs:
        raise NetworkError(f"Expected graph {graph.name!r} to have an input, got none.")
    if unknown := sorted(set(given) - {i.name for i in inputs}):
        raise NetworkError(
            unknown_name("each name in input_shapes", unknown[0], (i.name for i in inputs))
        )
    shapes: dict[str, Shape] = {}
    for entry in inputs:
        tensor = entry.type.tensor_type
        known = tensor.HasField("shape")
        sizes = [d.dim_value or d.dim_param or "?" for d in tensor.shape.dim] if known else None
        if entry.name in given:
            shapes[entry.name] = _checked(entry.name, sizes, given[entry.name])
        elif sizes is None or any(isinstance(size, str) for size in sizes):
            shown = "no shape" if sizes is None else f"({', '.join(map(str, sizes))})"
            example = "(...)" if sizes is None else _example(sizes)
            raise NetworkError(
                f"Expected fixed sizes of input {entry.name!r}, got {shown}"
                f"{_open_dimensions(sizes)}. {DYNAMIC_HINT}{entry.name!r}: {example}}}."
            )
        else:
            shapes[entry.name] = tuple(int(size) for size in sizes)
    return shapes


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


class _Reader:
    """Walks a graph node by node, infers its shapes and records it in a trace."""

    def __init__(self, trace: Trace, model: ModelProto, inputs: dict[str, Shape]) -> None:
        self.trace = trace
        self.model = model
        self.opsets = {
            "" if entry.domain == "ai.onnx" else entry.domain: entry.version
            for entry in model.opset_import
        }
        self.inputs = inputs
        self.types: dict[str, TypeProto] = {}
        self.data: dict[str, np.ndarray[Any, Any]] = {}
        self.env: dict[str, Value] = {}
        self.nodes = 0
        self.label = ""

    def read(self) -> None:
        for entry in self.model.graph.input:
            if entry.name in self.inputs:
                shape = self.inputs[entry.name]
                element = entry.type.tensor_type.elem_type
                self.types[entry.name] = helper.make_tensor_type_proto(element, shape)
                self.env[entry.name] = self.trace.input(shape)
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
        named = is_weight and not _MADE_UP.match(name)
        self.types[name] = helper.make_tensor_type_proto(tensor.data_type, shape)
        self.env[name] = self.trace.known(shape, key, name if named else None)
        if not _is_external(tensor) and prod(shape) <= MAX_COMPUTED:
            self.data[name] = numpy_helper.to_array(tensor)

    # -- nodes -----------------------------------------------------------------------------

    def read_node(self, node: NodeProto) -> None:
        where = self.where(node)
        self.label = node.name or f"{node.op_type}_{self.nodes}"
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        for entry in node.input:
            if entry and entry not in self.env:
                raise NetworkError(
                    f"Expected input {entry!r} of {node.op_type} {self.label!r} to be computed "
                    "before it, got no such tensor. The file is damaged; export it again."
                )
        if node.op_type == "If":
            self.read_branch(node, attributes)
            return
        inputs = [self.env[entry] if entry else None for entry in node.input]
        shapes = self.infer(node)
        names = [output for output in node.output if output]
        given = [x for x in inputs if x is not None]
        if node.op_type == "Shape" or all(x.constant for x in given):
            for place, output in enumerate(names):
                self.env[output] = self.known(node, given, shapes[output], place)
            self.compute(node, attributes)
            return
        result = self.dispatch(node, inputs, attributes, shapes[names[0]], where)
        self.env[names[0]] = result
        for output in names[1:]:
            self.env[output] = self.trace.move([result], shapes[output])

    def infer(self, node: NodeProto) -> dict[str, Shape]:
        """Infer the shapes of a node's outputs from its inputs' shapes and known values."""
        domain = "" if node.domain == "ai.onnx" else node.domain
        given = [entry for entry in node.input if entry]
        try:
            schema = defs.get_schema(node.op_type, self.opsets.get(domain, 1), domain)
        except defs.SchemaError:
            operator = f"{node.op_type} of domain {domain!r}" if domain else node.op_type
            unsupported(f"the operator {operator}", self.label)
        if any(a.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for a in node.attribute):
            unsupported(f"the operator {node.op_type}", self.label)
        ranks = {len(_sizes(self.types[e]) or ()) for e in given[:2]}
        if node.op_type == "Conv" and len(ranks) > 1:
            # Shape inference of onnx up to 1.19 at least crashes on this.
            raise NetworkError(
                f"Expected input and weight of Conv {self.label!r} to have as many dimensions, "
                f"got {[_sizes(self.types[entry]) for entry in given[:2]]}."
            )
        try:
            types = shape_inference.infer_node_outputs(
                schema,
                node,
                {entry: self.types[entry] for entry in given},
                {e: numpy_helper.from_array(self.data[e]) for e in given if e in self.data},
                opset_imports=list(self.model.opset_import),
                ir_version=self.model.ir_version,
            )
        except (shape_inference.InferenceError, onnx.checker.ValidationError) as error:
            raise NetworkError(
                f"Expected inputs that fit {node.op_type} {self.label!r}, got "
                f"{[_sizes(self.types[entry]) for entry in given]}: "
                f"{str(error).splitlines()[0]}."
            ) from error
        if node.op_type in NORMALISE:  # onnx infers no shape for some of them
            types = {node.output[0]: self.types[given[0]]}
        self.types.update(types)
        shapes = {}
        for output in node.output:
            if output:
                sizes = _sizes(types[output]) if output in types else None
                if sizes is None or None in sizes:
                    raise NetworkError(
                        f"Expected {node.op_type} {self.label!r} to have an output whose shape is "
                        f"known before the run, got {sizes}. Export the network with fixed sizes, "
                        "or leave this part out."
                    )
                shapes[output] = tuple(size for size in sizes if size is not None)
        return shapes

    def known(self, node: NodeProto, inputs: list[Value], shape: Shape, place: int) -> Value:
        """Make a constant of constants; casts, quantised and transposed ones stay recognisable."""
        parameters = {x.parameter for x in inputs if x.parameter is not None}
        parameter = parameters.pop() if len(parameters) == 1 else None
        key: Hashable = (node.output[place],)
        if inputs and node.op_type in SAME - {"Identity"}:
            # Scale and zero point come after what is quantised. Exporters also store equal
            # weights once and tell them apart by Identity.
            key, parameter = inputs[0].key, inputs[0].parameter
        elif inputs and node.op_type == "Transpose" and len(inputs[0].shape) == 2:
            key = transposed(inputs[0].key)
        return self.trace.known(shape, key, parameter)

    def compute(self, node: NodeProto, attributes: dict[str, Any]) -> None:
        """Compute a small constant, since a shape may depend on it."""
        given = [entry for entry in node.input if entry]
        sizes = [_sizes(self.types[output]) or () for output in node.output if output]
        if sum(prod(size or 0 for size in shape) for shape in sizes) > MAX_COMPUTED:
            return
        if node.op_type == "Shape":
            shape = self.env[node.input[0]].shape
            part = shape[attributes.get("start", 0) : attributes.get("end", len(shape))]
            self.data[node.output[0]] = np.array(part, dtype=np.int64)
        elif (
            node.op_type in COMPUTED
            and all(entry in self.data for entry in given)
            # Else the values would be looked for in the current folder.
            and not any(_is_external(a.t) for a in node.attribute)
        ):
            feed = {entry: self.data[entry] for entry in given}
            results = ReferenceEvaluator(node, opsets=self.opsets).run(None, feed)
            for output, result in zip(node.output, results, strict=False):
                self.data[output] = np.asarray(result)

    def read_branch(self, node: NodeProto, attributes: dict[str, Any]) -> None:
        """Follow the branch that a condition known before the run takes."""
        if node.input[0] not in self.data:
            unsupported("the operator If on a computed value", self.label)
        taken = "then_branch" if self.data[node.input[0]].item() else "else_branch"
        branch: GraphProto = attributes[taken]
        self.read_graph(branch)
        for inner, outer in zip(branch.output, node.output, strict=True):
            self.env[outer] = self.env[inner.name]
            self.types[outer] = self.types[inner.name]
            if inner.name in self.data:
                self.data[outer] = self.data[inner.name]

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

    def dispatch(
        self,
        node: NodeProto,
        inputs: Operands,
        a: dict[str, Any],
        shape: Shape,
        where: str,
    ) -> Value:
        """Record an operator that depends on the input, and return its first result."""
        trace, name = self.trace, node.op_type
        given: list[Value] = [x for x in inputs if x is not None]
        x = given[0]
        handler: Callable[..., Value] | None = getattr(self, f"op_{name.lower()}", None)
        if handler is not None:
            return handler(inputs, a, shape, where)
        if name in SAME:
            return trace.same(x, shape)
        if name in MOVE:
            moved = given if name == "Concat" else given[:1] if name in KEEP else given
            return trace.move(moved, shape, keeps_elements=name in KEEP)
        if name in VARIADIC:
            for other in given[1:]:
                x = trace.pointwise((x, other), np.broadcast_shapes(x.shape, other.shape))
            return x
        if name in POINTWISE:
            affine = name in AFFINE and not (name == "Div" and x.constant)
            return trace.pointwise(given, shape, affine=affine)
        if name in REDUCE:
            return trace.reduce(x, shape, REDUCE[name])
        if name in NORMALISE:
            return trace.count([x], shape, NORMALISE[name] * prod(shape))
        return unsupported(f"the operator {name}", self.label)

    # -- layers ----------------------------------------------------------------------------

    def op_conv(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        x, weight, *rest = inputs
        if len(weight.shape) > 4:
            unsupported("the operator Conv in 3-D", self.label)
        if not weight.constant:
            unsupported("the operator Conv with a computed kernel", self.label)
        value = self.trace.convolve(
            x,
            weight,
            shape,
            strides=a.get("strides", (1,)),
            groups=a.get("group", 1),
            channels_axis=1,
            where=where,
        )
        return self.biased(value, rest[0] if rest else None)

    def op_convinteger(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        return self.op_conv(inputs[:2], a, shape, where)

    def op_qlinearconv(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        return self.op_conv([inputs[0], inputs[3]], a, shape, where)

    def op_gemm(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        left, right, *rest = inputs
        terms = ("kn" if a.get("transA") else "nk", "mk" if a.get("transB") else "km", "nm")
        value = self.trace.contract(left, right, terms, shape, where=where)
        return self.biased(value, rest[0] if rest else None)

    def op_matmul(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        return self.trace.matmul(inputs[0], inputs[1], shape, where=where)

    op_matmulinteger = op_matmul

    def op_qlinearmatmul(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        return self.op_matmul([inputs[0], inputs[3]], a, shape, where)

    def op_einsum(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        equation = a["equation"].decode().replace(" ", "")
        if len(inputs) != 2 or "..." in equation or "->" not in equation:
            unsupported(f"the operator Einsum of {equation!r}", self.label)
        operands, out = equation.split("->")
        left, right = operands.split(",")
        terms = (left, right, out)
        return self.trace.contract(inputs[0], inputs[1], terms, shape, where=where)

    def op_lstm(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        return self.recurrent("lstm", inputs, a, shape, where)

    def op_gru(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        return self.recurrent("gru", inputs, a, shape, where)

    def op_rnn(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        return self.recurrent("rnn", inputs, a, shape, where)

    def recurrent(
        self, cell: str, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        """Record an LSTM, GRU or RNN, a layer per direction."""
        x, weight, hidden = inputs[:3]
        if len(inputs) > 7 and inputs[7] is not None:
            unsupported("the operator LSTM with peepholes", self.label)
        if not (weight.constant and hidden.constant):
            unsupported(f"the operator {cell.upper()} with computed weights", self.label)
        time, batch = (1, 0) if a.get("layout") else (0, 1)
        outputs = []
        for direction in range(weight.shape[0]):
            own = weight
            if weight.shape[0] > 1:
                own = self.trace.known(weight.shape[1:], (weight.key, direction))
            outputs.append(
                self.trace.recurrent(
                    cell,
                    x,
                    own,
                    input_size=weight.shape[2],
                    hidden_size=hidden.shape[2],
                    steps=x.shape[time],
                    batch=x.shape[batch],
                    state=[s for s in inputs[5:7] if s is not None],
                    where=where + "_reverse" * direction,
                    shape=(*x.shape[:2], hidden.shape[2]),
                )
            )
        return self.trace.move(outputs, shape)

    def op_attention(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        query, key, value = inputs[:3]
        if any(x is not None for x in inputs[4:]):
            unsupported("the operator Attention with a cache", self.label)
        if len(query.shape) == 3:  # (batch, tokens, heads x size)
            heads, shared = a["q_num_heads"], a["kv_num_heads"]
            query = self.split_heads(query, heads)
            key, value = self.split_heads(key, shared), self.split_heads(value, shared)
        masked = (len(inputs) > 3 and inputs[3] is not None) or bool(a.get("is_causal"))
        return self.trace.attention(query, key, value, shape, masked=masked, where=where)

    def split_heads(self, x: Value, heads: int) -> Value:
        """Move the heads of (batch, tokens, heads x size) to an axis of their own."""
        batch, tokens, width = x.shape
        return self.trace.move([x], (batch, heads, tokens, width // heads), keeps_elements=True)

    def biased(self, value: Value, bias: Value | None) -> Value:
        """Add a bias; a constant one folds into the layer."""
        if bias is None or bias.constant:
            return value
        return self.trace.pointwise((value, bias), value.shape)

    # -- vector unit -----------------------------------------------------------------------

    def op_batchnormalization(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        x = inputs[0]
        if a.get("training_mode"):
            return self.trace.layer_norm(x, shape[1], affine=True)
        return self.trace.same(x)

    def op_maxpool(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        x = inputs[0]
        return self.trace.pool(x, shape, prod(a["kernel_shape"]))

    op_averagepool = op_lppool = op_maxpool

    def op_softmax(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        x = inputs[0]
        return self.trace.softmax(x)

    op_logsoftmax = op_softmax

    def op_layernormalization(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        x = inputs[0]
        return self.trace.layer_norm(x, prod(shape[: a.get("axis", -1)]), affine=True)

    def op_rmsnormalization(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        x = inputs[0]
        return self.trace.rms_norm(x, prod(shape[: a.get("axis", -1)]), affine=True)

    def op_groupnormalization(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        x = inputs[0]
        return self.trace.layer_norm(x, shape[0] * a["num_groups"], affine=True)

    def op_instancenormalization(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        x = inputs[0]
        return self.trace.layer_norm(x, shape[0] * shape[1], affine=True)

    def op_lrn(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        x = inputs[0]
        # square, sum over a window of channels, power, quotient
        return self.trace.count([x], shape, (a["size"] + 3) * prod(shape))

    def op_resize(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        x = inputs[0]
        mode = a.get("mode", b"nearest").decode()
        if mode == "nearest":
            return self.trace.move([x], shape, keeps_elements=True)
        axes = sum(before != after for before, after in zip(x.shape, shape, strict=True))
        weighed = {"linear": 2, "cubic": 4}[mode] ** axes
        return self.trace.count([x], shape, weighed * prod(shape))

    op_upsample = op_resize


def _is_external(tensor: TensorProto) -> bool:
    """Say whether a tensor's values lie in another file; none but the model's own is read."""
    return bool(tensor.data_location == TensorProto.EXTERNAL)


def _sizes(entry: TypeProto) -> tuple[int | None, ...] | None:
    tensor = entry.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)
