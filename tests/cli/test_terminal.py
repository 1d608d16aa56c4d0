"""What the commands print on a terminal, and what they print in a pipe."""

import ast
import io
import os
import pty
import subprocess
import sys
import threading
from contextlib import redirect_stdout
from pathlib import Path

import pytest

import lrmp
from lrmp.cli import main

TASK = "LRMP-ResNet18-v0"
COMMANDS = [
    "envs",
    "evaluate --env-id LRMP-ResNet18-v0 --set weight_bits=4",
    "evaluate --env-id LRMP-Shared-Edge-v0 --set weight_bits=4",
    "evaluate --env-id LRMP-LeNet-ADC-v0",
    "hardware compare --network mobilenet_v2",
    "hardware cost resnet18 --set weight_bits=4",
    "hardware list",
    "hardware show hermes_2023",
    "hardware swap resnet18",
    "leaderboard --store nothing.sqlite",
    "optimum LRMP-ResNet18-v0",
]


def on_a_terminal(words, monkeypatch, columns):
    """Run a command with a terminal as its output; return what it showed."""
    monkeypatch.setenv("COLUMNS", str(columns))
    outside, inside = pty.openpty()
    shown = []

    def read():
        while True:
            try:
                shown.append(os.read(outside, 65536))
            except OSError:  # the other end was closed
                return

    reader = threading.Thread(target=read)
    reader.start()
    with open(inside, "w", encoding="utf-8") as terminal, redirect_stdout(terminal):
        code = main(words)
    reader.join()
    os.close(outside)
    assert code == 0
    return b"".join(shown).decode().replace("\r\n", "\n")


def in_a_pipe(words):
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert main(words) == 0
    return printed.getvalue()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_table_fits_80_columns(command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    text = on_a_terminal(command.split(), monkeypatch, 80)
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert "\x1b" not in text


def test_a_wide_terminal_shows_what_a_pipe_gets(monkeypatch):
    words = ["hardware", "list"]
    complete = in_a_pipe(words)
    assert on_a_terminal(words, monkeypatch, 250) == complete
    assert "no room for: title" in on_a_terminal(words, monkeypatch, 80)


@pytest.mark.parametrize("columns", [40, 300])
def test_a_pipe_gets_the_same_whatever_the_terminal_is(columns, monkeypatch):
    words = ["hardware", "cost", "resnet18"]
    before = in_a_pipe(words)
    monkeypatch.setenv("COLUMNS", str(columns))
    assert in_a_pipe(words) == before
    assert "layer2.0.downsample" in before
    assert "no room for" not in before


def test_all_validation_cases_fit_80_columns(monkeypatch):
    from lrmp.baselines.validation import ValidationCase, format_cases

    case = ValidationCase(
        "V10",
        "ISAAC, AlexNet / VGG-16 / ResNet-18 for CIFAR-10, 16/16 bits: energy",
        "TOPS/W",
        (0.053, 2.329, 2.564),
        (0.119, 2.980, 2.340),
        "ratio",
        "prediction",
        "H",
        "a source",
        tolerance=2.0,
    )
    assert max(map(len, format_cases([case], width=80).splitlines())) <= 80


def shown_by_train_help(tmp_path, **environment):
    """Ask for an agent's help on a terminal; return what it showed."""
    outside, inside = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "lrmp", "train", "random", "--help"],
        stdout=inside,
        stderr=inside,
        cwd=tmp_path,
        env=kept | {"TERM": "xterm-256color"} | environment,
    )
    os.close(inside)
    shown = b""
    while True:
        try:
            part = os.read(outside, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(outside)
    assert process.wait() == 0
    return shown


@pytest.mark.long
def test_no_color_is_honoured(tmp_path):
    pytest.importorskip("tyro")
    assert b"\x1b[" in shown_by_train_help(tmp_path)
    assert b"\x1b[" in shown_by_train_help(tmp_path, NO_COLOR="")
    plain = shown_by_train_help(tmp_path, NO_COLOR="1")
    assert b"\x1b" not in plain
    assert b"--evaluations" in plain


@pytest.mark.long
def test_progress_is_for_terminals_alone(tmp_path):
    words = ["train", "random", "--env-id", "LRMP-MLP-v0", "--evaluations", "50"]
    done = subprocess.run(
        [sys.executable, "-m", "lrmp", *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith("finished: ")


def test_every_progress_bar_asks_whether_there_is_a_terminal():
    # disable=None is how tqdm is told to.
    sources = Path(lrmp.__file__).resolve().parent
    folders = [sources, *(each.resolve() for each in sources.iterdir() if each.is_symlink())]
    calls = [
        (path, node)
        for path in {path for folder in folders for path in folder.rglob("*.py")}
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "tqdm"
    ]
    assert len(calls) > 20
    for path, call in calls:
        (disable,) = [each.value for each in call.keywords if each.arg == "disable"]
        none = disable.values[-1] if isinstance(disable, ast.BoolOp) else disable
        assert getattr(none, "value", "") is None, f"{path}, line {call.lineno}"
