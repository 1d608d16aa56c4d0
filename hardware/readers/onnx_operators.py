"""What the operators of ONNX do to their operands, by name."""

#: Pass every element on as it is.
SAME = frozenset(
    [
        "Cast",
        "CastLike",
        "DequantizeLinear",
        "Dropout",
        "DynamicQuantizeLinear",
        "Identity",
        "QuantizeLinear",
    ]
)
#: Move every element of their first input, besides copies and padding.
KEEP = frozenset(
    [
        "DepthToSpace",
        "Expand",
        "Flatten",
        "Pad",
        "Reshape",
        "SpaceToDepth",
        "Squeeze",
        "Tile",
        "Transpose",
        "Unsqueeze",
    ]
)
MOVE = KEEP | frozenset(
    [
        "CenterCropPad",
        "Concat",
        "Gather",
        "GatherElements",
        "GatherND",
        "ReverseSequence",
        "Scatter",
        "ScatterElements",
        "ScatterND",
        "Slice",
        "Split",
        "Trilu",
    ]
)
#: Add to an operand or scale it.
AFFINE = frozenset(["Add", "Div", "Mul", "Neg", "Sub"])
POINTWISE = AFFINE | frozenset(
    [
        "Abs",
        "Acos",
        "Acosh",
        "And",
        "Asin",
        "Asinh",
        "Atan",
        "Atanh",
        "BitShift",
        "BitwiseAnd",
        "BitwiseNot",
        "BitwiseOr",
        "BitwiseXor",
        "Ceil",
        "Celu",
        "Clip",
        "Cos",
        "Cosh",
        "Elu",
        "Equal",
        "Erf",
        "Exp",
        "Floor",
        "Gelu",
        "Greater",
        "GreaterOrEqual",
        "HardSigmoid",
        "HardSwish",
        "IsInf",
        "IsNaN",
        "LeakyRelu",
        "Less",
        "LessOrEqual",
        "Log",
        "Max",
        "Mean",
        "Min",
        "Mish",
        "Mod",
        "Not",
        "Or",
        "PRelu",
        "Pow",
        "Reciprocal",
        "Relu",
        "Round",
        "Selu",
        "Shrink",
        "Sigmoid",
        "Sign",
        "Sin",
        "Sinh",
        "Softplus",
        "Softsign",
        "Sqrt",
        "Sum",
        "Swish",
        "Tan",
        "Tanh",
        "ThresholdedRelu",
        "Where",
        "Xor",
    ]
)
#: Operators of any number of operands, taken two by two.
VARIADIC = frozenset(["Max", "Mean", "Min", "Sum"])
#: Reductions, and how often they pass over their input.
REDUCE = {
    **dict.fromkeys(["ArgMax", "ArgMin", "CumSum", "Hardmax", "ReduceLogSum", "ReduceMax"], 1),
    **dict.fromkeys(["ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"], 1),
    **dict.fromkeys(["GlobalAveragePool", "GlobalMaxPool"], 1),
    **dict.fromkeys(["GlobalLpPool", "ReduceL1", "ReduceL2", "ReduceSumSquare"], 2),
    "ReduceLogSumExp": 4,
}
#: Passes of norms without a fixed formula in ``vector_operations``: mean, difference, square, mean
#: and quotient; square, sum and quotient.
NORMALISE = {"MeanVarianceNormalization": 5, "LpNormalization": 3}
#: Computed where their operands are known, since a shape may depend on them. None takes more time
#: or memory than its operands and results; others could, such as a convolution with much padding.
COMPUTED = SAME.union(
    MOVE, POINTWISE, VARIADIC, ["Constant", "ConstantOfShape", "Range", "Size"]
) | {name for name in REDUCE if name.startswith(("Reduce", "Arg", "Cum"))}
