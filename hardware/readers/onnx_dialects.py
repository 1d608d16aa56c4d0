"""Operators that are none of ONNX, written out in those of the standard.

ONNX Runtime writes its own (``com.microsoft``) when it optimises or quantises a network; they are
as its documentation defines them (ContribOperators.md).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from lrmp.hardware.readers.trace import Shape, unsupported

#: Newest version of the standard's operators that is used here.
STANDARD = 23


@dataclass
class Lowering:
    """An operator on its way to those of the standard.

    Attributes:
        node: What is written out.
        attributes: Of the node.
        shape_of: Finds the shape of an input.
        type_of: Finds the type of its elements.
        label: What errors call the node.
        nodes: Those of the standard.
        weights: Matrices that are stored in another form: shape, input and bits by name.
    """

    node: NodeProto
    attributes: Mapping[str, Any]
    shape_of: Callable[[str], Shape]
    type_of: Callable[[str], int]
    label: str
    nodes: list[NodeProto] = field(default_factory=list)
    weights: dict[str, tuple[Shape, str, int]] = field(default_factory=dict)

    def has(self, place: int) -> bool:
        """Say whether an optional input is given."""
        return place < len(self.node.input) and bool(self.node.input[place])

    def input(self, place: int) -> str:
        """Name an input; empty if it is left out."""
        return self.node.input[place] if self.has(place) else ""

    def result(self, place: int = 0) -> str:
        """Name an output; empty if it is left out."""
        return self.node.output[place] if place < len(self.node.output) else ""

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append an operator, and name its output."""
        name = output or f"{self.node.output[0]}//{len(self.nodes)}"
        node = helper.make_node(kind, inputs, [name], name=self.node.name, **attributes)
        node.metadata_props.extend(self.node.metadata_props)
        self.nodes.append(node)
        return name

    def integers(self, *values: int) -> str:
        """Append a constant."""
        return self.add("Constant", value=numpy_helper.from_array(np.array(values, np.int64)))

    def kept(self, *names: str) -> dict[str, Any]:
        """Take over attributes."""
        return {name: self.attributes[name] for name in names if name in self.attributes}

    def refuse(self, what: str) -> None:
        """Refuse a use of the operator that is not known here."""
        unsupported(f"the operator {self.node.op_type} {what}", self.label)

    def activated(self, x: str) -> None:
        """Append the activation function that is part of the operator."""
        kind = self.attributes.get("activation", b"").decode()
        alpha = [*self.attributes.get("activation_params", ())]
        parameters: dict[str, Any] = {}
        if kind in ("LeakyRelu", "HardSigmoid") and alpha:
            parameters = {"alpha": alpha[0]}
        if kind == "Clip":
            kind = "Relu"  # either is one look-up
        self.add(kind or "Identity", x, output=self.result(), **parameters)


def lower(
    node: NodeProto,
    attributes: Mapping[str, Any],
    shape_of: Callable[[str], Shape],
    type_of: Callable[[str], int],
    label: str,
) -> Lowering | None:
    """Write an operator out in those of the standard.

    Args:
        node: Of another domain, or of none that the standard has.
        attributes: Of the node.
        shape_of: Finds the shape of an input.
        type_of: Finds the type of its elements.
        label: What errors call the node.

    Returns:
        The operators; None if it is not known.

    Raises:
        NetworkError: If it is used in a way that is not known.
    """
    rule = _RULES.get(node.op_type)
    if rule is None:
        return None
    lowering = Lowering(node, attributes, shape_of, type_of, label)
    if attributes.get("channels_last"):
        lowering.refuse("with channels last")
    rule(lowering)
    return lowering


