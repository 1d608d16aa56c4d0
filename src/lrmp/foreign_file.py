"""Opening files that a stranger may have written: what they are is checked before they are read."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from lrmp.errors import ForeignFileError

#: Tasks, chips, studies and tables: texts that people write or read.
MAX_TEXT_BYTES = 2**20

#: Files that our own runs append to.
MAX_JOURNAL_BYTES = 2**30

# Without O_NONBLOCK a pipe without a writer is waited for; Windows has no such pipes.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a link",
}


@contextmanager
def open_foreign(
    path: Path, max_bytes: int, *, follow_links: bool = True
) -> Iterator[BufferedReader]:
    """Open a regular file of limited size; nothing else is waited for or read.

    Args:
        path: The file.
        max_bytes: Its greatest size.
        follow_links: Whether a link to one will do.

    Yields:
        The file, open for reading.

    Raises:
        OSError: If there is no such file; among them ``ForeignFileError`` if it is no regular
            file, is larger, or its name is impossible.
    """
    with os.fdopen(_open(path, max_bytes, follow_links=follow_links), "rb") as file:
        yield file


def read_foreign(path: Path, max_bytes: int, *, follow_links: bool = True) -> bytes:
    """Read a regular file of limited size.

    Args:
        path: The file.
        max_bytes: Its greatest size.
        follow_links: Whether a link to one will do.

    Returns:
        Its content.

    Raises:
        OSError: As ``open_foreign``.
    """
    with open_foreign(path, max_bytes, follow_links=follow_links) as file:
        # Room is made for as much as is asked for: no more than the file has.
        return file.read(os.fstat(file.fileno()).st_size)


def read_foreign_text(path: Path, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Read a text file of limited size.

    Args:
        path: The file.
        max_bytes: Its greatest size.

    Returns:
        The text, with newlines as they are.

    Raises:
        OSError: As ``open_foreign``; ``ForeignFileError`` also if the text is not UTF-8.
    """
    try:
        return read_foreign(path, max_bytes).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ForeignFileError(f"it is not UTF-8: {error}") from error


def file_digest(path: Path, max_bytes: int = MAX_JOURNAL_BYTES) -> str:
    """Hash a regular file of limited size.

    Args:
        path: The file.
        max_bytes: Its greatest size.

    Returns:
        SHA-256 in hexadecimal digits.

    Raises:
        OSError: As ``open_foreign``.
    """
    with open_foreign(path, max_bytes) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_regular(info: os.stat_result) -> None:
    """Refuse what is no regular file.

    Args:
        info: What the system says of it.

    Raises:
        ForeignFileError: If it is a pipe, a device, a directory or the like.
    """
    if not stat.S_ISREG(info.st_mode):
        kind = _KINDS.get(stat.S_IFMT(info.st_mode), "something else")
        raise ForeignFileError(f"it is {kind}, not a regular file")


def is_present(path: Path) -> bool:
    """Say whether a name is taken, by whatever it may be.

    Args:
        path: Any path; an impossible one is not taken.

    Returns:
        True also for a link that leads nowhere.
    """
    return os.path.lexists(path)


def _open(path: Path, max_bytes: int, *, follow_links: bool) -> int:
    try:
        descriptor = os.open(path, _FLAGS if follow_links else _FLAGS | _NO_LINKS)
    except OSError as error:
        if error.errno == errno.ELOOP and not follow_links:
            raise ForeignFileError("it is a link, not a regular file") from error
        raise
    except ValueError as error:  # a NUL, or a surrogate
        raise ForeignFileError(f"no file can have this name: {error}") from error
    try:
        info = os.fstat(descriptor)
        check_regular(info)
        if info.st_size > max_bytes:
            raise ForeignFileError(f"it has {info.st_size} bytes, more than {max_bytes}")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
