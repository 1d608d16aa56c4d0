import hashlib
import json
import math
import multiprocessing
import os
import re
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lrmp import __version__
from lrmp.envs import Record, evaluate, load_task
from lrmp.errors import RecordError
from lrmp.leaderboard import Store, rank, replay
from lrmp.leaderboard.chain import FIRST, link
from lrmp.leaderboard.entry import content_hash, replayed
from lrmp.leaderboard.store import APPLICATION_ID

DIGITS = {"weight_bits": [6, 5, 4, 5, 6], "activation_bits": [6, 6, 5, 5, 8]}


def seeds(found, numbers):
    return [replace(found, record=replace(found.record, seed=n)) for n in numbers]


def told(entry):
    """What an entry says of its replay."""
    names = ("test_accuracy_drop", "accuracy", "lower_bound", "replayed_with")
    numbers = {name: getattr(entry, name) for name in names}
    return entry.record, numbers | {"claim": vars(entry.claim)}


def tell(replays):
    return [(each.record, replayed(each)) for each in replays]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store.sqlite")


@pytest.fixture
def full(store, digits_replay):
    store.add(seeds(digits_replay, [0, 1]))
    return store


def test_what_was_added_is_read_back_in_order(store, digits_replay):
    replays = seeds(digits_replay, [3, 1, 2])
    store.add(replays[:2])
    store.add(replays[2:])
    assert [told(e) for e in store.entries()] == tell(replays)
    assert [e.number for e in store.entries()] == [1, 2, 3]


def test_entries_are_filtered_by_task(full):
    assert len(full.entries("LRMP-Digits-v0")) == 2
    assert full.entries(load_task("LRMP-Digits-v0")) == full.entries("LRMP-Digits-v0")
    assert full.entries("lrmp:LRMP-Digits-OneShot-v0") == full.entries("LRMP-Digits-v0")
    assert full.entries("LRMP-ResNet18-v0") == []


def test_a_missing_test_drop_is_kept_missing(store, digits_replay):
    store.add([replace(digits_replay, test_accuracy_drop=None)])
    assert store.entries()[0].test_accuracy_drop is None


def test_an_entry_carries_hash_time_and_version(full):
    entry = full.entries()[0]
    text = json.dumps(entry.record.to_json(), sort_keys=True, separators=(",", ":"))
    assert entry.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert entry.submitted_at.endswith("Z")
    assert entry.item.at >= entry.submitted_at
    assert entry.replayed_with["lrmp"] == __version__


def test_the_hash_covers_every_field(digits_record):
    changed = [
        replace(digits_record, agent="other"),
        replace(digits_record, wall_time_s=2.0),
        replace(digits_record, trained_on="other-tasks"),
        replace(digits_record, claim=replace(digits_record.claim, tiles=1)),
        replace(digits_record, versions={}),
    ]
    assert len({content_hash(r) for r in [digits_record, *changed]}) == 6


def test_a_store_that_does_not_exist_is_empty_and_stays_away(tmp_path):
    store = Store(tmp_path / "no" / "store.sqlite")
    assert store.entries() == []
    store.add([])
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_an_empty_store(store, digits_replay):
    store.path.touch()
    assert store.entries() == []
    assert store.path.stat().st_size == 0
    store.add([digits_replay])
    assert len(store.entries()) == 1


def test_a_path_with_odd_characters_is_taken_as_it_is(tmp_path, digits_replay):
    store = Store(tmp_path / "a?mode=memory#b c%20.sqlite")
    store.add([digits_replay])
    assert store.path.is_file()
    assert len(store.entries()) == 1


def test_a_known_record_is_refused_with_all_that_come_with_it(full, digits_replay):
    before = full.path.read_bytes()
    with pytest.raises(RecordError, match=r"seed 1: expected a new record, got one that is in .*"):
        full.add(seeds(digits_replay, [7, 8, 1]))
    assert full.path.read_bytes() == before


