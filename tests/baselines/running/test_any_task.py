"""Every algorithm, and every command, takes a task, an id in any form, or a task file."""

import json
from dataclasses import replace

import pytest

pytest.importorskip("cma")
pytest.importorskip("optuna")
pytest.importorskip("pymoo")
pytest.importorskip("torch")
pytest.importorskip("tyro")

from lrmp.baselines.running.algorithms import ALGORITHMS, load_algorithm
from lrmp.baselines.running.run import is_registered, task_name
from lrmp.baselines.searchers import random_search, uniform
from lrmp.baselines.study.definition import read_study
from lrmp.baselines.study.local_engine import run_locally
from lrmp.baselines.study.report import write_report
from lrmp.baselines.study.results import read_results
from lrmp.baselines.study.runner import run_study
from lrmp.cli import main
from lrmp.envs import load_task, make_task, read_task
from lrmp.errors import RunError, TaskError

FILE = """
network = "lenet"
accelerator = "pimcomp_2023"  # no energies are known of it
budget = 200
[accuracy]
provenance = "made up"
weight_bits = {"*" = [4.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.0]}
activation_bits = {"*" = [4.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.0]}
"""
FOUR_BITS = ("--set", "weight_bits=4", "--set", "activation_bits=4")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "own task.toml"
    path.write_text(FILE)
    return path


@pytest.mark.long
@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_stays_inside_the_masks_of_a_chip_in_turns(name, few_designs, tmp_path):
    module, task = load_algorithm(name), load_task("LRMP-ResNet18-CIMAQ-v0")
    args = module.Args(env_id=task.id, runs_dir=tmp_path, **few_designs(name, module))
    design = module.train(args, progress=False).record()["design"]
    assert design["replication"] == [1] * 21
    assert set(design["weight_bits"]) <= {4, 8}
    ends = [design[name][layer] for name in task.space.names for layer in (0, -1)]
    assert ends == [8] * 4


