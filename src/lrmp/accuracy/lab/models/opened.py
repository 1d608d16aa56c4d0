"""Modules with every matrix in the open: a layer, or a product of activations, of its own.

Torch keeps some inside: attention, recurrent modules of several layers, transposed convolutions,
and what a network's code multiplies itself. They are exchanged for modules that compute the same
and can be quantised.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import matmul
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node
from torch.nn import functional as F

from lrmp.accuracy.lab.models.activation_product import ActivationProduct
from lrmp.accuracy.lab.models.attention import OpenedMultihead, ScaledAttention
from lrmp.accuracy.lab.models.recurrent import RecurrentStack
from lrmp.accuracy.lab.models.staged import LAYER_NAME, LAYERS
from lrmp.accuracy.lab.models.traced import trace_whole
from lrmp.accuracy.lab.models.transposed import OpenedTransposed, Transposed
from lrmp.hardware.networks.layer import Layer

#: How far outputs of the opened module may be from those of the module, of the largest.
SAME = 1e-4
_PLACE = "lrmp_products"


def open_layers(module: nn.Module, inputs: Tensor, layers: Sequence[Layer] | None) -> nn.Module:
    """Put every matrix of a module in the open.

    Args:
        module: In evaluation mode; it may be changed.
        inputs: A batch that it takes.
        layers: Those that its costs are known by, whose names the modules get; None if nobody
            knows them.

    Returns:
        A module that computes the same. What cannot be opened stays as it is.

    Raises:
        AccuracyDataError: If an attention appends keys of its own.
    """
    with torch.no_grad(), _no_shortcuts():
        expected = module(inputs.clone())
        opened = _open_modules(module, inputs)
        if layers is None:
            return opened
        order = run_order(opened, inputs)
        if not opens(order, layers):
            traced = trace_whole(opened, inputs)
            if traced is None:
                return opened
            open_products(traced)
            order = run_order(traced, inputs)
            if not opens(order, layers) or not _same(traced(inputs.clone()), expected):
                return opened
            opened = traced
        name_layers(order, layers)
    return opened


def opens(order: Sequence[nn.Module], layers: Sequence[Layer]) -> bool:
    """Say whether modules are the layers that costs are known by, one by one.

    Args:
        order: Modules, as they run.
        layers: In the same order.

    Returns:
        Whether kinds and numbers of weights agree.
    """
    return len(order) == len(layers) and all(map(_is, order, layers))


def name_layers(order: Sequence[nn.Module], layers: Sequence[Layer]) -> None:
    """Give modules the names that their layers have elsewhere.

    Args:
        order: Modules, as they run.
        layers: In the same order.
    """
    for module, layer in zip(order, layers, strict=True):
        setattr(module, LAYER_NAME, layer.name)


def run_order(module: nn.Module, inputs: Tensor) -> list[nn.Module]:
    """List the layers as they first run.

    Args:
        module: Any.
        inputs: A batch that it takes.

    Returns:
        Modules, each once.
    """
    found: dict[int, nn.Module] = {}
    hooks = [
        each.register_forward_pre_hook(lambda this, _: found.setdefault(id(this), this) and None)
        for each in module.modules()
        if isinstance(each, LAYERS)
    ]
    try:
        with torch.no_grad():
            module(inputs.clone())
    finally:
        for hook in hooks:
            hook.remove()
    return list(found.values())


def open_products(graph_module: GraphModule) -> None:
    """Exchange the products that a graph computes by itself for modules.

    Args:
        graph_module: Changed in place.
    """
    graph = graph_module.graph
    constants = _Constants(graph_module)
    for number, node in enumerate(list(graph.nodes)):
        made = _opened(node, graph_module, constants)
        if made is None:
            continue
        module, operands = made
        name = f"{_PLACE}.{number}"
        graph_module.add_submodule(name, module)
        with graph.inserting_before(node):
            new = graph.call_module(name, *operands)
        node.replace_all_uses_with(new)
        graph.erase_node(node)
    graph_module.recompile()


def _open_modules(module: nn.Module, inputs: Tensor) -> nn.Module:
    """Open attention, transposed convolutions, and recurrent modules of several layers."""
    packed = _self_attention(module, inputs)
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.MultiheadAttention):
                made: nn.Module = OpenedMultihead(child, packed=packed.get(id(child), False))
            elif isinstance(child, nn.RNNBase) and _holds_several(child):
                made = RecurrentStack(child)
            elif isinstance(child, Transposed):
                made = OpenedTransposed(child)
            else:
                continue
            setattr(parent, name, made.eval())
    return module


def _holds_several(module: nn.RNNBase) -> bool:
    return (module.num_layers > 1 or module.bidirectional) and not module.proj_size


def _self_attention(module: nn.Module, inputs: Tensor) -> dict[int, bool]:
    """Say which attentions project queries, keys and values from one tensor."""
    found: dict[int, bool] = {}

    def look(this: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        given = (*given, *(named[name] for name in ("query", "key", "value") if name in named))
        found[id(this)] = given[0] is given[1] is given[2] and this.in_proj_weight is not None

    hooks = [
        each.register_forward_pre_hook(look, with_kwargs=True)
        for each in module.modules()
        if isinstance(each, nn.MultiheadAttention)
    ]
    if hooks:
        module(inputs.clone())
    for hook in hooks:
        hook.remove()
    return found


@contextmanager
def _no_shortcuts() -> Iterator[None]:
    """Keep torch's encoders from going round their modules."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


