import doctest
import io
import re
import shlex
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import pytest

from lrmp.cli import main

DOCS = Path(__file__).parents[2] / "docs"
TUTORIALS = DOCS / "tutorials"
#: Sections of other pages whose code is run, too.
SECTIONS = {
    "accuracy.md": "A network of your own",
    "families/adc.md": "What it saves",
    "families/prune.md": "Hybrid actions",
}
#: What a tutorial needs beside the package itself.
EXTRAS = {
    "first-design.md": ("torch", "tensorboard", "tyro"),
    "optimize.md": ("torch", "jinja2", "matplotlib", "onnx", "onnx2pytorch", "onnxscript"),
    "study.md": ("matplotlib",),
}

pytestmark = pytest.mark.skipif(
    not TUTORIALS.exists(), reason="the tests run outside the repository"
)


def run(language, code, names):
    """Run a block as a reader would, and return what it prints."""
    with redirect_stdout(io.StringIO()) as printed:
        if language == "python":
            exec(code, names)
        for line in code.splitlines() if language == "sh" else ():
            assert main(shlex.split(line)[1:]) == 0
    return printed.getvalue()


def check(text):
    """Run the blocks of a text, and compare what they print with what it says."""
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)
    assert {"python", "text"} <= {language for language, _ in blocks}
    names, printed = {}, ""
    for language, block in blocks:
        if language == "text":
            matches = doctest.OutputChecker().check_output(block, printed, doctest.ELLIPSIS)
            assert matches, f"expected\n{block}\ngot\n{printed}"
        else:
            printed = run(language, block, names)


@pytest.mark.long
@pytest.mark.parametrize("page", sorted(path.name for path in TUTORIALS.glob("*.md")))
def test_tutorial_prints_what_it_says(page, tmp_path, monkeypatch):
    for module in EXTRAS.get(page, ()):
        if find_spec(module) is None:
            pytest.skip(f"needs {module}")
    monkeypatch.chdir(tmp_path)
    check((TUTORIALS / page).read_text("utf-8"))


@pytest.mark.long
@pytest.mark.parametrize("page", SECTIONS)
def test_section_prints_what_it_says(page, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    text = (DOCS / page).read_text("utf-8")
    section = text.partition(f"\n## {SECTIONS[page]}\n")[2].partition("\n## ")[0]
    check(section)
