"""Algorithms of others: the one in docs/own-algorithm.md, by module and by entry point."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tyro")

from lrmp.baselines.running.algorithms import (
    ALGORITHMS,
    list_algorithms,
    load_algorithm,
    needs_table,
    train,
)
from lrmp.errors import RunError

PAGE = Path(__file__).parents[3] / "docs" / "own-algorithm.md"


@pytest.fixture
def folder(tmp_path):
    if not PAGE.exists():
        pytest.skip("docs/ lies in the repository alone")
    code = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[1]
    (tmp_path / "climber.py").write_text(code)
    return tmp_path


def lrmp(folder, *words, **variables):
    return subprocess.run(
        [sys.executable, "-P", "-m", "lrmp", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | variables,
    )


@pytest.mark.long
def test_the_one_of_the_docs_trains_and_is_evaluated(folder):
    words = ["--env-id", "lrmp:LRMP-MLP-OneShot-v0", "--evaluations", "30"]
    done = lrmp(folder, "train", "climber:train", *words)
    assert done.returncode == 0, done.stderr
    run = folder / "runs" / "LRMP-MLP-v0__climber__1"
    record = json.loads((run / "record.jsonl").read_text())
    assert (record["agent"], record["evaluated_designs"]) == ("climber", 30)
    assert record["claim"]["score"] > 0
    assert lrmp(folder, "evaluate", str(run)).returncode == 0
    assert "--evaluations" in lrmp(folder, "train", "climber:train", "--help").stdout


@pytest.mark.long
def test_it_is_a_part_of_studies_in_worker_processes(folder):
    (folder / "s.toml").write_text(
        'tasks = ["LRMP-MLP-v0"]\nevaluations = 12\nseeds = 2\n'
        '[agents.climb]\nalgorithm = "climber:train"\n[agents.random]\n'
    )
    done = lrmp(folder, "study", "run", "s.toml", "--out", "out")
    assert done.returncode == 0, done.stderr
    records = list(map(json.loads, (folder / "out" / "results.jsonl").read_text().splitlines()))
    assert sorted((r["agent"], r["algorithm"], r["seed"], r["evaluations"]) for r in records) == [
        ("climb", "climber:train", 1, 12),
        ("climb", "climber:train", 2, 12),
        ("random", "random", 1, 12),
        ("random", "random", 2, 12),
    ]


@pytest.mark.long
def test_an_installed_package_names_it_by_an_entry_point(folder):
    package = folder / "climbing-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: climbing\nVersion: 1.0\n")
    points = "[lrmp.algorithms]\nclimber = climber:train\nrandom = climber:train\n"
    (package / "entry_points.txt").write_text(points)
    path = {"PYTHONPATH": str(folder)}
    done = lrmp(folder, "train", "climber", "--env-id", "LRMP-MLP-v0", **path)
    assert done.returncode == 0, done.stderr
    assert (folder / "runs" / "LRMP-MLP-v0__climber__1" / "record.jsonl").exists()
    # lrmp's own go first; the nearest name is the package's.
    assert "warm" not in lrmp(folder, "train", "random", "--help", **path).stdout
    done = lrmp(folder, "train", "climbr", **path)
    assert (done.returncode, "Did you mean 'climber'?" in done.stderr) == (2, True)


def test_lrmps_own_are_algorithms_like_any_other():
    assert set(ALGORITHMS) <= set(list_algorithms())
    pytest.importorskip("torch")
    own = {name: load_algorithm(name) for name in ALGORITHMS}
    assert {name for name, each in own.items() if needs_table(each)} == {
        "greedy",
        "hawq-ilp",
        "policy-gradient",
    }


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        (
            "none_such:train",
            "",
            "Expected the agent none_such:train as .*No module",
        ),
        ("mine_a:train", "", "got AttributeError: module 'mine_a' has no attribute 'train'"),
        ("mine_b:train", "def train(args): ...", "got KeyError: 'args'"),
        ("mine_c:train", "def train(args: int): ...", "got int without env_id"),
        ("mine_d:train", "1 / 0", "got ZeroDivisionError: division by zero"),
        (
            "mine_e:train",
            "import dataclasses as d\ndef train(args: d.make_dataclass('Args', ['env_id'])): ...",
            "Expected the settings of the agent mine_e:train as a dataclass .* without runs_dir",
        ),
        ("mine_f:", "", "Expected the agent mine_f: as package.module:train"),
    ],
)
def test_what_is_no_algorithm_is_refused(tmp_path, monkeypatch, name, code, message):
    (tmp_path / f"{name.partition(':')[0]}.py").write_text(code) if "none" not in name else None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(RunError, match=message):
        load_algorithm(name)


def test_what_returns_no_finished_run_is_refused(tmp_path, monkeypatch):
    (tmp_path / "mine_g.py").write_text(
        "from dataclasses import dataclass\nfrom pathlib import Path\n"
        "@dataclass\nclass Args:\n    env_id: str = ''\n    runs_dir: Path = Path()\n"
        "def train(args: Args, *, progress=True): ...\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    args = load_algorithm("mine_g:train").Args()
    with pytest.raises(RunError, match=r"Expected a finished run directory from .*, got None"):
        train("mine_g:train", args)


def test_an_unknown_name_says_what_there_is():
    with pytest.raises(RunError, match=r"Did you mean 'ddpg'\? Your own: package\.module:train\."):
        load_algorithm("dddpg")
