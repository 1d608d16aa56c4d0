import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest

from lrmp.errors import NetworkError
from lrmp.hardware import Layer, Network, load_network
from lrmp.hardware.networks.transformer import bert_base, vit_b_32
from lrmp.hardware.networks.vector_operations import rms_norm_ops, softmax_ops
from lrmp.install_command import install_command

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FLOAT = TensorProto.FLOAT


def constant(name, *shape, dtype=np.float32):
    return numpy_helper.from_array(np.zeros(shape, dtype), name)


def integers(name, *values):
    return numpy_helper.from_array(np.array(values, dtype=np.int64), name)


@pytest.fixture
def write(tmp_path):
    """Write nodes as a file; inputs are given by their shapes."""

    def write(nodes, inputs, constants=(), *, opset=18, domains=(), name="net.onnx", **options):
        graph = helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info(k, FLOAT, v) for k, v in inputs.items()],
            [helper.make_tensor_value_info(nodes[-1].output[0], FLOAT, None)],
            list(constants),
        )
        opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
        path = tmp_path / name
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path, **options)
        return path

    return write


@pytest.fixture
def read(write):
    """Read the layers of nodes."""

    def read(nodes, inputs, constants=(), *, batch_dimension=0, **options):
        path = write(nodes, inputs, constants, **options)
        return Network.from_onnx(path, batch_dimension=batch_dimension).layers

    return read


def node(kind, inputs, output="y", **attributes):
    return helper.make_node(kind, inputs.split(","), [output], name=f"{kind}-node", **attributes)


# -- what torch exports -------------------------------------------------------------------


def export(module, inputs, path, exporter):
    """Export by torch.export ("program") or TorchScript ("script", "unfolded": batch norm kept)."""
    import torch

    options = {"do_constant_folding": False} if exporter == "unfolded" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of exporters; the files are what counts
        torch.onnx.export(
            module.eval(), inputs, path, dynamo=exporter == "program", verbose=False, **options
        )
    return path


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "exporter"),
    [
        ("lenet", "script"),
        ("mobilenet_v2", "script"),
        ("resnet8", "script"),
        ("resnet18", "program"),
        ("resnet20", "unfolded"),
        ("resnet34", "unfolded"),
        ("resnet50", "script"),
        ("resnet101", "unfolded"),
        ("squeezenet1_1", "script"),
    ],
)
def test_built_in_networks_equal_exported_torch_models(name, exporter, torch_model, tmp_path):
    path = export(*torch_model(name, "cpu"), tmp_path / f"{name}.onnx", exporter)
    network = Network.from_onnx(path)
    assert network.name == name
    renamed = [
        replace(layer, name=layer.name.replace("downsample.0", "downsample"))
        for layer in network.layers
    ]
    assert renamed == list(load_network(name).layers)
    assert network.edges == load_network(name).edges


@pytest.mark.long
def test_built_in_transformers_equal_exported_torch_models(torch_model, tmp_path):
    module, inputs = torch_model("vit_b_32", "cpu", blocks=1)
    network = Network.from_onnx(export(module, inputs, tmp_path / "vit.onnx", "program"))
    # The exporter transposes the packed projection, so its layer has the name of the module.
    assert list(network.layers) == [
        replace(layer, name=layer.name.removesuffix(".in_proj"))
        for layer in vit_b_32(blocks=1).layers
    ]
    assert network.edges == vit_b_32(blocks=1).edges
    module, inputs = torch_model("bert_base", "cpu", blocks=1)
    network = Network.from_onnx(export(module, inputs, tmp_path / "bert.onnx", "script"))
    # TorchScript names modules that are called, so encoder and attention are missing.
    assert [replace(layer, name="") for layer in network.layers] == [
        replace(layer, name="") for layer in bert_base(blocks=1).layers
    ]
    assert network.edges == bert_base(blocks=1).edges
    assert network.layers[0].name == "layer.0.self.query"


