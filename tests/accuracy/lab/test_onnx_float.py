"""Quantised ONNX files as float networks, and branches that are known; beside ONNX Runtime."""

from importlib.util import find_spec

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
if find_spec("onnx2pytorch") is None:
    pytest.skip("runs ONNX files with onnx2pytorch", allow_module_level=True)
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnxruntime.quantization import (  # noqa: E402
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from lrmp.accuracy.lab.models.onnx_float import dequantise, fold_branches  # noqa: E402
from lrmp.accuracy.lab.models.onnx_module import module_from_onnx  # noqa: E402
from lrmp.errors import AccuracyDataError  # noqa: E402
from lrmp.hardware import Network  # noqa: E402
from lrmp.hardware.readers.file_bits import read_file_bits  # noqa: E402

RNG = np.random.default_rng(0)


def weight(name, *shape):
    return numpy_helper.from_array(RNG.normal(size=shape).astype(np.float32) * 0.3, name)


def save(path, nodes, weights, inputs=(1, 3, 8, 8), opset=17, outputs=1):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, inputs)],
        [helper.make_tensor_value_info("y", outputs, None)],
        weights,
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


@pytest.fixture
def plain(tmp_path):
    """A small residual network."""
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], name="c1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], name="c2", pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["r1", "c2"], ["s"], name="s"),
        helper.make_node("MaxPool", ["s"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["p"], ["g"], name="g"),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["y"], name="fc", transB=1),
    ]
    weights = [weight("w1", 6, 3, 3, 3), weight("b1", 6), weight("w2", 6, 6, 3, 3)]
    return save(tmp_path / "plain.onnx", nodes, [*weights, weight("w3", 5, 6), weight("b3", 5)])


class Images(CalibrationDataReader):
    def __init__(self):
        self.left = [{"x": image[None]} for image in images(32, 3)]

    def get_next(self):
        return self.left.pop() if self.left else None


def images(count, seed=1):
    return np.random.default_rng(seed).normal(size=(count, 3, 8, 8)).astype(np.float32)


def answers(path, inputs):
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"x": one[None]})[0] for one in inputs])


def run(path, inputs):
    module = module_from_onnx(path, Network.from_onnx(path).layers, torch.from_numpy(inputs))
    with torch.inference_mode():
        return module(torch.from_numpy(inputs)).numpy()


@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator], ids=["qdq", "qlinear"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_files_of_onnx_runtime_are_dequantised(plain, form, per_channel, tmp_path):
    path = tmp_path / "quantised.onnx"
    kinds = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
    quantize_static(plain, path, Images(), quant_format=form, per_channel=per_channel, **kinds)
    inputs = images(6)
    found, expected, quantised = run(path, inputs), answers(plain, inputs), answers(path, inputs)
    spread = expected.std()
    # The float network is nearer to that of the file than the file itself, which rounds.
    assert np.abs(found - expected).mean() < 0.02 * spread
    assert 0 < np.abs(found - quantised).mean() < 0.1 * spread
    bits = read_file_bits(path)
    assert [layer.name for layer in bits.network.layers]
    assert len(bits.network) == 3


def test_weights_are_those_of_the_integers_and_limits_stay(tmp_path):
    """By hand: 3 stands for (3 - 1) / 2, and a quantiser from 0 on is a ReLU."""
    integers = np.array([[3, 1, -5]], np.int8).reshape(1, 3, 1, 1)
    weights = [
        numpy_helper.from_array(integers, "w"),
        numpy_helper.from_array(np.array(0.5, np.float32), "ws"),
        numpy_helper.from_array(np.array(1, np.int8), "wz"),
        numpy_helper.from_array(np.array(0.01, np.float32), "s"),
        numpy_helper.from_array(np.array(0, np.uint8), "z"),
        numpy_helper.from_array(np.array(200, np.uint8), "most"),
        numpy_helper.from_array(np.array(0, np.uint8), "least"),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wf"]),
        helper.make_node("Conv", ["x", "wf"], ["c"], name="c"),
        helper.make_node("QuantizeLinear", ["c", "s", "z"], ["q"]),
        helper.make_node("Clip", ["q", "least", "most"], ["k"]),
        helper.make_node("DequantizeLinear", ["k", "s", "z"], ["y"]),
    ]
    path = save(tmp_path / "hand.onnx", nodes, weights)
    inputs = images(3)
    expected = (inputs * np.array([1, 0, -3], np.float32)[:, None, None]).sum(1, keepdims=True)
    assert np.allclose(run(path, inputs), np.clip(expected, 0, 2), atol=1e-6)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            [
                helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
                helper.make_node("Cast", ["q"], ["y"], to=1, name="cast"),
            ],
            "got Cast at 'cast' on integers",
        ),
        (
            [
                helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
                helper.make_node("DequantizeLinear", ["q", "other", "z"], ["y"], name="back"),
            ],
            "got DequantizeLinear at 'back' with another step or zero point",
        ),
        (
            [
                helper.make_node("ReduceMax", ["x"], ["top"], keepdims=0),
                helper.make_node("QuantizeLinear", ["x", "top", "z"], ["q"], name="given"),
                helper.make_node("DequantizeLinear", ["q", "top", "z"], ["y"]),
            ],
            "got QuantizeLinear at 'given' whose steps or zero points are computed",
        ),
    ],
)
def test_what_is_not_well_defined_is_refused(nodes, message, tmp_path):
    numbers = {"s": 0.5, "other": 0.25}
    weights = [numpy_helper.from_array(np.array(v, np.float32), k) for k, v in numbers.items()]
    weights.append(numpy_helper.from_array(np.array(3, np.uint8), "z"))
    path = save(tmp_path / "odd.onnx", nodes, weights)
    with pytest.raises(AccuracyDataError, match=message):
        dequantise(onnx.load(path), path)