def test_another_record_of_a_known_seed_is_refused_with_all_that_come_with_it(full, digits_replay):
    before = full.path.read_bytes()
    other = replace(digits_replay, record=replace(digits_replay.record, wall_time_s=77.0))
    with pytest.raises(RecordError, match=r"seed 0: expected a seed that is not in .* yet, g"):
        full.add([*seeds(digits_replay, [7, 8]), other])
    assert full.path.read_bytes() == before


def test_the_same_seed_twice_in_one_batch_is_refused(store, digits_replay):
    with pytest.raises(RecordError, match=r"seed 4: expected a new record"):
        store.add(seeds(digits_replay, [4, 4]))
    assert store.entries() == []


@pytest.mark.parametrize(
    ("statement", "verb"),
    [
        ("UPDATE log SET body = '{}'", "changed"),
        ("UPDATE OR REPLACE log SET number = 1 WHERE number = 2", "changed"),
        ("DELETE FROM log", "deleted"),
        ("INSERT OR REPLACE INTO log SELECT * FROM log WHERE number = 1", "replaced"),
        (
            """
            CREATE TEMP TABLE copy AS SELECT * FROM log WHERE number = 1;
            UPDATE copy SET number = 9, body = '{}';
            INSERT OR REPLACE INTO log SELECT * FROM copy
            """,
            "replaced",
        ),
    ],
)
def test_triggers_keep_the_store_append_only(full, statement, verb):
    before = full.entries()
    connection = sqlite3.connect(full.path)
    with pytest.raises(sqlite3.IntegrityError, match=f"append-only: no entry can be {verb}"):
        connection.executescript(statement)
    connection.close()
    assert full.entries() == before


def alter(store, *statements):
    """Run statements behind the triggers, which are there again afterwards."""
    connection = sqlite3.connect(store.path)
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    triggers = triggers.fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    for _, sql in triggers:
        connection.execute(sql)
    connection.commit()
    connection.close()


def rehash(store):
    """Hash all rows anew, as whoever can write the file may."""
    connection = sqlite3.connect(store.path)
    connection.row_factory = sqlite3.Row
    connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    rows = [dict(row) for row in connection.execute("SELECT * FROM log ORDER BY number")]
    connection.close()
    statements, previous = [], FIRST
    for row in rows:
        chain = link({name: row[name] for name in HASHED} | {"previous": previous})
        statements.append(
            f"UPDATE log SET previous = '{previous}', chain = '{chain}' "
            f"WHERE number = {row['number']}"
        )
        previous = chain
    alter(store, *statements, f"UPDATE log_head SET chain = '{previous}'")


HASHED = ("number", "kind", "at", "body", "previous")


def edit(path, value):
    """SQL that sets a value of an entry's body, by its path; the value is SQL, too."""
    return f"UPDATE log SET body = json_set(body, '$.{path}', {value})"


@pytest.fixture
def three(store, digits_replay):
    store.add(seeds(digits_replay, [0, 1, 2]))
    return store


SHOWN = {
    "record.task": "'LRMP-MLP-v0'",
    "record.task_fingerprint": f"'{'0' * 64}'",
    "record.agent": "'winner'",
    "record.seed": "77",
    "record.claim.score": "99",
    "agent": "'winner'",
    "submission": "'x'",
    "sha256": f"'{'0' * 64}'",
    "claim.score": "json_extract(body, '$.claim.score') + 1e-12",
    "claim.gain": "99",
    "claim.accuracy_drop": "7",
    "claim.latency_cycles": "1",
    "claim.bottleneck_cycles": "1",
    "claim.tiles": "1",
    "test_accuracy_drop": "NULL",
    "accuracy": "'table (estimate)'",
    "lower_bound": "1",
    "submitted_at": "'2020-01-01T00:00:00.000000Z'",
    "replayed_with.lrmp": "'9.9.9'",
}
COLUMNS = {"kind": "'refused'", "at": "'2020-01-01T00:00:00.000000Z'", "body": "body || ' '"}
EDITS = {path: edit(path, value) for path, value in SHOWN.items()} | {
    column: f"UPDATE log SET {column} = {value}" for column, value in COLUMNS.items()
}


