"""The store: an append-only SQLite file of replayed records."""

import os
import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lrmp.envs.records.record import Record
from lrmp.envs.task.environment_id import task_id_of
from lrmp.envs.task.task import Task
from lrmp.errors import RecordError
from lrmp.leaderboard.agent_name import skeleton
from lrmp.leaderboard.chain import FIRST, check_chain, is_hash, link
from lrmp.leaderboard.entry import Entry, canonical_json, content_hash, from_row, to_row
from lrmp.leaderboard.replay import Replay
from lrmp.leaderboard.submission import as_submitted
from lrmp.printable import printable

DEFAULT_STORE = Path("runs/leaderboard.sqlite")
APPLICATION_ID = int.from_bytes(b"LRMP", "big")
STORE_VERSION = 2
BUSY_TIMEOUT_S = 30.0
MAX_VALUE_BYTES = 2**22  # a record comes from a file of at most 2**20

_SQLITE_HEADER = b"SQLite format 3\0"

_SCHEMA = (
    """
    CREATE TABLE entries (
        number INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of submission
        task TEXT NOT NULL,
        task_fingerprint TEXT NOT NULL,
        agent TEXT NOT NULL,
        agent_skeleton TEXT NOT NULL,              -- the same for all names that look alike
        seed INTEGER NOT NULL,
        record TEXT NOT NULL,                      -- canonical JSON, as submitted
        sha256 TEXT NOT NULL,                      -- of that
        score REAL,                                -- NULL beyond the allowed drop
        gain REAL NOT NULL,
        accuracy_drop REAL NOT NULL,               -- percentage points
        latency_cycles INTEGER NOT NULL,
        bottleneck_cycles INTEGER NOT NULL,
        tiles INTEGER NOT NULL,
        test_accuracy_drop REAL,                   -- percentage points
        accuracy_kind TEXT NOT NULL,
        accuracy_is_estimate INTEGER NOT NULL,
        lower_bound TEXT NOT NULL,                 -- an integer of any size
        replay_wall_time_s REAL NOT NULL,
        submitted_at TEXT NOT NULL,                -- UTC, ISO 8601
        lrmp_version TEXT NOT NULL,                -- of the replay
        previous TEXT NOT NULL,                    -- chain of the entry before
        chain TEXT NOT NULL UNIQUE,                -- SHA-256 of all of the above
        UNIQUE (task, task_fingerprint, agent_skeleton, seed)
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
        SELECT 1 FROM entries WHERE number = NEW.number OR chain = NEW.chain
        OR (task = NEW.task AND task_fingerprint = NEW.task_fingerprint
            AND agent_skeleton = NEW.agent_skeleton AND seed = NEW.seed)
    )
    BEGIN SELECT RAISE(ABORT, 'the leaderboard is append-only: no entry can be replaced'); END
    """,
)


