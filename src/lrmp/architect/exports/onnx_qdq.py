"""A design as an ONNX file that computes what the laboratory did: QuantizeLinear, DequantizeLinear.

Weights are multiples of a step per output channel, behind both operators as TensorRT and qonnx want
them; inputs are rounded before each layer. Fewer than 8 bits are a ``Clip`` of the integers between
the two operators, which is how Brevitas and FINN write them (QCDQ) and what every runtime runs.
Biases hold what calibration corrected.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.lab.quantization.layers import QuantizedLayer, QuantizedProduct
from lrmp.accuracy.lab.quantization.network import QuantizedNetwork
from lrmp.accuracy.lab.quantization.steps import activation_range, weight_range
from lrmp.accuracy.model.bit_widths import MIN_BITS
from lrmp.architect.exports.policy import check_bits
from lrmp.errors import AccuracyDataError
from lrmp.hardware.space.design import Design
from lrmp.whole_file import replacing

#: Operators whose second operand is the weight of a layer.
LAYERS = ("Conv", "Gemm", "MatMul")
#: From which on both operators take a step per channel, and Clip integers.
LEAST_OPSET = 13
EIGHT = 8


def write_qdq(network: QuantizedNetwork, design: Design, source: Path, path: Path) -> None:
    """Write the quantised network of an ONNX file.

    Args:
        network: Of that file, calibrated.
        design: Of bits alone.
        source: The float ONNX file.
        path: The quantised one.

    Raises:
        DesignError: If the design has other knobs.
        AccuracyDataError: If the layers of file and network are not the same.
        OSError: If the file cannot be written.
    """
    import onnx
    from onnx import shape_inference, version_converter

    check_bits(design)
    model = onnx.load(source)
    opset = next(each for each in model.opset_import if each.domain in ("", "ai.onnx"))
    if opset.version < LEAST_OPSET:
        model = version_converter.convert_version(model, LEAST_OPSET)
    writer = _Writer(model.graph)
    layers = list(network.layers.values())
    nodes = [node for node in model.graph.node if writer.is_layer(node)]
    if len(nodes) != len(layers):
        raise AccuracyDataError(
            f"Expected {len(layers)} layers in {source}, got {len(nodes)} operators of "
            f"{', '.join(LAYERS)} with weights, which alone are written. CSV and policies take "
            "others."
        )
    bits = zip(design["weight_bits"].tolist(), design["activation_bits"].tolist(), strict=True)
    for node, layer, (weight, activation) in zip(nodes, layers, bits, strict=True):
        writer.quantise(node, layer, weight, activation)
    writer.finish()
    del model.graph.value_info[:]
    model = shape_inference.infer_shapes(model)  # qonnx reads the types of integers
    onnx.checker.check_model(model)
    with replacing(path) as temporary:
        onnx.save(model, temporary)


class _Writer:
    """Adds nodes to a graph."""

    def __init__(self, graph: Any) -> None:
        from onnx import numpy_helper

        self._graph, self._count = graph, 0
        self._stored = {tensor.name: tensor for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self._stored[node.output[0]] = node.attribute[0].t
        self._array = numpy_helper.to_array
        self._before: dict[int, list[Any]] = {}
        self._after: dict[int, list[Any]] = {}

    def is_layer(self, node: Any) -> bool:
        return node.op_type in LAYERS and node.input[1] in self._stored

    def quantise(self, node: Any, layer: QuantizedLayer, weight: int, activation: int) -> None:
        """Round the inputs and the weights of a layer."""
        if not isinstance(layer, QuantizedProduct):
            raise AccuracyDataError(
                f"Expected convolutions and linear layers, got a layer of {node.op_type}."
            )
        before = self._before.setdefault(id(node), [])
        step = layer.input_step(activation)
        low, high = activation_range(activation, signed=layer.signed)
        kind: Any = np.int8 if layer.signed else np.uint8
        zero = self._keep(np.array(0, kind))
        scale = self._keep(np.array(step, np.float32))
        counted = self._node(before, "QuantizeLinear", [node.input[0], scale, zero])
        counted = self._clip(before, counted, low, high, activation, kind)
        node.input[0] = self._node(before, "DequantizeLinear", [counted, scale, zero])
        self._weights(node, layer, weight, before)

    def _weights(self, node: Any, layer: QuantizedProduct, bits: int, before: list[Any]) -> None:
        assert layer.grids is not None
        steps = layer.grids.steps[bits - MIN_BITS].cpu().numpy()
        rounded = layer.grids.rounded(bits).detach().cpu().numpy()
        given = self._array(self._stored[node.input[1]])
        axis = 0
        if node.op_type == "MatMul" or (node.op_type == "Gemm" and not _transposed(node)):
            axis, rounded = 1, rounded.T
        if rounded.size != given.size:
            raise AccuracyDataError(
                f"Expected {given.size} weights at {node.name!r}, got {rounded.size}."
            )
        values = self._keep(np.ascontiguousarray(rounded, np.float32).reshape(given.shape))
        scale, zero = (
            self._keep(steps.astype(np.float32)),
            self._keep(np.zeros(len(steps), np.int8)),
        )
        counted = self._node(before, "QuantizeLinear", [values, scale, zero], axis=axis)
        counted = self._clip(before, counted, *weight_range(bits), bits, np.int8)
        node.input[1] = self._node(before, "DequantizeLinear", [counted, scale, zero], axis=axis)
        self._bias(node, layer, bits)

    def _bias(self, node: Any, layer: QuantizedProduct, bits: int) -> None:
        bias = layer.float_bias
        if layer.bias_corrections is not None:
            correction = layer.bias_corrections[bits - MIN_BITS]
            bias = correction if bias is None else bias + correction
        if bias is None:
            return
        values = bias.detach().cpu().numpy().astype(np.float32)
        if node.op_type != "MatMul":
            name = self._keep(values)
            if len(node.input) > 2:
                node.input[2] = name
            else:
                node.input.append(name)
            return
        # A MatMul has no bias; what the file adds behind it stays, so the correction alone is new.
        if layer.bias_corrections is None:
            return
        after, result = self._after.setdefault(id(node), []), node.output[0]
        node.output[0] = self._name()
        added = self._keep(layer.bias_corrections[bits - MIN_BITS].cpu().numpy())
        self._node(after, "Add", [node.output[0], added], output=result)

    def _clip(self, nodes: list[Any], name: str, low: int, high: int, bits: int, kind: Any) -> str:
        if bits == EIGHT:
            return name
        limits = [self._keep(np.array(limit, kind)) for limit in (low, high)]
        return self._node(nodes, "Clip", [name, *limits])

    def _name(self) -> str:
        self._count += 1
        return f"lrmp_{self._count}"

    def _keep(self, array: NDArray[Any]) -> str:
        from onnx import numpy_helper

        name = self._name()
        self._graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def _node(
        self, nodes: list[Any], kind: str, inputs: list[str], output: str = "", **attributes: Any
    ) -> str:
        from onnx import helper

        output = output or self._name()
        nodes.append(helper.make_node(kind, inputs, [output], name=self._name(), **attributes))
        return output

    def finish(self) -> None:
        """Put the new nodes in their places, and leave out weights that nobody reads."""
        nodes = []
        for node in self._graph.node:
            nodes += [*self._before.get(id(node), []), node, *self._after.get(id(node), [])]
        kept = [type(node).FromString(node.SerializeToString()) for node in nodes]
        del self._graph.node[:]
        self._graph.node.extend(kept)
        read = {name for node in kept for name in node.input}
        read |= {output.name for output in self._graph.output}
        unread = [tensor for tensor in self._graph.initializer if tensor.name not in read]
        for tensor in unread:
            self._graph.initializer.remove(tensor)
        names = {tensor.name for tensor in unread}
        for given in [each for each in self._graph.input if each.name in names]:
            self._graph.input.remove(given)


def _transposed(node: Any) -> bool:
    return any(each.name == "transB" and each.i for each in node.attribute)
