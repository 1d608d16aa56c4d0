"""Kinds of ONNX files that other tools write: old operator sets, weights left out, tails."""

import warnings

import numpy as np
import pytest

from lrmp.errors import NetworkError
from lrmp.hardware import Layer, Network
from lrmp.hardware.networks.vector_operations import layer_norm_ops

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FLOAT, INT64, UINT8, BOOL = (
    TensorProto.FLOAT,
    TensorProto.INT64,
    TensorProto.UINT8,
    TensorProto.BOOL,
)
MICROSOFT, QONNX = "com.microsoft", "qonnx.custom_op.general"

CONV = Layer.conv2d("w", 3, 8, 3, 8, padding=0)  # 27 x 8 at 36 positions


def zeros(name, *shape, dtype=np.float32):
    return numpy_helper.from_array(np.zeros(shape, dtype), name)


def numbers(name, *values, dtype=np.int64):
    return numpy_helper.from_array(np.array(values, dtype), name)


def node(kind, inputs, output="y", **attributes):
    return helper.make_node(kind, inputs.split(), output.split(), name=f"{kind}-node", **attributes)


@pytest.fixture
def write(tmp_path):
    def write(nodes, inputs, constants=(), *, opset=17, outputs=None):
        types = {name: (FLOAT, entry) for name, entry in inputs.items()}
        types |= {name: entry for name, entry in inputs.items() if isinstance(entry, tuple)}
        graph = helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info(name, *entry) for name, entry in types.items()],
            [
                helper.make_tensor_value_info(name, FLOAT, None)
                for name in outputs or [nodes[-1].output[0]]
            ],
            list(constants),
        )
        opsets = [helper.make_opsetid("", opset)]
        opsets += [helper.make_opsetid(domain, 1) for domain in (MICROSOFT, QONNX)]
        path = tmp_path / "net.onnx"
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
        return path

    return write


@pytest.fixture
def read(write):
    def read(nodes, inputs, constants=(), *, opset=17, outputs=None, **options):
        path = write(nodes, inputs, constants, opset=opset, outputs=outputs)
        return Network.from_onnx(path, **options).layers

    return read


# -- constants ----------------------------------------------------------------------------


@pytest.mark.parametrize("opset", [7, 9, 11, 12])
def test_flattening_as_exporters_wrote_it_below_opset_13(opset, read):
    layers = read(
        [
            node("Conv", "x w", "c"),
            node("Shape", "c", "s"),
            node("Constant", "", "i", value=numpy_helper.from_array(np.array(0))),
            node("Gather", "s i", "g", axis=0),
            node("Constant", "", "m1", value=numbers("", -1)),
            node("Unsqueeze", "g", "u", axes=[0]),
            node("Concat", "u m1", "k", axis=0),
            node("Reshape", "c k", "r"),
            node("Gemm", "r v b", transB=1),
        ],
        {"x": [1, 3, 8, 8]},
        [zeros("w", 8, 3, 3, 3), zeros("v", 10, 288), zeros("b", 10)],
        opset=opset,
    )
    assert layers == (CONV, Layer.linear("v", 288, 10))


@pytest.mark.parametrize(
    "steps",
    [
        [node("Slice", "s", "p", axes=[0], starts=[1], ends=[3])],
        [node("Squeeze", "s2", "q", axes=[0]), node("Slice", "q", "p", starts=[1], ends=[3])],
        [
            node("Slice", "s", "q", starts=[1], ends=[2]),
            node("ReduceProd", "q", "a", axes=[0]),
            node("Constant", "", "b", value=numbers("", 4)),
            node("Concat", "a b", "p", axis=0),
        ],
        [
            node("Split", "s", "a b", axis=0, split=[1, 2]),
            node("Cast", "b", "f", to=FLOAT),
            node("Floor", "f", "g"),
            node("Cast", "g", "p", to=INT64),
        ],
    ],
)
def test_attributes_that_became_inputs_later(steps, read):
    """Shapes go through operators in the words of opset 9."""
    (layer,) = read(
        [*steps, node("Reshape", "x p", "r"), node("MatMul", "r w")],
        {"x": [1, 12]},
        [
            numbers("s", 1, 3, 4),
            numpy_helper.from_array(np.array([[1, 3, 4]]), "s2"),
            zeros("w", 4, 5),
        ],
        opset=9,
    )
    assert layer == Layer.linear("w", 4, 5, 3)


def test_a_constant_that_cannot_be_computed_is_still_one(read):
    (layer,) = read(
        [node("Scatter", "w i u", "wc"), node("MatMul", "x wc")],
        {"x": [1, 16]},
        [zeros("w", 16, 8), zeros("i", 1, 8, dtype=np.int64), zeros("u", 1, 8)],
        opset=9,
    )
    assert (layer.kind, layer.rows, layer.columns, layer.positions) == ("linear", 16, 8, 1)


