"""An ONNX file as a torch module that can be measured: its operators by onnx2pytorch."""

import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count, zip_longest
from operator import getitem
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Interpreter, Node, Proxy, Tracer

from lrmp.accuracy.lab.models.onnx_float import dequantise, fold_branches
from lrmp.accuracy.lab.models.onnx_operators import NODE, OneByOne, open_operator
from lrmp.accuracy.lab.models.opened import name_layers, open_products, opens, run_order
from lrmp.errors import AccuracyDataError, MissingExtraError
from lrmp.foreign_file import read_foreign
from lrmp.hardware.networks.layer import Layer

#: What onnx2pytorch takes from torchvision, for operators that no classifier has.
_OF_TORCHVISION = {
    "torchvision": (),
    "torchvision.io": ("ImageReadMode", "decode_image"),
    "torchvision.ops": ("box_convert", "deform_conv2d", "nms", "roi_align", "roi_pool"),
}
#: Operators that multiply by a matrix which nothing here rounds, as onnx2pytorch calls them.
_CLOSED = (
    "MatMul",
    "Einsum",
    "Attention",
    "LinearAttention",
    "Gemm",
    "General",
    "ConvInteger",
    "MatMulInteger",
    "QLinearConv",
    "QLinearMatMul",
    "DeformConv",
    "Scan",
    "Loop",
    "If",
)
#: Operators that make zeros of zeros.
_KEEPS_ZERO = (
    "Expand",
    "Identity",
    "Unsqueeze",
    "Squeeze",
    "Reshape",
    "Slice",
    "Transpose",
    "Cast",
)
_DOMAINS = ("", "ai.onnx")
_MOST_BYTES = 2**31 - 1
#: How far the scores of a batch may be from those of its images one by one, of the largest.
_SAME = 1e-4


def module_from_onnx(path: Path, layers: Sequence[Layer], example: Tensor) -> nn.Module:
    """Build a module that computes what an ONNX file does, with layers that can be exchanged.

    Files that were exported for one image take batches afterwards: a ``Reshape`` to 1 row keeps the
    rows that come. Where that is not enough, the images of a batch run one by one.

    Args:
        path: The file; weights in files beside it are read, too.
        layers: What ``Network.from_onnx`` finds in it, whose names the modules have as layers.
        example: A batch of at least 2 inputs, shape (N, ...).

    Returns:
        The module in evaluation mode; its layers are convolutions, linear and recurrent layers of
        torch, and products of activations.

    Raises:
        AccuracyDataError: If the file holds an operator that is not known, its layers are not those
            of the network, or it does not take the inputs.
        MissingExtraError: If onnx or onnx2pytorch is not installed.
    """
    model = _load(path)
    _open_batch(model.graph)
    _part_sums(model.graph)
    _list_axes(model.graph)
    _drop_zero_states(model.graph)
    module = _trace(_convert(path, model, _rename(model.graph)))
    _open(module)
    named = _renamed(module, path.stem)
    _name_layers(path, named, layers, example)
    return _batched(path, named, example)


def _load(path: Path) -> Any:
    """Read the file with all its weights."""
    try:
        import onnx
        import onnx.inliner
        from onnx.external_data_helper import load_external_data_for_model

        from lrmp.hardware.readers.onnx_limits import check_functions, check_nodes
    except ImportError as error:
        raise _missing(error) from error
    try:
        model = onnx.load_model_from_string(read_foreign(path, _MOST_BYTES))
        if model.functions:
            check_functions(model)
            model = onnx.inliner.inline_local_functions(model)
        check_nodes(model.graph)
        load_external_data_for_model(model, str(path.parent))
        fold_branches(model)
    except Exception as error:  # whatever damage leads onnx to
        raise AccuracyDataError(
            f"Expected {path} to be a whole ONNX file with its weights: {error}. Export it again."
        ) from error
    dequantise(model, path)
    foreign = [node for node in model.graph.node if node.domain not in _DOMAINS]
    if foreign:
        raise AccuracyDataError(
            f"Expected operators of ONNX itself in {path}, to run it; got "
            f"{foreign[0].domain}.{foreign[0].op_type} at {_place(foreign[0])}. Export the float "
            "network without it, or give --no-accuracy."
        )
    return model


def _missing(error: ImportError) -> MissingExtraError:
    return MissingExtraError.of(error.name, "to run ONNX files", "optimize")


