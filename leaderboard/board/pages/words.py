"""Numbers and times as pages write them."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from lrmp.leaderboard.gap import gap_text
from lrmp.leaderboard.record_schema import load_record_schema

NONE = "–"  # noqa: RUF001  a dash, as tables have it


def number(value: float | None, digits: int = 4) -> str:
    """Write a number.

    Args:
        value: Any; None is a dash.
        digits: Behind the point, of floats.

    Returns:
        With commas between thousands.
    """
    if value is None:
        return NONE
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """Write a share.

    Args:
        value: 0.01 is 1 %; None is a dash.
        digits: Behind the point.

    Returns:
        Such as ``"98.1 %"``.
    """
    return NONE if value is None else f"{100 * value:.{digits}f} %"


def moment(text: str | None) -> str:
    """Write a time.

    Args:
        text: As the board keeps it; None is a dash.

    Returns:
        Such as ``"2026-11-30 08:00"``, UTC.
    """
    return NONE if text is None else f"{text[:10]} {text[11:16]}"


def until(text: str) -> str:
    """Say how long it is until a time.

    Args:
        text: As the board keeps it.

    Returns:
        Such as ``"in 12 days 3 h"``, or ``"over"``.
    """
    left = datetime.fromisoformat(text) - datetime.now(UTC)
    seconds = int(left.total_seconds())
    if seconds <= 0:
        return "over"
    days, rest = divmod(seconds, 86400)
    hours, minutes = rest // 3600, rest % 3600 // 60
    if days:
        return f"in {days} day{'s' if days > 1 else ''} {hours} h"
    return f"in {hours} h {minutes} min"


def pretty(value: Any, indent: str = "") -> str:
    """Write JSON for people.

    Args:
        value: Plain values.
        indent: Of the lines behind the first.

    Returns:
        ASCII; a line for each value, but lists of plain values stay on one.
    """
    deeper = f"{indent}  "
    if isinstance(value, dict) and value:
        lines = [
            f"{deeper}{json.dumps(key)}: {pretty(each, deeper)}" for key, each in value.items()
        ]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        lines = [f"{deeper}{pretty(each, deeper)}" for each in value]
        return "[\n" + ",\n".join(lines) + f"\n{indent}]"
    return json.dumps(value)


def code_link(address: str | None) -> str | None:
    """Say whether an address of code may be a link.

    Args:
        address: As somebody gave it.

    Returns:
        The address if it is one that the schema of records allows; else None.
    """
    schema = load_record_schema()["properties"]["code"]
    if address is None or len(address) > schema["maxLength"]:
        return None
    return address if re.fullmatch(schema["pattern"], address) else None


def choices(values: Sequence[int | str]) -> str:
    """Write the values of a knob.

    Args:
        values: In its order.

    Returns:
        Such as ``"2 to 8"``, or all of them.
    """
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) > 3 and numbers == [*range(numbers[0], numbers[0] + len(values))]:
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, values))


FILTERS: dict[str, Callable[..., Any]] = {
    "number": number,
    "percent": percent,
    "moment": moment,
    "until": until,
    "gap": gap_text,
    "pretty": pretty,
    "code_link": code_link,
    "choices": choices,
}
