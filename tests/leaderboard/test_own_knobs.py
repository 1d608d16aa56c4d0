"""A knob of one's own, and one of labels that not every layer may have: recorded and ranked."""

import json
from dataclasses import replace

import numpy as np
import pytest

from lrmp.envs import TASKS, Record, evaluate, make_task
from lrmp.errors import DesignError, RecordError
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob
from lrmp.hardware.space.precision import weight_bits
from lrmp.leaderboard import Store, format_ranking, rank, read_submission, submit, to_json
from lrmp.leaderboard.submission import check_definition

VALUES = {"weight_bits": [4, 6, 5], "reads": [1, 4, 2], "converter": ["fine", "coarse", "fine"]}


def read_again(computation, times):
    return replace(computation, reads=computation.reads * times)


def convert(computation, labels):
    return replace(computation, reads=computation.reads * np.where(labels == "fine", 2, 1))


SPACE = DesignSpace(
    (
        weight_bits(),
        Knob("reads", (1, 2, 4), plain=1, effect=read_again),
        Knob("converter", ("coarse", "fine"), plain="fine", effect=convert),
    ),
    allowed={"converter": (("fine",), ("coarse", "fine"), ("coarse", "fine"))},
)


@pytest.fixture
def own_task():
    return make_task(
        "mlp",
        space=SPACE,
        allowed_drop=3,
        accuracy={
            "weight_bits": {"*": [4.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.0]},
            "reads": {"*": [0.2, 0.1, 0.0]},
            "converter": {"*": [0.5, 0.0]},
            "provenance": "made up",
            "estimate": False,
        },
    )


@pytest.fixture
def task(own_task, monkeypatch):
    """The same among the registered ones."""
    task = replace(own_task, id="LRMP-Toy-v0")
    monkeypatch.setitem(TASKS, task.id, lambda: task)
    return task


def record_of(task, values=VALUES, **changes):
    counts = {"seed": 0, "evaluated_designs": 1, "env_steps": 0, "wall_time_s": 0.5}
    return Record.of(evaluate(task, values), agent="by-hand", **counts | changes)


def test_knobs_are_lists_by_name_in_a_line_of_json(task):
    record = record_of(task)
    read = json.loads(record.to_line())
    assert read["design"] == {
        **VALUES,
        "replication": evaluate(task, VALUES).to_json()["design"]["replication"],
    }
    again = Record.from_json(read)
    assert again == record
    assert again.design_for(task) == evaluate(task, VALUES).design


def test_the_record_is_replayed_stored_and_ranked(task, tmp_path, write):
    best, other = record_of(task), record_of(task, VALUES | {"reads": 4}, seed=1)
    store = tmp_path / "store.sqlite"
    replays = submit(write([best.to_line(), other.to_line()]), store)
    assert [replayed.claim for replayed in replays] == [best.claim, other.claim]
    assert best.claim.gain > other.claim.gain
    (ranking,) = rank(Store(store).entries(task))
    assert (ranking.task, ranking.total) == (task.id, 2)
    assert [d.gain for d in ranking.designs] == [best.claim.gain, other.claim.gain]
    assert ranking.is_current
    assert "LRMP-Toy-v0: 2 designs" in format_ranking(to_json([ranking])["rankings"])


def test_entries_are_read_when_the_task_is_gone(task, tmp_path, write, monkeypatch):
    record, store = record_of(task), tmp_path / "store.sqlite"
    submit(write([record.to_line()]), store)
    monkeypatch.delitem(TASKS, task.id)
    (entry,) = Store(store).entries()
    assert entry.record == record
    assert not rank([entry])[0].is_current


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"design.read": [1] * 3}, "to be one of reads, .*; got 'read'. Did you mean 'reads'"),
        ({"design.replication": [1] * 4}, "expected 3 replication, one per layer, got 4"),
        ({"design.converter": ["fine"] * 2}, "expected 3 converter, one per layer, got 2"),
        ({"design.reads": [1, 3, 2]}, r"expected reads among 1, 2, 4, got 3 for layer 1 \(fc2\)"),
        ({"design.reads": [1, 2, "2"]}, r"among 1, 2, 4, got '2' for layer 2 \(fc3\)"),
        ({"design.converter": ["fine", "fine", 1]}, r"coarse, fine, got 1 for layer 2 \(fc3\)"),
        ({"design.converter": ["fine", "fin", "fine"]}, r"got fin for layer 1 \(fc2\)"),
        ({"design.converter": ["coarse"] * 3}, r"of layer 0 \(fc1\) among fine; got coarse"),
        ({"design.reads": [1, 4, 1]}, "expected score .*, got .* Claims are replayed"),
        ({"claim.tiles": 7}, r"expected tiles \d+, got 7"),
    ],
)
def test_what_the_space_does_not_have_is_refused(task, refuse, edit, changes, message):
    refuse([edit(changes, record_of(task))], message)


def test_a_knob_too_few_is_refused(task, refuse):
    document = record_of(task).to_json()
    del document["design"]["reads"]
    refuse([json.dumps(document)], "with weight_bits, reads, converter, replication; reads missing")


def test_other_spaces_are_other_tasks(task):
    wider = replace(task, space=replace(SPACE, allowed=()))
    assert wider.fingerprint != task.fingerprint
    with pytest.raises(RecordError, match="expected task_fingerprint"):
        check_definition(record_of(wider))
    with pytest.raises(DesignError, match="one of converter, reads, replication, weight_bits; got"):
        Record.from_json(record_of("LRMP-MLP-v0", {}).to_json()).design_for(task)


def test_tasks_of_ones_own_are_read_and_not_ranked(own_task, write, refuse):
    record = record_of(own_task)
    file = write([record.to_line()])
    assert read_submission(file, own_task) == [record]
    refuse(file, "expected a registered task, got LRMP-Custom-v0, a task of your own")