def test_everything_stored_is_tried(three):
    connection = sqlite3.connect(three.path)
    columns = {row[1] for row in connection.execute("PRAGMA table_info(log)")}
    connection.close()
    # Nobody signs a file of one machine.
    assert columns == {*COLUMNS, "number", "previous", "chain", "key", "signature"}
    body = three.entries()[0].item.content
    assert {path.partition(".")[0] for path in SHOWN} == set(body)
    assert {f"claim.{name}" for name in body["claim"]} <= set(SHOWN)


@pytest.mark.long
@pytest.mark.parametrize("what", EDITS)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_altered_entry_is_left_out_and_reported(three, what, number):
    whole = three.entries()
    alter(three, f"{EDITS[what]} WHERE number = {number}")
    with pytest.warns(UserWarning, match=rf"^Entry {number} of .*store.sqlite is left out: expe"):
        assert three.entries() == [e for e in whole if e.number != number]
    contents = three.read()
    assert [e.number for e in contents.entries] == [n for n in (1, 2, 3) if n != number]
    assert len(contents.quarantined) == 1
    assert "to match" in contents.quarantined[0] or "that matches" in contents.quarantined[0]
    three.read("LRMP-Digits-v0")


@pytest.mark.parametrize("what", EDITS)
@pytest.mark.parametrize(
    ("number", "message"),
    [
        (2, "got an entry 3 that was not added after entry 2"),
        (3, "got another entry 3 than was added"),
    ],
)
def test_an_altered_entry_hashed_anew_is_noticed(three, what, number, message):
    alter(three, f"{EDITS[what]} WHERE number = {number}")
    connection = sqlite3.connect(three.path)
    connection.row_factory = sqlite3.Row
    row = connection.execute("SELECT * FROM log WHERE number = ?", [number]).fetchone()
    connection.close()
    chain = link({name: row[name] for name in HASHED})
    alter(three, f"UPDATE log SET chain = '{chain}' WHERE number = {number}")
    with pytest.raises(RecordError, match=message):
        three.read()


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        (["DELETE FROM log WHERE number = 1"], "got no entry 1, but entry 2"),
        (["DELETE FROM log WHERE number = 2"], "got no entry 2, but entry 3"),
        (["DELETE FROM log WHERE number = 3"], "got 2 of 3 entries"),
        (["DELETE FROM log WHERE number > 1"], "got 1 of 3 entries"),
        (["DELETE FROM log"], "got 0 of 3 entries"),
        (["DELETE FROM log_head"], "got 0 ends of the log"),
        (["UPDATE log_head SET number = 'x'"], "got 3 of x entries"),
        (["UPDATE log_head SET number = 4"], "got 3 of 4 entries"),
        (["UPDATE log_head SET chain = previous FROM log"], "got another entry 3 than was added"),
        (["INSERT INTO log_head VALUES (2, 3, 'x')"], "got 2 ends of the log"),
        (
            ["DELETE FROM log WHERE number = 1", "UPDATE log SET number = number - 1"],
            "got an entry 1 that was not added after entry 0",
        ),
        (
            [
                "DELETE FROM log WHERE number = 2",
                "UPDATE log SET number = 2 WHERE number = 3",
                "UPDATE log_head SET number = 2",
            ],
            "got an entry 2 that was not added after entry 1",
        ),
        (["UPDATE log SET number = 9 WHERE number = 2"], "got no entry 2, but entry 3"),
        (["UPDATE log SET previous = 'x' WHERE number = 2"], "entry 2 that was not added afte"),
        (
            [
                "UPDATE log SET number = 9 WHERE number = 1",
                "UPDATE log SET number = 1 WHERE number = 2",
                "UPDATE log SET number = 2 WHERE number = 9",
            ],
            "entry 1 that was not added after entry 0",
        ),
        (
            [
                "CREATE TABLE copy AS SELECT * FROM log WHERE number = 3",
                "UPDATE copy SET number = 4, body = '{}', chain = 'x'",
                "INSERT INTO log SELECT * FROM copy",
                "DROP TABLE copy",
            ],
            "entry 4 that was not added after entry 3",
        ),
    ],
)
def test_entries_removed_or_put_in_are_noticed(three, digits_replay, statements, message):
    alter(three, *statements)
    message = f"to hold every entry that was added, each linked to the one before, .*{message}"
    with pytest.raises(RecordError, match=message):
        three.read()
    with pytest.raises(RecordError, match=message):
        three.entries("LRMP-ResNet18-v0")
    with pytest.raises(RecordError, match=message):
        three.refuse_known([digits_replay.record])
    before = three.path.read_bytes()
    with pytest.raises(RecordError, match=message):
        three.add(seeds(digits_replay, [9]))
    assert three.path.read_bytes() == before