@pytest.mark.long
@pytest.mark.parametrize("exporter", ["program", "script"])
def test_exported_lstm_equals_the_torch_module(exporter, tmp_path):
    import torch

    module = torch.nn.Sequential()
    module.rnn = torch.nn.LSTM(8, 16, 2, batch_first=True)
    module.forward = lambda x: module.rnn(x)[0]
    inputs = torch.zeros(1, 7, 8)
    expected = Network.from_torch(module, inputs).layers
    network = Network.from_onnx(export(module, (inputs,), tmp_path / "lstm.onnx", exporter))
    assert [replace(layer, name="") for layer in network.layers] == [
        replace(layer, name="") for layer in expected
    ]
    # Both exporters reorder the gates, and fold that in weights as small as these.
    assert [layer.name for layer in network.layers] == ["rnn", "rnn.1"]


# -- layers -------------------------------------------------------------------------------


def test_rectangular_grouped_dilated_asymmetric_convolution(read):
    conv = node(
        "Conv", "x,conv.weight,b", strides=[2, 1], pads=[1, 0, 0, 4], dilations=[1, 2], group=2
    )
    # (10 + 1 - 3) // 2 + 1 = 5; 9 + 4 - 2 * 4 = 5
    (layer,) = read(
        [conv],
        {"x": (1, 6, 10, 9)},
        [constant("conv.weight", 8, 3, 3, 5), constant("b", 8)],
    )
    assert layer == Layer(
        "conv", "conv2d", 3 * 5 * 3, 8, 25, kernel_size=5, stride=2, groups=2, input_elements=540
    )


@pytest.mark.parametrize(("auto_pad", "side"), [("SAME_UPPER", 4), ("SAME_LOWER", 4), ("VALID", 3)])
def test_padding_chosen_by_the_operator(auto_pad, side, read):
    conv = node("Conv", "x,w", auto_pad=auto_pad, strides=[2])
    (layer,) = read([conv], {"x": (1, 2, 8)}, [constant("w", 3, 2, 3)])
    assert (layer.kind, layer.positions, layer.kernel_size) == ("conv1d", side, 3)


def test_matrix_products(read):
    constants = [constant("a", 6, 7), constant("b", 5, 7), constant("c", 5), constant("d", 4, 3)]
    layers = read(
        [
            node("MatMul", "x,a", "h"),
            node("Reshape", "h,shape", "f"),
            node("Gemm", "f,b,c", "g", transB=1),
            node("MatMul", "d,g"),
        ],
        {"x": (1, 3, 6)},
        [*constants, integers("shape", 3, 7)],
        opset=13,
    )
    assert layers[:2] == (Layer.linear("a", 6, 7, 3), Layer.linear("b", 7, 5, 3))
    # a matrix on the left: four outputs for each of five columns
    assert len(layers) == 3
    assert (layers[2].rows, layers[2].columns, layers[2].positions) == (3, 4, 5)


def test_attention_of_activations(read):
    layers = read(
        [
            node("Transpose", "k", "t", perm=[0, 1, 3, 2]),
            node("MatMul", "q,t", "s"),
            node("Mul", "s,scale", "m"),
            node("Softmax", "m", "p", axis=-1),
            node("MatMul", "p,v"),
        ],
        {"q": (1, 4, 10, 16), "k": (1, 4, 12, 16), "v": (1, 4, 12, 8)},
        [constant("scale")],
    )
    assert layers == (
        Layer.matmul("MatMul-node.qk", 16, 12, 10, heads=4, vector_ops=softmax_ops(480)),
        Layer.matmul("MatMul-node.av", 12, 8, 10, heads=4),
    )


def test_attention_operator_equals_the_written_out_one(read):
    fused = read(
        [node("Attention", "q,k,v", is_causal=1, q_num_heads=4, kv_num_heads=2)],
        {"q": (1, 10, 64), "k": (1, 12, 32), "v": (1, 12, 32)},
        opset=23,
    )
    scores = 4 * 10 * 12
    assert fused == (
        Layer.matmul(
            "Attention-node.qk", 16, 12, 20, heads=2, vector_ops=scores + softmax_ops(scores)
        ),
        Layer.matmul("Attention-node.av", 12, 16, 20, heads=2),
    )


