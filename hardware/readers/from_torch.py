"""Reads a network from a torch module, through the graph that ``torch.export`` makes of it."""

import itertools
import operator
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram, export
from torch.fx import Graph, GraphModule, Node

from lrmp.errors import NetworkError
from lrmp.hardware.networks.network import Network
from lrmp.hardware.readers.aten_operators import (
    AFFINE,
    CREATE,
    INTERPOLATE,
    KEEP,
    MOVE,
    POINTWISE,
    REDUCE,
    SAME,
    TRANSPOSE,
)
from lrmp.hardware.readers.trace import (
    Shape,
    Trace,
    Value,
    check_batch,
    dotted,
    transposed,
    unsupported,
)

Arguments = dict[str, Any]

BATCH_HINT = (
    "Give the shapes of one inference, or name another batch_dimension; None if there is none."
)


def network_from_torch(
    module: nn.Module, example_input: Any, name: str | None, batch_dimension: int | None
) -> Network:
    """Read a network from a torch module; see ``Network.from_torch``.

    Args:
        module: The module; left as it was.
        example_input: A tensor, a tuple of positional or a dictionary of keyword arguments.
        name: Name of the network; None for the module's class.
        batch_dimension: Dimension of the first tensor that must be 1; None for no check.

    Returns:
        The network.

    Raises:
        NetworkError: If the module cannot be read.
    """
    if not isinstance(module, nn.Module):
        raise NetworkError(f"Expected a torch.nn.Module, got {type(module).__name__}.")
    args, kwargs = _arguments(example_input)
    first = next(_tensors((args, kwargs)), None)
    if first is None:
        raise NetworkError(
            "Expected an example input with at least one tensor, got "
            f"{type(example_input).__name__}. Pass a tensor, a tuple of arguments or a dictionary "
            "of keyword arguments."
        )
    check_batch(tuple(first.shape), batch_dimension, "the example input", BATCH_HINT)
    program = _export(module, args, kwargs)
    trace = Trace(type(module).__name__ if name is None else name)
    _Reader(trace, _parameter_names(module)).read_program(program)
    return trace.build()


def checked_module(word: str, made: Any) -> nn.Module:
    """Check that what a user's code made is a module.

    Args:
        word: What it was named by.
        made: What was made.

    Returns:
        The module.

    Raises:
        NetworkError: If it is none.
    """
    if not isinstance(made, nn.Module):
        raise NetworkError(
            f"Expected {word} to make a torch.nn.Module or an lrmp.hardware.Network, got "
            f"{type(made).__name__}."
        )
    return made


def network_of_sizes(
    word: str,
    made: Any,
    inputs: Sequence[tuple[str, tuple[int, ...], str]],
    name: str,
    batch_dimension: int | None,
) -> Network:
    """Read a network from a torch module and the sizes of its inputs.

    Args:
        word: What the module was named by.
        made: What should be a module.
        inputs: Name, sizes and type of every input; all have names, those of keyword arguments, or
            none has.
        name: Name of the network.
        batch_dimension: Dimension of the first input that must be 1; None for no check.

    Returns:
        The network.

    Raises:
        NetworkError: If it is no module, cannot be read, or inputs are missing.
    """
    module = checked_module(word, made)
    if not inputs:
        raise NetworkError(
            f"Expected --input-shape for {word}, such as --input-shape 1,3,224,224; got none."
        )
    named = [own for own, _, _ in inputs if own]
    if named and len(set(named)) < len(inputs):
        raise NetworkError(
            f"Expected every --input-shape of {word} with a name of its own, or none with one; got "
            f"{len(set(named))} names for {len(inputs)} inputs."
        )
    beside = next(module.parameters(), torch.empty(0))  # where the inputs must lie
    tensors = [beside.new_zeros(sizes, dtype=getattr(torch, dtype)) for _, sizes, dtype in inputs]
    example = dict(zip(named, tensors, strict=True)) if named else tuple(tensors)
    return network_from_torch(module, example, name, batch_dimension)


