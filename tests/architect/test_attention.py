"""``lrmp optimize`` on a network of attention and a recurrent layer, from code and from ONNX."""

import json
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from lrmp.architect.folder import SUMMARY  # noqa: E402
from lrmp.cli.exit_codes import EXIT_BAD_INPUT, EXIT_OK  # noqa: E402
from lrmp.cli.main import main  # noqa: E402

pytestmark = pytest.mark.long

#: The rows of a digit are tokens; 90 % after a second.
CODE = """
import torch
from torch import nn


class Rows(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(8, 16)
        self.attn = nn.MultiheadAttention(16, 2, batch_first=True)
        self.gru = nn.GRU(16, 16, batch_first=True, bidirectional=True)
        self.out = nn.Linear(32, 10)

    def forward(self, images):
        rows = torch.relu(self.embed(images.flatten(1, 2)))
        rows = rows + self.attn(rows, rows, rows, need_weights=False)[0]
        return self.out(self.gru(rows)[0].mean(1))


def trained():
    network = Rows()
    network.load_state_dict(torch.load(WEIGHTS, weights_only=True))
    return network
"""


@pytest.fixture(scope="module")
def files(digits, tmp_path_factory):
    """The network as code, and as ONNX."""
    folder = tmp_path_factory.mktemp("rows")
    code = folder / "rows.py"
    code.write_text(f"WEIGHTS = {str(folder / 'rows.pt')!r}\n{CODE}")
    names = {}
    exec(compile(code.read_text(), str(code), "exec"), names)
    pixels, labels = digits
    inputs = torch.from_numpy(pixels[:1000, None].astype(np.float32) / 255)
    known = torch.from_numpy(labels[:1000])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = names["Rows"]()
        optimiser = torch.optim.Adam(network.parameters(), 1e-2)
        for _ in range(8):
            for places in torch.randperm(1000).split(50):
                optimiser.zero_grad()
                nn.functional.cross_entropy(network(inputs[places]), known[places]).backward()
                optimiser.step()
    network.eval()
    torch.save(network.state_dict(), folder / "rows.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (torch.zeros(1, 1, 8, 8),), folder / "rows.onnx", dynamo=True, verbose=False
        )
    return folder


@pytest.mark.parametrize("kind", ["code", "onnx"])
def test_it_is_measured_and_held(files, folders, tmp_path, kind):
    calibration, validation = map(str, folders)
    network = f"{files}/rows.py:trained" if kind == "code" else f"{files}/rows.onnx"
    words = [
        *("optimize", "--network", network, "--calibration", calibration),
        *("--validation", validation, "--out", str(tmp_path), "--input-shape", "1,1,8,8"),
        *("--max-drop", "5", "--random", "12", "--near", "2", "--rounds", "6", "--checks", "3"),
        *("--chip", "puma_asplos_2019"),
    ]
    if kind == "onnx":
        words[words.index("1,1,8,8")] = _named(f"{files}/rows.onnx")
    assert main(words) == EXIT_OK
    answer = json.loads((tmp_path / SUMMARY).read_text())
    (chip,) = answer["chips"]
    assert chip["gain"] > 1
    (check,) = [each for each in chip["checks"] if each["within"]]
    assert check["lost"] <= 5
    assert check["held_out"]["float_top1"] > 80
    # embed, in_proj, qk, av, out_proj, two directions of the GRU, out
    assert len(chip["design"]["weight_bits"]) == 8


def _named(path):
    onnx = pytest.importorskip("onnx")
    return f"{onnx.load(path).graph.input[0].name}=1,1,8,8"


def test_what_cannot_be_measured_is_told_at_once(folders, tmp_path, capsys):
    """A product of integers whose step depends on the image, before anything is run."""
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    weights = [onnx.numpy_helper.from_array(np.ones((64, 10), np.uint8), "w")]
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("DynamicQuantizeLinear", ["f"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "w", "z"], ["i"], name="grow"),
        helper.make_node("Cast", ["i"], ["c"], to=1),
        helper.make_node("Mul", ["c", "s"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, (1, 1, 8, 8))],
        [helper.make_tensor_value_info("y", 1, (1, 10))],
        weights,
    )
    path = tmp_path / "up.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    calibration, validation = map(str, folders)
    words = ["optimize", "--network", str(path), "--calibration", calibration]
    words += ["--validation", validation, "--out", str(tmp_path / "out")]
    assert main(words) == EXIT_BAD_INPUT
    said = capsys.readouterr().err
    assert "MatMulInteger at 'grow'" in said
    assert "--no-accuracy" in said
    assert not (tmp_path / "out" / "measurements.jsonl").exists()
