"""What the operators of ONNX do to their operands, by name."""

#: Put elements on a grid, as QONNX, Brevitas and FINN write it.
QUANTISE = frozenset(["BipolarQuant", "FloatQuant", "IntQuant", "Quant", "Trunc"])
#: Pass every element on as it is.
SAME = QUANTISE | frozenset(
    [
        "Cast",
        "CastLike",
        "DequantizeLinear",
        "Dropout",
        "DynamicQuantizeLinear",
        "Identity",
        "ImageScaler",
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
        "MaxUnpool",
        "OneHot",
        "ReverseSequence",
        "Scatter",
        "ScatterElements",
        "ScatterND",
        "Slice",
        "Split",
        "TensorScatter",
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
        "MultiThreshold",
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
    **dict.fromkeys(
        ["ArgMax", "ArgMin", "CumProd", "CumSum", "Hardmax", "ReduceLogSum", "ReduceMax"], 1
    ),
    **dict.fromkeys(["ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"], 1),
    **dict.fromkeys(["GlobalAveragePool", "GlobalMaxPool"], 1),
    **dict.fromkeys(["GlobalLpPool", "ReduceL1", "ReduceL2", "ReduceSumSquare"], 2),
    "ReduceLogSumExp": 4,
}
#: Passes of norms without a fixed formula in ``vector_operations``: mean, difference, square, mean
#: and quotient; square, sum and quotient.
NORMALISE = {"MeanVarianceNormalization": 5, "LpNormalization": 3}
#: Their one output is like their first input, which no schema says.
LIKE_FIRST = QUANTISE | NORMALISE.keys() | {"ImageScaler", "MultiThreshold"}
