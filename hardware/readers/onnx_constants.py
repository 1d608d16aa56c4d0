"""Computes constants of ONNX graphs, since shapes may depend on them."""

from collections.abc import Mapping

import numpy as np
from onnx import NodeProto, helper
from onnx.reference import ReferenceEvaluator

from lrmp.hardware.readers.onnx_file import Array
from lrmp.hardware.readers.onnx_operators import MOVE, POINTWISE, REDUCE, SAME, VARIADIC

#: Computed where their operands are known. None takes more time or memory than its operands and
#: results; others could, such as a convolution with much padding.
COMPUTED = SAME.union(
    MOVE,
    POINTWISE,
    VARIADIC,
    ["Constant", "ConstantOfShape", "EyeLike", "NonZero", "OneHot", "Range", "Size"],
) | {name for name in REDUCE if name.startswith(("Reduce", "Arg", "Cum"))}


def compute(node: NodeProto, operands: Mapping[str, Array], opset: int) -> list[Array] | None:
    """Run an operator of the standard as its version defines it.

    Args:
        node: The operator; one of ``COMPUTED``, without subgraphs.
        operands: Its inputs by name.
        opset: Version of the operator set.

    Returns:
        Its outputs; None where the reference implementation of that version cannot run it: the
        constant is still one, of unknown values.
    """
    inputs = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        for name, array in operands.items()
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
    graph = helper.make_graph([node], "constant", inputs, outputs)
    # Of a lone node the evaluator takes the newest version, whatever opsets say.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    try:
        results = ReferenceEvaluator(model).run(None, dict(operands))
        return [np.asarray(result) for result in results]
    except Exception:  # whatever onnx raises on what it does not implement
        return None