def test_float_files_are_left_alone(plain):
    model, before = onnx.load(plain), onnx.load(plain)
    fold_branches(model)
    dequantise(model, plain)
    assert model == before


@pytest.mark.parametrize("taken", [True, False])
def test_a_branch_whose_condition_is_constant_is_taken(taken, tmp_path):
    """One of two layers, in a branch in a branch, whose condition is computed of constants."""

    def branch(name, nodes, result):
        output = helper.make_tensor_value_info(result, TensorProto.FLOAT, None)
        return helper.make_graph(nodes, name, [], [output])

    inner = helper.make_node(
        "If",
        ["yes"],
        ["i"],
        name="inner",
        then_branch=branch("a", [helper.make_node("Conv", ["x", "w1"], ["t"])], "t"),
        else_branch=branch("b", [helper.make_node("Relu", ["x"], ["t"])], "t"),
    )
    then = branch("then", [inner, helper.make_node("Relu", ["i"], ["t"])], "t")
    other = branch("else", [helper.make_node("Conv", ["x", "w2"], ["t"])], "t")
    nodes = [
        helper.make_node("Greater", ["one", "limit"], ["taken"]),
        helper.make_node("If", ["taken"], ["y"], name="outer", then_branch=then, else_branch=other),
    ]
    weights = [
        weight("w1", 4, 3, 3, 3),
        weight("w2", 4, 3, 3, 3),
        numpy_helper.from_array(np.array(True), "yes"),
        numpy_helper.from_array(np.array(1, np.int64), "one"),
        numpy_helper.from_array(np.array(0 if taken else 2, np.int64), "limit"),
    ]
    path = save(tmp_path / "branches.onnx", nodes, weights)
    inputs = images(3)
    assert np.allclose(run(path, inputs), answers(path, inputs), atol=1e-5)


def test_a_branch_that_depends_on_inputs_stays(tmp_path):
    part = helper.make_node("Conv", ["x", "w"], ["t"])
    output = helper.make_tensor_value_info("t", 1, None)
    graph = helper.make_graph([part], "b", [], [output])
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["m"], keepdims=0),
        helper.make_node("Cast", ["m"], ["c"], to=9),
        helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph),
    ]
    model = onnx.load(save(tmp_path / "open.onnx", nodes, [weight("w", 4, 3, 3, 3)]))
    fold_branches(model)
    assert [node.op_type for node in model.graph.node] == ["ReduceMax", "Cast", "If"]
