"""Short representations of objects: one line in a prompt or a log, whatever their size."""

import reprlib
from typing import Any

_SHORTENED = reprlib.Repr()
_SHORTENED.maxstring = 40


def short_name(name: str) -> str:
    """Quote a name.

    Args:
        name: Any text.

    Returns:
        At most 40 characters on one line; the middle of longer ones is left out.
    """
    return _SHORTENED.repr(name)


def short_range(name: str, values: Any) -> str:
    """Say between what numbers lie.

    Args:
        name: What they are.
        values: At least one number, a NumPy array.

    Returns:
        Such as ``"weight bits 2..8"``, or ``"weight bits 8"`` where all are the same.
    """
    least, most = values.min(), values.max()
    return f"{name} {least}" if least == most else f"{name} {least}..{most}"


def short_repr(thing: object, *facts: str) -> str:
    """Put facts together.

    Args:
        thing: What is represented.
        facts: Short, the name first if it has one.

    Returns:
        Such as ``"<Network 'lenet', 5 layers>"``; no expression that makes the thing again.
    """
    return f"<{type(thing).__name__} {', '.join(facts)}>"