def _place(node: Any) -> str:
    return repr(node.name or next(iter(node.output), ""))


def _open_batch(graph: Any) -> None:
    """Let a graph that was exported for one image take batches."""
    from onnx import numpy_helper

    stored = {tensor.name: tensor for tensor in graph.initializer}
    first = next((i for i in graph.input if i.name not in stored), None)
    sizes = [] if first is None else first.type.tensor_type.shape.dim
    if not sizes or sizes[0].dim_value != 1:
        return
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            stored[node.output[0]] = node.attribute[0].t
    for number, node in enumerate(graph.node):
        if node.op_type != "Reshape" or len(node.input) < 2 or node.input[1] not in stored:
            continue
        shape = numpy_helper.to_array(stored[node.input[1]]).copy()
        if shape.ndim != 1 or not len(shape) or shape[0] != 1 or node.input[0] in stored:
            continue
        # A 0 keeps the size of the input.
        shape[0] = 0 if -1 in shape else -1
        node.input[1] = f"lrmp_shape_{number}"
        graph.initializer.append(numpy_helper.from_array(shape, node.input[1]))


def _part_sums(graph: Any) -> None:
    """Keep onnx2pytorch from taking what follows a product for its bias where it is no vector."""
    from onnx import helper

    sizes = {tensor.name: tensor.dims for tensor in graph.initializer}
    nodes = []
    for node, after in zip_longest(graph.node, graph.node[1:]):
        nodes.append(node)
        if node.op_type != "MatMul" or after is None or after.op_type != "Add":
            continue
        if all(len(sizes.get(name, (1,))) == 1 for name in after.input):
            continue
        name = node.output[0]
        node.output[0] = f"{name}_lrmp_product"
        nodes.append(helper.make_node("Identity", [node.output[0]], [name], name=node.name))
    del graph.node[:]
    graph.node.extend(nodes)


def _list_axes(graph: Any) -> None:
    """Make lists of single axes, as the standard has them; torch's exporter writes numbers."""
    numbers = {tensor.name: tensor for tensor in graph.initializer if not tensor.dims}
    for node in graph.node:
        if node.op_type in ("Unsqueeze", "Squeeze") and len(node.input) > 1:
            axes = numbers.get(node.input[1])
            if axes is not None:
                node.input[1] = f"{axes.name}_lrmp_axes"
                if all(tensor.name != node.input[1] for tensor in graph.initializer):
                    listed = graph.initializer.add()
                    listed.CopyFrom(axes)
                    listed.name = node.input[1]
                    listed.dims.append(1)


def _drop_zero_states(graph: Any) -> None:
    """Leave out initial states of zeros, which recurrent operators have by themselves."""
    from onnx import numpy_helper

    stored = {tensor.name: tensor for tensor in graph.initializer}
    made = {output: node for node in graph.node for output in node.output}

    def is_zero(name: str) -> bool:
        if name in stored:
            return not numpy_helper.to_array(stored[name]).any()
        node = made.get(name)
        if node is None:
            return False
        value = next((each.t for each in node.attribute if each.name == "value"), None)
        if node.op_type in ("Constant", "ConstantOfShape"):
            constant = node.op_type == "ConstantOfShape" and value is None
            return constant or (value is not None and not numpy_helper.to_array(value).any())
        return node.op_type in _KEEPS_ZERO and is_zero(node.input[0])

    for node in graph.node:
        if node.op_type in ("LSTM", "GRU", "RNN"):
            for place in (5, 6):
                if len(node.input) > place and node.input[place] and is_zero(node.input[place]):
                    node.input[place] = ""


def _convert(path: Path, model: Any, names: Mapping[str, str]) -> nn.Module:
    nodes = {
        node.output[0]: f"{node.op_type} at {node.name or names[node.output[0]]!r}"
        for node in model.graph.node
        if node.output
    }
    try:
        module = _built(model)
    except ImportError as error:
        raise _missing(error) from error
    except Exception as error:  # whatever the graph leads it to
        raise AccuracyDataError(
            f"Expected operators in {path} that onnx2pytorch runs, got {type(error).__name__}: "
            f"{error}{_blame(model, error)}. Export the float network without it, or give "
            "--no-accuracy."
        ) from error
    for output, operator in module.mapping.items():
        setattr(getattr(module, operator), NODE, nodes.get(output, operator))
    converted: nn.Module = module.requires_grad_(False).eval()
    return converted