@pytest.mark.parametrize(("kind", "gates", "cost"), [("LSTM", 4, 9), ("GRU", 3, 8), ("RNN", 1, 1)])
def test_recurrent_layers_of_two_directions(kind, gates, cost, read):
    rnn = node(kind, "x,w,r", hidden_size=16, direction="bidirectional")
    layers = read(
        [rnn],
        {"x": (7, 1, 10)},
        [constant("w", 2, gates * 16, 10), constant("r", 2, gates * 16, 16)],
        batch_dimension=1,
    )
    assert [layer.name for layer in layers] == [f"{kind}-node", f"{kind}-node_reverse"]
    for layer in layers:
        assert (layer.kind, layer.rows, layer.columns) == ("recurrent", 26, gates * 16)
        assert (layer.positions, layer.time_steps) == (7, 7)
        assert layer.vector_ops == cost * 16 * 7


def test_quantised_networks_read_like_their_float_ones(read):
    layers = read(
        [
            node("QuantizeLinear", "x,s,z", "xq"),
            node("DequantizeLinear", "xq,s,z", "xd"),
            node("DequantizeLinear", "conv1.weight_quantized,s,zw", "wd"),
            node("Conv", "xd,wd", "c"),
            node("Relu", "c", "r"),
            node("QuantizeLinear", "r,s,z", "rq"),
            node("QLinearConv", "rq,s,z,conv2.weight,s,zw,s,z", "q"),
            node("DequantizeLinear", "q,s,z"),
        ],
        {"x": (1, 3, 8, 8)},
        [
            constant("s"),
            constant("z", dtype=np.uint8),
            constant("zw", dtype=np.int8),
            constant("conv1.weight_quantized", 4, 3, 3, 3, dtype=np.int8),
            constant("conv2.weight", 2, 4, 1, 1, dtype=np.int8),
        ],
    )
    assert layers == (
        Layer.conv2d("conv1", 3, 4, 3, 8, padding=0, vector_ops=4 * 36),
        Layer.conv2d("conv2", 4, 2, 1, 6),
    )


def test_integer_layers(read):
    layers = read(
        [
            helper.make_node("DynamicQuantizeLinear", ["x"], ["xq", "xs", "xz"]),
            node("ConvInteger", "xq,conv.weight,xz", "c"),
            node("Cast", "c", "f", to=TensorProto.FLOAT),
            node("Flatten", "f", "g"),
            helper.make_node("DynamicQuantizeLinear", ["g"], ["gq", "gs", "gz"]),
            node("MatMulInteger", "gq,fc.weight"),
        ],
        {"x": (1, 2, 4, 4)},
        [
            constant("conv.weight", 3, 2, 3, 3, dtype=np.uint8),
            constant("fc.weight", 12, 5, dtype=np.uint8),
        ],
    )
    assert layers == (Layer.conv2d("conv", 2, 3, 3, 4, padding=0), Layer.linear("fc", 12, 5))


def test_weights_used_twice_are_one_layer(read):
    (layer,) = read(
        [node("MatMul", "x,w", "a"), node("MatMul", "a,w")], {"x": (1, 4)}, [constant("w", 4, 4)]
    )
    assert (layer.positions, layer.time_steps) == (2, 2)


def test_names_fall_back_on_the_node(read):
    first, second = read(
        [
            helper.make_node("MatMul", ["x", "onnx::MatMul_7"], ["a"], name="/encoder/fc/MatMul"),
            helper.make_node("MatMul", ["a", "val_8"], ["y"]),
        ],
        {"x": (1, 4)},
        [constant("onnx::MatMul_7", 4, 4), constant("val_8", 4, 3)],
    )
    assert (first.name, second.name) == ("encoder.fc", "MatMul_2")


