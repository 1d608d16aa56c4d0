"""The notebook runs, cell by cell, and what it trains beats the best constant."""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("stable_baselines3", reason='needs pip install "lrmp[sb3]"')
pytest.importorskip("matplotlib", reason='needs pip install "lrmp[plot]"')

NOTEBOOK = Path(__file__).parents[2] / "docs" / "tutorials" / "train-an-agent.ipynb"


@pytest.mark.skipif(not NOTEBOOK.exists(), reason="the notebook lies in the repository")
def test_the_notebook_learns_and_its_record_is_accepted(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    names = {}
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []  # nothing stale is committed
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
    out = capsys.readouterr().out
    score = float(re.search(r"^score ([\d.]+): ", out, re.M)[1])
    assert score > names["optimum"].constant.value + 0.02
    assert score == pytest.approx(names["best"][-1], abs=1e-3)
    assert "the proven optimum scores 1.589" in out
