import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lrmp
from lrmp.cli import main
from lrmp.envs import TASKS, load_task, stored_optimum
from lrmp.hardware import Design
from lrmp.install_command import install_command

TASK = "LRMP-ResNet18-v0"
#: The best setting for all layers, which the uniform search finds, and how its gain is printed.
CONSTANT = stored_optimum(TASK).constant
GAIN = f"{math.exp(CONSTANT.value):.3f}x"
FOUR_BITS = ("--set", "weight_bits=4", "--set", "activation_bits=4")


@pytest.fixture(scope="module")
def uniform_run(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    assert main(["train", "uniform", "--env-id", TASK, "--runs-dir", str(runs)]) == 0
    return runs / f"{TASK}__uniform__0"


@pytest.mark.parametrize(
    "command", ["envs", "train", "evaluate", "optimum", "submit", "leaderboard", "demo"]
)
def test_help_of_every_command(capsys, command):
    with pytest.raises(SystemExit) as exit_:
        main([command, "--help"])
    assert exit_.value.code == 0
    assert f"usage: lrmp {command}" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"lrmp {lrmp.__version__}\n"


@pytest.mark.parametrize("words", [["nonsense"], ["submit"], ["envs", "--nonsense"], ["train"]])
def test_bad_usage_exits_with_2(capsys, words):
    with pytest.raises(SystemExit) as exit_:
        main(words)
    assert exit_.value.code == 2
    assert "usage: lrmp" in capsys.readouterr().err


def test_envs_lists_every_task(capsys):
    assert main(["envs"]) == 0
    text = capsys.readouterr().out
    assert all(task_id in text for task_id in TASKS)
    assert main(["envs", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in rows] == list(TASKS)
    by_id = {row["id"]: row for row in rows}
    assert by_id[TASK]["budget_tiles"] == 1608
    assert by_id[TASK]["accuracy"] == "table"
    assert by_id["LRMP-ResNet34-Predicted-v0"]["accuracy"] == "table (estimate)"
    assert by_id["LRMP-Digits-v0"]["accuracy"] == "network"


def test_unknown_agent(capsys):
    assert main(["train", "dddpg"]) == 2
    assert "Did you mean 'ddpg'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("agent", "option"),
    [
        ("annealing", "--hottest"),
        ("bayesian", "--model"),
        ("cma-es", "--sigma"),
        ("genetic", "--mutated"),
        ("greedy", "--rescored"),
        ("hawq-ilp", "--cost"),
        ("ippo", "--credit"),
        ("mappo", "--rounds"),
        ("qmix", "--mixer"),
        ("random", "--evaluations"),
    ],
)
def test_options_of_an_agent_are_its_own(capsys, agent, option):
    with pytest.raises(SystemExit) as exit_:
        main(["train", agent, "--help"])
    assert exit_.value.code == 0
    assert option in capsys.readouterr().out


def test_train_unknown_task(capsys, tmp_path):
    words = ["train", "random", "--env-id", "LRMP-ResNet19-v0", "--runs-dir", str(tmp_path / "r")]
    assert main(words) == 2
    assert "Did you mean 'LRMP-ResNet1" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_evaluate_a_run(capsys, uniform_run):
    assert main(["evaluate", str(uniform_run)]) == 0
    text = capsys.readouterr().out
    assert GAIN in text
    assert "points, table: measured" in text
    assert "layer4.1.conv2" in text
    assert not list(uniform_run.glob("*.png"))  # it may be a stranger's: nothing is written there


def test_evaluate_needs_matplotlib_for_a_picture_alone(uniform_run):
    # None in sys.modules is how Python itself marks a module that must not be imported.
    program = (
        "import sys; sys.modules['matplotlib'] = None; from lrmp.cli import main; "
        f"run = ['evaluate', {str(uniform_run)!r}]; "
        "sys.exit(main(run) + main([*run, '--plot', 'design.png']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2
    assert GAIN in done.stdout
    command = install_command("plot")
    assert f"Expected matplotlib to draw a picture; run {command}." in done.stderr


def test_evaluate_as_json(capsys, uniform_run):
    assert main(["evaluate", str(uniform_run), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["design"]["weight_bits"] == [6] * 21
    assert document["design"]["activation_bits"] == [7] * 21
    assert sum(document["layer_cycles"]) == document["latency_cycles"]
    assert document["proven_optimal"] is True
    assert sum(document["baseline_layer_cycles"]) == 47735912


def test_evaluate_uniform_settings(capsys):
    assert main(["evaluate", "--env-id", TASK, *FOUR_BITS]) == 0
    assert "8.618x" in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.parametrize(
    ("ending", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_evaluate_draws(tmp_path, capsys, uniform_run, ending, magic):
    pytest.importorskip("matplotlib")
    picture = tmp_path / f"design.{ending}"
    assert main(["evaluate", str(uniform_run), "--plot", str(picture)]) == 0
    assert picture.read_bytes().startswith(magic)
    assert str(picture) in capsys.readouterr().out


@pytest.mark.long
def test_evaluate_draws_a_deep_network(tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "design.png"
    words = ["evaluate", "--env-id", "LRMP-ResNet101-Predicted-Throughput-v0", *FOUR_BITS]
    assert main([*words, "--plot", str(picture)]) == 0
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Expected either a run directory or --env-id"),
        ([*FOUR_BITS], "Expected either a run directory or --env-id"),
        (["some_run", "--env-id", TASK], "Expected either a run directory or --env-id"),
        (["some_run", *FOUR_BITS], "Expected --set or --design beside --env-id"),
        (["--env-id", TASK, "--set", "4"], "Expected --set as KNOB=VALUES"),
        (["--env-id", TASK, "--set", "weight_bits=x"], "between 2 and 8, got 'x'."),
        (["--env-id", TASK, "--plot", "/no/folder/x.png"], "Expected a folder"),
        (["--env-id", TASK, "--plot", "x.xyz"], "Expected a picture format"),
        (["--env-id", TASK, "--plot", "x"], "got no ending"),
        (["--env-id", TASK, "--policy"], "Expected --policy beside a run"),
    ],
)
def test_evaluate_bad_input(capsys, words, message):
    assert main(["evaluate", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_evaluate_a_missing_run(capsys, tmp_path):
    assert main(["evaluate", str(tmp_path / "nothing")]) == 2
    assert "nothing" in capsys.readouterr().err


def test_submit_and_leaderboard(capsys, tmp_path, uniform_run):
    store = ["--store", str(tmp_path / "board.sqlite")]
    assert main(["leaderboard", *store]) == 0
    capsys.readouterr()
    assert not (tmp_path / "board.sqlite").exists()
    assert main(["submit", str(uniform_run), *store]) == 0
    assert "replayed and stored: LRMP-ResNet18-v0, uniform, seed 0" in capsys.readouterr().out
    assert main(["submit", str(uniform_run), *store]) == 1
    assert "expected a new record" in capsys.readouterr().err
    assert main(["leaderboard", *store]) == 0
    assert GAIN in capsys.readouterr().out
    assert main(["leaderboard", "--json", "--task", TASK, *store]) == 0
    assert "uniform" in json.dumps(json.loads(capsys.readouterr().out))
    assert main(["leaderboard", "--task", "LRMP-ResNet18-v9", *store]) == 2


def test_leaderboard_reports_damage_and_the_last_hash(capsys, tmp_path, uniform_run):
    path = tmp_path / "board\x1b[31m.sqlite"
    store = ["--store", str(path)]
    assert main(["submit", str(uniform_run), *store]) == 0
    capsys.readouterr()
    assert main(["leaderboard", "--json", *store]) == 0
    document = json.loads(capsys.readouterr().out)
    (last,) = document["chain"]
    assert main(["leaderboard", *store]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"entries: 1; hash of the last: {last}"

    connection = sqlite3.connect(path)
    trigger = connection.execute(
        "SELECT sql FROM sqlite_master WHERE name = 'no_update'"
    ).fetchone()
    connection.execute("DROP TRIGGER no_update")
    connection.execute("UPDATE log SET body = replace(body, 'tiles', 'tilez')")
    connection.commit()
    assert main(["leaderboard", *store]) == 2
    assert r"board\x1b[31m.sqlite, got no_update missing" in capsys.readouterr().err
    connection.execute(trigger[0])
    connection.commit()
    connection.close()
    assert main(["leaderboard", *store]) == 0
    captured = capsys.readouterr()
    assert r"lrmp: Entry 1 of" in captured.err
    assert r"board\x1b[31m.sqlite is left out: expected content that matches" in captured.err
    assert "No entries yet: `lrmp demo` makes some" in captured.out


def test_forged_record_exits_with_1(capsys, tmp_path, uniform_run):
    forged = tmp_path / "record.jsonl"
    record = json.loads((uniform_run / "record.jsonl").read_text())
    record["claim"]["score"] += 0.5
    forged.write_text(json.dumps(record) + "\n")
    store = tmp_path / "board.sqlite"
    assert main(["submit", str(forged), "--store", str(store)]) == 1
    assert "expected score " in capsys.readouterr().err
    assert main(["leaderboard", "--store", str(store), "--json"]) == 0
    assert "uniform" not in capsys.readouterr().out


def test_demo_goes_all_the_way_and_can_be_repeated(capsys, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    words = [
        "demo",
        "--env-id",
        "LRMP-Digits-v0",
        "--evaluations",
        "22",
        "--runs-dir",
        str(tmp_path),
    ]
    assert main(words) == 0
    first = capsys.readouterr().out
    assert (tmp_path / "LRMP-Digits-v0__ddpg__1" / "design.png").stat().st_size > 10_000
    assert (tmp_path / "leaderboard.sqlite").exists()
    assert [first.count(f"and stored: LRMP-Digits-v0, {a}") for a in ("ddpg", "random")] == [1, 1]
    assert main(words) == 0
    second = capsys.readouterr().out
    assert "and stored" not in second
    assert second.splitlines()[-3:] == first.splitlines()[-3:]


def test_evaluate_the_saved_policy(capsys, tmp_path):
    pytest.importorskip("torch")
    words = ["train", "ddpg", "--env-id", "LRMP-Digits-v0", "--evaluations", "3"]
    assert main([*words, "--runs-dir", str(tmp_path)]) == 0
    run = tmp_path / "LRMP-Digits-v0__ddpg__1"
    capsys.readouterr()
    assert main(["evaluate", str(run), "--policy", "--json"]) == 0
    # Untrained, the policy answers near 0 everywhere: 5 bits.
    assert json.loads(capsys.readouterr().out)["design"]["weight_bits"] == [5] * 5
    assert not list(run.glob("*.png"))
    (run / "policy.safetensors").write_bytes(b"")
    assert main(["evaluate", str(run), "--policy"]) == 2
    assert "Expected a policy file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("hidden", "words", "extra"),
    [
        ("torch", ["train", "ddpg"], "train"),
        ("tensorboard", ["train", "ippo"], "train"),
        ("tyro", ["train", "random"], "train"),
        ("matplotlib", ["evaluate", "--env-id", TASK, "--plot", "x.png"], "plot"),
    ],
)
def test_missing_extra_is_named(tmp_path, hidden, words, extra):
    # None in sys.modules is how Python itself marks a module that must not be imported.
    program = (
        f"import sys; sys.modules[{hidden!r}] = None; from lrmp.cli import main; "
        f"sys.exit(main({words!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert f"run {install_command(extra)}." in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_interrupt_exits_with_130(tmp_path):
    command = str(Path(sys.executable).with_name("lrmp"))
    task_id = "LRMP-ResNet101-Predicted-v0"
    # More designs than any machine scores before the signal comes.
    words = ["train", "random", "--env-id", task_id, "--runs-dir", str(tmp_path)]
    words += ["--evaluations", "10000000"]
    process = subprocess.Popen([command, *words], stderr=subprocess.PIPE, text=True)
    config = tmp_path / f"{task_id}__random__1" / "config.json"
    while not config.exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in error
    assert "interrupted" in error


def test_python_m_lrmp_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "lrmp", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"lrmp {lrmp.__version__}\n"


def test_evaluate_refuses_what_submit_would_refuse(capsys, tmp_path, uniform_run):
    record = json.loads((uniform_run / "record.jsonl").read_text())
    record["design"]["replication"] = [1] * 21
    (tmp_path / "record.jsonl").write_text(json.dumps(record) + "\n")
    assert main(["evaluate", str(tmp_path)]) == 2
    assert "claims what its design does not do: expected score" in capsys.readouterr().err
    record["design"]["replication"] = [100] * 21
    (tmp_path / "record.jsonl").write_text(json.dumps(record) + "\n")
    assert main(["evaluate", str(tmp_path)]) == 2
    assert "Expected a design within 1608 tiles, got 120600" in capsys.readouterr().err


def test_evaluate_takes_one_record(capsys, tmp_path, uniform_run):
    record = json.loads((uniform_run / "record.jsonl").read_text())
    lines = [json.dumps(record | {"seed": seed}) for seed in (1, 2)]
    (tmp_path / "two.jsonl").write_text("\n".join(lines) + "\n")
    assert main(["evaluate", str(tmp_path / "two.jsonl")]) == 2
    assert "Expected one record in" in capsys.readouterr().err


def test_evaluate_an_unfinished_run(capsys, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert main(["evaluate", str(tmp_path)]) == 2
    assert "got a directory without record.jsonl" in capsys.readouterr().err


def test_finished_run_says_so(capsys, uniform_run):
    capsys.readouterr()
    words = ["train", "uniform", "--env-id", TASK, "--runs-dir", str(uniform_run.parent)]
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("finished earlier: ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["random", "--evaluations", "0"], "Expected evaluations of at least 1, got 0"),
        (["ddpg", "--evaluations", "-3"], "Expected evaluations of at least 1, got -3"),
        (["ddpg", "--checkpoint-every", "0"], "Expected checkpoint_every of at least 1, got 0"),
        (["ddpg", "--sigma", "0"], "Expected sigma above 0"),
        (["random", "--seed", "-1"], "Expected seed from 0 to 4294967295, got -1"),
        (["ddpg", "--seed", "5000000000"], "Expected seed from 0 to 4294967295"),
    ],
)
def test_settings_no_run_can_have_leave_nothing_behind(capsys, tmp_path, words, message):
    with pytest.raises(SystemExit) as exit_:  # the agent's own parser words it
        main(["train", *words, "--runs-dir", str(tmp_path / "runs")])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_demo_without_episodes_is_refused(capsys, tmp_path):
    words = ["demo", "--env-id", "LRMP-Digits-v0", "--runs-dir", str(tmp_path / "runs")]
    assert main([*words, "--evaluations", "0"]) == 2
    assert "Expected evaluations of at least 1, got 0" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_folder_that_cannot_be_made(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    words = ["train", "random", "--runs-dir", str(tmp_path / "file" / "runs")]
    assert main(words) == 2
    assert "file" in capsys.readouterr().err


@pytest.mark.long
def test_closed_pipe_is_no_traceback(tmp_path):
    command = Path(sys.executable).with_name("lrmp")
    done = subprocess.run(
        f"'{command}' envs --json | head -c 1", shell=True, capture_output=True, text=True
    )
    assert done.stdout == "["
    assert done.stderr == ""


def test_baseline_as_a_module_words_its_errors(tmp_path):
    words = ["--env-id", "LRMP-ResNet19-v0", "--runs-dir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "lrmp.baselines.searchers.random_search", *words],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "Did you mean" in done.stderr
    assert "Traceback" not in done.stderr


def test_evaluate_does_not_call_other_copies_optimal(capsys, tmp_path, uniform_run):
    record = json.loads((uniform_run / "record.jsonl").read_text())
    task = load_task(TASK)
    design = Design.of(CONSTANT.setting, layers=21)
    report = task.cost_model.evaluate(design)
    gain = 47735912 / report.latency_cycles
    record["design"] = design.to_json()
    record["claim"] |= {
        "score": math.log(gain),
        "gain": gain,
        "latency_cycles": report.latency_cycles,
        "bottleneck_cycles": report.bottleneck_cycles,
        "tiles": report.tiles,
    }
    (tmp_path / "record.jsonl").write_text(json.dumps(record) + "\n")
    assert main(["evaluate", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["proven_optimal"] is False


def test_without_words_the_help_is_printed(capsys):
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 0
    assert "a first session:" in capsys.readouterr().out


def test_a_submission_that_is_not_there_is_bad_input_and_none_refused(tmp_path, capsys):
    assert main(["submit", str(tmp_path / "nowhere"), "--store", str(tmp_path / "s")]) == 2
    assert "Expected records in" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
