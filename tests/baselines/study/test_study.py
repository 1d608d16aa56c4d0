import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from lrmp.baselines.searchers import annealing
from lrmp.baselines.study.definition import read_study
from lrmp.baselines.study.local_engine import run_locally
from lrmp.baselines.study.planned_run import CIRCUMSTANCES, perform
from lrmp.baselines.study.results import Results, locked, read_results
from lrmp.baselines.study.runner import run_study
from lrmp.baselines.study.scores import Scores
from lrmp.cli import main
from lrmp.envs import evaluate_settings, load_task
from lrmp.errors import LRMPError, MissingExtraError, StudyError
from lrmp.hardware import Design
from lrmp.install_command import install_command

STUDIES = Path(__file__).parents[3] / "studies"
STUDY = """
tasks = ["LRMP-MLP-v0", "LRMP-LeNet-v0"]
report_at = [50, 250]
seeds = 2

[agents.uniform]

[agents.hawq-ilp]

[agents.random]
evaluations = [50, 250]
seeds = [2, 1]

[agents.hot]
algorithm = "annealing"
evaluations = 250
settings = { hottest = 1 }
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "study.toml"
        path.write_text(text)
        return path

    return write


def test_a_run_that_ends_early_counts_up_to_its_budget(write, tmp_path):
    path = write("""
tasks = ["LRMP-MLP-v0"]
report_at = [100, 2000]
evaluations = 2000
[agents.greedy]
""")
    run(path, tmp_path / "study")
    scores = Scores.read(tmp_path / "study")
    assert scores.records[0]["evaluated_designs"] < 2000
    assert len(scores.shares("greedy", "LRMP-MLP-v0", 2000)) == 1
    assert scores.reach("greedy") == 2000


@pytest.mark.long
def test_a_curve_counts_the_designs_that_difference_rewards_evaluate(write, tmp_path):
    pytest.importorskip("torch")
    path = write("""
tasks = ["LRMP-MLP-v0"]
report_at = [1, 4, 8]
evaluations = 40
seeds = 1
[agents.ippo-difference]
algorithm = "ippo"
settings = { credit = "difference" }
""")
    run(path, tmp_path / "study")
    scores = Scores.read(tmp_path / "study")
    (record,) = scores.records
    assert record["evaluated_designs"] == 40 * (1 + 3)
    assert record["curve"][0][0] == 4
    assert all(row[0] % 4 == 0 for row in record["curve"])
    first = record["curve"][0][1] / scores.optima["LRMP-MLP-v0"]
    at = [scores.shares("ippo-difference", "LRMP-MLP-v0", n).tolist() for n in (1, 4, 160, 161)]
    assert at[:2] == [[0.0], [first]]
    assert [len(shares) for shares in at] == [1, 1, 1, 0]
    assert scores.reach("ippo-difference") == 160


def run(path, folder, workers=1):
    engine = partial(run_locally, workers=workers)
    return run_study(read_study(path), folder, engine, progress=False)


def essence(folder):
    """All records by key, without wall time and versions."""
    return {
        key: {name: value for name, value in record.items() if name not in CIRCUMSTANCES}
        for key, record in sorted(read_results(folder / "results.jsonl").items())
    }


@pytest.mark.long
def test_a_run_that_finds_nothing_within_the_allowance_has_no_curve(write, tmp_path):
    path = write("""
