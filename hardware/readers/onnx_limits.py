"""How large an ONNX graph may be: known before its functions are written out and it is walked."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto

#: Operators of a graph with its functions written out; GPT-2's has some 3,000.
MAX_NODES = 50_000

#: Bytes that functions add to it.
MAX_FUNCTION_BYTES = 2**26

#: Calls within calls; modules of torch nest a tenth as deep.
MAX_CALLS = 100

_Key = tuple[str, str, str]  # domain, name, overload


@dataclass(frozen=True)
class _Size:
    """The most that a function becomes when it is written out.

    Attributes:
        nodes: Operators.
        bytes: Of all operators.
        references: To attributes of the call, each of which is copied there.
        calls: One within the other.
    """

    nodes: int = 0
    bytes: int = 0
    references: int = 0
    calls: int = 0


def check_nodes(graph: GraphProto) -> None:
    """Refuse a graph with too many operators, those of branches and loops among them.

    Args:
        graph: Of a model.

    Raises:
        ValueError: If it has more than ``MAX_NODES``.
    """
    for count, _ in enumerate(_all_nodes(graph.node), start=1):
        if count > MAX_NODES:
            raise ValueError(f"it has more than {MAX_NODES} operators")


def check_functions(model: ModelProto) -> None:
    """Refuse functions that call themselves, or grow too large when they are written out.

    Args:
        model: With functions of its own.

    Raises:
        ValueError: If it has such functions.
    """
    functions = {_key(f.domain, f.name, f.overload): f for f in model.functions}
    calls = {key: _calls(function, functions) for key, function in functions.items()}
    sizes: dict[_Key, _Size] = {}
    try:
        for key in TopologicalSorter(calls).static_order():
            sizes[key] = _written_out(functions[key].node, sizes)
    except CycleError as error:
        names = ", ".join(repr(key[1]) for key in error.args[1][:3])
        raise ValueError(f"its functions call themselves: {names}") from error
    _written_out(model.graph.node, sizes, own_bytes=False)


def _written_out(
    nodes: Iterable[NodeProto], sizes: dict[_Key, _Size], *, own_bytes: bool = True
) -> _Size:
    """Add up what nodes become, with the functions that they call."""
    total = _Size()
    for node in _all_nodes(nodes):
        size = node.ByteSize()
        called = sizes.get(_key(node.domain, node.op_type, node.overload), _Size())
        references = sum(bool(attribute.ref_attr_name) for attribute in node.attribute)
        total = _Size(
            total.nodes + 1 + called.nodes,
            # All that the call gives may be copied to every place that refers to it.
            total.bytes + own_bytes * size + called.bytes + called.references * size,
            total.references + references * max(1, called.references),
            max(total.calls, called.calls + bool(called.nodes)),
        )
        if total.nodes > MAX_NODES or total.bytes > MAX_FUNCTION_BYTES or total.calls > MAX_CALLS:
            raise ValueError(
                f"with its functions written out it has more than {MAX_NODES} operators, "
                f"{MAX_FUNCTION_BYTES} bytes of them, or {MAX_CALLS} calls one within the other"
            )
    return total


def _all_nodes(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """Walk nodes and those of their subgraphs; the format itself limits how deep they nest."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from _all_nodes(attribute.g.node)
            for graph in attribute.graphs:
                yield from _all_nodes(graph.node)


def _calls(function: FunctionProto, functions: dict[_Key, FunctionProto]) -> set[_Key]:
    keys = {_key(n.domain, n.op_type, n.overload) for n in _all_nodes(function.node)}
    return keys & functions.keys()


def _key(domain: str, name: str, overload: str) -> _Key:
    return "" if domain == "ai.onnx" else domain, name, overload