def test_shapes_are_followed_through_arithmetic_and_branches(read):
    # Reshape to (size of dimension 0, -1), if the rank is four: as exporters write flatten.
    then = helper.make_graph(
        [node("Flatten", "x", "t")], "then", [], [helper.make_tensor_value_info("t", FLOAT, None)]
    )
    other = helper.make_graph(
        [node("Identity", "x", "e")], "else", [], [helper.make_tensor_value_info("e", FLOAT, None)]
    )
    layers = read(
        [
            node("Shape", "x", "shape"),
            node("Size", "shape", "rank"),
            node("Equal", "rank,four", "is_image"),
            node("If", "is_image", "f", then_branch=then, else_branch=other),
            node("Gather", "shape,zero", "n"),
            node("Unsqueeze", "n,axes", "n1"),
            node("Concat", "n1,rest", "target", axis=0),
            node("Reshape", "f,target", "r"),
            node("MatMul", "r,w"),
        ],
        {"x": (1, 2, 3, 4)},
        [
            constant("w", 6, 5),
            numpy_helper.from_array(np.array(4), "four"),
            numpy_helper.from_array(np.array(0), "zero"),
            integers("axes", 0),
            integers("rest", -1, 6),
        ],
    )
    assert layers == (Layer.linear("w", 6, 5, 4),)


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 15, 18, 21])
def test_operator_versions(opset, read):
    """The same network in the words of several versions of the operator set."""
    axes = {"axes": [2, 3]} if opset < 18 else {}
    mean = node("ReduceMean", "n" if opset < 18 else "n,axes", "m", keepdims=0, **axes)
    layers = read(
        [
            node("Conv", "x,c.weight", "c"),
            node("BatchNormalization", "c,k,k,k,k", "b"),
            node("Clip", "b", "n", min=0.0, max=6.0)
            if opset < 11
            else node("Clip", "b,low,high", "n"),
            mean,
            node("Gemm", "m,fc.weight,bias"),
        ],
        {"x": (1, 3, 8, 8)},
        [
            constant("c.weight", 4, 3, 3, 3),
            constant("fc.weight", 4, 10),
            constant("bias", 10),
            constant("k", 4),
            constant("low"),
            constant("high"),
            integers("axes", 2, 3),
        ],
        opset=opset,
    )
    assert layers == (
        Layer.conv2d("c", 3, 4, 3, 8, padding=0, vector_ops=2 * 4 * 36),
        Layer.linear("fc", 4, 10),
    )


N = 3 * 8


