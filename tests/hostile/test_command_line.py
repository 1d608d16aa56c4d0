"""What the command says of hostile input: one line, the documented exit code, nothing raw."""

import os

import pytest

from lrmp.cli import main, render

ESCAPE = "a\x1b]0;owned\x07"


@pytest.mark.parametrize("name", ["x\0y", "pipe", "zero", "deep", "digits", "large", ESCAPE])
@pytest.mark.parametrize(
    "words",
    [
        ["task", "{}.toml"],
        ["hardware", "show", "{}.toml"],
        ["hardware", "cost", "lenet", "--preset", "{}.toml"],
        ["hardware", "cost", "{}.onnx"],
        ["study", "run", "{}.toml"],
        ["study", "report", "{}"],
        ["evaluate", "{}"],
        ["evaluate", "--env-id", "{}.toml"],
        ["evaluate", "--env-id", "LRMP-MLP-v0", "--plot", "{}/x.png"],
        ["evaluate", "--env-id", "LRMP-MLP-v0", "--design", "{}"],
        ["hardware", "cost", "mlp", "--design", "{}"],
        ["render", "LRMP-MLP-v0", "--design", "{}", "--out", "x.gif"],
        ["optimum", "{}.toml", "--solve"],
        ["render", "LRMP-MLP-v0", "--policy", "{}", "--out", "x.gif"],
        ["render", "LRMP-MLP-v0", "--out", "{}/x.gif"],
        ["accuracy", "check", "{}"],
        ["train", "random", "--env-id", "LRMP-MLP-v0", "--runs-dir", "{}"],
    ],
    ids=" ".join,
)
def test_bad_files_are_one_line_and_exit_2(tmp_path, monkeypatch, capfd, words, name):
    pytest.importorskip("PIL")
    pytest.importorskip("tyro")
    monkeypatch.chdir(tmp_path)
    contents = {"deep": "a = " + "[" * 99_999, "digits": "a = " + "9" * 5000, "large": "#" * 2**21}
    for ending in ("", ".toml", ".onnx"):
        if name == "pipe":
            os.mkfifo(tmp_path / f"pipe{ending}")
        elif name == "zero":
            (tmp_path / f"zero{ending}").symlink_to("/dev/zero")
        elif name in contents:
            (tmp_path / f"{name}{ending}").write_text(contents[name])
    if words[0] == "train" and name == ESCAPE:
        return  # a folder may have that name
    code = main([word.format(name) for word in words])
    printed = capfd.readouterr()
    assert code == 2, printed
    assert "Traceback" not in printed.err
    assert "\x1b" not in printed.out + printed.err
    said = [line for line in printed.err.splitlines() if line.startswith("lrmp: ")]
    assert len(said) == 1


def test_names_of_a_network_are_printed_escaped(tmp_path, capsys):
    helper = pytest.importorskip("onnx.helper")
    weight = helper.make_tensor(f"{ESCAPE}.weight", 1, [4, 4], [1.0] * 16)
    node = helper.make_node("MatMul", ["x", weight.name], ["y"], name=ESCAPE)
    value = [helper.make_tensor_value_info(name, 1, [1, 4]) for name in "xy"]
    graph = helper.make_graph([node], "net", value[:1], value[1:], [weight])
    path = tmp_path / f"{ESCAPE}.onnx"
    path.write_bytes(helper.make_model(graph, ir_version=9).SerializeToString())
    assert main(["hardware", "cost", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\x07" not in printed
    assert "a\\x1b]0;owned\\x07" in printed


def test_a_bug_is_no_refusal(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(render, "find_task", lambda name: 1 / 0)
    assert main(["render", "LRMP-MLP-v0", "--out", str(tmp_path / "x.gif")]) == 70
    assert "this is a bug of lrmp" in capsys.readouterr().err


def test_words_are_quoted_escaped(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["envs", ESCAPE])
    assert exit_.value.code == 2
    assert "unrecognized arguments: a\\x1b]0;owned\\x07" in capsys.readouterr().err
