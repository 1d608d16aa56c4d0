"""What answers at once loads nothing that takes seconds: by what is loaded, not by the clock."""

import subprocess
import sys

import pytest

pytest.importorskip("tyro")  # the options of `lrmp train AGENT`

#: Asks every command for its help, in one process, and says what was loaded by then.
EVERY_HELP = """
import argparse, contextlib, importlib, io, sys
from lrmp.baselines.running.algorithms import ALGORITHMS
lrmp = importlib.import_module("lrmp.cli.main")  # the module; the package has a function main
SLOW = {
    "cma", "fastapi", "matplotlib", "numba", "onnx", "optuna", "ortools", "pandas", "pettingzoo",
    "pymoo", "scipy", "sklearn", "sqlalchemy", "tensorboard", "torch",
}

def commands(parser, words):
    yield words
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from commands(inner, [*words, name])

asked = [[*words, "--help"] for words in commands(lrmp.make_parser(), [])]
asked += [["train", name, "--help"] for name in ALGORITHMS]
asked += [["envs"], ["optimum", "LRMP-ResNet18-v0"]]
for words in asked:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        lrmp.main(words)
    assert len(shown.getvalue()) > 100, words
    assert not SLOW & set(sys.modules), (words, SLOW & set(sys.modules))
print(len(asked))
"""


@pytest.mark.long
def test_no_help_loads_a_framework():
    done = subprocess.run([sys.executable, "-c", EVERY_HELP], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50  # of all commands and agents
