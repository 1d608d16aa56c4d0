"""Text that a terminal may print, whoever wrote it."""


def printable(text: str) -> str:
    r"""Make control characters visible, so that no file name moves the cursor or turns text round.

    Args:
        text: Anything, such as a message with a path in it.

    Returns:
        The text with everything but printable characters and line ends escaped, ESC as ``\x1b``.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == "\n" else _escape(character)
        for character in text
    )


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