@pytest.mark.parametrize(
    ("nodes", "count"),
    [
        ([node("Relu", "h")], N),
        ([node("LeakyRelu", "h", alpha=0.1)], N),
        ([node("Sigmoid", "h", "s"), node("Mul", "h,s")], N),  # SiLU
        ([node("HardSwish", "h")], N),
        (  # GELU
            [
                node("Div", "h,one", "d"),
                node("Erf", "d", "e"),
                node("Add", "e,one", "a"),
                node("Mul", "h,a", "m"),
                node("Mul", "m,one"),
            ],
            N,
        ),
        ([node("Add", "h,bias")], 0),
        ([node("Add", "h,around")], N),
        ([node("Add", "h,x")], N),
        ([node("Max", "h,x,one")], 2 * N),
        ([node("Softmax", "h", axis=-1)], 5 * N),
        (
            [
                node("ReduceMax", "h,last", "a"),
                node("Sub", "h,a", "b"),
                node("Exp", "b", "c"),
                node("ReduceSum", "c,last", "d"),
                node("Div", "c,d"),
            ],
            5 * N,
        ),
        ([node("LayerNormalization", "h,bias,bias")], 7 * N + 3),
        (
            [
                node("Mul", "h,h", "a"),
                node("ReduceMean", "a,last", "b"),
                node("Add", "b,one", "c"),
                node("Sqrt", "c", "d"),
                node("Div", "h,d", "e"),
                node("Mul", "e,bias"),
            ],
            rms_norm_ops(N, 3),
        ),
        ([node("InstanceNormalization", "h,three,three")], 7 * N + 3),
        ([node("MeanVarianceNormalization", "h", axes=[2])], 5 * N),
        ([node("LRN", "h", size=5)], 8 * N),
        ([node("MaxPool", "h", kernel_shape=[3])], 3 * 6 * 3),
        ([node("AveragePool", "h", kernel_shape=[1])], 0),
        ([node("GlobalAveragePool", "h")], N),
        ([node("ReduceL2", "h,last")], 2 * N),
        ([node("ArgMax", "h")], N),
        ([node("Pad", "h,pads", "p"), node("Transpose", "p"), node("Identity", "y", "z")], 0),
        ([node("Concat", "h,h", axis=1)], 0),
        ([node("Resize", "h,,scales", mode="nearest")], 0),
        ([node("Resize", "h,,scales", mode="linear")], 2 * 2 * N),
        ([node("Where", "mask,h,around")], N),
        ([node("Constant", "", "k", value=constant("k", 1)), node("Mul", "h,k")], 0),
    ],
)
def test_vector_operations_follow_the_rule(nodes, count, read):
    for entry in nodes:
        if entry.op_type == "Constant":
            del entry.input[:]
    layers = read(
        [node("MatMul", "x,w", "h"), *nodes],
        {"x": (1, 3, 8)},
        [
            constant("w", 8, 8),
            constant("bias", 8),
            constant("one", 1),
            constant("three", 3),
            constant("around", 1, 3, 8),
            constant("mask", 1, 3, 8, dtype=np.bool_),
            integers("last", -1),
            integers("pads", 0, 0, 1, 0, 0, 1),
            numpy_helper.from_array(np.array([1, 1, 2], np.float32), "scales"),
        ],
    )
    assert [layer.vector_ops for layer in layers] == [count]


# -- files --------------------------------------------------------------------------------


def test_external_data_need_not_be_there(write, tmp_path):
    path = write(
        [node("MatMul", "x,fc.weight")],
        {"x": (1, 512)},
        [constant("fc.weight", 512, 256)],
        save_as_external_data=True,
        location="weights.bin",
    )
    (tmp_path / "weights.bin").unlink()
    network = Network.from_onnx(path)
    assert network == Network("net", (Layer.linear("fc", 512, 256),), edges=())
    assert Network.from_onnx(str(path), name="mine").name == "mine"


def test_local_functions_are_followed(tmp_path):
    body = helper.make_function(
        "own", "Twice", ["a"], ["b"], [node("Add", "a,a", "b")], [helper.make_opsetid("", 18)]
    )
    graph = helper.make_graph(
        [node("MatMul", "x,w", "h"), helper.make_node("Twice", ["h"], ["y"], domain="own")],
        "graph",
        [helper.make_tensor_value_info("x", FLOAT, (1, 4))],
        [helper.make_tensor_value_info("y", FLOAT, None)],
        [constant("w", 4, 4)],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, functions=[body]), path)
    assert Network.from_onnx(path).layers == (Layer.linear("w", 4, 4, vector_ops=4),)


def test_open_sizes_are_filled_by_input_shapes(write):
    path = write(
        [node("Conv", "x,c.weight")],
        {"x": ("N", 3, "height", None)},
        [constant("c.weight", 4, 3, 3, 3)],
    )
    (layer,) = Network.from_onnx(path, input_shapes={"x": (1, 3, 8, 10)}).layers
    assert layer.positions == 6 * 8


