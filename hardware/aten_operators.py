"""What the operators of ATen, torch's tensor library, do to their operands, by name."""

#: Pass every element on as it is.
SAME = frozenset(
    [
        "_to_copy",
        "alias",
        "alpha_dropout",
        "clone",
        "contiguous",
        "detach",
        "dropout",
        "fake_quantize_per_channel_affine",
        "fake_quantize_per_tensor_affine",
        "feature_alpha_dropout",
        "feature_dropout",
        "lift_fresh",
        "lift_fresh_copy",
        "native_dropout",
        "resolve_conj",
        "to",
        "type_as",
    ]
)
#: Move every element of their input, besides copies and padding.
KEEP = frozenset(
    [
        "broadcast_to",
        "constant_pad_nd",
        "expand",
        "expand_as",
        "flatten",
        "flip",
        "matrix_H",
        "movedim",
        "mT",
        "numpy_T",
        "pad",
        "permute",
        "pixel_shuffle",
        "pixel_unshuffle",
        "reflection_pad1d",
        "reflection_pad2d",
        "repeat",
        "repeat_interleave",
        "replication_pad1d",
        "replication_pad2d",
        "reshape",
        "reshape_as",
        "roll",
        "rot90",
        "squeeze",
        "swapaxes",
        "t",
        "transpose",
        "unflatten",
        "unsqueeze",
        "view",
        "view_as",
        "_unsafe_view",
        "tile",
        "channel_shuffle",
        "upsample_nearest1d",
        "upsample_nearest2d",
        "upsample_nearest3d",
    ]
)
MOVE = KEEP | frozenset(
    [
        "as_strided",
        "atleast_1d",
        "atleast_2d",
        "atleast_3d",
        "cat",
        "chunk",
        "concat",
        "copy",
        "diagonal",
        "embedding",
        "fill",
        "gather",
        "getitem",
        "hstack",
        "im2col",
        "index",
        "index_add",
        "index_copy",
        "index_put",
        "index_select",
        "masked_scatter",
        "meshgrid",
        "narrow",
        "scatter",
        "scatter_add",
        "select",
        "select_scatter",
        "slice",
        "slice_scatter",
        "split",
        "split_with_sizes",
        "stack",
        "take",
        "take_along_dim",
        "tril",
        "triu",
        "unbind",
        "unfold",
        "unsafe_chunk",
        "unsafe_split",
        "vstack",
        "zero",
    ]
)
#: Their values are known, whatever the input they take the shape of.
CREATE = frozenset(
    [
        "empty_like",
        "full_like",
        "new_empty",
        "new_full",
        "new_ones",
        "new_zeros",
        "ones_like",
        "zeros_like",
    ]
)
#: Transpose a matrix of two axes.
TRANSPOSE = frozenset(["t", "transpose", "numpy_T", "mT", "permute", "swapaxes"])
#: Add to an operand or scale it.
AFFINE = frozenset(
    [
        "add",
        "div",
        "mul",
        "multiply",
        "divide",
        "neg",
        "negative",
        "positive",
        "rsub",
        "sub",
        "subtract",
    ]
)
#: Element-wise operators that torch does not tag as such.
POINTWISE = frozenset(
    [
        "bucketize",
        "floor_divide",
        "hardswish",
        "log_sigmoid",
        "polar",
        "prelu",
        "special_expit",
        "where",
    ]
)
#: Reductions, and how often they pass over their input.
REDUCE = {
    **dict.fromkeys(
        [
            "all",
            "amax",
            "amin",
            "any",
            "argmax",
            "argmin",
            "cumprod",
            "cumsum",
            "logcumsumexp",
            "max",
            "mean",
            "min",
            "prod",
            "sum",
        ],
        1,
    ),
    **dict.fromkeys(["linalg_vector_norm", "norm"], 2),
    **dict.fromkeys(["logsumexp", "std", "std_mean", "var", "var_mean"], 4),
}
#: Elements that an interpolation weighs per output element.
INTERPOLATE = {
    "upsample_linear1d": 2,
    "upsample_bilinear2d": 4,
    "_upsample_bilinear2d_aa": 4,
    "upsample_trilinear3d": 8,
    "upsample_bicubic2d": 16,
    "_upsample_bicubic2d_aa": 16,
}
