"""The bits that an ONNX file quantises its tensors to.

They stand in the type of a tensor (``QuantizeLinear``, ``QLinearConv``, uint8 images), in an
operator (``Quant`` of QONNX and Brevitas, ``Clip`` between integers), or beside the graph (FINN).
"""

import re
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from onnx import GraphProto, TensorProto

from lrmp.hardware.readers.onnx_file import Array

_TYPES = {
    TensorProto.INT4: 4,
    TensorProto.UINT4: 4,
    TensorProto.INT8: 8,
    TensorProto.UINT8: 8,
    TensorProto.INT16: 16,
    TensorProto.UINT16: 16,
} | {
    getattr(TensorProto, name): 2 for name in ("INT2", "UINT2") if hasattr(TensorProto, name)
}  # newer than the oldest onnx that is supported

_FINN = re.compile(r"^(?:SCALED)?U?INT<?(\d{1,2})>?$|^FIXED<(\d{1,2}),\d+>$")
_FINN_NAMES = {"BINARY": 1, "BIPOLAR": 1, "TERNARY": 2}


def type_bits(element: int) -> int | None:
    """Say how many bits a type of integers has.

    Args:
        element: Of ``TensorProto``.

    Returns:
        The bits; None for wider integers, which hold sums or indices, and for floats.
    """
    return _TYPES.get(element)


def operator_bits(
    kind: str, operands: Sequence[Array | None], attributes: Mapping[str, Any], element: int
) -> int | None:
    """Find the bits that an operator quantises its first operand to.

    Args:
        kind: Of the operator.
        operands: Values of its inputs, as far as they are known.
        attributes: Of the operator.
        element: Type of its output.

    Returns:
        The bits; None if it does not quantise.
    """
    known = [*operands, None, None, None, None]
    if kind in ("Quant", "IntQuant", "Trunc"):
        # X, scale, zero point, width; of Trunc the width that it keeps comes fifth.
        return _width(operands[-1] if kind == "Trunc" and operands else known[3])
    if kind == "BipolarQuant":
        return 1
    if kind == "MultiThreshold":
        return finn_bits(attributes.get("out_dtype", b"").decode("ascii", "replace"))
    if kind == "Clip" and type_bits(element):
        low = known[1] if known[1] is not None else attributes.get("min")
        high = known[2] if known[2] is not None else attributes.get("max")
        if low is not None and high is not None and np.size(low) == np.size(high) == 1:
            # Of a symmetric range, -7..7, the code that is left out is counted.
            return max(1, (int(np.ravel(high)[0]) - int(np.ravel(low)[0])).bit_length())
    return type_bits(element)


def finn_bits(datatype: str) -> int | None:
    """Read the name that FINN and QONNX give a type of integers.

    Args:
        datatype: Such as ``"INT4"``, ``"UINT2"``, ``"BIPOLAR"`` or ``"FIXED<8,3>"``.

    Returns:
        The bits; None for floats, and for integers of more than 16 bits, which hold sums.
    """
    if datatype in _FINN_NAMES:
        return _FINN_NAMES[datatype]
    match = _FINN.match(datatype)
    bits = int(match[1] or match[2]) if match else 0
    return bits if 1 <= bits <= 16 else None


def annotated_bits(graph: GraphProto) -> dict[str, int]:
    """Find the types that FINN notes beside the graph.

    Args:
        graph: Of a model.

    Returns:
        Bits by tensor.
    """
    found = {}
    for annotation in graph.quantization_annotation:
        for entry in annotation.quant_parameter_tensor_names:
            bits = finn_bits(entry.value) if entry.key == "finn_datatype" else None
            if bits is not None:
                found[annotation.tensor_name] = bits
    return found


def fewest(*bits: int | None) -> int | None:
    """Combine what is known of one tensor.

    Args:
        *bits: From several sources; None where one says nothing.

    Returns:
        The fewest.
    """
    return min((b for b in bits if b is not None), default=None)


def _width(value: Array | None) -> int | None:
    """Round a width up to whole bits; one per channel counts as the widest."""
    if value is None or not value.size or not np.isfinite(value).all():
        return None
    bits = ceil(float(value.max()))
    return bits if 1 <= bits <= 32 else None