def test_a_damaged_hash_leaves_the_entries_around_it_readable(three, digits_replay):
    alter(three, "UPDATE log SET chain = 'x' WHERE number = 2")
    assert [e.number for e in three.read().entries] == [1, 3]


def test_a_store_with_a_damaged_entry_goes_on(three, digits_replay):
    alter(three, f"{edit('claim.score', 99)} WHERE number = 3")
    three.add(seeds(digits_replay, [9]))
    assert [e.number for e in three.read().entries] == [1, 2, 4]


@pytest.mark.parametrize("value", ["'x'", "x'00'", "CAST(x'ff' AS TEXT)", "upper(chain)"])
def test_a_store_goes_on_after_a_damaged_hash(three, digits_replay, value):
    noted = three.read().chain[1]
    alter(three, f"UPDATE log SET chain = {value} WHERE number = 3")
    assert [e.number for e in three.read().entries] == [1, 2]
    three.add(seeds(digits_replay, [9]))  # the end of the log has the hash still
    assert [e.number for e in three.read().entries] == [1, 2, 4]
    assert noted in three.read().chain
    # With the end lost, too, nobody knows what was last.
    alter(three, "UPDATE log_head SET chain = 'x'")
    with pytest.raises(RecordError, match="got another entry 4 than was added"):
        three.add(seeds(digits_replay, [10]))


def test_a_rebuilt_store_is_told_by_a_hash_that_was_noted(three):
    noted = three.read().chain[-1]
    assert noted in three.read().chain
    alter(
        three,
        "DELETE FROM log WHERE number = 3",
        "UPDATE log_head SET (number, chain) = (SELECT number, chain FROM log WHERE number = 2)",
    )
    assert len(three.read().entries) == 2  # nothing in the file tells
    assert noted not in three.read().chain


@pytest.mark.parametrize(
    ("statement", "parts"),
    [
        ("DROP TRIGGER no_update", "no_update"),
        ("DROP TRIGGER no_delete", "no_delete"),
        ("DROP TRIGGER no_replace", "no_replace"),
        ("DROP TABLE log", "ix_log_kind_number, log, no_delete, no_replace, no_update"),
        ("DROP TABLE log_head", "log_head"),
        ("CREATE VIEW best AS SELECT 1", "best"),
        ("CREATE TABLE more (a)", "more"),
        (
            "CREATE TRIGGER helper AFTER INSERT ON log BEGIN DELETE FROM log_head; END",
            "helper",
        ),
        ("ALTER TABLE log ADD COLUMN more", "log"),
    ],
)
def test_a_store_without_its_triggers_is_refused(three, digits_replay, statement, parts):
    connection = sqlite3.connect(three.path)
    connection.execute(statement)
    connection.commit()
    connection.close()
    message = (
        f"Expected a leaderboard store with its tables and triggers at .*, got {parts} missing, "
        "added or changed. The file was altered behind lrmp's back: restore it from a copy."
    )
    with pytest.raises(RecordError, match=message):
        three.entries()
    with pytest.raises(RecordError, match=message):
        three.add(seeds(digits_replay, [9]))
    with pytest.raises(RecordError, match=message):
        three.refuse_known([digits_replay.record])