def test_the_number_of_nonzeros_of_a_constant_is_known(read):
    (layer,) = read(
        [
            node("NonZero", "mask", "n"),
            node("Transpose", "n", "t"),
            node("Squeeze", "t axis", "places"),
            node("Gather", "x places", "g", axis=1),
            node("MatMul", "g w"),
        ],
        {"x": [1, 4, 6]},
        [numbers("mask", 1, 0, 1, 1, dtype=np.bool_), numbers("axis", 1), zeros("w", 6, 2)],
    )
    assert layer == Layer.linear("w", 6, 2, 3)


# -- shapes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mask",
    [
        node("Dropout", "z", "d mask", ratio=0.5),
        node("BatchNormalization", "z k k k k", "d mean var saved_mean saved_var"),
    ],
)
def test_outputs_that_nobody_reads_need_no_shape(mask, read):
    layers = read(
        [node("MatMul", "x w", "g"), node("Relu", "g", "z"), mask, node("MatMul", "d v")],
        {"x": [1, 16]},
        [zeros("w", 16, 32), zeros("v", 32, 4), zeros("k", 32)],
        opset=9 if mask.op_type == "Dropout" else 8,
    )
    assert layers == (Layer.linear("w", 16, 32, vector_ops=32), Layer.linear("v", 32, 4))


@pytest.mark.parametrize("size", [-1, 0, "n", None])
def test_axes_below_one_are_open(size, write):
    path = write([node("Conv", "x w")], {"x": [size, 3, "h", -1]}, [zeros("w", 8, 3, 3, 3)])
    assert Network.from_onnx(path, input_shapes={"x": (1, 3, 8, 8)}).layers == (CONV,)
    with pytest.raises(
        NetworkError, match=r"dimension 0 and 2 and 3 is open.*\(1, 3, \.\.\., \.\."
    ):
        Network.from_onnx(path)


def test_tokens_without_a_batch(write):
    path = write([node("MatMul", "x w")], {"x": [64, 16]}, [zeros("w", 16, 32)])
    network = Network.from_onnx(path, batch_dimension=None)
    assert network.layers == (Layer.linear("w", 16, 32, 64),)
    path = write([node("Gemm", "w x", transA=1)], {"x": [16, 5]}, [zeros("w", 16, 8)])
    (layer,) = Network.from_onnx(path, batch_dimension=None).layers
    assert (layer.rows, layer.columns, layer.positions) == (16, 8, 5)


def test_values_of_inputs_choose_a_branch(write):
    def branch(weight, output):
        value = helper.make_tensor_value_info(output, FLOAT, None)
        return helper.make_graph([node("MatMul", f"x {weight}", output)], output, [], [value])

    path = write(
        [
            node("Equal", "rate k", "c"),
            node("If", "c", then_branch=branch("w", "a"), else_branch=branch("v", "b")),
        ],
        {"x": [1, 16], "rate": (INT64, [])},
        [zeros("w", 16, 8), zeros("v", 16, 4), numpy_helper.from_array(np.array(16000), "k")],
    )
    for rate, layer in ((16000, Layer.linear("w", 16, 8)), (8000, Layer.linear("v", 16, 4))):
        assert Network.from_onnx(path, input_values={"rate": rate}).layers == (layer,)
    with pytest.raises(
        NetworkError,
        match=r"If on a computed value.*input_values=\{'rate': \.\.\..*--input-value rate=",
    ):
        Network.from_onnx(path)
    with pytest.raises(NetworkError, match="each name in input_values to be one of rate, x; got"):
        Network.from_onnx(path, input_values={"sr": 1})
    for wrong in ([1, 2], "fast", 0.5, None):
        with pytest.raises(NetworkError, match=r"input_values\['rate'\] as int64 of shape \(\)"):
            Network.from_onnx(path, input_values={"rate": wrong})


# -- weights that are not there -----------------------------------------------------------


def test_weights_without_values_or_among_the_inputs(read):
    empty = TensorProto(name="w", data_type=FLOAT, dims=[8, 3, 3, 3])
    assert read([node("Conv", "x w")], {"x": [1, 3, 8, 8]}, [empty]) == (CONV,)
    image = {"x": [1, 3, 8, 8], "w": [8, 3, 3, 3]}
    assert read([node("Conv", "x w")], image) == (CONV,)
    inputs = {"w": [32, 16], "x": [1, 16], "b": [32]}
    fc = (Layer.linear("w", 16, 32),)
    assert read([node("Gemm", "x w b", transB=1)], inputs) == fc
    product = [node("MatMul", "x w", "h"), node("Add", "h b")]
    assert read(product, inputs | {"w": [16, 32]}) == fc
    steps = {"x": [5, 1, 3], "w": [1, 16, 3], "r": [1, 16, 4]}
    lstm = [node("LSTM", "x w r", hidden_size=4)]
    assert read(lstm, steps, batch_dimension=1) == (Layer.lstm("w", 3, 4, 5),)


