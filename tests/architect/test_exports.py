"""Designs out again, and back: every format is read by what it is for, where that is installed."""

import csv
import json
import runpy

import numpy as np
import pytest

import lrmp
from lrmp.architect.exports.onnx_qdq import write_qdq
from lrmp.architect.own_network import OwnNetwork, calibrated
from lrmp.cli.exit_codes import EXIT_BAD_INPUT, EXIT_OK
from lrmp.cli.main import main
from lrmp.hardware.space.design import Design

BITS = [[4, 5], [3, 8], [8, 6]]
POINTS = {"*": [0.0] * 7}


@pytest.fixture(scope="module")
def network(onnx_file):
    return lrmp.Network.from_onnx(onnx_file)


@pytest.fixture(scope="module")
def task_file(network, onnx_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("task") / "task.toml"
    rows = "\n".join(
        f'[accuracy.{name}]\n"*" = {POINTS["*"]}' for name in ("weight_bits", "activation_bits")
    )
    path.write_text(f'network = "{onnx_file}"\nbudget = 100\n[accuracy]\nprovenance = "x"\n{rows}')
    return path


@pytest.fixture(scope="module")
def design_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("design") / "design.json"
    weight, activation = zip(*BITS, strict=True)
    path.write_text(json.dumps({"weight_bits": weight, "activation_bits": activation}))
    return path


def export(task_file, design_file, kind, out, *more):
    words = ["export", "--env-id", str(task_file), "--design", str(design_file)]
    return main([*words, "--to", kind, "--out", str(out), *map(str, more)])


def test_a_policy_is_an_array_of_bits_and_is_read_back(task_file, design_file, tmp_path, capsys):
    path = tmp_path / "policy.npy"
    assert export(task_file, design_file, "haq", path) == EXIT_OK
    found = np.load(path, allow_pickle=False)
    assert found.dtype == np.int64  # as the policies that CIM-AQ published
    assert found.tolist() == BITS
    capsys.readouterr()
    for design in (path, design_file):
        words = ["evaluate", "--env-id", str(task_file), "--design", str(design), "--json"]
        assert main(words) == EXIT_OK
    first, second = capsys.readouterr().out.split("}\n{")
    assert json.loads(first + "}") == json.loads("{" + second)


def test_hostile_policies_are_one_error(task_file, tmp_path, capsys):
    path = tmp_path / "policy.npy"
    words = ["evaluate", "--env-id", str(task_file), "--design", str(path)]
    for array, message in (
        (np.array([[object(), 1]]), "Expected a policy of HAQ or CIM-AQ at"),
        (np.ones((3, 2)), "whole numbers of shape (layers, 2), got float64"),
        (np.ones((3, 3), int), "got int64 of shape (3, 3)"),
    ):
        np.save(path, array, allow_pickle=True)
        assert main(words) == EXIT_BAD_INPUT
        assert message in capsys.readouterr().err
    path.write_bytes(b"\x93NUMPY\x01\x00")
    assert main(words) == EXIT_BAD_INPUT
    assert "Expected a policy" in capsys.readouterr().err


def test_a_table_has_a_line_per_layer(task_file, design_file, tmp_path):
    assert export(task_file, design_file, "csv", tmp_path / "design.csv") == EXIT_OK
    rows = list(csv.DictReader((tmp_path / "design.csv").read_text().splitlines()))
    assert [row["layer"] for row in rows] == ["first", "second", "out"]
    assert [[int(row["weight_bits"]), int(row["activation_bits"])] for row in rows] == BITS
    task = lrmp.read_task(task_file)
    weight, activation = zip(*BITS, strict=True)
    report = lrmp.evaluate(task, weight_bits=weight, activation_bits=activation).report
    assert [int(row["cycles"]) for row in rows] == report.layer_cycles.tolist()


@pytest.fixture(scope="module")
def quantised(onnx_file, folders):
    return calibrated(OwnNetwork(str(onnx_file)), folders[0])


@pytest.fixture(scope="module")
def qdq(task_file, design_file, onnx_file, folders, tmp_path_factory):
    path = tmp_path_factory.mktemp("qdq") / "quantised.onnx"
    more = ("--network", onnx_file, "--calibration", folders[0])
    assert export(task_file, design_file, "onnx", path, *more) == EXIT_OK
    return path


@pytest.fixture(scope="module")
def expected(quantised, digits):
    """Scores of the quantised network of the laboratory, and the images."""
    import torch

    space = lrmp.Task.__dataclass_fields__["space"].default
    design = Design.of(dict(zip(space.names, zip(*BITS, strict=True), strict=True)), [1, 1, 1])
    images = digits[0][1300:1301, None].astype(np.float32) / 255
    quantised.set_design(design)
    with torch.inference_mode():
        scores = quantised(torch.from_numpy(images)).numpy()
    quantised.set_float()
    return images, scores


def test_the_quantised_file_computes_what_the_laboratory_did(qdq, expected, onnx_file):
    from onnx.reference import ReferenceEvaluator

    images, scores = expected
    (found,) = ReferenceEvaluator(str(qdq)).run(None, {input_name(qdq): images})
    np.testing.assert_allclose(found, scores, atol=1e-4)
    (exact,) = ReferenceEvaluator(str(onnx_file)).run(None, {input_name(onnx_file): images})
    assert np.abs(exact - scores).max() > 0.05  # it is another network than the float one


def input_name(path):
    import onnx

    return onnx.load(path).graph.input[0].name


def test_weights_of_the_file_are_multiples_within_their_bits(qdq):
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(qdq).graph
    stored = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    most = []
    for node in graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] in stored:
            weights, steps = stored[node.input[0]], stored[node.input[1]]
            counts = weights / steps.reshape(-1, *[1] * (weights.ndim - 1))
            np.testing.assert_allclose(counts, np.rint(counts), atol=1e-3)
            most.append(int(np.abs(np.rint(counts)).max()))
    assert len(most) == 3
    assert all(found <= limit for found, limit in zip(most, [7, 3, 127], strict=True))
    # Fewer than 8 bits are clipped: inputs and weights of the first layer, weights of the second,
    # inputs of the third.
    clips = [node for node in graph.node if node.op_type == "Clip"]
    limits = [tuple(int(stored[name]) for name in node.input[1:]) for node in clips]
    assert limits == [(0, 31), (-7, 7), (-3, 3), (0, 63)]