DEEP = "[" * 100_000
BODIES = [
    "x'00ff'", "CAST(x'ff' AS TEXT)", "CAST(x'00' AS TEXT)", "''", "'{}'", "'[]'", "'null'",
    "5",
    f"'{DEEP}'", "'{\"seed\": " + "9" * 5000 + "}'", "replace(body, '1.5', 'NaN')",
    "replace(body, '1.5', '1e999')", "replace(body, '1.5', 'null')",
    "replace(body, '1.5', '1" + "0" * 400 + "')",
    "replace(body, '\"tester\"', '7')", "replace(body, '\"tester\"', '[]')",
    "replace(body, '\"this-task\"', '\"x\"')", "replace(body, '\"this-task\"', '{}')",
    "replace(body, '\"code\":null', '\"code\":7')",
    "replace(body, '\"design\"', '\"plan\"')",
    "replace(body, '\"replication\":[', '\"replication\":[null,')",
    "replace(body, '\"replication\":[', '\"x\":7,\"replication\":[')",
    "replace(body, '\"lrmp\":', '\"lrmp\":7,\"x\":')",
    "replace(body, '\"accuracy\":', '\"more\":1,\"accuracy\":')",
    "replace(body, ',', ', ')", "body || '{}'", "substr(body, 2)",
]  # fmt: skip
VALUES = {
    "claim.score": ["'text'", "9e999", "NULL", "1"],
    "lower_bound": ["1.5", "'x'", "'1'", "NULL"],
    "accuracy": ["'guess'", "7", "'network (guess)'"],
    "test_accuracy_drop": ["'x'", "json('[]')"],
    "submitted_at": ["7", "char(27)", "NULL"],
    "claim.latency_cycles": ["1.5", "'many'"],
    "agent": ["7", "'winner'"],
    "record.seed": ["'x'", "99"],
    "submission": ["NULL", "7"],
    "replayed_with": ["7", "json('{\"lrmp\":7}')", "json('[]')"],
}
ILLEGAL = [
    *(f"UPDATE log SET body = {body}" for body in BODIES),
    *(edit(path, value) for path, values in VALUES.items() for value in values),
    "UPDATE log SET kind = 'refused'",
    "UPDATE log SET kind = x'00'",
    "UPDATE log SET at = CAST(x'ff' AS TEXT)",
]


@pytest.mark.parametrize("statement", ILLEGAL)
def test_rows_that_another_program_wrote_are_left_out(three, statement):
    whole = three.entries()
    alter(three, f"{statement} WHERE number = 2")
    with pytest.warns(UserWarning, match="^Entry 2 of .* is left out: expected content that match"):
        assert three.entries() == [whole[0], whole[2]]
    rehash(three)  # now only its values tell
    with pytest.warns(UserWarning, match="^Entry 2 of .* is left out: expected "):
        found = three.entries()
    assert [told(e) for e in found] == [told(whole[0]), told(whole[2])]
    assert [row.number for row in rank(found)[0].designs] == [1, 3]


