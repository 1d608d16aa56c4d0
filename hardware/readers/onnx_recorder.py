"""Records the operators of an ONNX graph that depend on its input."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from onnx import NodeProto

from lrmp.hardware.readers.onnx_operators import (
    AFFINE,
    KEEP,
    MOVE,
    NORMALISE,
    POINTWISE,
    REDUCE,
    SAME,
    VARIADIC,
)
from lrmp.hardware.readers.trace import Shape, Trace, Value, unsupported

#: Tensors that an operator is given; None for one that is left out.
Operands = list[Any]


@dataclass
class OperatorRecorder:
    """Records one operator after the other in a trace.

    Attributes:
        trace: Of the network.
        label: What errors call the operator at hand.
    """

    trace: Trace
    label: str = ""

    def record(
        self,
        node: NodeProto,
        inputs: Operands,
        a: dict[str, Any],
        shape: Shape,
        where: str,
    ) -> Value:
        """Record an operator that depends on the input.

        Args:
            node: The operator.
            inputs: None for one that is left out.
            a: Its attributes.
            shape: Of its first output.
            where: What to call the layer if its matrix has no name.

        Returns:
            Its first output.

        Raises:
            NetworkError: If it computes and is not known.
        """
        trace, name = self.trace, node.op_type
        given: list[Value] = [x for x in inputs if x is not None]
        x = given[0]
        handler: Callable[..., Value] | None = getattr(self, f"_op_{name.lower()}", None)
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

    def _op_conv(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        x, weight, *rest = inputs
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
        return self._biased(value, rest[0] if rest else None)

    def _op_convinteger(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        return self._op_conv(inputs[:2], a, shape, where)

    def _op_qlinearconv(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        return self._op_conv([inputs[0], inputs[3]], a, shape, where)

    def _op_convtranspose(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        x, weight, *rest = inputs
        if not weight.constant:
            unsupported("the operator ConvTranspose with a computed kernel", self.label)
        value = self.trace.convolve_transposed(
            x, weight, shape, groups=a.get("group", 1), channels_axis=1, where=where
        )
        return self._biased(value, rest[0] if rest else None)

    def _op_gemm(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        left, right, *rest = inputs
        terms = ("kn" if a.get("transA") else "nk", "mk" if a.get("transB") else "km", "nm")
        value = self.trace.contract(left, right, terms, shape, where=where)
        return self._biased(value, rest[0] if rest else None)

    def _op_matmul(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        return self.trace.matmul(inputs[0], inputs[1], shape, where=where)

    _op_matmulinteger = _op_matmul

    def _op_qlinearmatmul(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        return self._op_matmul([inputs[0], inputs[3]], a, shape, where)

    def _op_einsum(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        return self.trace.einsum(a["equation"].decode(), inputs, shape, where=where)

    def _op_lstm(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        return self._recurrent("lstm", inputs, a, shape, where)

    def _op_gru(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        return self._recurrent("gru", inputs, a, shape, where)

    def _op_rnn(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        return self._recurrent("rnn", inputs, a, shape, where)

    def _recurrent(
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
                key = (weight.key, direction)
                own = self.trace.known(weight.shape[1:], key, bits=weight.bits)
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

    def _op_attention(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        query, key, value = inputs[:3]
        if any(x is not None for x in inputs[4:]):
            unsupported("the operator Attention with a cache", self.label)
        if len(query.shape) == 3:  # (batch, tokens, heads x size)
            heads, shared = a["q_num_heads"], a["kv_num_heads"]
            query = self._split_heads(query, heads)
            key, value = self._split_heads(key, shared), self._split_heads(value, shared)
        masked = (len(inputs) > 3 and inputs[3] is not None) or bool(a.get("is_causal"))
        return self.trace.attention(query, key, value, shape, masked=masked, where=where)

    def _split_heads(self, x: Value, heads: int) -> Value:
        """Move the heads of (batch, tokens, heads x size) to an axis of their own."""
        batch, tokens, width = x.shape
        return self.trace.move([x], (batch, heads, tokens, width // heads), keeps_elements=True)

    def _biased(self, value: Value, bias: Value | None) -> Value:
        """Add a bias; a constant one folds into the layer."""
        if bias is None or bias.constant:
            return value
        return self.trace.pointwise((value, bias), value.shape)

    # -- vector unit -----------------------------------------------------------------------

    def _op_batchnormalization(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        x = inputs[0]
        if a.get("training_mode"):
            return self.trace.layer_norm(x, shape[1], affine=True)
        return self.trace.same(x)

    def _op_averagepool(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        return self.trace.pool(inputs[0], shape, prod(a["kernel_shape"]))

    _op_lppool = _op_averagepool

    def _op_maxpool(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        value = self._op_averagepool(inputs, a, shape, where)
        value.bits = inputs[0].bits  # the greatest of them is one of them
        return value

    def _op_globalmaxpool(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        value = self.trace.reduce(inputs[0], shape)
        value.bits = inputs[0].bits
        return value

    def _op_gridsample(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        x, grid = inputs
        mode = a.get("mode", b"linear").decode()
        if mode == "nearest":
            return self.trace.move([x, grid], shape)
        axes = len(shape) - 2
        weighed = (4 if "cubic" in mode else 2) ** axes
        return self.trace.count([x, grid], shape, weighed * prod(shape))

    def _op_rotaryembedding(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        # two products with sine and cosine, and their sum
        return self.trace.count([inputs[0]], shape, 3 * prod(shape))

    def _op_swiglu(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        return self.trace.count(inputs, shape, 2 * prod(shape))  # a look-up and a product

    def _op_softmax(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        x = inputs[0]
        return self.trace.softmax(x)

    _op_logsoftmax = _op_softmax

    def _op_layernormalization(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        x = inputs[0]
        return self.trace.layer_norm(x, prod(shape[: a.get("axis", -1)]), affine=True)

    def _op_rmsnormalization(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        x = inputs[0]
        return self.trace.rms_norm(x, prod(shape[: a.get("axis", -1)]), affine=True)

    def _op_groupnormalization(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        x = inputs[0]
        return self.trace.layer_norm(x, shape[0] * a["num_groups"], affine=True)

    def _op_instancenormalization(
        self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str
    ) -> Value:
        x = inputs[0]
        return self.trace.layer_norm(x, shape[0] * shape[1], affine=True)

    def _op_lrn(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        x = inputs[0]
        # square, sum over a window of channels, power, quotient
        return self.trace.count([x], shape, (a["size"] + 3) * prod(shape))

    def _op_resize(self, inputs: Operands, a: dict[str, Any], shape: Shape, where: str) -> Value:
        x = inputs[0]
        mode = a.get("mode", b"nearest").decode()
        if mode == "nearest":
            return self.trace.move([x], shape, keeps_elements=True)
        axes = sum(before != after for before, after in zip(x.shape, shape, strict=True))
        weighed = {"linear": 2, "cubic": 4}[mode] ** axes
        return self.trace.count([x], shape, weighed * prod(shape))

    _op_upsample = _op_resize