def test_older_files_and_matmuls_are_written_too(tmp_path, folders, digits):
    """Opset 11, a MatMul with a bias behind it, and a Gemm that is not transposed."""
    import onnx
    import torch
    from onnx import TensorProto, helper, numpy_helper, version_converter
    from onnx.reference import ReferenceEvaluator

    rng = np.random.default_rng(0)
    arrays = {
        "first": rng.normal(size=(64, 12)),
        "bias": rng.normal(size=12),
        "last": rng.normal(size=(12, 10)),
        "shape": np.array([1, 64]),
    }
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "first"], ["a"]),
        helper.make_node("Add", ["a", "bias"], ["b"]),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("Gemm", ["c", "last"], ["y"]),
    ]
    kept = [
        numpy_helper.from_array(each.astype(np.int64 if name == "shape" else np.float32), name)
        for name, each in arrays.items()
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10])],
        kept,
    )
    source, path = tmp_path / "old.onnx", tmp_path / "new.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    source.write_bytes(model.SerializeToString())
    network = calibrated(OwnNetwork(str(source)), folders[0])
    design = Design.of({"weight_bits": [4, 5], "activation_bits": [6, 7]}, [1, 1])
    write_qdq(network, design, source, path)
    image = digits[0][1500:1501, None].astype(np.float32) / 255
    network.set_design(design)
    with torch.inference_mode():
        scores = network(torch.from_numpy(image)).numpy()
    written = onnx.load(path)
    assert written.opset_import[0].version == 13
    newer = version_converter.convert_version(written, 19)  # the oldest that the reference runs
    (found,) = ReferenceEvaluator(newer).run(None, {"x": image})
    np.testing.assert_allclose(found, scores, atol=1e-4)


# With the real libraries, where they are installed


def test_onnxruntime_runs_the_file(qdq, expected):
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = runtime.InferenceSession(str(qdq), options, providers=["CPUExecutionProvider"])
    images, scores = expected
    (found,) = session.run(None, {input_name(qdq): images})
    np.testing.assert_allclose(found, scores, atol=1e-4)


def test_qonnx_reads_the_bits_of_the_file(qdq):
    pytest.importorskip("qonnx")
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.qcdq_to_qonnx import QCDQToQuant

    model = ModelWrapper(str(qdq)).transform(QCDQToQuant())
    quantisers = [node for node in model.graph.node if node.op_type == "Quant"]
    bits = sorted(int(model.get_initializer(node.input[3])) for node in quantisers)
    assert bits == sorted(bit for pair in BITS for bit in pair)


@pytest.mark.filterwarnings("ignore")  # importing Brevitas warns of what it lacks and deprecates
def test_brevitas_takes_the_configuration(task_file, design_file, tmp_path, trained):
    path = tmp_path / "bits.py"
    assert export(task_file, design_file, "brevitas", path) == EXIT_OK
    assert '"second": (3, 8),' in path.read_text()
    pytest.importorskip("brevitas")
    import copy

    import torch

    model = runpy.run_path(str(path))["quantized"](copy.deepcopy(trained)).eval()
    layers = [model.first, model.second, model.out]
    found = [
        [int(layer.weight_quant.bit_width()), int(layer.input_quant.bit_width())]
        for layer in layers
    ]
    assert found == BITS
    assert model(torch.zeros(1, 1, 8, 8)).shape == (1, 10)


def test_torchao_takes_the_configuration(task_file, design_file, tmp_path, trained):
    path = tmp_path / "bits.py"
    assert export(task_file, design_file, "torchao", path) == EXIT_OK
    assert '"out": (8, 6),' in path.read_text()
    pytest.importorskip("torchao")
    import copy

    import torch

    text = path.read_text().replace('"out": (8, 6)', '"out": (4, 6)')
    path.write_text(text)
    model = runpy.run_path(str(path))["quantized"](copy.deepcopy(trained)).eval()
    weight = model.out.weight.dequantize()
    assert all(len(row.unique()) <= 16 for row in weight)
    assert torch.equal(model.first.weight, trained.first.weight)


@pytest.mark.parametrize("kind", ["haq", "brevitas", "torchao"])
def test_other_knobs_are_refused(kind, tmp_path, capsys):
    words = ["export", "--env-id", "LRMP-LeNet-ADC-v0", "--to", kind]
    assert main([*words, "--out", str(tmp_path / "x")]) == EXIT_BAD_INPUT
    assert "Expected a design of weight_bits and activation_bits" in capsys.readouterr().err


def test_a_quantised_file_needs_the_float_one(task_file, design_file, tmp_path, capsys):
    assert export(task_file, design_file, "onnx", tmp_path / "x.onnx") == EXIT_BAD_INPUT
    assert "Expected --network FILE.onnx and --calibration" in capsys.readouterr().err
