"""An ONNX file as a torch module that can be measured: its operators by onnx2pytorch."""

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from operator import getitem
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node, Proxy, Tracer

from lrmp.accuracy.lab.models.staged import WEIGHTED
from lrmp.errors import AccuracyDataError, MissingExtraError
from lrmp.foreign_file import read_foreign
from lrmp.hardware.networks.layer import Layer

#: What onnx2pytorch takes from torchvision, for operators that no classifier has.
_OF_TORCHVISION = {
    "torchvision": (),
    "torchvision.io": ("ImageReadMode", "decode_image"),
    "torchvision.ops": ("box_convert", "deform_conv2d", "nms", "roi_align", "roi_pool"),
}
_DOMAINS = ("", "ai.onnx")
_MOST_BYTES = 2**31 - 1
#: How far the scores of a batch may be from those of its images one by one, of the largest.
_SAME = 1e-4


def module_from_onnx(path: Path, layers: Sequence[Layer], example: Tensor) -> GraphModule:
    """Build a module that computes what an ONNX file does, with layers that can be exchanged.

    Files that were exported for one image take batches afterwards: a ``Reshape`` to 1 row keeps the
    rows that come.

    Args:
        path: The file; weights in files beside it are read, too.
        layers: What ``Network.from_onnx`` finds in it, whose names the modules get.
        example: A batch of at least 2 inputs, shape (N, ...).

    Returns:
        The module in evaluation mode; its layers are ``Conv1d``, ``Conv2d`` and ``Linear`` by name.

    Raises:
        AccuracyDataError: If the file holds an operator that is not known, its layers are not those
            of the network, or it does not take a batch.
        MissingExtraError: If onnx or onnx2pytorch is not installed.
    """
    model = _load(path)
    _open_batch(model.graph)
    _rename(model.graph)
    module = _trace(_convert(path, model))
    named = _named(path, module, layers)
    _check_batches(path, named, example)
    return named


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
    except Exception as error:  # whatever damage leads onnx to
        raise AccuracyDataError(
            f"Expected {path} to be a whole ONNX file with its weights: {error}. Export it again."
        ) from error
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


def _convert(path: Path, model: Any) -> nn.Module:
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
    return module.requires_grad_(False).eval()


def _built(model: Any) -> nn.Module:
    with _torchvision():
        from onnx2pytorch import ConvertModel
    # torch says so of onnx2pytorch's Gather whenever it runs; what it computes is right until then.
    warnings.filterwarnings("ignore", "Using a non-tuple sequence", module=r"onnx2pytorch\.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of arrays that nobody writes into, and unused domains
        module: nn.Module = ConvertModel(model)
    return module


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


def _rename(graph: Any) -> None:
    """Number the tensors: their names become those of modules, which take no dots."""
    numbers: dict[str, str] = {"": ""}
    for tensor in (*graph.input, *graph.initializer):
        tensor.name = numbers.setdefault(tensor.name, f"t{len(numbers)}")
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [numbers.setdefault(name, f"t{len(numbers)}") for name in names]
    for tensor in graph.output:
        tensor.name = numbers.setdefault(tensor.name, f"t{len(numbers)}")


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


def _named(path: Path, module: GraphModule, layers: Sequence[Layer]) -> GraphModule:
    """Give the layers the names that the cost model has for them."""
    calls = [node for node in module.graph.nodes if node.op == "call_module"]
    called = {node: module.get_submodule(str(node.target)) for node in calls}
    weighted = [node for node in calls if isinstance(called[node], WEIGHTED)]
    stored = [layer for layer in layers if layer.kind != "matmul"]
    sizes = [_weights(called[node]) for node in weighted]
    if [layer.weights for layer in stored] != sizes:
        raise AccuracyDataError(
            f"Expected {path} to run as {len(stored)} convolutions and linear layers, "
            f"{', '.join(layer.name for layer in stored[:4])}{' ...' * (len(stored) > 4)}, as the "
            f"cost model reads it, got {len(sizes)}{_unlike(stored, sizes)}. Give the network as a "
            "torch module (file.py:factory), or --no-accuracy."
        )
    parts: dict[str, Any] = {}
    for number, node in enumerate(module.graph.nodes):
        if node in called:
            node.target = f"operators.{number}_{type(called[node]).__name__}"
            parts[node.target] = called[node]
        elif node.op == "get_attr":
            value = _attribute(module, node)
            node.target = f"constants.c{number}"
            parts[node.target] = value
    for node, layer in zip(weighted, stored, strict=True):
        del parts[node.target]
        node.target = layer.name
        parts[layer.name] = called[node]
    named = GraphModule(parts, module.graph, path.stem)
    return named.requires_grad_(False).eval()


def _weights(module: nn.Module) -> int:
    weight = module.weight
    assert isinstance(weight, Tensor)
    return weight.numel()


def _attribute(module: nn.Module, node: Node) -> Any:
    where, _, name = str(node.target).rpartition(".")
    return getattr(module.get_submodule(where), name)


def _unlike(layers: Sequence[Layer], sizes: Sequence[int]) -> str:
    for layer, size in zip(layers, sizes, strict=False):
        if layer.weights != size:
            return f", with {size:,} weights where {layer.name} has {layer.weights:,}"
    return ""


def _check_batches(path: Path, module: nn.Module, example: Tensor) -> None:
    """Check that a batch gives what its inputs give one by one."""
    try:
        with torch.inference_mode():
            together = module(example)
            alone = torch.cat([module(one[None]) for one in example])
    except Exception as error:  # whatever shapes that do not fit lead to
        raise AccuracyDataError(
            f"Expected {path} to take inputs of shape {tuple(example.shape)}, got "
            f"{type(error).__name__}: {error}. Export it with an open batch axis, and give "
            "images of the size that it takes."
        ) from error
    if not torch.allclose(together, alone, rtol=_SAME, atol=_SAME * float(alone.abs().max())):
        raise AccuracyDataError(
            f"Expected {path} to answer for every input by itself, got answers that depend on the "
            "others of a batch. Export it with an open batch axis."
        )
