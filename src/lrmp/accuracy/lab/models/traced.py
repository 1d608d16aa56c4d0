"""Any module as a chain of stages: its graph, as torch.fx traces it, cut where it is narrow."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph, GraphModule, Interpreter, Node, Tracer

from lrmp.accuracy.lab.models.staged import LAYERS, Stage
from lrmp.accuracy.lab.models.transposed import OverlapAdd

#: Where a module hangs while it is traced.
_PLACE = "module"
#: Convolutions, and the batch norms that are folded into them.
FOLDED: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv1d: nn.BatchNorm1d,
    nn.Conv2d: nn.BatchNorm2d,
    nn.Conv3d: nn.BatchNorm3d,
}


@dataclass(frozen=True, eq=False)
class TracedStages:
    """How a module runs in stages, each a function of what the one before gives.

    Attributes:
        graphs: One per stage. They name submodules, so they run those of any copy of the module.
        batch_norms: The batch norm that alone reads what a convolution gives, by module names.
    """

    graphs: tuple[Graph, ...]
    batch_norms: dict[str, str]

    def of(self, module: nn.Module) -> list[Stage]:
        """Run a module in stages.

        Args:
            module: The one that was traced, or a copy with other layers.

        Returns:
            Callables; their composition is the module.
        """
        return [GraphModule(module, graph) for graph in self.graphs]


def trace_stages(module: nn.Module, inputs: Tensor) -> TracedStages | None:
    """Cut a module where a single tensor is all that the rest of it needs.

    There is a cut before every layer with weights where that is so, so that what several designs
    begin with, and what comes before a layer that is measured, need not run again.

    Args:
        module: In evaluation mode.
        inputs: A batch that it takes.

    Returns:
        The stages; None if torch.fx cannot follow the module, or follows something else than what
        it does. It runs in one piece then.
    """
    whole = trace_whole(module, inputs)
    if whole is None or len(list(whole.graph.nodes)[-1].all_input_nodes) != 1:
        return None
    nodes, run = list(whole.graph.nodes), _Recorder(whole)
    with torch.no_grad():
        run.run(inputs.clone())
    return TracedStages(_cut(nodes, run.tensors, module), _batch_norms(nodes, module))


def trace_whole(module: nn.Module, inputs: Tensor) -> GraphModule | None:
    """Follow a module with torch.fx; layers stay whole.

    Args:
        module: In evaluation mode.
        inputs: A batch that it takes.

    Returns:
        A module of its graph with the same submodules; None if torch.fx cannot follow it, or
        follows something else than what it does.
    """
    try:
        graph = _Tracer().trace(_Caller(module))
        for node in graph.nodes:
            if node.op in ("call_module", "get_attr"):
                node.target = str(node.target).removeprefix(f"{_PLACE}.")
        whole = GraphModule(module, graph)
        with torch.no_grad():
            same = torch.equal(whole(inputs.clone()), module(inputs.clone()))
    except Exception:  # whatever the module's own code raises when it is given no real tensor
        return None
    # It may follow another way than real tensors do, such as one that asks for their type.
    return whole.eval() if same else None


class _Caller(nn.Module):
    """Calls a module with one argument, as everybody does here: the others have their defaults."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.add_module(_PLACE, module)

    def forward(self, inputs: Tensor) -> Any:
        """Run the module.

        Args:
            inputs: Its one argument.

        Returns:
            What it gives.
        """
        return self.get_submodule(_PLACE)(inputs)


class _Tracer(Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Keep layers whole, those of users' own kinds, too: they are what is exchanged.

        The operators of ONNX files stay whole as well: some look at values.
        """
        of_onnx = type(m).__module__.startswith("onnx2pytorch.")
        whole = isinstance(m, (*LAYERS, OverlapAdd))
        return whole or of_onnx or super().is_leaf_module(m, module_qualified_name)


class _Recorder(Interpreter):
    """Runs a graph and notes which nodes are tensors."""

    def __init__(self, module: GraphModule) -> None:
        super().__init__(module)
        self.tensors: set[Node] = set()

    def run_node(self, n: Node) -> Any:
        """Run a node."""
        value = super().run_node(n)
        if isinstance(value, Tensor):
            self.tensors.add(n)
        return value


def _is_layer(node: Node, module: nn.Module) -> bool:
    return node.op == "call_module" and isinstance(module.get_submodule(str(node.target)), LAYERS)


def _cut(nodes: Sequence[Node], tensors: set[Node], module: nn.Module) -> tuple[Graph, ...]:
    """Make a graph of every stage."""
    layers = sum(_is_layer(node, module) for node in nodes)
    cuts: dict[int, tuple[int, Node]] = {}  # by the number of layers before: the last one counts
    seen, alive = 0, set[Node]()
    left = {node: len(node.users) for node in nodes}
    for place, node in enumerate(nodes):
        for source in node.all_input_nodes:
            left[source] -= 1
            if not left[source]:
                alive.discard(source)
        seen += _is_layer(node, module)
        # Parameters can be read wherever they are needed.
        if left[node] and node.op != "get_attr":
            alive.add(node)
        if 0 < seen < layers and len(alive) == 1 and alive <= tensors:
            cuts[seen] = (place + 1, next(iter(alive)))
    places = [0, *(place for place, _ in cuts.values()), len(nodes)]
    (result,) = nodes[-1].all_input_nodes
    between = [None, *(node for _, node in cuts.values()), result]
    return tuple(
        _part(nodes[start:stop], given, wanted)
        for (start, stop), (given, wanted) in zip(pairwise(places), pairwise(between), strict=True)
    )


def _part(nodes: Sequence[Node], given: Node | None, wanted: Node | None) -> Graph:
    """Make a graph of some nodes that turns one tensor into another."""
    part, copies = Graph(), dict[Node, Node]()
    if given is not None:
        copies[given] = part.placeholder("maps")
    for node in nodes:
        if node.op == "output":
            continue
        for source in node.all_input_nodes:
            if source not in copies:  # a parameter that is read before
                copies[source] = part.node_copy(source)
        copies[node] = part.node_copy(node, copies.__getitem__)
    assert wanted is not None
    part.output(copies[wanted])
    return part


def _batch_norms(nodes: Sequence[Node], module: nn.Module) -> dict[str, str]:
    """Pair convolutions with the batch norms that can be folded into them."""
    called = {
        node: module.get_submodule(str(node.target)) for node in nodes if node.op == "call_module"
    }
    uses = Counter(map(id, called.values()))
    pairs = {}
    for node, conv in called.items():
        kind = FOLDED.get(type(conv))
        if kind is None or uses[id(conv)] > 1 or len(node.users) != 1:
            continue
        (reader,) = node.users
        norm = called.get(reader)
        if (
            norm is not None
            and type(norm) is kind
            and uses[id(norm)] == 1
            and norm.running_mean is not None
        ):
            pairs[str(node.target)] = str(reader.target)
    return pairs