@dataclass(frozen=True)
class Contents:
    """What a store holds.

    Attributes:
        entries: In the order of submission, all of them whole.
        quarantined: One sentence for every entry that is damaged, and so left out.
        chain: The hash of every entry ever added, each over all before it. Whoever has noted the
            last one of a day can see later whether it is in the chain still.
    """

    entries: list[Entry]
    quarantined: list[str]
    chain: list[str]


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
            RecordError: If one of them cannot be read back as it is, if it or another record of
                the same task, agent and seed is stored already, if its agent's name looks like
                another one, or if the file is no leaderboard store of this version or was altered.
        """
        if not replays:
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entries = [_new_entry(replay, now) for replay in replays]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise RecordError(f"Expected a folder for {self.path}: {error}.") from error
        with self._connect("rwc") as connection:
            # Takes the write lock first, so that no other process comes between look and insert.
            connection.execute("BEGIN IMMEDIATE")
            if self._is_new(connection):
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {STORE_VERSION}")
                for statement in _SCHEMA:
                    connection.execute(statement)
            rows, _ = self._rows(connection)
            previous = rows[-1]["chain"] if rows else FIRST
            if not is_hash(previous):
                raise RecordError(
                    f"Expected the last entry of {self.path} to have a hash, got none. {_ALTERED}"
                )
            for number, entry in enumerate(entries, start=len(rows) + 1):
                self._refuse_known(connection, entry.replay.record)
                previous = _insert(connection, replace(entry, number=number), previous)
            connection.execute("COMMIT")

    def refuse_known(self, records: Sequence[Record]) -> None:
        """Refuse what ``add`` would refuse because of what is stored, before it is replayed.

        Args:
            records: Records that are to be added.

        Raises:
            RecordError: If one of them, or another record of the same task, agent and seed, is
                stored already, its agent's name looks like another one, or the file is no
                leaderboard store of this version or was altered.
        """
        if not os.path.exists(self.path):  # Path.exists raises for some names
            return
        with self._connect("rw") as connection:
            connection.execute("BEGIN")
            if self._is_new(connection):
                return
            self._rows(connection)
            for record in records:
                self._refuse_known(connection, record)

    def entries(self, task: Task | str | None = None) -> list[Entry]:
        """Read the entries; damaged ones are left out with a warning.

        Args:
            task: A task or its id in any form, one that lrmp no longer has included; None for all.

        Returns:
            Entries in the order of submission; none if there is no store yet.

        Raises:
            RecordError: If the file is no leaderboard store of this version, or was altered.
        """
        contents = self.read(task)
        for sentence in contents.quarantined:
            warnings.warn(sentence, stacklevel=2)
        return contents.entries

    def read(self, task: Task | str | None = None) -> Contents:
        """Read all there is to know.

        Args:
            task: A task or its id in any form, or None for all.

        Returns:
            The entries of that task; the damaged ones and the chain are those of all tasks.

        Raises:
            RecordError: If the file is no leaderboard store of this version, or was altered: it
                lacks its triggers, or entries were removed, put in or hashed anew.
        """
        if not os.path.exists(self.path):
            return Contents([], [], [])
        with self._connect("rw") as connection:
            connection.execute("BEGIN")
            if self._is_new(connection):
                return Contents([], [], [])
            rows, intact = self._rows(connection)
        task_id = task.id if isinstance(task, Task) else task and task_id_of(task)
        # The connection is closed: whatever the rows hold, no lock outlives them.
        entries, quarantined = [], []
        for row, is_intact in zip(rows, intact, strict=True):
            try:
                if not is_intact:
                    raise RecordError("expected content that matches its hash, got another one.")
                if task_id is None or row["task"] == task_id:
                    entries.append(from_row(row))
            except RecordError as error:
                sentence = f"Entry {row['number']} of {self.path} is left out: {error}"
                quarantined.append(printable(f"{sentence} Restore the file from a copy."))
        return Contents(entries, quarantined, [row["chain"] for row in rows])

    @contextmanager
    def _connect(self, mode: str) -> Iterator[sqlite3.Connection]:
        """Open the file; SQLite's errors name it, and an unfinished transaction is undone."""
        try:
            if os.path.exists(self.path):
                self._check_header()
            elif "\0" in str(self.path):  # SQLite would take the name to end there
                raise sqlite3.DatabaseError("a name with a null character")
            with closing(
                sqlite3.connect(
                    f"{self.path.absolute().as_uri()}?mode={mode}",
                    uri=True,
                    timeout=self.busy_timeout_s,
                    isolation_level=None,
                )
            ) as connection:
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
                connection.row_factory = sqlite3.Row
                connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
                yield connection
        # The last where SQLite's own message quotes a damaged schema.
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
            advice = "Another process is adding; try again." if busy else "Choose another --store."
            raise RecordError(
                f"Expected a leaderboard store at {self.path}, got {error}. {advice}"
            ) from error

    def _check_header(self) -> None:
        """Refuse what SQLite would wait for, or take for an empty database and overwrite."""
        if not os.path.isfile(self.path):
            raise sqlite3.DatabaseError("no regular file")
        with self.path.open("rb") as file:
            header = file.read(len(_SQLITE_HEADER))
        if header not in (b"", _SQLITE_HEADER):
            raise sqlite3.DatabaseError("file is not a database")

    def _is_new(self, connection: sqlite3.Connection) -> bool:
        """Tell an empty file from a store, and refuse everything else."""
        ((application,),) = _fetch(connection, "PRAGMA application_id")
        ((stored_version,),) = _fetch(connection, "PRAGMA user_version")
        parts = _parts(connection)
        if (application, stored_version, parts) == (0, 0, {}):
            return True
        if application != APPLICATION_ID:
            raise RecordError(
                f"Expected a leaderboard store at {self.path}, got the database of another "
                "application. Choose another --store."
            )
        if stored_version != STORE_VERSION:
            raise RecordError(
                f"Expected a leaderboard store of version {STORE_VERSION} at {self.path}, got "
                f"version {stored_version}. Use the lrmp that wrote it, or choose another --store."
            )
        if parts != _expected_parts():
            wrong = sorted({name for name, _ in parts.items() ^ _expected_parts().items()})
            raise RecordError(
                f"Expected a leaderboard store with its table and triggers at {self.path}, got "
                f"{', '.join(wrong)} missing, added or changed. {_ALTERED}"
            )
        return False

    def _rows(self, connection: sqlite3.Connection) -> tuple[list[dict[str, Any]], list[bool]]:
        """Fetch all rows and check their links; say which match their hashes."""
        rows = [dict(row) for row in _fetch(connection, "SELECT * FROM entries ORDER BY number")]
        counters = _fetch(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'entries'")
        try:
            return rows, check_chain(rows, counter=counters[0]["seq"] if counters else 0)
        except RecordError as error:
            raise RecordError(
                f"Expected {self.path} to hold every entry that was added, each linked to the one "
                f"before, got {error}. {_ALTERED}"
            ) from error

    def _refuse_known(self, connection: sqlite3.Connection, record: Record) -> None:
        run = f"{record.task}, agent {record.agent}, seed {record.seed}"
        alike = _fetch(
            connection,
            "SELECT agent FROM entries WHERE agent_skeleton = ? AND agent != ? LIMIT 1",
            skeleton(record.agent),
            record.agent,
        )
        if alike:
            raise RecordError(
                f"{run}: expected a name that looks like no other in {self.path}, got one like "
                f"{alike[0]['agent']}. Submit under that very name if it is the same agent, or "
                "choose another."
            )
        known = _fetch(
            connection,
            "SELECT record, submitted_at FROM entries "
            "WHERE task = ? AND task_fingerprint = ? AND agent = ? AND seed = ?",
            record.task,
            record.task_fingerprint,
            record.agent,
            record.seed,
        )
        if not known:
            return
        since = known[0]["submitted_at"]
        if known[0]["record"] == canonical_json(as_submitted(record)):
            raise RecordError(
                f"{run}: expected a new record, got one that is in {self.path} since {since}. "
                "There is nothing to do."
            )
        raise RecordError(
            f"{run}: expected a seed that is not in {self.path} yet, got one with another record "
            f"of {since}. Entries are never replaced: submit other seeds, or another agent name."
        )


_ALTERED = "The file was altered behind lrmp's back: restore it from a copy."


def _fetch(connection: sqlite3.Connection, statement: str, *values: Any) -> list[sqlite3.Row]:
    """Fetch all rows at once: a statement that is not read to its end keeps its lock."""
    return connection.execute(statement, values).fetchall()


def _parts(connection: sqlite3.Connection) -> dict[str, str | None]:
    """List what the database is made of, by name; SQLite's own indices and counters aside."""
    rows = _fetch(connection, "SELECT name, sql FROM sqlite_master")
    return {str(name): sql for name, sql in rows if not str(name).startswith("sqlite_")}


@cache
def _expected_parts() -> dict[str, str | None]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in _SCHEMA:
            connection.execute(statement)
        return _parts(connection)


def _new_entry(replay: Replay, now: str) -> Entry:
    """Make an entry of a replay whose record any submission could hold."""
    with _named(replay.record):
        record = as_submitted(replay.record)
        entry = Entry(
            number=1,  # decided when it is added
            replay=replace(replay, record=record),
            sha256=content_hash(record),
            submitted_at=now,
            lrmp_version=version("lrmp"),
        )
        to_row(entry)
    return entry


def _insert(connection: sqlite3.Connection, entry: Entry, previous: str) -> str:
    """Add an entry, read it back and return its hash."""
    row = to_row(entry) | {"previous": previous}
    row["chain"] = link(row)
    names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT INTO entries ({names}) VALUES ({marks})", row)
    (found,) = _fetch(connection, "SELECT * FROM entries WHERE number = ?", entry.number)
    stored = dict(found)
    with _named(entry.replay.record):
        if link(stored) != row["chain"] or from_row(stored) != entry:
            raise RecordError("expected an entry that is read back as it was, got another one.")
    return str(row["chain"])


@contextmanager
def _named(record: Record) -> Iterator[None]:
    """Say which run an error is about."""
    try:
        yield
    except RecordError as error:
        run = f"{record.task}, agent {record.agent}, seed {record.seed}"
        raise RecordError(f"{run}: {error}") from error