def _built(model: Any) -> Any:
    with _torchvision():
        from onnx2pytorch import ConvertModel
    # torch says so of onnx2pytorch's Gather whenever it runs; what it computes is right until then.
    warnings.filterwarnings("ignore", "Using a non-tuple sequence", module=r"onnx2pytorch\.")
    warnings.filterwarnings("ignore", "Truncating the start/stop/step of slice")  # the largest stop
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of arrays that nobody writes into, and unused domains
        return ConvertModel(model)


def _blame(model: Any, error: Exception) -> str:
    """Name the first operator that cannot be converted by itself."""
    from onnx import helper

    for node in model.graph.node:
        kept = [tensor for tensor in model.graph.initializer if tensor.name in node.input]
        alone = helper.make_graph([node], "one", [], [], kept)
        part = helper.make_model(alone, opset_imports=list(model.opset_import))
        try:
            _built(part)
        except Exception as found:
            if type(found) is type(error):
                return f" ({node.op_type} at {_place(node)})"
    return ""


@contextmanager
def _torchvision() -> Iterator[None]:
    """Let onnx2pytorch be imported where torchvision is missing, or built for another torch."""
    if "onnx2pytorch" in sys.modules:
        yield
        return
    try:
        import torchvision  # noqa: F401  # pyright: ignore[reportMissingImports]
    except Exception:  # a build for another torch raises what it likes
        for name, members in _OF_TORCHVISION.items():
            module = ModuleType(name)
            vars(module).update(dict.fromkeys(members))
            sys.modules[name] = module
        try:
            yield
        finally:
            for name in _OF_TORCHVISION:
                sys.modules.pop(name, None)
    else:
        yield


def _rename(graph: Any) -> dict[str, str]:
    """Number the tensors: their names become those of modules, which take no dots.

    Returns the names that they had.
    """
    numbers: dict[str, str] = {"": ""}
    for tensor in (*graph.input, *graph.initializer):
        tensor.name = numbers.setdefault(tensor.name, f"t{len(numbers)}")
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [numbers.setdefault(name, f"t{len(numbers)}") for name in names]
    for tensor in graph.output:
        tensor.name = numbers.setdefault(tensor.name, f"t{len(numbers)}")
    return {number: name for name, number in numbers.items()}


