"""The database of a log: SQLite, or PostgreSQL by its URL."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from lrmp.errors import BoardError

BUSY_TIMEOUT_S = 30.0
WRITES = "lrmp_writes"  # execution option of connections that will write


class Database:
    """Sessions on a database.

    Args:
        url: Of SQLAlchemy, such as ``sqlite:///runs/board/board.sqlite`` or
            ``postgresql+psycopg://user@host/name``.
        pool_size: Connections that are kept.

    Attributes:
        engine: SQLAlchemy's.
    """

    def __init__(self, url: str, pool_size: int = 20) -> None:
        try:
            parsed = sa.make_url(url)
        except ArgumentError as error:
            raise BoardError(f"Expected the URL of a database, got {url!r}.") from error
        backend = parsed.get_backend_name()
        if backend not in ("sqlite", "postgresql"):
            raise BoardError(f"Expected a URL of sqlite or postgresql, got one of {backend}.")
        settings: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 2 * pool_size}
        if backend == "sqlite":
            if not parsed.database:
                raise BoardError("Expected a file for the SQLite database, got none.")
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            settings["connect_args"] = {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
        else:
            settings["pool_pre_ping"] = True
        self._use(sa.create_engine(parsed, **settings))
        if self.is_sqlite:
            event.listen(self.engine, "connect", _set_up_sqlite)

    @classmethod
    def by(cls, connect: Callable[[], sqlite3.Connection]) -> Self:
        """Use SQLite's database that a function opens, as it is set up.

        Args:
            connect: Opens it anew for every session, with an ``isolation_level`` of None.

        Returns:
            The database.
        """
        database = cls.__new__(cls)
        database._use(sa.create_engine("sqlite://", creator=connect, poolclass=NullPool))
        return database

    @classmethod
    def in_memory(cls) -> Self:
        """Use a database without tables in memory; every session has one of its own.

        Returns:
            The database.
        """
        return cls.by(lambda: sqlite3.connect(":memory:", isolation_level=None))

    def _use(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        if self.is_sqlite:
            event.listen(engine, "begin", _begin_sqlite)
        # SQLite's own lock is asked for again and again, by whoever is lucky: threads queue here.
        self._turn: AbstractContextManager[Any] = Lock() if self.is_sqlite else nullcontext()
        self._writer = engine.execution_options(**{WRITES: True})

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session that only reads.

        Yields:
            The session; what it read stays readable after its end.
        """
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a session that writes; it is committed at its end, or undone by an error.

        Yields:
            The session. On SQLite it has the lock from the start, so that what it reads is still
            so when it writes.
        """
        with (
            self._turn,
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # pysqlite begins transactions too late; _begin_sqlite does
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
