"""How the command line and task files say what a network's inputs are."""

import json

import numpy as np
import pytest

from lrmp.cli.main import main
from lrmp.envs import read_task
from lrmp.errors import NetworkError, TaskError
from lrmp.hardware import Layer

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64

TASK = """
network = "{network}"
accelerator = "pimcomp_2023"
budget = 200
{more}
[accuracy]
provenance = "made up"
weight_bits = {{"*" = [4.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.0]}}
activation_bits = {{"*" = [4.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.0]}}
"""


def save(path, nodes, inputs, weights):
    graph = helper.make_graph(
        nodes,
        "graph",
        [
            helper.make_tensor_value_info(name, kind, shape)
            for name, (kind, shape) in inputs.items()
        ],
        [helper.make_tensor_value_info(nodes[-1].output[0], FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return str(path)


def cost(*words):
    assert main(["hardware", "cost", *words, "--one-copy", "--json"]) == 0


@pytest.fixture
def tokens(tmp_path):
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    weights = {"w": np.zeros((16, 32), np.float32)}
    return save(tmp_path / "tokens.onnx", [node], {"x": (FLOAT, [64, 16])}, weights)


@pytest.fixture
def branches(tmp_path):
    def branch(weight, output):
        node = helper.make_node("MatMul", ["x", weight], [output])
        value = helper.make_tensor_value_info(output, FLOAT, None)
        return helper.make_graph([node], output, [], [value])

    nodes = [
        helper.make_node("Equal", ["rate", "k"], ["c"]),
        helper.make_node(
            "If", ["c"], ["y"], then_branch=branch("w", "a"), else_branch=branch("v", "b")
        ),
    ]
    weights = {
        "w": np.zeros((16, 8), np.float32),
        "v": np.zeros((16, 4), np.float32),
        "k": np.array(16000),
    }
    inputs = {"x": (FLOAT, [1, 16]), "rate": (INT64, [])}
    return save(tmp_path / "branches.onnx", nodes, inputs, weights)


def test_where_the_batch_is(tokens, capsys):
    cost(tokens, "--batch-dimension", "none")
    (layer,) = json.loads(capsys.readouterr().out)["layers"]
    assert (layer["rows"], layer["columns"], layer["positions"]) == (16, 32, 64)
    assert main(["hardware", "cost", tokens]) == 2
    assert (
        "On the command line: --input-shape NAME=1,3,224,224; --batch-dimension PLACE or none."
        in (capsys.readouterr().err)
    )
    with pytest.raises(SystemExit):
        main(["hardware", "cost", tokens, "--batch-dimension", "first"])


def test_values_of_inputs(branches, capsys):
    for rate, columns in (("16000", 8), ("8000", 4)):
        cost(branches, "--input-value", f"rate={rate}")
        (layer,) = json.loads(capsys.readouterr().out)["layers"]
        assert layer["columns"] == columns
    assert main(["hardware", "cost", branches]) == 2
    assert "--input-value NAME=NUMBER." in capsys.readouterr().err
    assert main(["hardware", "cost", branches, "--input-value", "rate=fast"]) == 2
    assert "Expected --input-value as NAME=NUMBER" in capsys.readouterr().err


@pytest.mark.filterwarnings("always::UserWarning")
def test_what_is_left_out_is_one_line(tmp_path, capsys):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("TopK", ["h", "k"], ["best", "y"], name="best"),
    ]
    weights = {"w": np.zeros((16, 8), np.float32), "k": np.array([3])}
    path = save(tmp_path / "best.onnx", nodes, {"x": (FLOAT, [1, 16])}, weights)
    cost(path)
    assert capsys.readouterr().err == (
        "lrmp: Left out of network 'best' and its cost, since no layer follows: TopK 'best'.\n"
    )


def test_task_files_say_how_a_network_is_read(tokens, branches, tmp_path):
    def layers(network, more):
        path = tmp_path / "task.toml"
        path.write_text(TASK.format(network=network, more=more))
        return read_task(path).network.layers

    assert layers("tokens.onnx", 'batch_dimension = "none"') == (Layer.linear("w", 16, 32, 64),)
    assert layers("branches.onnx", "input_values = { rate = 8000 }") == (Layer.linear("v", 16, 4),)
    with pytest.raises(TaskError, match=r"input_shapes as a table by the name of the input, got 3"):
        layers("tokens.onnx", "input_shapes = 3")
    with pytest.raises(TaskError, match='batch_dimension as a whole number or "none", got True'):
        layers("tokens.onnx", "batch_dimension = true")
    with pytest.raises(
        TaskError, match=r"each key of .* got 'input_shape'\. Did you mean 'input_sha"
    ):
        layers("tokens.onnx", "input_shape = 3")


def test_task_files_take_code_that_makes_a_network(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    (tmp_path / "net.py").write_text(
        "import torch\n\ndef factory():\n    return torch.nn.Conv2d(3, 8, 3)\n"
    )
    path = tmp_path / "task.toml"
    path.write_text(
        TASK.format(network="net.py:factory", more='input_shapes = { input = "1,3,8,8" }')
    )
    monkeypatch.chdir("/")  # names are relative to the file's folder
    (layer,) = read_task(path).network.layers
    assert (layer.rows, layer.columns, layer.positions) == (27, 8, 36)
    path.write_text(TASK.format(network="net.py:factory", more=""))
    with pytest.raises(NetworkError, match=r"got none\. In a task file these are \[input_shapes\]"):
        read_task(path)


def test_a_chip_without_energies_works_everywhere(tmp_path, capsys):
    path = str(tmp_path / "task.toml")
    (tmp_path / "task.toml").write_text(TASK.format(network="mlp", more=""))
    assert main(["evaluate", "--env-id", path, "--set", "weight_bits=4"]) == 0
    assert "energy          -" in capsys.readouterr().out
    assert main(["evaluate", "--env-id", path, "--set", "weight_bits=4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["design"]
    assert main(["optimum", path, "--solve"]) == 0
    assert main(["optimum", path, "--solve", "--json"]) == 0
    run = ["train", "random", "--env-id", path, "--evaluations", "5"]
    assert main([*run, "--runs-dir", str(tmp_path / "runs")]) == 0
