"""Files that grow line by line: what a kill has left behind the last whole line is cut off."""

import os
from pathlib import Path
from typing import BinaryIO

from lrmp.errors import ForeignFileError
from lrmp.foreign_file import MAX_JOURNAL_BYTES, check_regular, is_present, read_foreign

_FLAGS = (
    os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
) | getattr(os, "O_NONBLOCK", 0)


def open_growing(path: Path) -> BinaryIO:
    """Open a file to read it and add to it; made if there is none. Writes are not buffered.

    A link is refused, a hard one too: in a folder of somebody else's it may lead anywhere.

    Args:
        path: The file, in a folder that exists.

    Returns:
        The file; all that is written goes to its end.

    Raises:
        OSError: If it cannot be opened; among them ``ForeignFileError`` if it is no regular file,
            is a link, or its name is impossible.
    """
    if os.path.islink(path):
        raise ForeignFileError("it is a link")
    try:
        file = os.fdopen(os.open(path, _FLAGS, 0o666), "r+b", buffering=0)
    except ValueError as error:
        raise ForeignFileError(f"no file can have this name: {error}") from error
    try:
        info = os.fstat(file.fileno())
        check_regular(info)
        if info.st_nlink > 1:
            raise ForeignFileError(f"it has {info.st_nlink} names: it is a hard link")
    except BaseException:
        file.close()
        raise
    return file


def read_whole_lines(path: Path) -> list[str]:
    """Read the lines of a growing file; one that was torn by a crash is left out.

    Args:
        path: The file; none has no lines.

    Returns:
        Lines without their newlines.

    Raises:
        OSError: As ``read_foreign``; ``ForeignFileError`` also if a line is no UTF-8.
    """
    if not is_present(path):
        return []
    whole, _, _ = read_foreign(path, MAX_JOURNAL_BYTES).rpartition(b"\n")
    return decode_lines(whole)


def decode_lines(whole: bytes) -> list[str]:
    """Split whole lines.

    Args:
        whole: Their bytes, without the last newline.

    Returns:
        Lines without their newlines.

    Raises:
        ForeignFileError: If one is no UTF-8.
    """
    if not whole:
        return []
    lines = []
    for number, line in enumerate(whole.split(b"\n"), start=1):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise ForeignFileError(f"line {number} is not UTF-8: {error}") from error
    return lines


class GrowingFile:
    """A file of lines, open for adding; a torn last line is cut off.

    Args:
        path: The file; made if there is none.

    Attributes:
        path: The file.
        lines: What stood in it, without newlines.
        torn: Bytes that were cut off.

    Raises:
        OSError: As ``open_growing``; ``ForeignFileError`` also if a line is no UTF-8, or the file
            is larger than ``MAX_JOURNAL_BYTES``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open_growing(path)
        try:
            size = os.fstat(self._file.fileno()).st_size
            if size > MAX_JOURNAL_BYTES:
                raise ForeignFileError(f"it has {size} bytes, more than {MAX_JOURNAL_BYTES}")
            content = self._file.read()
            whole = content[: content.rfind(b"\n") + 1]
            self.lines = decode_lines(whole.removesuffix(b"\n"))
            self.torn = len(content) - len(whole)
            if self.torn:
                self._file.truncate(len(whole))
        except BaseException:
            self._file.close()
            raise

    def add(self, *lines: str) -> None:
        """Add lines; they are on the disk when this returns.

        Args:
            *lines: Without newlines.
        """
        data = "".join(f"{line}\n" for line in lines).encode("utf-8")
        written = 0
        while written < len(data):
            written += self._file.write(data[written:])
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "GrowingFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
