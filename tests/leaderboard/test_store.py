import hashlib
import json
import multiprocessing
import sqlite3
from dataclasses import replace

import pytest

from lrmp import __version__
from lrmp.envs import load_task
from lrmp.errors import RecordError
from lrmp.leaderboard import Store
from lrmp.leaderboard.store import APPLICATION_ID, content_hash


def seeds(replayed, numbers):
    return [replace(replayed, record=replace(replayed.record, seed=n)) for n in numbers]


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
    assert [e.replay for e in store.entries()] == replays
    assert [e.number for e in store.entries()] == [1, 2, 3]
    assert store.entries()[0].replay.wall_time_s == digits_replay.wall_time_s


def test_entries_are_filtered_by_task(full):
    assert len(full.entries("LRMP-Digits-v0")) == 2
    assert full.entries(load_task("LRMP-Digits-v0")) == full.entries("LRMP-Digits-v0")
    assert full.entries("lrmp:LRMP-Digits-OneShot-v0") == full.entries("LRMP-Digits-v0")
    assert full.entries("LRMP-ResNet18-v0") == []


def test_a_missing_test_drop_is_kept_missing(store, digits_replay):
    store.add([replace(digits_replay, test_accuracy_drop=None)])
    assert store.entries()[0].replay.test_accuracy_drop is None


def test_an_entry_carries_hash_time_and_version(full):
    entry = full.entries()[0]
    text = json.dumps(entry.replay.record.to_json(), sort_keys=True, separators=(",", ":"))
    assert entry.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert entry.submitted_at.endswith("+00:00")
    assert entry.lrmp_version == __version__


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
        ("UPDATE entries SET reward = 99", "changed"),
        ("UPDATE OR REPLACE entries SET seed = 1 WHERE seed = 0", "changed"),
        ("DELETE FROM entries", "deleted"),
        ("INSERT OR REPLACE INTO entries SELECT * FROM entries WHERE number = 1", "replaced"),
        pytest.param(
            "INSERT OR REPLACE INTO entries SELECT 9, task, agent, seed, record, 'x', 99, speedup, "
            "accuracy_drop, latency_cycles, bottleneck_cycles, tiles, test_accuracy_drop, "
            "accuracy_kind, accuracy_is_estimate, lower_bound, replay_wall_time_s, submitted_at, "
            "lrmp_version FROM entries WHERE number = 1",
            "replaced",
        ),
    ],
)
def test_triggers_keep_the_store_append_only(full, statement, verb):
    before = full.entries()
    connection = sqlite3.connect(full.path)
    with pytest.raises(sqlite3.IntegrityError, match=f"append-only: no entry can be {verb}"):
        connection.execute(statement)
    connection.commit()
    connection.close()
    assert full.entries() == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET reward = 99 WHERE number = 2",
        "UPDATE entries SET record = replace(record, 'tester', 'winner') WHERE number = 2",
        "UPDATE entries SET record = '{}' WHERE number = 2",
        "UPDATE entries SET sha256 = 'x' WHERE number = 2",
    ],
)
def test_a_file_altered_behind_the_triggers_is_noticed(full, statement):
    connection = sqlite3.connect(full.path)
    connection.execute("DROP TRIGGER no_update")
    connection.execute(statement)
    connection.commit()
    connection.close()
    with pytest.raises(RecordError, match=r"Expected entry 2 of .* to match its SHA-256 and its"):
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
    connection.execute("PRAGMA user_version = 2")
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (foreign_database, "Expected a leaderboard store at .*, got the database of another appli"),
        (other_application, "Expected a leaderboard store at .*, got the database of another app"),
        (newer_store, "Expected a leaderboard store of version 1 at .*, got version 2. Use the"),
        (lambda p: p.write_bytes(b"garbage " * 500), "got file is not a database. Choose another"),
        (lambda p: p.write_bytes(b"x"), "got file is not a database. Choose another"),
        (lambda p: p.mkdir(), "Expected a leaderboard store at .*, got unable to open database"),
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
    stored = [e.replay.record.seed for e in store.entries()]
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
    assert [e.replay.record.seed for e in full.entries()] == [0, 1]
