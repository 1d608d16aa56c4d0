import doctest
import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from lrmp.cli import main

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"
#: What a tutorial needs beside the package itself.
EXTRAS = {"first-design.md": ("torch", "tensorboard", "tyro"), "study.md": ("matplotlib",)}

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


@pytest.mark.parametrize("page", sorted(path.name for path in TUTORIALS.glob("*.md")))
def test_tutorial_prints_what_it_says(page, tmp_path, monkeypatch):
    for module in EXTRAS.get(page, ()):
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"^```(\w+)\n(.*?)^```$", (TUTORIALS / page).read_text("utf-8"), re.M | re.S
    )
    assert {"python", "text"} <= {language for language, _ in blocks}
    names, printed = {}, ""
    for language, block in blocks:
        if language == "text":
            matches = doctest.OutputChecker().check_output(block, printed, doctest.ELLIPSIS)
            assert matches, f"expected\n{block}\ngot\n{printed}"
        else:
            printed = run(language, block, names)