def test_two_activations_stay_two_activations(read):
    (layer,) = read([node("MatMul", "x z")], {"x": [1, 4, 16], "z": [1, 16, 4]})
    assert layer.kind == "matmul"
    (layer,) = read([node("MatMul", "x z")], {"x": [1, 16], "z": [16, 4]}, batch_dimension=None)
    assert layer.kind == "matmul"


def test_small_values_beside_the_file_are_read(tmp_path):
    (tmp_path / "deep").mkdir()
    constants = {"w": zeros("w", 8, 3, 3, 3), "s": numbers("s", 1, 288), "v": zeros("v", 288, 10)}
    graph = helper.make_graph(
        [node("Conv", "x w", "c"), node("Reshape", "c s", "r"), node("MatMul", "r v")],
        "graph",
        [helper.make_tensor_value_info("x", FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", FLOAT, None)],
        list(constants.values()),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    path = tmp_path / "net.onnx"

    def save(location):
        for tensor in model.graph.initializer:
            data = constants[tensor.name].raw_data
            if tensor.name == "s" and (tmp_path / "deep").exists():
                (tmp_path / "deep/values").write_bytes(b"\0" * 8 + data)
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            del tensor.external_data[:]
            place = {"location": location, "offset": "8", "length": str(len(data))}
            for key, value in place.items():
                tensor.external_data.add(key=key, value=value)
        onnx.save_model(model, path)

    save("deep/values")
    # The file has the shape alone: weights are not read, and need not be there.
    assert Network.from_onnx(path).layers == (CONV, Layer.linear("v", 288, 10))
    for outside in ("../deep/values", "deep/../deep/values", str(tmp_path / "deep/values"), "no"):
        save(outside)
        with pytest.raises(NetworkError, match=r"Reshape 'Reshape-node' .* known before the run"):
            Network.from_onnx(path)
    (tmp_path / "link").symlink_to(tmp_path / "deep/values")
    save("link")
    with pytest.raises(NetworkError, match=r"Reshape 'Reshape-node' .* known before the run"):
        Network.from_onnx(path)


# -- operators ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stride", "pads", "additions"), [(2, 0, 0), (1, 0, 4 * (16 * 4 - 25)), (2, 1, 4 * (64 - 36))]
)
def test_transposed_convolution(stride, pads, additions, read):
    """Every input position gives M x kernel outputs; what overlaps or is cut off is added."""
    (layer,) = read(
        [node("ConvTranspose", "x w", strides=[stride] * 2, pads=[pads] * 4)],
        {"x": [1, 8, 4, 4]},
        [zeros("w", 8, 4, 2, 2)],
    )
    assert layer == Layer("w", "conv2d", 8, 16, 16, input_elements=128, vector_ops=additions)


def test_grouped_transposed_convolution_and_three_dimensions(read):
    (layer,) = read(
        [node("ConvTranspose", "x w", group=2, strides=[2, 2, 2])],
        {"x": [1, 8, 2, 3, 4]},
        [zeros("w", 8, 3, 2, 2, 2)],
    )
    assert layer == Layer("w", "conv3d", 4, 2 * 3 * 8, 24, groups=2, input_elements=192)
    (layer,) = read([node("Conv", "x w")], {"x": [1, 3, 8, 8, 8]}, [zeros("w", 8, 3, 3, 3, 3)])
    assert (layer.kind, layer.rows, layer.columns, layer.positions) == ("conv3d", 81, 8, 216)
    assert layer.kernel_elements == 27


@pytest.mark.parametrize(
    ("equation", "shape", "weight", "size"),
    [
        ("...k,km->...m", [1, 10, 16], (16, 8), (16, 8, 10)),
        ("bik , km", [1, 10, 16], (16, 8), (16, 8, 10)),
        ("...ik,...km->...im", [1, 2, 10, 16], (1, 2, 16, 8), (16, 16, 10)),
        ("bij,jk->kbi", [1, 10, 16], (16, 8), (16, 8, 10)),
    ],
)
def test_einsum_in_all_its_words(equation, shape, weight, size, read):
    (layer,) = read([node("Einsum", "x w", equation=equation)], {"x": shape}, [zeros("w", *weight)])
    assert (layer.rows, layer.columns, layer.positions) == size


def test_einsum_of_one_operand_and_of_none(read):
    layers = read(
        [node("MatMul", "x w", "h"), node("Einsum", "h", equation="bik->bki")],
        {"x": [1, 3, 4]},
        [zeros("w", 4, 4)],
    )
    assert layers == (Layer.linear("w", 4, 4, 3),)
    for equation in ("ik,kj->ij", "b.ik,kj", "bik,kj,jl->bil"):
        with pytest.raises(NetworkError, match=r"got einsum of|Expected inputs that fit Einsum"):
            read([node("Einsum", "x w", equation=equation)], {"x": [1, 3, 4]}, [zeros("w", 4, 4)])


def test_layer_norm_before_the_standard_had_it(read):
    (layer,) = read(
        [node("MatMul", "x w", "m"), node("LayerNormalization", "m s s", axis=-1)],
        {"x": [1, 4, 16]},
        [zeros("w", 16, 16), zeros("s", 16)],
        opset=12,
    )
    assert layer == Layer.linear("w", 16, 16, 4, vector_ops=layer_norm_ops(64, 4, affine=True))


def test_one_matrix_with_two_strides_is_one_layer(read):
    (layer,) = read(
        [
            node("Conv", "x w", "a", pads=[1] * 4),
            node("Conv", "x w", "b", pads=[1] * 4, strides=[2, 2]),
            node("GlobalAveragePool", "a", "p"),
            node("GlobalAveragePool", "b", "q"),
            node("Add", "p q"),
        ],
        {"x": [1, 3, 8, 8]},
        [zeros("w", 8, 3, 3, 3)],
    )
    assert (layer.rows, layer.columns, layer.positions, layer.stride) == (27, 8, 64 + 16, 2)


# -- what no layer follows ----------------------------------------------------------------


def boxes(*, then=()):
    return [
        node("Conv", "x w", "c"),
        node("Reshape", "c three", "r"),
        node("Slice", "r zero four axis", "boxes"),
        node("Slice", "r four five axis", "scores"),
        node("Transpose", "scores", "turned", perm=[0, 2, 1]),
        helper.make_node("NonMaxSuppression", ["boxes", "turned", "most"], ["found"], name="nms"),
        *then,
    ]


BOXES = [
    zeros("w", 8, 3, 3, 3),
    numbers("three", 1, -1, 8),
    *(numbers(name, i) for name, i in (("zero", 0), ("four", 4), ("five", 5), ("axis", 2))),
    numbers("most", 10),
]


def test_a_tail_that_no_layer_follows_is_left_out_and_said(write):
    image = {"x": [1, 3, 8, 8]}
    path = write(boxes(), image, BOXES, opset=13)
    with pytest.warns(UserWarning, match=r"since no layer follows: NonMaxSuppression 'nms'\.$"):
        assert Network.from_onnx(path).layers == (CONV,)
    tail = [node("Cast", "found", "f", to=FLOAT), node("ReduceSum", "f")]
    path = write(boxes(then=tail), image, BOXES, opset=13)
    with pytest.warns(UserWarning, match=r"NonMaxSuppression 'nms' and 2 operators behind\."):
        Network.from_onnx(path)
    layer = [node("Cast", "found", "f", to=FLOAT), node("MatMul", "f v")]
    path = write(boxes(then=layer), image, [*BOXES, zeros("v", 3, 2)], opset=13)
    with pytest.raises(NetworkError, match="NonMaxSuppression 'nms' to have an output whose shape"):
        Network.from_onnx(path)


def test_the_best_of_many_are_left_out_at_the_end_alone(read):
    layer, best = node("MatMul", "x w", "h"), node("TopK", "h k", "best places")
    constants = [zeros("w", 16, 8), numbers("k", 3), zeros("v", 3, 2)]
    with pytest.warns(UserWarning, match="no layer follows: TopK 'TopK-node'"):
        assert read([layer, best], {"x": [1, 16]}, constants) == (Layer.linear("w", 16, 8),)
    with pytest.raises(NetworkError, match="got the operator TopK in 'TopK-node'"):
        read([layer, best, node("MatMul", "best v")], {"x": [1, 16]}, constants)


def test_a_foreign_operator_with_weights_is_never_left_out(read):
    unknown = helper.make_node("Dense", ["h", "v"], ["y"], name="fc", domain="own")
    inner = helper.make_node("Dense", ["h"], ["y"], name="fc", domain="own")
    layer, inputs = node("MatMul", "x w", "h"), {"x": [1, 16]}
    constants = [zeros("w", 16, 8), zeros("v", 8, 4)]
    with pytest.raises(NetworkError, match="the operator Dense of domain 'own' in 'fc'"):
        read([layer, unknown], inputs, constants)
    with pytest.warns(UserWarning, match="Dense 'fc'"):
        read([layer, inner], inputs, constants)


def test_nothing_is_said_where_nothing_is_left_out(read):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layers = read(
            [node("MatMul", "x w", "h"), node("Dropout", "h", "d mask"), node("Relu", "d")],
            {"x": [1, 16]},
            [zeros("w", 16, 8)],
            opset=9,
        )
    assert layers == (Layer.linear("w", 16, 8, vector_ops=8),)
