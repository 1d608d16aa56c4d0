"""The store: the log of one machine, an append-only SQLite file of replayed records.

It is the log of a hosted board without signatures: the same table, items and ranking.
"""

import os
import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrmp.envs.records.record import Record
from lrmp.envs.task.environment_id import task_id_of
from lrmp.envs.task.task import Task
from lrmp.errors import RecordError
from lrmp.leaderboard.agent_name import skeleton
from lrmp.leaderboard.chain import FIRST, check_chain, link
from lrmp.leaderboard.entry import (
    Entry,
    canonical_json,
    check_replay,
    handed_in_here,
    read_entry,
    replayed,
)
from lrmp.leaderboard.log.clock import now
from lrmp.leaderboard.log.item import Item, chained
from lrmp.leaderboard.replay import Replay
from lrmp.leaderboard.submission import as_submitted
from lrmp.printable import printable

# SQLAlchemy takes 0.2 s that `import lrmp.leaderboard` need not pay: it is imported when called.
if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from lrmp.leaderboard.log.database import Database

DEFAULT_STORE = Path("runs/leaderboard.sqlite")
APPLICATION_ID = int.from_bytes(b"LRMP", "big")
STORE_VERSION = 3
BUSY_TIMEOUT_S = 30.0
MAX_VALUE_BYTES = 2**22  # a record comes from a file of at most 2**20

_SQLITE_HEADER = b"SQLite format 3\0"

_TRIGGERS = (
    """
    CREATE TRIGGER no_update BEFORE UPDATE ON log
    BEGIN SELECT RAISE(ABORT, 'the leaderboard is append-only: no entry can be changed'); END
    """,
    """
    CREATE TRIGGER no_delete BEFORE DELETE ON log
    BEGIN SELECT RAISE(ABORT, 'the leaderboard is append-only: no entry can be deleted'); END
    """,
    # INSERT OR REPLACE deletes without asking the trigger above.
    """
    CREATE TRIGGER no_replace BEFORE INSERT ON log
    WHEN EXISTS (SELECT 1 FROM log WHERE number = NEW.number OR chain = NEW.chain)
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
        at = now()
        added = [_new_body(replay, at) for replay in replays]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise RecordError(f"Expected a folder for {self.path}: {error}.") from error
        with self._connect("rwc") as database, database.write() as session:
            from lrmp.leaderboard.log.append import append

            if self._is_new(session):
                _make(session)
            known = _Known(self.path, *self._items(session))
            for record, body in added:
                known.add(record, at)
                with _named(record):
                    read_entry(append(session, None, "design", body))

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
        with self._connect("rw") as database, database.read() as session:
            if self._is_new(session):
                return
            known = _Known(self.path, *self._items(session))
        for record in records:
            known.refuse(record)

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
        with self._connect("rw") as database, database.read() as session:
            if self._is_new(session):
                return Contents([], [], [])
            items, intact = self._items(session)
        task_id = task.id if isinstance(task, Task) else task and task_id_of(task)
        # The connection is closed: whatever the rows hold, no lock outlives them.
        entries, quarantined = [], []
        for item, is_intact in zip(items, intact, strict=True):
            try:
                entry = _intact_entry(item, is_intact=is_intact)
            except RecordError as error:
                sentence = f"Entry {item.number} of {self.path} is left out: {error}"
                quarantined.append(printable(f"{sentence} Restore the file from a copy."))
                continue
            if task_id in (None, entry.record.task):
                entries.append(entry)
        return Contents(entries, quarantined, [item.chain for item in items])

    @contextmanager
    def _connect(self, mode: str) -> Iterator["Database"]:
        """Use the file; SQLite's errors name it, and an unfinished transaction is undone."""
        from sqlalchemy.exc import DBAPIError

        from lrmp.leaderboard.log.database import Database

        try:
            if os.path.exists(self.path):
                self._check_header()
            elif "\0" in str(self.path):  # SQLite would take the name to end there
                raise sqlite3.DatabaseError("a name with a null character")
            yield Database.by(lambda: self._open(mode))
        # The last where SQLite's own message quotes a damaged schema.
        except (DBAPIError, sqlite3.Error, OSError, UnicodeDecodeError) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            busy = getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
            advice = "Another process is adding; try again." if busy else "Choose another --store."
            raise RecordError(
                f"Expected a leaderboard store at {self.path}, got {cause}. {advice}"
            ) from error

    def _open(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=self.busy_timeout_s,
            isolation_level=None,
        )
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        return connection

    def _check_header(self) -> None:
        """Refuse what SQLite would wait for, or take for an empty database and overwrite."""
        if not os.path.isfile(self.path):
            raise sqlite3.DatabaseError("no regular file")
        with self.path.open("rb") as file:
            header = file.read(len(_SQLITE_HEADER))
        if header not in (b"", _SQLITE_HEADER):
            raise sqlite3.DatabaseError("file is not a database")

    def _is_new(self, session: "Session") -> bool:
        """Tell an empty file from a store, and refuse everything else."""
        ((application,),) = _fetch(session, "PRAGMA application_id")
        ((stored_version,),) = _fetch(session, "PRAGMA user_version")
        parts = _parts(session)
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
                f"Expected a leaderboard store with its tables and triggers at {self.path}, got "
                f"{', '.join(wrong)} missing, added or changed. {_ALTERED}"
            )
        return False

    def _items(self, session: "Session") -> tuple[list[Item], list[bool]]:
        """Read all items and check their links; say which match their hashes."""
        from lrmp.leaderboard.log.append import read_items

        items = read_items(session)
        heads = _fetch(session, "SELECT id, number, chain FROM log_head")
        rows = [
            chained(item.number, item.kind, item.at, item.body, item.previous)
            | {"chain": item.chain}
            for item in items
        ]
        try:
            if len(heads) != 1:
                raise RecordError(f"{len(heads)} ends of the log")
            ((_, counter, chain),) = heads
            intact = check_chain(rows, counter=counter)
            # The end of an intact log, or of one whose last hash alone is damaged.
            if chain not in ((rows[-1]["chain"], link(rows[-1])) if rows else (FIRST,)):
                raise RecordError(f"another entry {len(rows)} than was added")
        except RecordError as error:
            raise RecordError(
                f"Expected {self.path} to hold every entry that was added, each linked to the one "
                f"before, got {error}. {_ALTERED}"
            ) from error
        return items, intact


