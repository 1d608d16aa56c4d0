"""Writing files whole or not at all, durably, and never through a link."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lrmp.errors import ForeignFileError
from lrmp.foreign_file import check_regular

_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Replace a file in one step, once its content is on the disk.

    Args:
        path: The file. A link of that name is replaced, not followed.

    Yields:
        A fresh empty file in the same folder, with the same ending, to be written by its name. If
        the block raises, it is removed, and what was there before stays.

    Raises:
        OSError: If it cannot be written; among them ``ForeignFileError`` if there is something
            that is no file, such as a directory or a device, or the name is impossible.
    """
    temporary = _fresh(path)
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync(path.parent)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all; it is on the disk when this returns.

    Args:
        path: As for ``replacing``.
        content: What it is to hold; text as UTF-8.

    Raises:
        OSError: As ``replacing``.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def _fresh(path: Path) -> Path:
    """Make an empty file that no one else has, beside another."""
    try:
        with suppress(FileNotFoundError):
            check_regular(os.stat(path))
        # With its ending, by which libraries choose the format. A kill leaves it behind.
        temporary = path.with_name(
            f".{path.stem[:100]}.{secrets.token_hex(6)}.partial{path.suffix}"
        )
        os.close(os.open(temporary, _FRESH, 0o666))
    except ValueError as error:
        raise ForeignFileError(f"no file can have this name: {error}") from error
    return temporary


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
