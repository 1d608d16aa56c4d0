"""ONNX graphs without branches and without quantisation, as far as that is well-defined.

The float network of a quantised file has the weights that its integers stand for, and rounds no
activation. It still clips them to what the file's integers reach: exporters leave out a ReLU whose
work the quantiser's limits do.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.errors import AccuracyDataError

Array = NDArray[Any]
#: Operators that move or choose integers, so that what they stand for moves alike.
_MOVE = frozenset(
    (
        *("Concat", "Flatten", "Gather", "Identity", "MaxPool", "Reshape", "Slice", "Split"),
        *("Squeeze", "Unsqueeze", "Transpose", "Expand", "DepthToSpace", "SpaceToDepth"),
    )
)
#: Operators of ONNX Runtime between integers: the float one, and how many of its operands come
#: first, each with scale and zero point.
_CONTRIB = {
    "QLinearAdd": ("Add", 2),
    "QLinearMul": ("Mul", 2),
    "QLinearSigmoid": ("Sigmoid", 1),
    "QLinearLeakyRelu": ("LeakyRelu", 1),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", 1),
    "QLinearAveragePool": ("AveragePool", 1),
}
_DOMAINS = ("", "ai.onnx", "com.microsoft")
CLIP_OF_INPUTS = 11  # from which version on limits are inputs


@dataclass(frozen=True)
class Grid:
    """What integers of a tensor stand for: ``(integer - zero) * scale``."""

    scale: float
    zero: int
    least: int
    most: int

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the largest number."""
        return (self.least - self.zero) * self.scale, (self.most - self.zero) * self.scale


def fold_branches(model: Any) -> None:
    """Put the chosen branch of every ``If`` whose condition is constant in its place.

    Args:
        model: An ONNX model; changed in place. What depends on inputs stays as it is.
    """
    while True:
        constants = _Constants(model)
        for place, node in enumerate(model.graph.node):
            if node.op_type == "If" and (chosen := constants.of(node.input[0])) is not None:
                _inline(model.graph, place, f"{'then' if bool(chosen.item()) else 'else'}_branch")
                break
        else:
            return


def dequantise(model: Any, path: Any) -> None:
    """Make the float network of a quantised one.

    Args:
        model: An ONNX model with ``QuantizeLinear`` and ``DequantizeLinear``, ``QLinearConv``,
            ``QLinearMatMul``, or ONNX Runtime's operators alike; changed in place. One without is
            left alone, as are operators whose steps depend on the input.
        path: Of the file, for errors.

    Raises:
        AccuracyDataError: If it computes with integers in another way.
    """
    kinds = {node.op_type for node in model.graph.node}
    if kinds & {"QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm"}:
        _Float(model, path).run()


class _Constants:
    """Constant tensors of a graph by name, computed where they are asked for."""

    def __init__(self, model: Any) -> None:
        from onnx import numpy_helper

        self._array = numpy_helper.to_array
        self._opset = _opset(model)
        graph = model.graph
        given = {each.name for each in graph.input}
        self._stored = {each.name: each for each in graph.initializer if each.name not in given}
        self._made = {name: node for node in graph.node for name in node.output}
        self._found: dict[str, Array | None] = {}

    def of(self, name: str) -> Array | None:
        """Return a tensor; None if it depends on inputs, or cannot be computed."""
        if name not in self._found:
            self._found[name] = None  # of itself
            self._found[name] = self._compute(name)
        return self._found[name]

    def set(self, name: str, value: Array) -> None:
        """Say what a tensor is."""
        self._found[name] = value

    def _compute(self, name: str) -> Array | None:
        from lrmp.hardware.readers.onnx_constants import COMPUTED, compute

        if name in self._stored:
            return np.asarray(self._array(self._stored[name]))
        node = self._made.get(name)
        if node is None or node.op_type not in COMPUTED | {"Cast", "Not"}:
            return None
        operands = {each: self.of(each) for each in node.input if each}
        if any(value is None for value in operands.values()):
            return None
        known = {each: value for each, value in operands.items() if value is not None}
        results = compute(node, known, self._opset)
        if results is None:
            return None
        outputs = [each for each in node.output if each]
        found: Array = dict(zip(outputs, results, strict=True))[name]
        return found


def _opset(model: Any) -> int:
    return next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 1)


def _inline(graph: Any, place: int, branch: str) -> None:
    """Put the nodes of a branch in the place of its node, under names of their own."""
    from onnx import helper

    node = graph.node[place]
    chosen = next(each.g for each in node.attribute if each.name == branch)
    prefix = f"{node.name or node.output[0]}//"
    inner = [name for part in chosen.node for name in part.output if name]
    inner += [tensor.name for tensor in chosen.initializer]
    names = {name: prefix + name for name in inner}
    parts = [type(part).FromString(part.SerializeToString()) for part in chosen.node]
    _rename(parts, names)
    for tensor in chosen.initializer:
        kept = graph.initializer.add()
        kept.CopyFrom(tensor)
        kept.name = names[tensor.name]
    results = [names.get(each.name, each.name) for each in chosen.output]
    parts += [
        helper.make_node("Identity", [result], [output], name=prefix + output)
        for result, output in zip(results, node.output, strict=True)
    ]
    nodes = [*graph.node[:place], *parts, *graph.node[place + 1 :]]
    _exchange(graph, nodes)