def _arguments(example_input: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(example_input, Mapping):
        return (), dict(example_input)
    if isinstance(example_input, tuple | list):
        return tuple(example_input), {}
    return (example_input,), {}


def _tensors(tree: Any) -> Iterator[torch.Tensor]:
    if isinstance(tree, torch.Tensor):
        yield tree
    elif isinstance(tree, Mapping):
        yield from _tensors(list(tree.values()))
    elif isinstance(tree, tuple | list):
        for branch in tree:
            yield from _tensors(branch)


class _TensorsOf(nn.Module):
    """Returns the tensors in what a module returns, which torch.export need not know the type of.

    Args:
        module: The module, of which nothing is changed.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, ...]:
        """Run the module.

        Args:
            *args: Its positional arguments.
            **kwargs: Its keyword arguments.

        Returns:
            The tensors of its result, also those held by objects such as a cache of keys.
        """
        result = self.module(*args, **kwargs)
        found, seen, todo = list[torch.Tensor](), set[int](), [result]
        while todo:
            item = todo.pop()
            if id(item) in seen or isinstance(item, nn.Module | type):
                continue
            seen.add(id(item))
            if isinstance(item, torch.Tensor):
                found.append(item)
            elif isinstance(item, Mapping):
                todo += item.values()
            elif isinstance(item, tuple | list | set):
                todo += item
            elif hasattr(item, "__dict__"):
                todo += vars(item).values()
        return tuple(found)


@contextmanager
def _evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Evaluate without gradients and fused kernels; put every flag back."""
    flags = [(part, part.training) for part in module.modules()]
    fused = torch.backends.mha.get_fastpath_enabled()
    try:
        module.eval()
        # Fused attention would hide the layers of a transformer in one operator.
        torch.backends.mha.set_fastpath_enabled(False)
        with torch.no_grad(), warnings.catch_warnings():
            # Warnings of the tracer are about running its program, which nobody does.
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for part, training in flags:
            part.training = training


def _export(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ExportedProgram:
    with _evaluation_mode(module):
        try:
            return export(_TensorsOf(module), args, kwargs, strict=False)
        except Exception as error:  # whatever the module's own code raises, too
            reason = (str(error).strip().splitlines() or ["no message"])[0]
            raise NetworkError(
                f"Expected torch.export to trace {type(module).__name__} on the example input, got "
                f"{type(error).__name__}: {reason} Check the number, shapes and types of the "
                "inputs; control flow may depend on shapes, not on values."
            ) from error


def _parameter_names(module: nn.Module) -> dict[str, str]:
    """Map every name of a parameter or buffer to the first name of the same tensor."""
    names: dict[str, str] = {}
    first: dict[int, str] = {}
    for name, tensor in (
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ):
        names[name] = first.setdefault(id(tensor), name)
    return names


class _Reader:
    """Walks the graph of an exported program and records it in a trace."""

    def __init__(self, trace: Trace, parameter_names: dict[str, str]) -> None:
        self.trace = trace
        self.names = parameter_names
        self.env: dict[Node, Any] = {}

    def read_program(self, program: ExportedProgram) -> None:
        signature = program.graph_signature
        sources = {
            place: name.removeprefix("module.")
            for place, name in (
                *signature.inputs_to_parameters.items(),
                *signature.inputs_to_buffers.items(),
            )
        }
        constants = signature.inputs_to_lifted_tensor_constants
        for node in program.graph.find_nodes(op="placeholder"):
            value = node.meta.get("val")
            if node.name in sources:
                parameter = self.names.get(sources[node.name], sources[node.name])
                self.env[node] = self.trace.known(_shape(value), parameter, parameter)
            elif node.name in constants:
                self.env[node] = self.trace.known(_shape(value), ("constant", node.name))
            elif isinstance(value, torch.Tensor):
                self.env[node] = self.trace.input(_shape(value))
            else:
                self.env[node] = value
        self.read_graph(program.graph_module)

    def read_graph(self, graph_module: GraphModule) -> Any:
        used = _used(graph_module.graph)
        for node in graph_module.graph.nodes:
            if node not in used:
                continue
            if node.op == "get_attr":
                target = getattr(graph_module, str(node.target))
                if isinstance(target, torch.Tensor):
                    target = self.trace.known(_shape(target), ("constant", node.name))
                self.env[node] = target
            elif node.op == "call_function":
                self.env[node] = self.read_call(node)
            elif node.op == "output":
                return self.resolve(node.args[0])
        return None

    def resolve(self, tree: Any) -> Any:
        """Replace the nodes in arguments by what they stand for."""
        if isinstance(tree, Node):
            return self.env[tree]
        if isinstance(tree, tuple | list):
            return tuple(self.resolve(branch) for branch in tree)
        return tree

    def read_call(self, node: Node) -> Any:
        """Record a call of an operator or of a wrapped part of the graph."""
        args = self.resolve(node.args)
        if node.target is operator.getitem:
            return args[0][args[1]]
        if isinstance(node.target, torch._ops.HigherOrderOperator):
            return self.read_region(node, args)
        if not isinstance(node.target, torch._ops.OpOverload):
            # Arithmetic on sizes and assertions; shapes are numbers here.
            if any(True for _ in _values(args)):
                unsupported(str(node.target), _path(node))
            return node.meta.get("val")
        return self.read_operator(node, args)

    def read_region(self, node: Node, args: tuple[Any, ...]) -> Any:
        """Follow a part of the graph that runs in another mode, such as autocast."""
        name = str(node.target)
        for place, arg in enumerate(args):
            if isinstance(arg, GraphModule) and name.startswith(("wrap_", "tag_activation")):
                inner = arg.graph.find_nodes(op="placeholder")
                self.env.update(zip(inner, args[place + 1 :], strict=False))
                return self.read_graph(arg)
        return unsupported(f"the operator {name}", _path(node))

    def read_operator(self, node: Node, args: tuple[Any, ...]) -> Any:
        """Record an operator of ATen."""
        target: Any = node.target
        schema = target._schema
        arguments = {a.name: a.default_value for a in schema.arguments if a.has_default_value()}
        arguments |= dict(zip((a.name for a in schema.arguments), args, strict=False))
        arguments |= {key: self.resolve(value) for key, value in node.kwargs.items()}
        inputs = list(_values(arguments))
        name = schema.name.removeprefix("aten::")
        in_place = name.endswith("_") and schema.is_mutable
        name = name.removesuffix("_") if in_place else name
        outputs = node.meta.get("val")
        if not any(True for _ in _tensors(outputs)):
            return outputs  # a number, such as a size
        if all(x.constant for x in inputs) or name in CREATE:
            place = itertools.count()
            results = _map(
                lambda x: self.known(node, name, arguments, inputs, _shape(x), next(place)), outputs
            )
        else:
            main = next(_tensors(outputs))
            result = self.dispatch(node, name, arguments, inputs, _shape(main))
            results = _map(
                lambda x: result if x is main else self.trace.move([result], _shape(x)), outputs
            )
            if in_place:
                inputs[0].memory.written = result
        if inputs and schema.returns[0].alias_info is not None:
            for view in _values(results):
                view.base = inputs[0]
        return results

    def known(
        self,
        node: Node,
        name: str,
        arguments: Arguments,
        inputs: list[Value],
        shape: Shape,
        place: int,
    ) -> Value:
        """Make a constant of constants: the same operator on the same ones gives the same."""
        parameters = {x.parameter for x in inputs if x.parameter is not None}
        parameter = parameters.pop() if len(parameters) == 1 else None
        key: Hashable = (node.name, place)
        if len(inputs) == 1:
            x = inputs[0]
            options = [repr(v) for v in arguments.values() if not any(True for _ in _values(v))]
            if name in SAME or (name in ("flatten", "reshape", "view") and shape == x.shape):
                key = x.key
            elif name in TRANSPOSE and len(x.shape) == 2:
                key = transposed(x.key)
            else:
                key = (name, place, shape, *options, x.key)
        return self.trace.known(shape, key, parameter)

    def dispatch(
        self, node: Node, name: str, a: Arguments, inputs: list[Value], shape: Shape
    ) -> Value:
        """Record an operator that depends on the input, and return its first result."""
        trace = self.trace
        handler: Callable[..., Value] | None = getattr(self, f"op_{name}", None)
        if handler is not None:
            return handler(a, shape, _path(node), name)
        if name in SAME:
            return trace.same(inputs[0], shape)
        if name in MOVE:
            # Indices and masks select; they are not moved.
            moved = inputs[1:] if name == "embedding" else inputs
            return trace.move(
                inputs if name == "cat" else moved, shape, keeps_elements=name in KEEP
            )
        tensors = [x for x in inputs if x.size]
        overload = str(node.target)
        if name in REDUCE and not overload.endswith(".other"):
            return trace.reduce(inputs[0], shape, REDUCE[name])
        if "batch_norm" in name:
            return self.batch_norm(a, shape)
        if "pool" in name:
            return self.pool(a, shape, name)
        if name in INTERPOLATE:
            return trace.count(inputs, shape, INTERPOLATE[name] * prod(shape))
        if name in POINTWISE or torch.Tag.pointwise in node.target.tags:  # type: ignore[union-attr]
            affine = name in AFFINE and a.get("rounding_mode") is None
            if name in ("div", "divide", "true_divide") and not _is_constant(a["other"]):
                affine = False
            return trace.pointwise(tensors, shape, affine=affine)
        return unsupported(overload, _path(node))

    # -- layers ----------------------------------------------------------------------------

    def op_conv2d(self, a: Arguments, shape: Shape, where: str, name: str) -> Value:
        x, weight = a["input"], a["weight"]
        if not weight.constant:
            unsupported(f"aten.{name} with a computed kernel", where)
        axis = len(shape) - len(weight.shape) + 1
        if a.get("transposed") or "transpose" in name:
            value = self.trace.convolve_transposed(
                x, weight, shape, groups=a["groups"], channels_axis=axis, where=where
            )
        else:
            stride = a["stride"]
            value = self.trace.convolve(
                x,
                weight,
                shape,
                strides=stride if isinstance(stride, tuple | list) else (stride,),
                groups=a["groups"],
                channels_axis=axis,
                where=where,
            )
        return self.biased(value, a.get("bias"))

    op_conv1d = op_conv3d = op_convolution = op_conv2d
    op_conv_transpose1d = op_conv_transpose2d = op_conv_transpose3d = op_conv2d

    def op_linear(self, a: Arguments, shape: Shape, where: str, name: str) -> Value:
        value = self.trace.matmul(a["input"], a["weight"], shape, where=where, transposed=True)
        return self.biased(value, a.get("bias"))

    def op_matmul(self, a: Arguments, shape: Shape, where: str, name: str) -> Value:
        other = next(a[key] for key in ("mat2", "other", "vec", "tensor") if key in a)
        return self.trace.matmul(a["self"], other, shape, where=where)

    op_mm = op_bmm = op_mv = op_dot = op_matmul

    def op_addmm(self, a: Arguments, shape: Shape, where: str, name: str) -> Value:
        left, right = (a["batch1"], a["batch2"]) if "batch1" in a else (a["mat1"], a["mat2"])
        value = self.trace.matmul(left, right, shape, where=where)
        return self.biased(value, a["self"])

    op_baddbmm = op_addmm

    def op_einsum(self, a: Arguments, shape: Shape, where: str, name: str) -> Value:
        return self.trace.einsum(a["equation"], a["tensors"], shape, where=where)

    def op_tensordot(self, a: Arguments, shape: Shape, where: str, name: str) -> Value:
        left, right = a["self"], a["other"]
        a_terms = [chr(97 + i) for i in range(len(left.shape))]
        b_terms = [chr(110 + i) for i in range(len(right.shape))]
        for i, j in zip(a["dims_self"], a["dims_other"], strict=True):
            b_terms[j] = a_terms[i]
        out = [t for t in a_terms + b_terms if (t in a_terms) != (t in b_terms)]
        terms = ("".join(a_terms), "".join(b_terms), "".join(out))
        return self.trace.contract(left, right, terms, shape, where=where)

    def op_lstm(self, a: Arguments, shape: Shape, where: str, name: str) -> Value:
        if "data" in a:
            unsupported(f"aten.{name} of packed sequences", where)
        cell = name.split("_")[0]
        x: Value = a["input"]
        weights: tuple[Value, ...] = a["params"]
        hidden = a["hx"] if isinstance(a["hx"], tuple) else (a["hx"],)
        directions = 2 if a["bidirectional"] else 1
        per_layer = len(weights) // (a["num_layers"] * directions)
        if per_layer not in (2, 4):
            unsupported(f"aten.{name} with projections (proj_size)", where)
        time, batch = (1, 0) if a["batch_first"] else (0, 1)
        steps = x.shape[0] if len(x.shape) == 2 else x.shape[time]
        batch_size = 1 if len(x.shape) == 2 else x.shape[batch]
        for layer in range(a["num_layers"]):
            outputs = []
            for direction in range(directions):
                own = weights[(layer * directions + direction) * per_layer :][:per_layer]
                size = own[1].shape[1]
                outputs.append(
                    self.trace.recurrent(
                        cell,
                        x,
                        own[0],
                        input_size=own[0].shape[1],
                        hidden_size=size,
                        steps=steps,
                        batch=batch_size,
                        state=hidden,
                        where=dotted(where, f"l{layer}" + "_reverse" * direction),
                        shape=(*x.shape[:-1], size),
                    )
                )
            x = (
                outputs[0]
                if directions == 1
                else self.trace.move(outputs, (*x.shape[:-1], directions * size))
            )
        return x

    op_gru = op_rnn_tanh = op_rnn_relu = op_lstm

    def op_lstm_cell(self, a: Arguments, shape: Shape, where: str, name: str) -> Value:
        x, states = a["input"], a["hx"] if isinstance(a["hx"], tuple) else (a["hx"],)
        return self.trace.recurrent(
            name.split("_")[0],
            x,
            a["w_ih"],
            input_size=a["w_ih"].shape[1],
            hidden_size=a["w_hh"].shape[1],
            steps=1,
            batch=prod(x.shape[:-1]),
            state=states,
            where=where,
            shape=shape,
        )

    op_gru_cell = op_rnn_tanh_cell = op_rnn_relu_cell = op_lstm_cell

    def op_scaled_dot_product_attention(
        self, a: Arguments, shape: Shape, where: str, name: str
    ) -> Value:
        return self.trace.attention(
            a["query"],
            a["key"],
            a["value"],
            shape,
            masked=a["attn_mask"] is not None or a["is_causal"],
            where=where,
        )

    def biased(self, value: Value, bias: Value | None) -> Value:
        """Add a bias; a constant one folds into the layer."""
        if bias is None or bias.constant:
            return value
        return self.trace.pointwise((value, bias), value.shape)

    # -- vector unit -----------------------------------------------------------------------

    def op_softmax(self, a: Arguments, shape: Shape, where: str, name: str) -> Value:
        return self.trace.softmax(a["self"])

    op__softmax = op_log_softmax = op__log_softmax = op__safe_softmax = op_softmax

    def op_layer_norm(self, a: Arguments, shape: Shape, where: str, name: str) -> Value:
        rows = prod(shape[: len(shape) - len(a["normalized_shape"])])
        affine = a.get("weight") is not None
        return self.trace.layer_norm(a["input"], rows, affine=affine)

    op_native_layer_norm = op_layer_norm

    def op_rms_norm(self, a: Arguments, shape: Shape, where: str, name: str) -> Value:
        rows = prod(shape[: len(shape) - len(a["normalized_shape"])])
        return self.trace.rms_norm(a["input"], rows, affine=a.get("weight") is not None)

    op__fused_rms_norm = op_rms_norm

    def op_group_norm(self, a: Arguments, shape: Shape, where: str, name: str) -> Value:
        groups = a["num_groups"] if "num_groups" in a else a["group"]
        affine = a.get("weight") is not None
        return self.trace.layer_norm(a["input"], shape[0] * groups, affine=affine)

    op_native_group_norm = op_group_norm

    def op_instance_norm(self, a: Arguments, shape: Shape, where: str, name: str) -> Value:
        affine = a.get("weight") is not None
        return self.trace.layer_norm(a["input"], shape[0] * shape[1], affine=affine)

    def op_glu(self, a: Arguments, shape: Shape, where: str, name: str) -> Value:
        # the sigmoid of one half and the product with the other
        return self.trace.count([a["self"]], shape, 2 * prod(shape))

    def batch_norm(self, a: Arguments, shape: Shape) -> Value:
        """Fold a batch norm, unless it has to compute statistics of its input."""
        if a.get("training") or a.get("running_mean") is None:
            return self.trace.layer_norm(a["input"], shape[1], affine=a.get("weight") is not None)
        return self.trace.same(a["input"], shape)

    def pool(self, a: Arguments, shape: Shape, name: str) -> Value:
        """Count a pooling, adaptive ones by the windows they choose."""
        x = a["self"]
        axes = int(name.split("pool")[1][0])
        if not name.lstrip("_").startswith("adaptive"):
            kernel = a["kernel_size"]
            kernel = kernel if isinstance(kernel, tuple | list) else (kernel,)
            return self.trace.pool(x, shape, prod(kernel) ** (axes if len(kernel) == 1 else 1))
        read = prod(shape[:-axes])
        for size, outputs in zip(x.shape[-axes:], shape[-axes:], strict=True):
            read *= sum(-(-(i + 1) * size // outputs) - i * size // outputs for i in range(outputs))
        if read == prod(shape):
            return self.trace.move([x], shape)
        return self.trace.count([x], shape, read)


def _values(tree: Any) -> Iterator[Value]:
    if isinstance(tree, Value):
        yield tree
    elif isinstance(tree, dict):
        yield from _values(tuple(tree.values()))
    elif isinstance(tree, tuple | list):
        for branch in tree:
            yield from _values(branch)


def _map(function: Callable[[torch.Tensor], Value], tree: Any) -> Any:
    if isinstance(tree, torch.Tensor):
        return function(tree)
    if isinstance(tree, tuple | list):
        return tuple(_map(function, branch) for branch in tree)
    return tree


def _is_plain(value: Any) -> bool:
    return isinstance(value, tuple) and not any(True for _ in _values(value))


def _is_constant(value: Any) -> bool:
    return not isinstance(value, Value) or value.constant


def _shape(tensor: Any) -> Shape:
    return tuple(int(size) for size in tensor.shape)


def _used(graph: Graph) -> set[Node]:
    """Find the nodes that the results depend on, and those that write into memory."""
    used: set[Node] = set()
    for node in reversed(graph.nodes):
        schema = getattr(node.target, "_schema", None)
        writes = schema is not None and schema.is_mutable
        if node.op == "output" or writes or node in used:
            used.update((node, *node.all_input_nodes))
    return used


def _path(node: Node) -> str:
    """Name the module that runs a node, as in ``named_modules``."""
    stack: Iterable[tuple[str, Any]] = (node.meta.get("nn_module_stack") or {}).values()
    *_, last = ("", *(name for name, _ in stack))
    return last.removeprefix("module").removeprefix(".")  # of _TensorsOf
