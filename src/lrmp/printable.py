"""Foreign text on a terminal: names of files and layers may hold control sequences."""

import io
from typing import TextIO


def printable(text: str) -> str:
    r"""Escape what a terminal would act on, or a stream could not encode.

    Args:
        text: Perhaps with names that a stranger chose.

    Returns:
        The text with every unprintable character but the newline as a Python escape, such as
        ``\x1b``; what is escaped already stays as it is.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode("ascii")
        for c in text
    )


class EscapedStream(io.TextIOBase):
    """A text stream on which all that is printed is escaped.

    Args:
        stream: Where it goes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Of the stream."""
        return self._stream.encoding

    def write(self, text: str) -> int:
        """Write text.

        Args:
            text: Perhaps with control characters.

        Returns:
            How many characters it had.
        """
        self._stream.write(printable(text))
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Say whether it is a terminal."""
        return self._stream.isatty()