def test_reports_hold_no_control_characters(tmp_path, digits_replay):
    store = Store(tmp_path / "\x1b[31mred\u202e.sqlite")
    store.add(seeds(digits_replay, [0, 1]))
    alter(store, "UPDATE log SET body = char(27) || '[31m' WHERE number = 2")
    (sentence,) = store.read().quarantined
    assert sentence.isprintable()
    assert r"\x1b[31mred\u202e.sqlite" in sentence
    with pytest.raises(RecordError) as caught:
        store.add(seeds(digits_replay, [0]))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"agent": "my agent"}, "agent my agent, seed 0: expected agent to be text matching"),
        ({"agent": "\x1b[31mred"}, r"agent \\x1b\[31mred, seed 0: expected agent to be text"),
        ({"agent": None}, "expected agent to be text matching .*, got null"),
        ({"code": "github.com/me/x"}, 'expected code to be text .*, got "github.com/me/x"'),
        ({"evaluated_designs": 0}, "expected evaluated_designs to be an integer from 1 to"),
        ({"evaluated_designs": 1.0}, "expected evaluated_designs to be an integer from 1 to"),
        ({"env_steps": 2**60}, "expected env_steps to be an integer from 0 to"),
        ({"seed": -1}, "expected seed to be an integer from 0 to 4294967295, got -1"),
        ({"seed": True}, "expected seed to be an integer from 0 to 4294967295, got true"),
        ({"seed": np.int64(3)}, "expected a record of plain JSON values: Object of type int64"),
        ({"wall_time_s": 2e9}, "expected wall_time_s to be a number from 0 to 1000000000"),
        ({"wall_time_s": math.inf}, "expected a record of plain JSON values: "),
        ({"trained_on": "everything"}, 'expected trained_on to be "this-task" or'),
        ({"versions": {}}, "expected versions to have the field lrmp, got none"),
        ({"task_fingerprint": "x"}, "expected task_fingerprint to be text"),
    ],
)
def test_a_record_that_could_not_be_read_back_is_not_stored(full, digits_replay, changes, message):
    before = full.path.read_bytes()
    bad = replace(digits_replay, record=replace(digits_replay.record, **changes))
    with pytest.raises(RecordError, match=message):
        full.add([*seeds(digits_replay, [7]), bad])
    assert full.path.read_bytes() == before
    assert len(full.entries()) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_accuracy_drop": math.nan}, "got test_accuracy_drop nan"),
        ({"test_accuracy_drop": "none"}, "got test_accuracy_drop 'none'"),
        ({"accuracy_kind": "guess"}, "got accuracy_kind 'guess'"),
        ({"accuracy_is_estimate": 1}, "got accuracy_is_estimate 1"),
        ({"lower_bound": 1.5}, "got lower_bound 1.5"),
        ({"lower_bound": None}, "got lower_bound None"),
        ({"wall_time_s": math.inf}, "got wall_time_s inf"),
    ],
)
def test_a_replay_that_could_not_be_read_back_is_not_stored(full, digits_replay, changes, message):
    before = full.path.read_bytes()
    (new,) = seeds(digits_replay, [7])
    with pytest.raises(RecordError, match=f"seed 7: expected finite numbers and texts, {message}"):
        full.add([replace(new, **changes)])
    assert full.path.read_bytes() == before


def test_a_replay_of_other_numbers_than_the_record_claims_is_not_stored(full, digits_replay):
    (new,) = seeds(digits_replay, [7])
    with pytest.raises(RecordError, match=r"seed 7: expected score 9\.0, got "):
        full.add([replace(new, claim=replace(new.claim, score=9.0))])
    assert len(full.entries()) == 2


def test_a_design_beyond_the_allowance_is_stored_without_a_score(store, bold_record):
    bold = replay(bold_record)
    assert bold.claim.score is None
    store.add([bold])
    (entry,) = store.entries()
    assert [told(entry)] == tell([bold])
    assert entry.record.claim.score is None
    for value in ("0", "0.5", "-9e999"):
        alter(store, edit("claim.score", value))
        rehash(store)
        with pytest.warns(UserWarning, match="^Entry 1 of .* is left out: expected "):
            assert store.entries() == []


def test_whole_numbers_are_kept_where_real_ones_are_meant(store, digits_replay):
    whole = replace(
        digits_replay,
        record=replace(digits_replay.record, wall_time_s=0),
        test_accuracy_drop=-0.0,
        wall_time_s=2,
    )
    store.add([whole])
    (entry,) = store.entries()
    assert [told(entry)] == tell([whole])
    assert type(entry.record.wall_time_s) is float


def test_numbers_of_numpy_make_a_record_of_plain_ones(store):
    outcome = evaluate("LRMP-Digits-v0", DIGITS)
    record = Record.of(
        outcome,
        agent="numpy",
        seed=np.int64(3),
        evaluated_designs=np.int32(5),
        env_steps=np.uint8(7),
        wall_time_s=np.float32(0.5),
    )
    store.add([replay(record)])
    assert store.entries()[0].record == record


