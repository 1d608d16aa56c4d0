"""The store: an append-only SQLite file of replayed records."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lrmp.envs.environment_id import task_id_of
from lrmp.envs.record import Claim, Record
from lrmp.envs.task import Task
from lrmp.errors import RecordError
from lrmp.leaderboard.replay import Replay
from lrmp.leaderboard.submission import parse_record

DEFAULT_STORE = Path("runs/leaderboard.sqlite")
APPLICATION_ID = int.from_bytes(b"LRMP", "big")
STORE_VERSION = 1
BUSY_TIMEOUT_S = 30.0

_SQLITE_HEADER = b"SQLite format 3\0"
_CLAIM = tuple(f.name for f in fields(Claim))
_REPLAYED = ("test_accuracy_drop", "accuracy_kind", "accuracy_is_estimate", "lower_bound")

_TABLE = (
    """
    CREATE TABLE entries (
        number INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of submission
        task TEXT NOT NULL,
        agent TEXT NOT NULL,
        seed INTEGER NOT NULL,
        record TEXT NOT NULL,                      -- canonical JSON
        sha256 TEXT NOT NULL UNIQUE,               -- of that
        reward REAL NOT NULL,
        speedup REAL NOT NULL,
        accuracy_drop REAL NOT NULL,               -- percentage points
        latency_cycles INTEGER NOT NULL,
        bottleneck_cycles INTEGER NOT NULL,
        tiles INTEGER NOT NULL,
        test_accuracy_drop REAL,                   -- percentage points
        accuracy_kind TEXT NOT NULL,
        accuracy_is_estimate INTEGER NOT NULL,
        lower_bound INTEGER NOT NULL,              -- cycles
        replay_wall_time_s REAL NOT NULL,
        submitted_at TEXT NOT NULL,                -- UTC, ISO 8601
        lrmp_version TEXT NOT NULL,                -- of the replay
        UNIQUE (task, agent, seed)
    )
    """,
    """
    CREATE TRIGGER no_update BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the leaderboard is append-only: no entry can be changed'); END
    """,
    """
    CREATE TRIGGER no_delete BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the leaderboard is append-only: no entry can be deleted'); END
    """,
    # INSERT OR REPLACE deletes without asking the trigger above.
    """
    CREATE TRIGGER no_replace BEFORE INSERT ON entries
    WHEN EXISTS (
        SELECT 1 FROM entries WHERE number = NEW.number OR sha256 = NEW.sha256
        OR (task = NEW.task AND agent = NEW.agent AND seed = NEW.seed)
    )
    BEGIN SELECT RAISE(ABORT, 'the leaderboard is append-only: no entry can be replaced'); END
    """,
)


@dataclass(frozen=True)
class Entry:
    """A stored record.

    Attributes:
        number: Position in the order of submission, from 1.
        replay: The record and its recomputed numbers.
        sha256: Of the record's canonical JSON.
        submitted_at: UTC, ISO 8601.
        lrmp_version: Version of lrmp that replayed it.
    """

    number: int
    replay: Replay
    sha256: str
    submitted_at: str
    lrmp_version: str


def canonical_json(record: Record) -> str:
    """Write a record in the one form that is hashed.

    Args:
        record: A record.

    Returns:
        JSON with sorted keys and no spaces.
    """
    return json.dumps(record.to_json(), sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_hash(record: Record) -> str:
    """Hash a record.

    Args:
        record: A record.

    Returns:
        SHA-256 of its canonical JSON, in hexadecimal.
    """
    return hashlib.sha256(canonical_json(record).encode()).hexdigest()


@dataclass(frozen=True)
class Store:
    """A leaderboard's file. Entries are added, never changed or removed.

    Attributes:
        path: The file; made with the first entry.
        busy_timeout_s: Seconds to wait for another process that is adding.
    """

    path: Path
    busy_timeout_s: float = BUSY_TIMEOUT_S

    def add(self, replays: Sequence[Replay]) -> None:
        """Store replayed records, all or none.

        Args:
            replays: What ``replay`` returned.

        Raises:
            RecordError: If one of them, or another record of the same task, agent and seed, is
                stored already, or the file is no leaderboard store of this version.
        """
        if not replays:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordError(f"Expected a folder for {self.path}: {error}.") from error
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._connect("rwc") as connection:
            # Takes the write lock first, so that no other process comes between look and insert.
            connection.execute("BEGIN IMMEDIATE")
            if self._is_new(connection):
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {STORE_VERSION}")
                for statement in _TABLE:
                    connection.execute(statement)
            for replay in replays:
                self._refuse_known(connection, replay.record)
                row = _to_row(replay) | {"submitted_at": now, "lrmp_version": version("lrmp")}
                names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
                connection.execute(f"INSERT INTO entries ({names}) VALUES ({marks})", row)
            connection.execute("COMMIT")

    def entries(self, task: Task | str | None = None) -> list[Entry]:
        """Read what is stored.

        Args:
            task: A task or its id in any form, one that lrmp no longer has included; None for all.

        Returns:
            Entries in the order of submission; none if there is no store yet.

        Raises:
            RecordError: If the file is no leaderboard store of this version, or an entry does not
                match its hash and claim.
        """
        if not os.path.exists(self.path):  # Path.exists raises for some names
            return []
        with self._connect("rw") as connection:
            if self._is_new(connection):
                return []
            task_id = task.id if isinstance(task, Task) else task and task_id_of(task)
            where, values = ("", ()) if task_id is None else (" WHERE task = ?", (task_id,))
            rows = connection.execute(f"SELECT * FROM entries{where} ORDER BY number", values)
            return [self._to_entry(row) for row in rows]

    @contextmanager
    def _connect(self, mode: str) -> Iterator[sqlite3.Connection]:
        """Open the file; SQLite's errors name it, and an unfinished transaction is undone."""
        connection = None
        try:
            if os.path.isfile(self.path):
                with self.path.open("rb") as file:
                    header = file.read(len(_SQLITE_HEADER))
                # SQLite takes a file of a few bytes for an empty database and overwrites it.
                if header not in (b"", _SQLITE_HEADER):
                    raise sqlite3.DatabaseError("file is not a database")
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=self.busy_timeout_s,
                isolation_level=None,
            )
            connection.row_factory = sqlite3.Row
            yield connection
        except (sqlite3.Error, OSError) as error:
            busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
            advice = "Another process is adding; try again." if busy else "Choose another --store."
            raise RecordError(
                f"Expected a leaderboard store at {self.path}, got {error}. {advice}"
            ) from error
        finally:
            if connection is not None:
                connection.close()

    def _is_new(self, connection: sqlite3.Connection) -> bool:
        """Tell an empty file from a store, and refuse everything else."""
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        stored_version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if (application, stored_version, tables) == (0, 0, 0):
            return True
        if application != APPLICATION_ID:
            raise RecordError(
                f"Expected a leaderboard store at {self.path}, got the database of another "
                "application. Choose another --store."
            )
        if stored_version != STORE_VERSION:
            raise RecordError(
                f"Expected a leaderboard store of version {STORE_VERSION} at {self.path}, got "
                f"version {stored_version}. Use the lrmp that wrote it or a newer one."
            )
        return False

    def _refuse_known(self, connection: sqlite3.Connection, record: Record) -> None:
        row = connection.execute(
            "SELECT sha256, submitted_at FROM entries WHERE task = ? AND agent = ? AND seed = ?",
            (record.task, record.agent, record.seed),
        ).fetchone()
        if row is None:
            return
        run = f"{record.task}, agent {record.agent}, seed {record.seed}"
        if row["sha256"] == content_hash(record):
            raise RecordError(
                f"{run}: expected a new record, got one that is in {self.path} since "
                f"{row['submitted_at']}. There is nothing to do."
            )
        raise RecordError(
            f"{run}: expected a seed that is not in {self.path} yet, got one with another record "
            f"of {row['submitted_at']}. Entries are never replaced: submit other seeds, or another "
            "agent name."
        )

    def _to_entry(self, row: sqlite3.Row) -> Entry:
        altered = RecordError(
            f"Expected entry {row['number']} of {self.path} to match its SHA-256 and its claim, "
            "got other content. The file was altered; restore it."
        )
        try:
            record = parse_record(row["record"])
        except RecordError as error:
            raise altered from error
        claim = Claim(**{name: row[name] for name in _CLAIM})
        if content_hash(record) != row["sha256"] or record.agrees_with(claim):
            raise altered
        return Entry(
            number=row["number"],
            replay=Replay(
                record=record,
                claim=claim,
                **{name: row[name] for name in _REPLAYED}
                | {"accuracy_is_estimate": bool(row["accuracy_is_estimate"])},
                wall_time_s=row["replay_wall_time_s"],
            ),
            sha256=row["sha256"],
            submitted_at=row["submitted_at"],
            lrmp_version=row["lrmp_version"],
        )


def _to_row(replay: Replay) -> dict[str, Any]:
    record = replay.record
    return {
        "task": record.task,
        "agent": record.agent,
        "seed": record.seed,
        "record": canonical_json(record),
        "sha256": content_hash(record),
        **vars(replay.claim),
        **{name: getattr(replay, name) for name in _REPLAYED},
        "replay_wall_time_s": replay.wall_time_s,
    }
