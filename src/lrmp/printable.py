"""Foreign text on a terminal: names of files and layers may hold control sequences."""


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