@pytest.mark.long
@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_trains_on_a_task_of_ones_own(name, file, few_designs, tmp_path, capsys):
    module, task = load_algorithm(name), read_task(file)
    run = module.train(
        module.Args(env_id=task, runs_dir=tmp_path, **few_designs(name, module)), progress=False
    )
    record = run.record()
    assert (record["task"], record["task_fingerprint"]) == ("LRMP-Custom-v0", task.fingerprint)
    assert run.path.name.startswith(f"LRMP-Custom-v0-{task.fingerprint[:12]}__")
    # The file is the same task, and the run is finished.
    before = run.record_path.stat().st_mtime_ns
    again = module.train(
        module.Args(env_id=str(file), runs_dir=tmp_path, **few_designs(name, module))
    )
    assert (again.path, again.record_path.stat().st_mtime_ns) == (run.path, before)
    # The run stands for itself: the file is not needed any more.
    file.unlink()
    capsys.readouterr()
    assert main(["evaluate", str(run.path)]) == 0
    text = capsys.readouterr().out
    score = record["claim"]["score"]
    shown = "none, beyond the allowed drop" if score is None else f"{score:.4f}"
    assert f"score           {shown}" in text
    assert "energy          -" in text
    assert f"(a task of the run's own, {task.fingerprint[:16]}..., which the leaderboard" in text
    assert main(["evaluate", str(run.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["energy_j"] is None
    if run.policy_path.exists() and name != "policy-gradient":
        assert main(["evaluate", str(run.path), "--policy"]) == 0


@pytest.mark.parametrize("word", ["LRMP-MLP-v0", "lrmp:LRMP-MLP-v0", "LRMP-MLP-OneShot-v0"])
def test_an_id_in_any_form_is_the_same_run(word, tmp_path, capsys):
    words = ["--env-id", word, "--evaluations", "3", "--runs-dir", str(tmp_path)]
    assert main(["train", "random", *words]) == 0
    (run,) = tmp_path.iterdir()
    assert run.name == "LRMP-MLP-v0__random__1"
    assert json.loads((run / "config.json").read_text())["config"]["env_id"] == "LRMP-MLP-v0"
    assert not (run / "task.json").exists()
    assert main(["evaluate", str(run)]) == 0
    assert main(["submit", str(run), "--store", str(tmp_path / "board")]) == 0
    capsys.readouterr()
    shown = ["--store", str(tmp_path / "board"), "--json"]
    assert main(["leaderboard", "--task", word, *shown]) == 0
    (ranking,) = json.loads(capsys.readouterr().out)["rankings"]
    assert (ranking["task"], ranking["total"]) == ("LRMP-MLP-v0", 1)


def test_tasks_of_ones_own_do_not_share_a_directory(file, tmp_path):
    tasks = [read_task(file), replace(read_task(file), budget=201)]
    runs = [
        random_search.train(random_search.Args(task, evaluations=3, runs_dir=tmp_path / "runs"))
        for task in tasks
    ]
    assert runs[0].path != runs[1].path
    arguments = {"network": "lenet", "budget": 300}
    args = random_search.Args(arguments, evaluations=3, runs_dir=tmp_path / "runs")
    assert random_search.train(args).record()["task_fingerprint"] == (
        make_task(**arguments).fingerprint
    )


def test_another_accuracy_makes_another_task():
    task = load_task("LRMP-MLP-v0")
    network = task.with_accuracy("network")
    assert is_registered(task)
    assert is_registered(replace(task))
    assert not is_registered(network)
    assert task_name(task) == "LRMP-MLP-v0"
    assert task_name(network) == f"LRMP-MLP-v0-{network.fingerprint[:12]}"


def test_an_id_that_no_record_may_have_is_refused(tmp_path):
    task = replace(load_task("LRMP-MLP-v0"), id="../x")
    with pytest.raises(RunError, match=r"Expected the task's id in letters.*got '\.\./x'"):
        random_search.train(random_search.Args(task, runs_dir=tmp_path / "runs"))
    assert not list(tmp_path.iterdir())


def test_no_task_leaves_nothing_behind(tmp_path, capsys):
    for word, message in (
        ("LRMP-MLP-v9", "Expected task to be one of"),
        ("no.toml", "Expected a readable task file at no.toml"),
        ("LRMP-Custom-OneShot-v0", "Expected task= for LRMP-Custom-v0"),
    ):
        assert main(["train", "uniform", "--env-id", word, "--runs-dir", str(tmp_path)]) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(TaskError, match=r"Expected a task: a Task, an id such as .*; got 3"):
        uniform.train(uniform.Args(3, runs_dir=tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["evaluate", "submit", "check"])
def test_what_is_not_ranked_or_known_says_so(command, file, tmp_path, capsys):
    run = uniform.train(uniform.Args(file, runs_dir=tmp_path), progress=False)
    if command == "submit":
        assert main(["submit", str(run.path), "--store", str(tmp_path / "board")]) == 1
        text = capsys.readouterr().err
        assert "expected a registered task, got LRMP-Custom-v0, a task of your own" in text
        assert not (tmp_path / "board").exists()
        for words in (["leaderboard", "--task"], ["demo", "--env-id"]):
            assert main([*words, str(file)]) == 2
            assert "Expected a registered task, got one of your own" in capsys.readouterr().err
    elif command == "evaluate":
        document = json.loads(run.task_path.read_text())
        run.task_path.write_text(json.dumps(document | {"budget": 300}))
        assert main(["evaluate", str(run.path)]) == 2
        assert "Expected the task of a run in" in capsys.readouterr().err
        run.task_path.unlink()
        assert main(["evaluate", str(run.path)]) == 2
        assert "expected a registered task" in capsys.readouterr().err
    else:
        words = ["--data", str(tmp_path / "none")]
        assert main(["accuracy", "check", str(run.path), *words]) == 2
        assert "Expected weights at" in capsys.readouterr().err
        assert main(["accuracy", "check", "--env-id", str(file), *FOUR_BITS, *words]) == 2
        assert "Expected weights at" in capsys.readouterr().err


def test_a_record_of_another_task_is_refused(file, tmp_path, capsys):
    first = uniform.train(uniform.Args(file, runs_dir=tmp_path / "a"), progress=False)
    other = replace(read_task(file), budget=300)
    second = uniform.train(uniform.Args(other, runs_dir=tmp_path / "b"), progress=False)
    first.task_path.write_bytes(second.task_path.read_bytes())
    assert main(["evaluate", str(first.path)]) == 2
    assert "of the task beside the record, got" in capsys.readouterr().err


def test_a_chip_without_energies_has_a_proven_optimum(file, capsys):
    assert main(["optimum", str(file), "--solve"]) == 0
    assert "energy          -" in capsys.readouterr().out
    assert main(["optimum", str(file), "--solve", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["baseline_energy_j"] is None
    assert main(["evaluate", "--env-id", str(file), *FOUR_BITS]) == 0
    assert "energy          -" in capsys.readouterr().out


@pytest.mark.long
def test_a_study_takes_task_files_and_ids_in_any_form(file, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "study.toml"
    path.write_text(f"""
tasks = ["lrmp:LRMP-MLP-OneShot-v0", "{file.name}"]
evaluations = 20
seeds = 1
[agents.random]
[agents.ppo]
tasks = ["*.toml"]
[agents.hawq-ilp]
""")
    study = read_study(path)
    assert list(study.own_tasks) == [file.name]
    assert {run.key.task for run in study.runs} == {"LRMP-MLP-v0", file.name}
    folder = tmp_path / "out"
    assert run_study(study, folder, run_locally, progress=False).finished == 5
    records = read_results(folder / "results.jsonl")
    own = [record for key, record in records.items() if key.task == file.name]
    assert {record["task_fingerprint"] for record in own} == {read_task(file).fingerprint}
    assert {record["settings"]["env_id"] for record in own} == {file.name}
    # Once more: nothing is missing. Then the report, from the records alone.
    assert run_study(read_study(path), folder, run_locally, progress=False).failed == 0
    file.unlink()
    page = write_report(folder, tmp_path / "report", check=False).read_text()
    assert f"| {file.name} |" in page


def test_a_study_says_what_is_wrong_with_a_task_file(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('tasks = ["no.toml"]\n[agents.uniform]\n')
    with pytest.raises(TaskError, match=r"Expected a readable task file at .*no\.toml"):
        read_study(path)