class _Operators(Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Keep every operator whole, but for a padding and the layer behind it."""
        return not isinstance(m, nn.Sequential | _Caller)

    def iter(self, obj: Proxy) -> Iterator[Any]:
        """Unpack the outputs of an operator; who asks knows how many there are."""
        outputs: Any = obj
        return (outputs[number] for number in count())


class _Caller(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> Any:
        """Run the network in the open, operator by operator.

        Args:
            inputs: Its one input.

        Returns:
            What it gives.
        """
        return type(self.network).forward(self.network, inputs)


def _trace(module: nn.Module) -> GraphModule:
    """Turn what onnx2pytorch interprets node by node into a graph."""
    caller = _Caller(module)
    traced = GraphModule(caller, _Operators().trace(caller))
    for node in traced.graph.nodes:
        if node.op != "call_module":
            continue
        pool: Any = traced.get_submodule(node.target)
        alone = all(user.target is getitem and user.args[1] == 0 for user in node.users)
        if getattr(pool, "return_indices", False) and alone:
            pool.return_indices = False  # nobody reads them
            for user in list(node.users):
                user.replace_all_uses_with(node)
                traced.graph.erase_node(user)
    return traced


def _open(module: GraphModule) -> None:
    """Put the layers that operators hold, and products of activations, in the open."""
    for name, operator in list(module.named_modules()):
        opened = open_operator(operator)
        if opened is not operator:
            setattr(opened, NODE, getattr(operator, NODE, ""))
            module.set_submodule(name, opened.eval())
    open_products(module)
    _share_layers(module)


def _share_layers(module: GraphModule) -> None:
    """Make one layer of those of the same weights, which are one matrix used again."""
    kept: list[tuple[str, nn.Linear]] = []
    for node in module.graph.nodes:
        layer = module.get_submodule(str(node.target)) if node.op == "call_module" else None
        if not isinstance(layer, nn.Linear):
            continue
        same = next((name for name, other in kept if _alike(layer, other)), None)
        if same is None:
            kept.append((str(node.target), layer))
        else:
            node.target = same
    module.recompile()


def _alike(one: nn.Linear, other: nn.Linear) -> bool:
    pairs = ((one.weight, other.weight), (one.bias, other.bias))
    return all(a is b or (a is not None and b is not None and torch.equal(a, b)) for a, b in pairs)


def _renamed(module: GraphModule, name: str) -> GraphModule:
    """Call submodules by what they are: paths of onnx2pytorch may clash with those of layers."""
    parts: dict[str, Any] = {}
    for number, node in enumerate(module.graph.nodes):
        if node.op == "call_module":
            called = module.get_submodule(str(node.target))
            node.target = f"operators.{number}_{type(called).__name__}"
            parts[node.target] = called
        elif node.op == "get_attr":
            value = _attribute(module, node)
            node.target = f"constants.c{number}"
            parts[node.target] = value
    named = GraphModule(parts, module.graph, name)
    return named.requires_grad_(False).eval()


def _attribute(module: GraphModule, node: Node) -> Any:
    where, _, name = str(node.target).rpartition(".")
    return getattr(module.get_submodule(where), name)


def _name_layers(path: Path, module: GraphModule, layers: Sequence[Layer], example: Tensor) -> None:
    """Give the layers the names that the cost model has for them."""
    try:
        order = run_order(module, example[:1])
    except Exception as error:  # whatever shapes that do not fit lead to
        raise _unfit(path, module, example, error) from error
    if not opens(order, layers):
        raise AccuracyDataError(
            f"Expected {path} to run as {len(layers)} layers, "
            f"{', '.join(layer.name for layer in layers[:4])}{' ...' * (len(layers) > 4)}, as the "
            f"cost model reads it, got {len(order)}{_unlike(module, order, layers)}. Give the "
            "network as a torch module (file.py:factory), or --no-accuracy."
        )
    name_layers(order, layers)


def _unlike(module: nn.Module, order: Sequence[nn.Module], layers: Sequence[Layer]) -> str:
    """Say which layer is the first without a module, and which operators hold it perhaps."""
    found = next(
        (layer for layer, each in zip(layers, order, strict=False) if not opens([each], [layer])),
        layers[len(order)] if len(order) < len(layers) else None,
    )
    if found is None:
        return ""
    closed = [
        str(getattr(each, NODE))
        for each in module.modules()
        if type(each).__name__ in _CLOSED and hasattr(each, NODE)
    ]
    inside = f"; nothing here rounds what {', '.join(closed[:3])} multiplies" if closed else ""
    return f", and {found.name!r} ({found.kind}) is none of them{inside}"


def _unfit(path: Path, module: GraphModule, example: Tensor, error: Exception) -> AccuracyDataError:
    return AccuracyDataError(
        f"Expected {path} to take inputs of shape {tuple(example.shape)}, got "
        f"{type(error).__name__}{_failing(module, example[:1])}: {error}. Export it with an open "
        "batch axis, and give images of the size that it takes; or --no-accuracy."
    )


def _failing(module: GraphModule, one: Tensor) -> str:
    """Name the operator that fails."""
    run = _LastNode(module)
    try:
        with torch.inference_mode():
            run.run(one)
    except Exception:  # it fails as it did before
        last = run.last
        if last is not None and last.op == "call_module":
            called = module.get_submodule(str(last.target))
            return f" in {getattr(called, NODE, type(called).__name__)}"
    return ""


class _LastNode(Interpreter):
    """Runs a graph and remembers the node that it is at."""

    last: Node | None = None

    def run_node(self, n: Node) -> Any:
        """Run a node."""
        self.last = n
        return super().run_node(n)


def _batched(path: Path, module: GraphModule, example: Tensor) -> nn.Module:
    """Return a module that gives for a batch what its inputs give one by one."""
    with torch.inference_mode():
        try:
            together = module(example)
        except Exception:  # it was exported for one input, in a way that cannot be opened
            together = None
        try:
            alone = torch.cat([module(one[None]) for one in example])
        except Exception as error:  # whatever shapes that do not fit lead to
            raise _unfit(path, module, example, error) from error
    if together is None or together.shape != alone.shape:
        return OneByOne(module).eval()
    if not torch.allclose(together, alone, rtol=_SAME, atol=_SAME * float(alone.abs().max())):
        raise AccuracyDataError(
            f"Expected {path} to answer for every input by itself, got answers that depend on the "
            "others of a batch. Export it with an open batch axis."
        )
    return module