@pytest.mark.parametrize("bound", [0, 2**63, 10**20, 10**300])
def test_bounds_of_any_size_are_kept(store, digits_replay, bound):
    store.add([replace(digits_replay, lower_bound=bound)])
    assert store.entries()[0].lower_bound == bound


@pytest.mark.parametrize(
    "statement",
    [
        f"{edit('claim.score', 9)} WHERE number = 3",
        "UPDATE log SET body = '{}' WHERE number = 3",
    ],
)
def test_a_reader_that_found_damage_keeps_no_lock(store, digits_replay, statement):
    store.add(seeds(digits_replay, range(200)))
    alter(store, statement)
    with pytest.warns(UserWarning, match="Entry 3 of .* is left out") as kept:
        store.entries()
    Store(store.path, busy_timeout_s=0.0).add(seeds(digits_replay, [1000]))
    assert len(kept) == 1


def test_a_reader_that_was_refused_keeps_no_lock(store, digits_replay):
    store.add(seeds(digits_replay, range(200)))
    alter(store, "UPDATE log SET previous = 'x' WHERE number = 3")
    errors = []
    for refused in (store.entries, lambda: store.add(seeds(digits_replay, [1000]))):
        with pytest.raises(RecordError, match="entry 3 that was not added") as caught:
            refused()
        errors.append(caught.value)  # as a log that keeps the traceback
    writer = sqlite3.connect(store.path, timeout=0.0, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    writer.close()
    assert len(errors) == 2


@pytest.mark.parametrize("name", ["Tester", "TESTER", "tester_", "tester.", "teSter"])
def test_a_name_that_looks_like_another_is_refused(full, digits_replay, name):
    other = replace(digits_replay, record=replace(digits_replay.record, agent=name, seed=50))
    message = (
        f"agent {re.escape(name)}, seed 50: expected a name that looks like no other in .*, got "
        "one like tester. Submit under that very name if it is the same agent, or choose another."
    )
    before = full.path.read_bytes()
    with pytest.raises(RecordError, match=message):
        full.add([other])
    with pytest.raises(RecordError, match=message):
        full.refuse_known([other.record])
    assert full.path.read_bytes() == before


def test_names_that_look_different_are_stored(full, digits_replay):
    for name in ("tester2", "t-ester", "pester"):
        full.add([replace(digits_replay, record=replace(digits_replay.record, agent=name))])
    assert len(full.entries()) == 5


def test_another_definition_of_the_task_leaves_the_seed_free(full, digits_replay):
    record = replace(digits_replay.record, task_fingerprint="0" * 64)
    full.refuse_known([record])
    full.add([replace(digits_replay, record=record)])
    assert len(full.entries()) == 3


def test_known_records_are_refused_before_a_replay(full, store, digits_replay, tmp_path):
    record = digits_replay.record
    with pytest.raises(RecordError, match="seed 1: expected a new record, got one that is in"):
        full.refuse_known([replace(record, seed=5), replace(record, seed=1)])
    forged = replace(record, claim=replace(record.claim, score=99.0))
    with pytest.raises(RecordError, match=r"seed 0: expected a seed that is not in .* yet"):
        full.refuse_known([forged])
    full.refuse_known([replace(record, seed=5)])
    Store(tmp_path / "nothing.sqlite").refuse_known([record])
    assert not (tmp_path / "nothing.sqlite").exists()


def test_a_pipe_or_device_is_refused_without_waiting(tmp_path, digits_replay):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        for refused in (Store(path).entries, lambda p=path: Store(p).add([digits_replay])):
            with pytest.raises(RecordError, match="got no regular file"):
                refused()


def test_a_name_with_a_null_character_is_refused(tmp_path, digits_replay):
    store = Store(tmp_path / "store\0.sqlite")
    assert store.entries() == []
    with pytest.raises(RecordError, match=r"store\\x00.sqlite, got a name with a null character"):
        store.add([digits_replay])
    with pytest.raises(RecordError, match=r"Expected a folder for .*: embedded null byte"):
        Store(tmp_path / "no\0thing" / "store.sqlite").add([digits_replay])
    assert list(tmp_path.iterdir()) == []


def test_a_value_of_megabytes_is_refused(full):
    alter(full, f"UPDATE log SET body = zeroblob({2**22 + 1}) WHERE number = 2")
    with pytest.raises(
        RecordError, match=r"Expected a leaderboard store at .*, got string or blob"
    ):
        full.entries()


def foreign_database(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (address TEXT)")
    connection.commit()
    connection.close()


def other_application(path):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA application_id = 7")
    connection.commit()
    connection.close()


def newer_store(path):
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 4")
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (foreign_database, "Expected a leaderboard store at .*, got the database of another appli"),
        (other_application, "Expected a leaderboard store at .*, got the database of another app"),
        (newer_store, "Expected a leaderboard store of version 3 at .*, got version 4. Use the"),
        (lambda p: p.write_bytes(b"garbage " * 500), "got file is not a database. Choose another"),
        (lambda p: p.write_bytes(b"x"), "got file is not a database. Choose another"),
        (lambda p: p.mkdir(), "Expected a leaderboard store at .*, got no regular file. Choose an"),
    ],
    ids=["foreign", "application", "newer", "garbage", "byte", "directory"],
)
def test_a_file_that_is_no_store_is_refused_and_left_alone(store, digits_replay, make, message):
    make(store.path)
    before = store.path.read_bytes() if store.path.is_file() else None
    with pytest.raises(RecordError, match=message):
        store.entries()
    with pytest.raises(RecordError, match=message):
        store.add([digits_replay])
    assert (store.path.read_bytes() if store.path.is_file() else None) == before