def _fused_conv(do: Lowering) -> None:
    geometry = do.kept("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    y = do.add("Conv", *do.node.input[:3], **geometry)
    if do.has(3):  # a shortcut
        y = do.add("Add", y, do.input(3))
    do.activated(y)


def _fused_gemm(do: Lowering) -> None:
    do.activated(do.add("Gemm", *do.node.input[:3], **do.kept("transA", "transB")))


def _fused_matmul(do: Lowering) -> None:
    if do.attributes.get("transBatchA") or do.attributes.get("transBatchB"):
        do.refuse("with transposed batches")
    sides = [do.input(0), do.input(1)]
    for place, key in enumerate(("transA", "transB")):
        rank = len(do.shape_of(sides[place]))
        if do.attributes.get(key) and rank > 1:
            axes = [*range(rank - 2), rank - 1, rank - 2]
            sides[place] = do.add("Transpose", sides[place], perm=axes)
    do.add("MatMul", *sides, output=do.result())


def _renamed(kind: str, *places: int, keep: tuple[str, ...] = ()) -> Callable[[Lowering], None]:
    """Make the rule of an operator that differs from the standard's in its operands."""

    def rule(do: Lowering) -> None:
        inputs = [do.input(place) for place in places]
        while inputs and not inputs[-1]:
            inputs.pop()
        do.add(kind, *inputs, output=do.result(), **do.kept(*keep))

    return rule


def _quantised(kind: str, *places: int, keep: tuple[str, ...] = ()) -> Callable[[Lowering], None]:
    """Make the rule of an operator between integers, which the standard has for floats."""

    def rule(do: Lowering) -> None:
        floats = [do.add("Cast", do.input(place), to=TensorProto.FLOAT) for place in places]
        y = do.add(kind, *floats, **do.kept(*keep))
        do.add("Cast", y, output=do.result(), to=do.type_of(do.input(places[0])))

    return rule


def _with_bias(kind: str) -> Callable[[Lowering], None]:
    def rule(do: Lowering) -> None:
        x = do.add("Add", do.input(0), do.input(1)) if do.has(1) else do.input(0)
        do.add(kind, x, output=do.result())

    return rule


def _bias_add(do: Lowering) -> None:
    x = do.add("Add", do.input(0), do.input(1))
    do.add("Add", x, do.input(2), output=do.result())


def _skip_norm(do: Lowering, kind: str, scale: int, bias: int) -> None:
    """Add a shortcut and a bias, and normalise; the sum is the fourth output."""
    total = do.result(3)
    has_bias = do.has(bias)
    x = do.add("Add", do.input(0), do.input(1), output="" if has_bias else total)
    if has_bias:
        x = do.add("Add", x, do.input(bias), output=total)
    shift = [do.input(3)] if kind == "LayerNormalization" and do.has(3) else []
    do.add(kind, x, do.input(scale), *shift, output=do.result())


def _skip_layer_norm(do: Lowering) -> None:
    _skip_norm(do, "LayerNormalization", 2, 4)


def _skip_rms_norm(do: Lowering) -> None:
    _skip_norm(do, "RMSNormalization", 2, 3)


def _embeddings(do: Lowering) -> None:
    """Look tokens, places and segments up, add them and normalise."""
    ids, segments, words, places, kinds, scale, shift, mask, positions = (
        do.input(place) for place in range(9)
    )
    x = do.add("Gather", words, ids)
    if not positions:
        tokens = do.shape_of(ids)[1]
        place = do.add("Slice", places, do.integers(0), do.integers(tokens), do.integers(0))
    else:
        place = do.add("Gather", places, positions)
    x = do.add("Add", x, place)
    if segments:
        x = do.add("Add", x, do.add("Gather", kinds, segments))
    do.add("LayerNormalization", x, scale, shift, output=do.result())
    if do.result(1):  # how many tokens are not masked
        if mask:
            do.add("ReduceSum", mask, do.integers(1), output=do.result(1), keepdims=0)
        else:
            do.add("Identity", scale, output=do.result(1))


def _attend(do: Lowering, q: str, k: str, v: str, masked: str) -> None:
    heads = do.attributes["num_heads"]
    do.add(
        "Attention",
        q,
        k,
        v,
        *([masked] if masked else []),
        output=do.result(),
        q_num_heads=heads,
        kv_num_heads=do.attributes.get("kv_num_heads", heads),
        is_causal=do.attributes.get("unidirectional", 0),
    )


def _packed_attention(do: Lowering, projected: str, width: int, masked: str) -> None:
    """Split what one matrix projects to queries, keys and values, and attend."""
    sizes = do.attributes.get("qkv_hidden_sizes") or [width // 3] * 3
    names = [f"{projected}//{part}" for part in "qkv"]
    split = helper.make_node("Split", [projected, do.integers(*sizes)], names, axis=-1)
    do.nodes.append(split)
    _attend(do, names[0], names[1], names[2], masked)


def _attention(do: Lowering) -> None:
    if do.has(4):
        do.refuse("with a cache")
    x = do.add("MatMul", do.input(0), do.input(1))
    if do.has(2):
        x = do.add("Add", x, do.input(2))
    _packed_attention(do, x, do.shape_of(do.input(1))[1], do.input(3) or do.input(5))


def _quantised_attention(do: Lowering) -> None:
    if do.has(8):
        do.refuse("with a cache")
    x = do.add("MatMulInteger", do.input(0), do.input(1))
    x = do.add("Cast", x, to=TensorProto.FLOAT)
    _packed_attention(do, x, do.shape_of(do.input(1))[1], do.input(5))


def _multi_head_attention(do: Lowering) -> None:
    if any(do.has(place) for place in (6, 7)):
        do.refuse("with a cache")
    parts = [do.input(place) for place in range(3)]
    if not all(parts) or any(len(do.shape_of(part)) != 3 for part in parts):
        do.refuse("of packed operands")
    _attend(do, parts[0], parts[1], parts[2], do.input(4) or do.input(5))


def _packed_weights(do: Lowering) -> None:
    """Multiply by a matrix of few bits, several to a byte."""
    rows, columns = do.attributes["K"], do.attributes["N"]
    matrix = f"{do.result()}//weights"
    do.weights[matrix] = ((rows, columns), do.input(1), do.attributes.get("bits", 4))
    if do.has(5):
        do.add("Add", do.add("MatMul", do.input(0), matrix), do.input(5), output=do.result())
    else:
        do.add("MatMul", do.input(0), matrix, output=do.result())


def _integer_product(do: Lowering, x: str, bias: int) -> None:
    y = do.add("MatMulInteger", x, do.input(1))
    if not do.has(bias):
        do.add("Cast", y, to=TensorProto.FLOAT, output=do.result())
    else:
        do.add("Add", do.add("Cast", y, to=TensorProto.FLOAT), do.input(bias), output=do.result())


def _dynamic_product(do: Lowering) -> None:
    quantised = f"{do.result()}//quantised"
    parts = [quantised, f"{quantised}//scale", f"{quantised}//zero"]
    do.nodes.append(helper.make_node("DynamicQuantizeLinear", [do.input(0)], parts))
    _integer_product(do, quantised, 4)


def _quantised_gemm(do: Lowering) -> None:
    operands = [do.input(0), do.input(3), do.input(6)][: 3 if do.has(6) else 2]
    floats = [do.add("Cast", operand, to=TensorProto.FLOAT) for operand in operands]
    # Its output is quantised again if it has a scale.
    again = do.has(7)
    y = do.add("Gemm", *floats, output="" if again else do.result(), **do.kept("transA", "transB"))
    if again:
        do.add("Cast", y, output=do.result(), to=do.type_of(do.input(0)))


def _quantised_concat(do: Lowering) -> None:
    do.add("Concat", *do.node.input[2::3], output=do.result(), axis=do.attributes["axis"])


_WINDOW = ("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides")

_RULES: dict[str, Callable[[Lowering], None]] = {
    "Attention": _attention,
    "BiasAdd": _bias_add,
    "BiasGelu": _with_bias("Gelu"),
    "DequantizeLinear": _renamed("DequantizeLinear", 0, 1, 2, keep=("axis",)),
    "DynamicQuantizeMatMul": _dynamic_product,
    "EmbedLayerNormalization": _embeddings,
    "FastGelu": _with_bias("Gelu"),
    "FusedConv": _fused_conv,
    "FusedGemm": _fused_gemm,
    "FusedMatMul": _fused_matmul,
    "Gelu": _with_bias("Gelu"),
    "LayerNormalization": _renamed("LayerNormalization", 0, 1, 2, keep=("axis",)),
    "MatMulIntegerToFloat": lambda do: _integer_product(do, do.input(0), 6),
    "MatMulNBits": _packed_weights,
    "MultiHeadAttention": _multi_head_attention,
    "QAttention": _quantised_attention,
    "QGemm": _quantised_gemm,
    "QLinearAdd": _quantised("Add", 0, 3),
    "QLinearAveragePool": _quantised("AveragePool", 0, keep=_WINDOW),
    "QLinearConcat": _quantised_concat,
    "QLinearGlobalAveragePool": _quantised("GlobalAveragePool", 0),
    "QLinearLeakyRelu": _quantised("LeakyRelu", 0, keep=("alpha",)),
    "QLinearMul": _quantised("Mul", 0, 3),
    "QLinearSigmoid": _quantised("Sigmoid", 0),
    "QLinearSoftmax": _quantised("Softmax", 0, keep=("axis",)),
    "QuantizeLinear": _renamed("QuantizeLinear", 0, 1, 2, keep=("axis",)),
    "QuickGelu": _with_bias("Gelu"),
    "RotaryEmbedding": _renamed("RotaryEmbedding", 0, 2, 3, 1),
    "SimplifiedLayerNormalization": _renamed("RMSNormalization", 0, 1, keep=("axis",)),
    "SkipLayerNormalization": _skip_layer_norm,
    "SkipSimplifiedLayerNormalization": _skip_rms_norm,
    "TransposeMatMul": _fused_matmul,
}

#: Operators that hold or may hold matrices: none of them is ever left out.
LAYERS = frozenset(
    [
        "Attention",
        "CausalConvWithState",
        "Conv",
        "ConvInteger",
        "ConvTranspose",
        "DeformConv",
        "DynamicQuantizeMatMul",
        "Einsum",
        "FusedConv",
        "FusedGemm",
        "FusedMatMul",
        "GRU",
        "Gemm",
        "LSTM",
        "LinearAttention",
        "MatMul",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "MatMulNBits",
        "MultiHeadAttention",
        "QAttention",
        "QGemm",
        "QLinearConv",
        "QLinearMatMul",
        "RNN",
        "TransposeMatMul",
    ]
)
