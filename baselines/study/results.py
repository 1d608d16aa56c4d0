"""The results of a study: a record per finished run, in a file of JSON lines that only grows."""

import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lrmp.baselines.study.planned_run import RunKey, record_key
from lrmp.errors import StudyError
from lrmp.foreign_text import parse_json
from lrmp.growing_file import GrowingFile, open_growing, read_whole_lines

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
    try:
        lines = read_whole_lines(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    return _parse(lines, path)


def _unreadable(path: Path, error: OSError) -> StudyError:
    return StudyError(f"Expected the records of a study in {path}: {error}. Restore the file.")


def _parse(lines: Sequence[str], path: Path) -> dict[RunKey, StudyRecord]:
    records: dict[RunKey, StudyRecord] = {}
    for number, line in enumerate(lines, start=1):
        try:
            record = parse_json(line)
            key = record_key(record)
            kinds = str, str, str, int, int
            if not all(type(value) is kind for value, kind in zip(key, kinds, strict=True)):
                raise ValueError(f"task, accuracy, agent, evaluations and seed as {tuple(key)}")
        except (ValueError, KeyError, TypeError) as error:
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
    return records


class Results:
    """The file, open for adding.

    Args:
        path: The file; made if there is none. A torn last line is cut off, so that its run alone is
            made again.

    Raises:
        StudyError: If it holds anything but records, each of another run.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = GrowingFile(path)
        except OSError as error:
            raise _unreadable(path, error) from error
        try:
            self.records = _parse(self._file.lines, path)
        except StudyError:
            self._file.close()
            raise
        #: Bytes of a torn last line.
        self.torn = self._file.torn

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
        self._file.add(json.dumps(record, allow_nan=False, separators=(",", ":")))
        self.records[key] = record

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other studies out of a folder; the system drops the lock when the process ends.

    Args:
        folder: Of the study; made if there is none.

    Raises:
        StudyError: If another process holds the lock.
    """
    import fcntl  # POSIX; a study needs it, reading its results does not

    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open_growing(folder / LOCK)
    except (OSError, ValueError) as error:
        raise StudyError(f"Expected to lock {folder / LOCK}: {error}.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = file.read(200).decode("utf-8", "replace").strip()
            raise StudyError(
                f"Expected no other study at work in {folder}, got {owner}. Wait for it, or choose "
                "another --out."
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