class _Constants:
    """Tensors of a graph that do not depend on its inputs."""

    def __init__(self, module: GraphModule) -> None:
        self._module = module
        self._found: dict[Node, Any] = {}

    def of(self, node: Any) -> Tensor | None:
        """Return the tensor of a node; None if it depends on inputs, or is no tensor."""
        value = self._value(node) if isinstance(node, Node) else None
        return value if isinstance(value, Tensor) else None

    def _value(self, node: Node) -> Any:
        """Return what a node gives, perhaps several tensors; None if that depends on inputs."""
        if node not in self._found:
            self._found[node] = self._compute(node)
        return self._found[node]

    def _compute(self, node: Node) -> Any:
        if node.op == "get_attr":
            where, _, name = str(node.target).rpartition(".")
            return getattr(self._module.get_submodule(where), name)
        sources = node.all_input_nodes
        if node.op in ("placeholder", "output") or not sources:
            return None
        if any(self._value(source) is None for source in sources):
            return None
        args = torch.fx.map_arg(node.args, self._value)
        named = torch.fx.map_arg(node.kwargs, self._value)
        function: Callable[..., Any]
        if node.op == "call_method":
            function = getattr(torch.Tensor, str(node.target))
        elif node.op == "call_module":
            function = self._module.get_submodule(str(node.target))
        else:
            assert callable(node.target)
            function = node.target
        return function(*args, **named)


_PRODUCTS = (torch.matmul, torch.bmm, matmul)
#: Of modules that onnx2pytorch makes, and of methods of tensors.
_PRODUCT_NAMES = ("MatMul", "matmul", "bmm", "__matmul__")

_Made = tuple[nn.Module, tuple[tuple[Any, ...], dict[str, Any]]]


def _opened(node: Node, module: GraphModule, constants: _Constants) -> _Made | None:
    """Return the module that computes a node, and its operands; None if it is no such product."""
    kind = _kind(node, module)
    if kind is None:
        return None
    given, named = node.args, dict(node.kwargs)
    if kind == "product" and len(given) == 2 and not named:
        return _product(given, constants)
    if kind == "linear":
        return _of_weights(given, named, constants)
    if kind == "attention":
        return ScaledAttention(), (given, named)
    if kind == "einsum":
        equation, operands = _equation(node, module)
        if len(operands) == 2 and all(constants.of(each) is None for each in operands):
            return ActivationProduct(equation), (operands, {})
    return None


def _kind(node: Node, module: GraphModule) -> str | None:
    target: Any = node.target
    if node.op == "call_module":
        target = type(module.get_submodule(str(target))).__name__
        return {"MatMul": "product", "Einsum": "einsum"}.get(target)
    if node.op == "call_method":
        return "product" if target in _PRODUCT_NAMES else None
    if node.op != "call_function":
        return None
    if target in _PRODUCTS:
        return "product"
    known = {
        F.scaled_dot_product_attention: "attention",
        F.linear: "linear",
        torch.einsum: "einsum",
    }
    return known.get(target)


def _product(operands: tuple[Any, ...], constants: _Constants) -> _Made | None:
    stream, matrix = operands
    weight = constants.of(matrix)
    if weight is not None and weight.ndim == 2:
        return _linear(weight.t(), None), ((stream,), {})
    if weight is not None or constants.of(stream) is not None:
        return None
    return ActivationProduct(), ((stream, matrix), {})


def _of_weights(
    given: tuple[Any, ...], named: dict[str, Any], constants: _Constants
) -> _Made | None:
    """Make a layer of a call of ``linear``, where its weights are constant."""
    operands = dict(zip(("input", "weight", "bias"), given, strict=False)) | named
    weight, bias = constants.of(operands["weight"]), operands.get("bias")
    if weight is None or weight.ndim != 2 or (bias is not None and constants.of(bias) is None):
        return None
    return _linear(weight, constants.of(bias)), ((operands["input"],), {})


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    made.weight = nn.Parameter(weight.detach().contiguous(), requires_grad=False)
    if bias is not None:
        made.bias = nn.Parameter(bias.detach(), requires_grad=False)
    return made


def _equation(node: Node, module: GraphModule) -> tuple[str, tuple[Any, ...]]:
    if node.op == "call_module":
        return str(module.get_submodule(str(node.target)).equation), node.args
    equation, *operands = node.args
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = list(operands[0])
    return str(equation), tuple(operands)


def _is(module: nn.Module, layer: Layer) -> bool:
    if isinstance(module, ActivationProduct):
        return layer.kind == "matmul"
    if isinstance(module, nn.RNNBase):
        weights = sum(v.numel() for n, v in module.named_parameters() if n.startswith("weight"))
        return layer.kind == "recurrent" and weights == layer.weights
    weight = module.weight
    assert isinstance(weight, Tensor)
    return layer.kind not in ("matmul", "recurrent") and weight.numel() == layer.weights


def _same(found: Any, expected: Any) -> bool:
    if not (isinstance(found, Tensor) and isinstance(expected, Tensor)):
        return False
    if found.shape != expected.shape:
        return False
    return torch.allclose(found, expected, rtol=SAME, atol=SAME * float(expected.abs().max()))