class _Known:
    """What is stored already: of a damaged entry nothing is known."""

    def __init__(self, path: Path, items: Sequence[Item], intact: Sequence[bool]) -> None:
        self._path = path
        self._names: dict[str, str] = {}
        self._runs: dict[tuple[str, str, str, int], tuple[str, str]] = {}
        for item, is_intact in zip(items, intact, strict=True):
            try:
                entry = _intact_entry(item, is_intact=is_intact)
            except RecordError:
                continue
            self._note(entry.record, entry.submitted_at)

    def add(self, record: Record, at: str) -> None:
        self.refuse(record)
        self._note(record, at)

    def refuse(self, record: Record) -> None:
        run = f"{record.task}, agent {record.agent}, seed {record.seed}"
        alike = self._names.get(skeleton(record.agent), record.agent)
        if alike != record.agent:
            raise RecordError(
                f"{run}: expected a name that looks like no other in {self._path}, got one like "
                f"{alike}. Submit under that very name if it is the same agent, or choose another."
            )
        known = self._runs.get(_run(record))
        if known is None:
            return
        stored, since = known
        if stored == canonical_json(as_submitted(record)):
            raise RecordError(
                f"{run}: expected a new record, got one that is in {self._path} since {since}. "
                "There is nothing to do."
            )
        raise RecordError(
            f"{run}: expected a seed that is not in {self._path} yet, got one with another record "
            f"of {since}. Entries are never replaced: submit other seeds, or another agent name."
        )

    def _note(self, record: Record, at: str) -> None:
        self._names.setdefault(skeleton(record.agent), record.agent)
        self._runs[_run(record)] = canonical_json(record), at


_ALTERED = "The file was altered behind lrmp's back: restore it from a copy."


def _run(record: Record) -> tuple[str, str, str, int]:
    return record.task, record.task_fingerprint, record.agent, record.seed


def _intact_entry(item: Item, *, is_intact: bool) -> Entry:
    if not is_intact:
        raise RecordError("expected content that matches its hash, got another one.")
    return read_entry(item)


def _fetch(session: "Session", statement: str) -> list[Any]:
    """Fetch all rows at once: a statement that is not read to its end keeps its lock."""
    return list(session.connection().exec_driver_sql(statement).all())


def _make(session: "Session") -> None:
    """Make the tables of a store."""
    from lrmp.leaderboard.log.tables import Base, LogHead, LogItem, tables_of

    connection = session.connection()
    for pragma in (f"application_id = {APPLICATION_ID}", f"user_version = {STORE_VERSION}"):
        connection.exec_driver_sql(f"PRAGMA {pragma}")
    Base.metadata.create_all(connection, tables=tables_of(LogItem, LogHead))
    for statement in _TRIGGERS:
        connection.exec_driver_sql(statement)
    session.add(LogHead(id=1, number=0, chain=FIRST))
    session.flush()


def _parts(session: "Session") -> dict[str, str | None]:
    """List what the database is made of, by name; SQLite's own indices aside."""
    rows = _fetch(session, "SELECT name, sql FROM sqlite_master")
    return {str(name): sql for name, sql in rows if not str(name).startswith("sqlite_")}


@cache
def _expected_parts() -> dict[str, str | None]:
    from lrmp.leaderboard.log.database import Database

    with Database.in_memory().write() as session:
        _make(session)
        return _parts(session)


def _new_body(replay: Replay, at: str) -> tuple[Record, dict[str, Any]]:
    """Make the body of an item of a replay whose record any submission could hold."""
    with _named(replay.record):
        record = as_submitted(replay.record)
        check_replay(replay)
        return record, handed_in_here(record, at) | replayed(replay)


@contextmanager
def _named(record: Record) -> Iterator[None]:
    """Say which run an error is about."""
    try:
        yield
    except RecordError as error:
        run = f"{record.task}, agent {record.agent}, seed {record.seed}"
        raise RecordError(f"{run}: {error}") from error
