"""JSON and TOML that a stranger may have written, refused where Python's parsers go astray."""

import json
import tomllib
from typing import Any

from lrmp.errors import ForeignTextError

MAX_DEPTH = 32

#: Integers beyond this are no counts, and Python refuses to print some of them.
MAX_INTEGER = 2**63 - 1


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML.

    Args:
        text: The document; newlines of any kind.

    Returns:
        The document.

    Raises:
        ForeignTextError: If it is no TOML, nests deeper than ``MAX_DEPTH``, or holds an integer of
            more than 64 bits.
    """
    try:
        document = tomllib.loads(text)
    except RecursionError as error:
        raise ForeignTextError(_too_deep()) from error
    except (ValueError, OverflowError) as error:  # impossible dates are not TOMLDecodeErrors
        raise ForeignTextError(_one_line(error)) from error
    _check(document, MAX_INTEGER)
    return document


def parse_json(text: str, max_integer: int = MAX_INTEGER) -> Any:
    """Parse one JSON value.

    Args:
        text: The value.
        max_integer: The greatest magnitude of an integer.

    Returns:
        Dictionaries, lists, text, numbers, booleans and None.

    Raises:
        ForeignTextError: If it is no JSON, repeats a key, nests deeper than ``MAX_DEPTH``, or
            holds a larger integer.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique_keys)
    except RecursionError as error:
        raise ForeignTextError(_too_deep()) from error
    except ValueError as error:
        if isinstance(error, ForeignTextError):
            raise
        raise ForeignTextError(_one_line(error)) from error
    _check(value, max_integer)
    return value


def _check(value: Any, max_integer: int) -> None:
    """Go through a value level by level, without recursion."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        children: list[Any] = []
        for entry in level:
            if isinstance(entry, dict):
                children += entry.values()
            elif isinstance(entry, list):
                children += entry
            elif isinstance(entry, int) and not -max_integer - 1 <= entry <= max_integer:
                bits = max_integer.bit_length() + 1
                raise ForeignTextError(f"an integer has more than {bits} bits")
        if not children:
            return
        level = children
    raise ForeignTextError(_too_deep())


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ForeignTextError(f"the key {twice[:80]!r} stands there twice")
    return mapping


def _one_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _too_deep() -> str:
    return f"it nests more than {MAX_DEPTH} levels deep"