@pytest.mark.parametrize(
    ("shape", "given", "message"),
    [
        (
            ("N", 3, 8, 8),
            None,
            r"got \(N, 3, 8, 8\): dimension 0 is open\. Export .*\(1, 3, 8, 8\)}",
        ),
        (
            (1, 3, "height", None),
            None,
            r"dimension 2 and 3 is open\. .*input_shapes=\{'x': \(1, 3, \.\.\., \.\.\.\)\}",
        ),
        (None, None, r"fixed sizes of input 'x', got no shape\. .*\{'x': \(\.\.\.\)\}"),
        ((1, 3, 8, 8), {"y": (1,)}, r"each name in input_shapes to be one of x; got 'y'"),
        (("N", 3, 8, 8), {"x": (1, 4, 8, 8)}, r"to fit the file's \(N, 3, 8, 8\), got \(1, 4, 8"),
        (("N", 3, 8, 8), {"x": (1, 3)}, r"to fit the file's \(N, 3, 8, 8\), got \(1, 3\)"),
        (("N", 3, 8, 8), {"x": (0, 3, 8, 8)}, r"input_shapes\['x'\] to be integers >= 1, got \(0"),
        ((2, 3, 8, 8), None, r"input 'x' to have a batch of 1 in dimension 0, got shape \(2, 3"),
        ((1, 2, 8, 8), None, r"Expected 3 input channels of layer 'c', got 2\. Check the shape"),
        ((1, 3, 8), None, r"Conv 'Conv-node' to have as many dimensions, got \[\(1, 3, 8\), \(4"),
        ((1, 3, 2, 2), None, r"positions of layer 'c' to be an integer >= 1, got 0"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(shape, given, message, write):
    path = write([node("Conv", "x,c.weight")], {"x": shape}, [constant("c.weight", 4, 3, 3, 3)])
    with pytest.raises(NetworkError, match=message):
        Network.from_onnx(path, input_shapes=given)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("Det", "x")], r"got the operator Det in 'Det-node'"),
        ([helper.make_node("TopK", ["x", "k"], ["y", "i"])], r"got the operator TopK in 'TopK_1'"),
        (
            [node("MatMul", "x,k5")],
            r"Expected inputs that fit MatMul 'MatMul-node', got \[\(1, 4, ",
        ),
        ([node("LSTM", "s,s,s", hidden_size=4)], r"got the operator LSTM with computed weights"),
        (
            [node("LSTM", "s,lw,lr,,,,,peep", hidden_size=4)],
            r"got the operator LSTM with peepholes in 'LSTM-node'",
        ),
        (
            [node("DynamicQuantizeLinear", "x")],
            r"that fit DynamicQuantizeLinear .*output size 1 not",
        ),
        ([node("Conv", "u,w6")], r"got a convolution of 4 dimensions in 'Conv-node'"),
        ([node("Conv", "x,x")], r"got the operator Conv with a computed kernel in 'Conv-node'"),
        ([node("NonZero", "x")], r"NonZero 'NonZero-node' to have an output whose shape is known"),
        (
            [helper.make_node("Fused", ["x"], ["y"], name="f", domain="com.microsoft")],
            r"got the operator Fused of domain 'com\.microsoft' in 'f'",
        ),
        ([node("Unheard", "x")], r"got the operator Unheard in 'Unheard-node'"),
        (
            [node("Relu", "missing")],
            r"input 'missing' of Relu 'Relu-node' to be computed before",
        ),
        ([node("Relu", "x")], r"Expected network 'net' to have a convolution"),
        (
            [node("Einsum", "x,w", equation="bchw,mchw->b")],
            r"got a product with the terms bchw,mchw->b in 'Einsum-node'",
        ),
    ],
)
def test_operators_that_cannot_be_read_are_refused(nodes, message, write):
    constants = [constant("w", 4, 4, 4, 4), integers("k", 1), constant("k5", 5, 5)]
    constants += [constant("lw", 1, 16, 4), constant("lr", 1, 16, 4), constant("peep", 1, 12)]
    constants += [constant("w6", 4, 4, 1, 1, 1, 1)]
    inputs = {"x": (1, 4, 4, 4), "s": (1, 1, 4), "u": (1, 4, 4, 4, 4, 4)}
    path = write(nodes, inputs, constants, domains=["com.microsoft"])
    with pytest.raises(NetworkError, match=message):
        Network.from_onnx(path)