def test_a_damaged_store_is_refused(full):
    content = bytearray(full.path.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    full.path.write_bytes(content)
    with pytest.raises(RecordError, match=r"Expected a leaderboard store at .*, got "):
        full.entries()


def test_a_schema_that_is_no_utf_8_is_refused(full):
    content = full.path.read_bytes()
    assert content.count(b"CREATE TRIGGER no_update") == 1
    full.path.write_bytes(
        content.replace(b"CREATE TRIGGER no_update", b"CREAT\xff TRIGGER no_update")
    )
    with pytest.raises(RecordError, match=r"Expected a leaderboard store at .*, got "):
        full.entries()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, digits_replay):
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match=r"Expected a folder for .*store.sqlite"):
        Store(tmp_path / "file" / "store.sqlite").add([digits_replay])


def test_a_store_that_stays_busy_is_refused_and_nothing_added(full, digits_replay):
    impatient = Store(full.path, busy_timeout_s=0.0)
    writer = sqlite3.connect(full.path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordError, match=r"got database is locked. Another process is adding"):
        impatient.add(seeds(digits_replay, [9]))
    assert len(impatient.entries()) == 2  # readers need not wait
    writer.execute("ROLLBACK")
    writer.close()
    impatient.add(seeds(digits_replay, [9]))
    assert len(full.entries()) == 3


@pytest.mark.long
def test_processes_that_add_at_once_wait_for_each_other(store, digits_replay):
    spawn = multiprocessing.get_context("spawn")
    processes = [
        spawn.Process(target=store.add, args=(seeds(digits_replay, range(100 * p, 100 * p + 50)),))
        for p in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [p.exitcode for p in processes] == [0, 0, 0]
    stored = [e.record.seed for e in store.entries()]
    assert sorted(stored) == [100 * p + i for p in range(3) for i in range(50)]
    batches = [stored[i : i + 50] for i in range(0, 150, 50)]  # no batch was torn apart
    assert all(batch == list(range(batch[0], batch[0] + 50)) for batch in batches)


def test_an_interrupted_addition_leaves_nothing(full, digits_replay):
    class Interrupting(list):
        def __iter__(self):
            yield from super().__iter__()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        full.add(Interrupting(seeds(digits_replay, [20, 21])))
    assert [e.record.seed for e in full.entries()] == [0, 1]