def _rename(nodes: Iterable[Any], names: Mapping[str, str]) -> None:
    for node in nodes:
        for listed in (node.input, node.output):
            listed[:] = [names.get(name, name) for name in listed]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g.node, names)
                for output in attribute.g.output:
                    output.name = names.get(output.name, output.name)


def _exchange(graph: Any, nodes: list[Any]) -> None:
    kept = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)


class _Float:
    """Writes the float network of a quantised graph."""

    def __init__(self, model: Any, path: Any) -> None:
        self._model, self._path = model, path
        self._constants = _Constants(model)
        self._grids: dict[str, Grid] = {}
        self._nodes: list[Any] = []
        self._rules: dict[str, Callable[[Any], None]] = {
            "QuantizeLinear": self._quantize,
            "DequantizeLinear": self._dequantize,
            "QLinearConv": self._convolve,
            "QLinearMatMul": self._multiply,
            "QGemm": self._gemm,
            **dict.fromkeys(_CONTRIB, self._contrib),
        }

    def run(self) -> None:
        """Exchange the nodes."""
        graph = self._model.graph
        for node in graph.node:
            rule = self._rules.get(node.op_type) if node.domain in _DOMAINS else None
            if rule is not None:
                rule(node)
            elif any(name in self._grids for name in node.input):
                self._move(node)
            else:
                self._nodes.append(node)
        _exchange(graph, self._nodes)
        for output in graph.output:
            if output.name in self._grids:
                output.type.tensor_type.elem_type = 1  # it stands for numbers now

    def _refuse(self, node: Any, what: str) -> AccuracyDataError:
        return AccuracyDataError(
            f"Expected {self._path} to have a float network, which rounds no activation; got "
            f"{node.op_type} at {node.name or node.output[0]!r} {what}. Export the float network, "
            "or give --no-accuracy."
        )

    def _given(self, node: Any, place: int) -> Array | None:
        """Return a constant operand; None if it is left out."""
        if place >= len(node.input) or not node.input[place]:
            return None
        value = self._constants.of(node.input[place])
        if value is None:
            raise self._refuse(node, "whose steps or zero points are computed")
        return value

    def _grid(self, node: Any, scale: int, zero: int) -> Grid:
        """Read the grid of a tensor at two places of the operands."""
        step, offset = self._given(node, scale), self._given(node, zero)
        kind = np.dtype(np.uint8) if offset is None else offset.dtype
        if step is None or step.size != 1 or kind.kind not in "iu":
            raise self._refuse(node, "of activations with steps of their own by channel")
        info = np.iinfo(kind)
        return Grid(float(step.item()), 0 if offset is None else int(offset.item()), *_ends(info))

    def _keep(self, name: str, value: Array) -> str:
        from onnx import numpy_helper

        kept = np.asarray(value, np.float32)
        self._model.graph.initializer.append(numpy_helper.from_array(kept, name))
        self._constants.set(name, kept)
        return name

    def _add(self, kind: str, inputs: list[str], output: str, like: Any, **attributes: Any) -> None:
        from onnx import helper

        self._nodes.append(helper.make_node(kind, inputs, [output], name=like.name, **attributes))

    def _clip(
        self, x: str, output: str, grid: Grid, limits: tuple[float, float], node: Any
    ) -> None:
        """Clip to what integers reach, and note that the result stands for integers."""
        low, high = limits
        if _opset(self._model) < CLIP_OF_INPUTS:
            self._add("Clip", [x], output, node, min=low, max=high)
        else:
            names = [
                self._keep(f"{output}//{end}", np.array(value))
                for end, value in (("low", low), ("high", high))
            ]
            self._add("Clip", [x, *names], output, node)
        self._grids[output] = grid

    def _quantize(self, node: Any) -> None:
        value = self._constants.of(node.input[0])
        if value is not None:  # weights that the file rounds itself
            step, offset = self._given(node, 1), self._given(node, 2)
            assert step is not None
            kind = np.dtype(np.uint8) if offset is None else offset.dtype
            if kind.kind not in "iu":
                raise self._refuse(node, "to other numbers than integers")
            axis = _attribute(node, "axis", 1)
            rounded = np.rint(value / _along(step, value, axis))
            zero = 0 if offset is None else _along(offset.astype(np.int64), value, axis)
            info = np.iinfo(kind)
            self._constants.set(node.output[0], np.clip(rounded + zero, info.min, info.max))
            return
        grid = self._grid(node, 1, 2)
        self._clip(node.input[0], node.output[0], grid, grid.limits, node)

    def _dequantize(self, node: Any) -> None:
        value = self._constants.of(node.input[0])
        if value is not None:
            self._keep(node.output[0], self._real(node, value, (1, 2), _attribute(node, "axis", 1)))
            return
        self._take(node, 0, self._grid(node, 1, 2))
        self._add("Identity", [node.input[0]], node.output[0], node)

    def _real(self, node: Any, value: Array, places: tuple[int, int], axis: int) -> Array:
        """Return what constant integers stand for."""
        step, offset = self._given(node, places[0]), self._given(node, places[1])
        assert step is not None
        zero = 0 if offset is None else _along(offset.astype(np.float64), value, axis)
        found: Array = (value.astype(np.float64) - zero) * _along(step, value, axis)
        return found

    def _take(self, node: Any, place: int, grid: Grid) -> str:
        """Return an activation, whose integers must stand for what the node says."""
        name = node.input[place]
        known = self._grids.get(name)
        if known is None:
            raise self._refuse(node, "on integers that no QuantizeLinear gives")
        if (known.scale, known.zero) != (grid.scale, grid.zero):
            raise self._refuse(node, "with another step or zero point than its integers have")
        return str(name)

    def _operand(self, node: Any, place: int, axis: int = 0) -> str:
        """Return a float operand of integers at three places: value, step, zero point."""
        value = self._constants.of(node.input[place])
        if value is None:
            return self._take(node, place, self._grid(node, place + 1, place + 2))
        real = self._real(node, value, (place + 1, place + 2), axis)
        return self._keep(f"{node.output[0]}//{place}", real)

    def _result(
        self, node: Any, kind: str, inputs: list[str], scale: int, **attributes: Any
    ) -> None:
        """Add the float operator, and clip what it gives to the grid of the result."""
        between = f"{node.output[0]}//float"
        self._add(kind, inputs, between, node, **attributes)
        grid = self._grid(node, scale, scale + 1)
        self._clip(between, node.output[0], grid, grid.limits, node)

    def _convolve(self, node: Any) -> None:
        inputs = [self._operand(node, 0), self._operand(node, 3)]
        inputs += self._bias(node, 8)
        self._result(node, "Conv", inputs, 6, **_attributes(node))

    def _bias(self, node: Any, place: int) -> list[str]:
        """Return the bias, whose step is the product of those of inputs and weights."""
        bias = self._given(node, place)
        if bias is None:
            return []
        of_inputs, of_weights = self._given(node, 1), self._given(node, 4)
        assert of_inputs is not None
        assert of_weights is not None
        step = of_inputs.astype(np.float64) * of_weights
        return [self._keep(f"{node.output[0]}//bias", bias * step.reshape(-1))]

    def _multiply(self, node: Any) -> None:
        self._result(node, "MatMul", [self._operand(node, 0), self._operand(node, 3, -1)], 6)

    def _gemm(self, node: Any) -> None:
        attributes = _attributes(node)
        if attributes.pop("alpha", 1.0) != 1:
            raise self._refuse(node, "with alpha")
        rows = 0 if attributes.get("transB") else 1
        inputs = [self._operand(node, 0), self._operand(node, 3, rows), *self._bias(node, 6)]
        if len(node.input) <= 7 or not node.input[7]:
            raise self._refuse(node, "that gives floats")
        self._result(node, "Gemm", inputs, 7, **attributes)

    def _contrib(self, node: Any) -> None:
        kind, count = _CONTRIB[node.op_type]
        attributes = _attributes(node)
        if attributes.pop("channels_last", 0):
            raise self._refuse(node, "with channels last")
        inputs = [self._operand(node, 3 * number) for number in range(count)]
        self._result(node, kind, inputs, 3 * count, **attributes)

    def _move(self, node: Any) -> None:
        """Let integers pass an operator that moves them; their clipping is one of numbers."""
        grids = {self._grids.get(name) for name in node.input[:1]}
        if node.op_type == "Concat":
            grids = {self._grids.get(name) for name in node.input}
        (grid, *others) = grids
        if grid is None or others or node.op_type not in (*_MOVE, "Clip"):
            raise self._refuse(node, "on integers")
        if node.op_type != "Clip":
            self._nodes.append(node)
            self._grids.update(dict.fromkeys(node.output, grid))
            return
        ends = [self._given(node, place) for place in (1, 2)]
        low, high = (
            limit if end is None else (float(end.item()) - grid.zero) * grid.scale
            for end, limit in zip(ends, grid.limits, strict=True)
        )
        self._clip(node.input[0], node.output[0], grid, (low, high), node)


def _ends(info: Any) -> tuple[int, int]:
    return int(info.min), int(info.max)


def _along(numbers: Array, value: Array, axis: int) -> Array:
    """Shape numbers of an axis so that they meet it."""
    if numbers.size == 1:
        return numbers.reshape(())
    shape = [1] * value.ndim
    shape[axis] = -1
    return numbers.reshape(shape)


def _attribute(node: Any, name: str, default: int) -> int:
    return next((each.i for each in node.attribute if each.name == name), default)


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {each.name: helper.get_attribute_value(each) for each in node.attribute}
