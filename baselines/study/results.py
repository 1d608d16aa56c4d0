"""The results of a study: a record per finished run, in a file of JSON lines that only grows."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lrmp.baselines.study.planned_run import RunKey, record_key
from lrmp.errors import StudyError

RESULTS = "results.jsonl"
LOCK = "lock"

StudyRecord = dict[str, Any]


def read_results(path: Path) -> dict[RunKey, StudyRecord]:
    """Read all whole records.

    Args:
        path: The file; none is none yet.

    Returns:
        Records in the order in which they were added. A last line that was torn by a crash is left
        out.

    Raises:
        StudyError: If any other line is no record, or two records are of one run.
    """
    records, _ = _read(path)
    return records


def _read(path: Path) -> tuple[dict[RunKey, StudyRecord], int]:
    """Read the records, and how many bytes they take."""
    records: dict[RunKey, StudyRecord] = {}
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    size = 0
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            key = record_key(record)
            if not line.endswith(b"\n"):
                raise ValueError("the line has no end")
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                break
            raise StudyError(
                f"Expected a record in line {number} of {path}, got {error!r}. Restore the file, "
                "or delete the line: its run is read again from its run directory."
            ) from error
        if key in records:
            raise StudyError(
                f"Expected one record per run in {path}, got two of {key} (line {number}). Delete "
                "one of them."
            )
        records[key] = record
        size += len(line)
    return records, size


class Results:
    """The file, open for adding.

    Args:
        path: The file; made if there is none. A torn last line is cut off, so that its run alone is
            made again.

    Raises:
        StudyError: If it holds anything but records, each of another run.
    """

    def __init__(self, path: Path) -> None:
        self.records, size = _read(path)
        self._file = path.open("ab")
        #: Bytes of a torn last line.
        self.torn = self._file.tell() - size
        self._file.truncate(size)
        self._sync()
        _sync_folder(path.parent)

    def append(self, record: StudyRecord) -> None:
        """Add a record; it is on the disk when this returns.

        Args:
            record: Of a run that has none yet.

        Raises:
            StudyError: If its run has a record.
        """
        key = record_key(record)
        if key in self.records:
            raise StudyError(f"Expected a run without a record, got {key}.")
        line = json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n"
        self._file.write(line.encode())
        self._sync()
        self.records[key] = record

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _sync_folder(folder: Path) -> None:
    """Make the names of new files durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other studies out of a folder; the system drops the lock when the process ends.

    Args:
        folder: Of the study; made if there is none.

    Raises:
        StudyError: If another process holds the lock.
    """
    import fcntl  # POSIX; a study needs it, reading its results does not

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise StudyError(
                f"Expected no other study at work in {folder}, got {file.read().strip()}. Wait for "
                "it, or choose another --out."
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