tasks = ["LRMP-ResNet18-v0"]
report_at = [3]
evaluations = 3
[agents.random]
""")
    run(path, tmp_path / "study")
    records = read_results(tmp_path / "study" / "results.jsonl").values()
    assert records
    for record in records:
        assert (record["curve"] == []) == (record["claim"]["score"] is None)
    assert any(record["curve"] == [] for record in records)
    assert record["claim"]["gain"] > 1
    scores = Scores.read(tmp_path / "study")
    assert not scores.shares("random", "LRMP-ResNet18-v0", 3).any()


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The study above, uninterrupted, on one process."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "study.toml").write_text(STUDY)
    assert run(folder / "study.toml", folder / "out").finished == 2 * (1 + 1 + 3 + 2)
    return folder / "out"


@pytest.mark.long
def test_records_hold_the_best_design_at_every_count(reference):
    records = read_results(reference / "results.jsonl")
    assert {key.agent for key in records} == {"uniform", "hawq-ilp", "random", "hot"}
    assert {(k.evaluations, k.seed) for k in records if k.agent == "random"} == {
        (50, 1),
        (50, 2),
        (250, 1),
    }
    for key, record in records.items():
        number, score, gain, drop = record["curve"][-1]
        design = Design.from_json(record["design"])
        outcome = evaluate_settings(load_task(key.task), design.settings)
        assert (score, gain, drop) == (
            outcome.score,
            outcome.gain,
            outcome.accuracy_drop,
        )
        assert number <= record["evaluated_designs"] == {0: 49}.get(
            key.evaluations, key.evaluations
        ) or (key.agent == "hawq-ilp")
        scores = [row[1] for row in record["curve"]]
        assert scores == sorted(set(scores))
    hot = next(record for key, record in records.items() if key.agent == "hot")
    assert hot["settings"]["hottest"] == 1.0 != annealing.Args().hottest


def is_alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition, process):
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.mark.long
def test_interrupted_killed_and_torn_it_ends_as_if_nothing_had_happened(reference, write, tmp_path):
    path, out = write(STUDY), tmp_path / "out"
    results = out / "results.jsonl"
    words = ["study", "run", str(path), "--out", str(out), "--workers", "2"]

    def started_until(lines, number):
        process = subprocess.Popen(
            [sys.executable, "-m", "lrmp", *words], stderr=subprocess.PIPE, text=True
        )
        wait_for(lambda: results.exists() and results.read_bytes().count(b"\n") >= lines, process)
        crew = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        crew = [int(child) for child in crew.read_text().split()] if crew.exists() else []
        process.send_signal(number)
        _, error = process.communicate()
        return process.returncode, error, crew

    code, error, _ = started_until(2, signal.SIGINT)
    assert code == 130
    assert "interrupted; finished runs are in" in error
    assert "Traceback" not in error
    code, _, crew = started_until(5, signal.SIGKILL)
    assert code == -signal.SIGKILL
    before = len(read_results(results))
    assert 5 <= before < 14
    for child in crew:  # they end with the study, so that nobody else writes what is run next
        while is_alive(child):
            time.sleep(0.01)
    # The kill in the middle of a write, made certain.
    whole = results.read_bytes()
    results.write_bytes(whole[: -len(whole.splitlines()[-1]) // 2])
    assert len(read_results(results)) == before - 1
    finished = {file: file.stat().st_mtime_ns for file in (out / "runs").rglob("record.jsonl")}

    assert run(path, out).finished == 14
    assert essence(out) == essence(reference)
    assert {file: file.stat().st_mtime_ns for file in finished} == finished
    assert results.read_bytes().count(b"\n") == 14


@pytest.mark.long
def test_a_dead_process_costs_its_run_alone(write, tmp_path):
    path = write(STUDY)
    study = read_study(path)
    endings = []
    for ending in run_locally(study.runs[:4], tmp_path / "runs"):
        endings.append(ending)
        if len(endings) == 1:
            (worker,) = multiprocessing.active_children()
            os.kill(worker.pid, signal.SIGKILL)
    assert [ending.error for ending in endings] == ["", "its process was killed by SIGKILL", "", ""]
    assert [ending.key for ending in endings] == [run.key for run in study.runs[:4]]
    assert multiprocessing.active_children() == []


@pytest.mark.long
def test_a_failed_run_is_named_and_tried_again(write, tmp_path, capsys):
    path = write('tasks = ["LRMP-MLP-v0"]\nseeds = 2\nevaluations = 10\n[agents.random]\n')
    words = ["study", "run", str(path), "--out", str(tmp_path / "out")]
    config = tmp_path / "out/runs/random/10/LRMP-MLP-v0__random__1/config.json"
    config.parent.mkdir(parents=True)
    config.write_text("{")
    assert main(words) == 1
    printed = capsys.readouterr()
    assert "1 of 2 runs are finished" in printed.out
    assert "failed: random on LRMP-MLP-v0 at 10 designs, seed 1: Expected a run's conf" in (
        printed.err
    )
    assert "1 runs failed" in printed.err
    config.unlink()
    assert main(words) == 0
    assert "2 of 2 runs are finished" in capsys.readouterr().out


def test_two_studies_in_one_folder_refuse_each_other(write, tmp_path, capsys):
    words = ["study", "run", str(write(STUDY)), "--out", str(tmp_path / "out")]
    with locked(tmp_path / "out"):
        assert main(words) == 2
    assert f"Expected no other study at work in {tmp_path / 'out'}, got process" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "out" / "results.jsonl").exists()


@pytest.mark.long
def test_other_settings_are_not_mixed_into_old_results(reference, write, capsys):
    path = write(STUDY.replace("hottest = 1", "hottest = 2"))
    assert main(["study", "run", str(path), "--out", str(reference)]) == 2
    assert "with hottest 2.0 in" in capsys.readouterr().err
    assert len(read_results(reference / "results.jsonl")) == 14


def test_damaged_results_are_refused_not_repaired(reference, tmp_path):
    lines = (reference / "results.jsonl").read_text().splitlines(keepends=True)
    path = tmp_path / "results.jsonl"
    path.write_text(lines[0] + "{}\n" + lines[1])
    with pytest.raises(StudyError, match="Expected a record in line 2"):
        Results(path)
    path.write_text(lines[0] + lines[0])
    with pytest.raises(StudyError, match="two of uniform on LRMP-MLP-v0, seed 0"):
        Results(path)


def test_tasks_and_agents_can_be_chosen(write, tmp_path, capsys):
    words = ["study", "run", str(write(STUDY)), "--dry-run", "--agents", "random", "h*"]
    assert main([*words, "--tasks", "*MLP*"]) == 0
    counts = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert counts == [
        ["1", "runs of hawq-ilp"],
        ["3", "runs of random"],
        ["2", "runs of hot"],
        ["6", "runs"],
    ]
    assert main([*words, "--seeds", "1"]) == 0
    assert "     8 runs\n" in capsys.readouterr().out
    assert main([*words, "--tasks", "LRMP-ResNet18-v0"]) == 2
    assert "got none. The study's agents are uniform, hawq-ilp" in capsys.readouterr().err


AGENT = 'tasks = ["LRMP-MLP-v0"]\n[agents.annealing]\nevaluations = 10\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tasks", "Expected TOML in"),
        ("", r"Expected tasks = \[ids of tasks\], got None"),
        (AGENT.replace("MLP", "MPL"), "Expected task to be one of .*; got 'LRMP-MPL-v0'. Did you"),
        ('tasks = ["LRMP-MLP-v0"]', r"Expected a table \[agents.NAME\]"),
        (
            AGENT.replace("tasks", "report_at = 20\ntasks"),
            r"the most evaluations, 10, reach, got \[20",
        ),
        (AGENT.replace("tasks", "report_at = 0\ntasks"), "Expected report_at to be a whole number"),
        (AGENT.replace("tasks", "about = 1\ntasks"), "Expected about as text, got 1"),
        (AGENT.replace("tasks", "report = 1\ntasks"), "Expected key of a study to be one of"),
        (AGENT + "episodes = 1", "key of agent annealing .* got 'episodes'"),
        (
            AGENT.replace("annealing", "anealing"),
            "algorithm of agent anealing .* Did you mean 'ann",
        ),
        (AGENT + "settings = { warmest = 1 }", "setting of agent annealing .* got 'warmest'"),
        (
            AGENT + "settings = { evaluations = 1 }",
            "setting of agent annealing .* got 'evaluations'",
        ),
        (AGENT + 'settings = { reach = "far" }', "setting reach .* to be int, got 'far'"),
        (
            AGENT + "settings = { reach = 0 }",
            "agent annealing: Expected reach of at least 1, got 0",
        ),
        (
            AGENT.replace("10", "1.5"),
            "Expected evaluations of agent annealing to be a whole number",
        ),
        (
            AGENT.replace("evaluations = 10", ""),
            "Expected evaluations of agent annealing .* got None",
        ),
        (
            AGENT + "seeds = [1, 2]",
            r"seeds .* one for each of its different evaluations \[10\], got",
        ),
        (
            AGENT + "[agents.greedy]\nevaluations = 1\nseeds = 2",
            "no seeds for agent greedy: it has no",
        ),
        (AGENT + "[agents.uniform]\nevaluations = 7", "no evaluations for agent uniform: its num"),
        (AGENT + 'tasks = ["LRMP-LeNet-v0"]', "task of agent annealing .* got 'LRMP-LeNet-v0'"),
        (AGENT.replace("annealing", "'../x'"), r"Expected \[agents.NAME\] with a name of letters"),
    ],
)
def test_bad_studies_are_refused(write, text, message):
    with pytest.raises(LRMPError, match=message):
        read_study(write(text))


def test_evaluations_that_an_agent_cannot_have_are_refused(write):
    pytest.importorskip("torch")
    text = 'tasks = ["LRMP-MLP-v0"]\n[agents.ppo]\nevaluations = 10\n'
    with pytest.raises(
        StudyError, match=r"agent ppo: Expected evaluations to be a multiple of num_en"
    ):
        read_study(write(text))
    text = text.replace("10", "20") + "[agents.policy-gradient]\nevaluations = 20\nsettings."
    with pytest.raises(StudyError, match=r"setting start .* to be a file, got .*nothing"):
        read_study(write(text + 'start = "nothing"'))


@pytest.mark.long
def test_the_network_itself_can_say_the_accuracy(write, tmp_path, data, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setenv("LRMP_DATA", str(data))
    study = read_study(
        write(
            'tasks = ["LRMP-MLP-v0", { id = "LRMP-MLP-v0", accuracy = "network" }, '
            '{ id = "LRMP-Digits-v0", accuracy = "network" }]\n'
            "seeds = 1\nevaluations = 4\n[agents.random]\n[agents.greedy]\n"
            '[agents.genetic]\ntasks = ["LRMP-D*"]\n'
        )
    )
    keys = {run.key[:3] for run in study.runs}
    assert keys == {
        ("LRMP-MLP-v0", "", "random"),
        ("LRMP-MLP-v0", "network", "random"),
        ("LRMP-Digits-v0", "", "random"),  # its own kind
        ("LRMP-MLP-v0", "", "greedy"),
        ("LRMP-Digits-v0", "", "genetic"),
    }
    assert study.left_out == {"greedy": ["LRMP-MLP-v0 (network)", "LRMP-Digits-v0"]}
    records = {run.key[:2]: perform(run, tmp_path) for run in study.runs if "random" in run.key}
    table, network = records["LRMP-MLP-v0", ""], records["LRMP-MLP-v0", "network"]
    assert table["task_fingerprint"] != network["task_fingerprint"]
    assert network["settings"] == table["settings"] | {"accuracy": "network"}
    design = Design.from_json(network["design"])
    measured = load_task("LRMP-MLP-v0").with_accuracy("network").accuracy.drop(design)
    assert network["claim"]["accuracy_drop"] == measured
    assert network["claim"]["accuracy_drop"] != load_task("LRMP-MLP-v0").accuracy.drop(design)


def test_a_missing_library_is_named_before_anything_runs(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "pymoo", None)
    with pytest.raises(MissingExtraError, match=re.escape(install_command("search"))):
        read_study(write(AGENT.replace("annealing", "genetic")))


def test_missing_data_are_named_before_anything_runs(write, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LRMP_DATA", str(tmp_path))
    path = write(AGENT.replace('"LRMP-MLP-v0"', '{ id = "LRMP-MLP-v0", accuracy = "network" }'))
    assert main(["study", "run", str(path), "--out", str(tmp_path / "out")]) == 2
    assert "Expected an IDX file at" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not STUDIES.exists(), reason="the tests run outside the repository")
@pytest.mark.parametrize("name", sorted(path.name for path in STUDIES.glob("*.toml")))
def test_shipped_studies_are_sound(name):
    for module in ("torch", "cma", "pymoo", "optuna"):
        pytest.importorskip(module)
    study = read_study(STUDIES / name)
    assert len({run.key for run in study.runs}) == len(study.runs) > 0
    assert len({run.folder / f"{run.key.task}{run.key.seed}" for run in study.runs}) == len(
        study.runs
    )
