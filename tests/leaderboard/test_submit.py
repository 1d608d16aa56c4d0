import multiprocessing
import subprocess
import sys
from dataclasses import replace

import pytest

from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.errors import RecordError
from lrmp.leaderboard import Store, submit


def test_a_run_directory_is_replayed_and_stored(tmp_path, digits_record):
    run = RunDirectory.open(tmp_path / "run", {"seed": 0})
    run.finish(digits_record, [(0.0, 1.0, 0.0)])
    replays = submit(run.path, tmp_path / "runs" / "store.sqlite")
    assert [r.record for r in replays] == [digits_record]
    entries = Store(tmp_path / "runs" / "store.sqlite").entries()
    assert [e.record for e in entries] == [r.record for r in replays]
    assert [e.claim for e in entries] == [r.claim for r in replays]


def test_one_bad_record_among_good_ones_stores_none(refuse, edit, resnet_record):
    lines = [
        edit({"seed": 1}),
        edit({"seed": 2}),
        edit({"claim.score": 7}, resnet_record),
        edit({"seed": 3}),
    ]
    refuse(lines, "LRMP-ResNet18-v0, agent tester, seed 0: expected score")
    refuse([*lines[:2], "{}"], "line 3: expected a record to have the field schema_version")


def test_one_known_seed_among_new_ones_stores_none(tmp_path, write, edit):
    store = tmp_path / "store.sqlite"
    submit(write([edit({"seed": 1})]), store)
    before = store.read_bytes()
    with pytest.raises(RecordError, match="seed 1: expected a new record, got one that is in"):
        submit(write([edit({"seed": 0}), edit({"seed": 1}), edit({"seed": 2})]), store)
    assert store.read_bytes() == before


def test_a_resubmission_is_refused_and_changes_nothing(tmp_path, write, digits_record):
    path, store = write([digits_record.to_line()]), tmp_path / "store.sqlite"
    submit(path, store)
    before = store.read_bytes()
    with pytest.raises(RecordError, match="seed 0: expected a new record, got one that is in"):
        submit(path, store)
    assert store.read_bytes() == before


def test_a_better_run_of_the_same_seed_is_refused(tmp_path, write, edit):
    store = tmp_path / "store.sqlite"
    submit(write([edit({})]), store)
    before = store.read_bytes()
    with pytest.raises(
        RecordError, match="LRMP-Digits-v0, agent tester, seed 0: expected a seed that is not in"
    ):
        submit(write([edit({"seed": 1}), edit({"evaluated_designs": 5})]), store)
    assert store.read_bytes() == before


def test_known_runs_are_refused_before_anything_is_replayed(tmp_path, write, edit):
    store = tmp_path / "store.sqlite"
    submit(write([edit({})]), store)
    forged = {"claim.score": 9}  # a replay would say so first
    for changes, message in (
        (forged, "seed 0: expected a seed that is not in .* yet, got one with another record"),
        (forged | {"agent": "TESTER"}, "agent TESTER, seed 0: expected a name that looks like no"),
        (forged | {"agent": "tester."}, "agent tester., seed 0: expected a name that looks like"),
    ):
        with pytest.raises(RecordError, match=message):
            submit(write([edit(forged | {"agent": "new"}), edit(changes)]), store)


@pytest.mark.long
def test_processes_that_submit_at_once_all_succeed(tmp_path, write, resnet_record):
    store = tmp_path / "new" / "store.sqlite"
    spawn = multiprocessing.get_context("spawn")
    processes = [
        spawn.Process(
            target=submit,
            args=(write([replace(resnet_record, seed=s).to_line()], f"{s}.jsonl"), store),
        )
        for s in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [p.exitcode for p in processes] == [0, 0]
    assert {e.record.seed for e in Store(store).entries()} == {0, 1}


@pytest.mark.long
def test_of_processes_that_submit_the_same_record_one_succeeds(tmp_path, write, resnet_record):
    path, store = write([resnet_record.to_line()]), tmp_path / "store.sqlite"
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=submit, args=(path, store)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(p.exitcode for p in processes) == [0, 1]
    assert [e.record for e in Store(store).entries()] == [resnet_record]


def test_importing_the_leaderboard_loads_no_solver_and_no_network():
    code = (
        "import sys, lrmp.leaderboard; "
        "print(sorted({'ortools', 'sklearn', 'torch', 'jsonschema', 'matplotlib', 'sqlalchemy'} & "
        "set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert done.stderr == ""
