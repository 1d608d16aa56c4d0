"""Run directories that a stranger made, that a crash has left, or that two trainers want."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lrmp.baselines.running import run_directory
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.baselines.searchers import random_search
from lrmp.baselines.study.definition import read_study
from lrmp.baselines.study.planned_run import perform
from lrmp.baselines.study.results import locked
from lrmp.cli import main
from lrmp.errors import RunError, StudyError

TASK = "LRMP-MLP-v0"


@pytest.fixture
def run(tmp_path):
    args = random_search.Args(TASK, evaluations=6, runs_dir=tmp_path / "runs")
    return random_search.train(args, progress=False)


@pytest.fixture
def precious(tmp_path):
    path = tmp_path / "precious"
    path.write_text("precious\n")
    yield path
    assert path.read_text() == "precious\n"


def test_evaluate_writes_nothing_into_a_run(run, precious, capsys):
    for name in ("design.png", "policy.png", "record.jsonl.partial", "lock"):
        (run.path / name).symlink_to(precious)
    before = {path.name: path.lstat().st_mtime_ns for path in run.path.iterdir()}
    assert main(["evaluate", str(run.path)]) == 0
    assert {path.name: path.lstat().st_mtime_ns for path in run.path.iterdir()} == before


def test_a_named_picture_replaces_a_link(run, precious, capsys):
    pytest.importorskip("matplotlib")
    picture = run.path / "design.png"
    picture.symlink_to(precious)
    assert main(["evaluate", str(run.path), "--plot", str(picture)]) == 0
    assert not picture.is_symlink()
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "name", ["journal.csv", "episodes.csv", "SHA256SUMS", "record.jsonl.partial"]
)
def test_training_follows_no_link(tmp_path, precious, name):
    args = random_search.Args(TASK, evaluations=3, runs_dir=tmp_path / "runs")
    folder = tmp_path / "runs" / f"{TASK}__random__1"
    folder.mkdir(parents=True)
    (folder / name).symlink_to(precious)
    if name != "journal.csv":
        assert random_search.train(args, progress=False).finished
    else:
        with pytest.raises(RunError, match="it is a link"):
            random_search.train(args, progress=False)


def test_a_study_follows_no_link(tmp_path, precious):
    for name in ("lock", "results.jsonl"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).symlink_to(precious)
    with (
        pytest.raises(StudyError, match=r"Expected to lock .*: it is a link"),
        locked(tmp_path / "lock"),
    ):
        pass
    study = tmp_path / "s.toml"
    study.write_text(f'tasks = ["{TASK}"]\n[agents.uniform]\n')
    assert main(["study", "run", str(study), "--out", str(tmp_path / "results.jsonl")]) == 2


@pytest.mark.parametrize("part", [0.0, 0.5, 0.97])
def test_half_a_file_is_named(run, part):
    whole = run.episodes_path.read_bytes()
    run.episodes_path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(
        RunError, match=r"Expected .*episodes\.csv as SHA256SUMS has it, got .*again"
    ):
        run.rewards()


def test_half_the_designs_bend_no_curve(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(f'tasks = ["{TASK}"]\nseeds = 1\nevaluations = 6\n[agents.random]\n')
    (planned,) = read_study(path).runs
    record = perform(planned, tmp_path)
    assert record["evaluated_designs"] == 6
    run = RunDirectory(tmp_path / planned.folder / f"{TASK}__random__1")
    lines = run.episodes_path.read_bytes().splitlines(keepends=True)
    run.episodes_path.write_bytes(b"".join(lines[:4]))
    with pytest.raises(RunError, match="it is damaged"):
        perform(planned, tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[" * 99_999, b"\xff", b"{}"])
@pytest.mark.parametrize("name", ["record.jsonl", "config.json"])
def test_damaged_json_is_named(run, name, content):
    (run.path / name).write_bytes(content)
    if name == "record.jsonl" and content == b"{}":
        return  # what is missing is for the reader of the record to say
    with pytest.raises(RunError, match=r"Expected (a record|a run's configuration) in "):
        (run.begun if name == "config.json" else run.record)()


def test_checksums_are_those_of_sha256sum(run):
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=run.path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "episodes.csv: OK\n")


HOLD = """\
import sys
from pathlib import Path
from lrmp.baselines.running.run_directory import RunDirectory
run = RunDirectory.open(Path(sys.argv[1]), {"agent": "a"})
with run.locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_trainer_at_a_time_and_the_lock_dies_with_it(tmp_path):
    path = tmp_path / "run"
    words = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        run = RunDirectory.open(path, {"agent": "a"})
        with pytest.raises(RunError, match=r"Expected no other process at work in .*, got one"):
            run.complete(lambda: None)
        other.kill()
        other.wait()
    with run.locked(), pytest.raises(RunError, match="Expected no other process at work"):
        run.complete(lambda: None)
    with run.locked():  # a refusal keeps no lock
        pass
    assert [file.name for file in path.iterdir()] == ["config.json"]


def test_a_resumed_run_says_that_versions_differ(run, recwarn):
    begun = json.loads(run.config_path.read_text())
    begun["versions"]["lrmp"] = "0.0.9"
    run.config_path.write_text(json.dumps(begun))
    RunDirectory.open(run.path, begun["config"])
    assert not recwarn.list  # a finished run is not resumed
    run.record_path.unlink()
    run.journal_path.write_text("")
    with pytest.warns(UserWarning, match=r"was begun with lrmp 0\.0\.9, now .*start afresh"):
        RunDirectory.open(run.path, begun["config"])


def test_git_runs_no_program_of_a_foreign_repository(tmp_path, monkeypatch):
    tripwire, program = tmp_path / "executed", tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tripwire}\ncat\n")
    program.chmod(0o755)
    folder = tmp_path / "unpacked"
    folder.mkdir()
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (
        ["init", "-q"],
        ["commit", "-q", "--allow-empty", "-m", "first"],
        ["config", "core.fsmonitor", str(program)],
        ["config", "core.sshCommand", str(program)],
        ["config", "core.pager", str(program)],
        ["config", "core.hooksPath", str(tmp_path)],
        ["config", "filter.f.clean", str(program)],
        ["config", "diff.f.textconv", str(program)],
    ):
        subprocess.run([*git, *words], check=True)
    (folder / ".gitattributes").write_text("* filter=f diff=f\n")
    (folder / "file").write_text("x")
    monkeypatch.chdir(folder)
    subprocess.run(["git", "status"], capture_output=True)
    assert tripwire.exists()  # so the trap works
    tripwire.unlink()
    args = random_search.Args(TASK, evaluations=2, runs_dir=folder / "runs")
    begun = random_search.train(args, progress=False).begun()
    assert not tripwire.exists()
    here = subprocess.run(
        ["git", "-C", Path(__file__).parent, "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
    ).stdout.strip()
    if Path(run_directory.__file__).resolve().parents[2] == Path(__file__).parents[2]:
        assert begun["lrmp_commit"].startswith(here)
