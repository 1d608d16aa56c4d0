"""JSON as the standard has it, for text that a stranger wrote."""

import json
import math
from typing import Any, NoReturn

from lrmp.errors import RecordError

MAX_DEPTH = 8  # a record has three levels
MAX_DIGITS = 20  # 64 bits and a sign
MAX_SHOWN = 80

ADVICE = "Write the line with lrmp.envs.Record.to_line."


def parse_strict_json(text: str) -> Any:
    """Parse one JSON value, refusing what Python's parser lets through.

    Args:
        text: One JSON value.

    Returns:
        Dictionaries, lists, text, integers, finite floats, booleans and None.

    Raises:
        RecordError: If the text is no JSON, repeats a key, holds NaN, an infinity or a gigantic
            integer, or nests absurdly deep.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_short_integer,
        )
    except json.JSONDecodeError as error:
        raise RecordError(
            f"expected one JSON object, got {error.msg!r} at column {error.colno}. {ADVICE}"
        ) from error
    except RecursionError as error:
        raise RecordError(_too_deep()) from error
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _children(parent)]
    if level:
        raise RecordError(_too_deep())
    return value


def shown(value: Any) -> str:
    """Write a value for an error message: as in the file, on one line, without control characters.

    Args:
        value: What ``parse_strict_json`` returned, or a part of it.

    Returns:
        At most ``MAX_SHOWN`` characters.
    """
    text = json.dumps(value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key, value in pairs:
        if key in mapping:
            raise RecordError(f"expected every key once, got {shown(key)} twice. {ADVICE}")
        mapping[key] = value
    return mapping


def _refuse_constant(name: str) -> NoReturn:
    raise RecordError(f"expected finite numbers, got {name}. {ADVICE}")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise RecordError(f"expected finite numbers, got {text[:MAX_SHOWN]}. {ADVICE}")
    return number


def _short_integer(text: str) -> int:
    # Also keeps clear of the length at which int() itself raises.
    if len(text) > MAX_DIGITS:
        raise RecordError(
            f"expected integers of at most {MAX_DIGITS} digits, got {len(text)} digits. {ADVICE}"
        )
    return int(text)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _too_deep() -> str:
    return f"expected at most {MAX_DEPTH} nested levels, got more. {ADVICE}"
