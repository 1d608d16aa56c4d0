"""The mirror: the log as a file of JSON lines beside the database."""

import fcntl
import json
import os
from pathlib import Path

from lrmp.leaderboard.log.append import read_items
from lrmp.leaderboard.log.database import Database

BATCH = 500


class Mirror:
    """A file that follows the log. Several processes may write it.

    Args:
        path: The file; made if there is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def catch_up(self, database: Database) -> int:
        """Write all items that the file lacks; a line that a crash tore is written anew.

        Args:
            database: With the log.

        Returns:
            How many were written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        written = 0
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            last = _last_number(file.fileno())
            while True:
                with database.read() as session:
                    items = read_items(session, last, BATCH)
                if not items:
                    break
                file.write("".join(item.to_line() for item in items).encode())
                written += len(items)
                last = items[-1].number
            if written:
                file.flush()
                os.fsync(file.fileno())
        return written


def _last_number(descriptor: int) -> int:
    """Read the number of the last whole line, and cut off what is behind it."""
    end = os.fstat(descriptor).st_size
    tail, start = b"", end
    while start > 0:
        start = max(0, start - 2**16)
        tail = os.pread(descriptor, end - start, start)
        if tail.count(b"\n") > 1:
            break
    whole, newline, torn = tail.rpartition(b"\n")
    if torn:
        os.ftruncate(descriptor, end - len(torn))
    if not newline:
        return 0
    number: int = json.loads(whole.rpartition(b"\n")[2])["number"]
    return number