def test_computed_condition_and_loops_are_refused(write):
    empty = helper.make_graph(
        [node("Identity", "x", "t")], "t", [], [helper.make_tensor_value_info("t", FLOAT, None)]
    )
    nodes = [
        node("ReduceMax", "x", "m", keepdims=0),
        node("Cast", "m", "c", to=TensorProto.BOOL),
        node("If", "c", then_branch=empty, else_branch=empty),
    ]
    with pytest.raises(NetworkError, match="got the operator If on a computed value in 'If-node'"):
        Network.from_onnx(write(nodes, {"x": (1, 4)}))
    loop = helper.make_node("Loop", ["n", ""], ["y"], name="loop", body=empty)
    with pytest.raises(NetworkError, match="got the operator Loop in 'loop'"):
        Network.from_onnx(write([loop], {"x": (1, 4)}, [integers("n", 3)]))


def test_zero_size_layer_is_refused(write):
    path = write([node("MatMul", "x,fc.weight")], {"x": (1, 4)}, [constant("fc.weight", 4, 0)])
    with pytest.raises(NetworkError, match=r"columns of layer 'fc' to be an integer >= 1, got 0"):
        Network.from_onnx(path)


def test_damaged_and_missing_files_are_refused(write, tmp_path):
    path = write([node("MatMul", "x,w")], {"x": (1, 4)}, [constant("w", 4, 4)])
    whole = path.read_bytes()
    for length in (1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(NetworkError, match=r"net\.onnx to be a whole ONNX file: .*again\."):
            Network.from_onnx(path)
    path.write_bytes(b"")
    with pytest.raises(NetworkError, match=r"to hold a graph .* got 0 inputs and 0 operators"):
        Network.from_onnx(path)
    with pytest.raises(NetworkError, match=r"Expected a readable ONNX file at .*no\.onnx"):
        Network.from_onnx(tmp_path / "no.onnx")
    with pytest.raises(NetworkError, match=r"Expected a readable ONNX file at "):
        Network.from_onnx(tmp_path)


def test_changed_bytes_are_read_or_refused(write):
    path = write(
        [
            node("Conv", "x,conv.weight", "c", strides=[2, 2], pads=[1, 1, 1, 1]),
            node("Relu", "c", "r"),
            node("Shape", "r", "s"),
            node("Slice", "s,zero,one", "n"),
            node("Concat", "n,rest", "t", axis=0),
            node("Reshape", "r,t", "f"),
            node("Gemm", "f,fc.weight", transB=1),
        ],
        {"x": (1, 3, 8, 8)},
        [
            constant("conv.weight", 4, 3, 3, 3),
            constant("fc.weight", 10, 64),
            integers("zero", 0),
            integers("one", 1),
            integers("rest", -1),
        ],
    )
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    header = len(whole.split(b"conv.weight")[0])  # the weights' own bytes change nothing
    refused = 0
    for _ in range(300):
        content = bytearray(whole)
        for place in rng.integers(0, header, rng.integers(1, 5)):
            content[place] = rng.integers(0, 256)
        path.write_bytes(bytes(content))
        try:
            Network.from_onnx(path)
        except NetworkError:
            refused += 1
    assert refused > 100


@pytest.mark.long
def test_onnx_is_loaded_when_a_file_is_read(write):
    path = write([node("MatMul", "x,w")], {"x": (1, 4)}, [constant("w", 4, 4)])
    code = f"""
import sys
from lrmp.hardware import Network
print("onnx" in sys.modules)
print(len(Network.from_onnx({str(path)!r})), "onnx" in sys.modules, "torch" in sys.modules)
sys.modules["onnx"] = None  # how Python itself marks a module that must not be imported
del sys.modules["lrmp.hardware.readers.from_onnx"]
try:
    Network.from_onnx({str(path)!r})
except ImportError as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "False",
        "1 True False",
        f"MissingExtraError Expected onnx to read an ONNX file; run {install_command('onnx')}.",
    ], done.stderr
