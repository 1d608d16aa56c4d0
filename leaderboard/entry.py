"""An entry of the leaderboard, and the row as which it is stored."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import NoneType
from typing import Any, Literal, NoReturn, get_args, get_origin

from lrmp.envs.records.record import Claim, Record
from lrmp.errors import RecordError
from lrmp.hardware.space.knob import Value
from lrmp.leaderboard.agent_name import skeleton
from lrmp.leaderboard.replay import Replay


@dataclass(frozen=True)
class Entry:
    """A stored record.

    Attributes:
        number: Position in the order of submission, from 1.
        replay: The record and its recomputed numbers.
        sha256: Of the record's canonical JSON.
        submitted_at: UTC, ISO 8601.
        lrmp_version: Version of lrmp that replayed it.
    """

    number: int
    replay: Replay
    sha256: str
    submitted_at: str
    lrmp_version: str


def canonical_json(record: Record) -> str:
    """Write a record in the one form that is hashed.

    Args:
        record: A record.

    Returns:
        JSON with sorted keys and no spaces.
    """
    return json.dumps(record.to_json(), sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_hash(record: Record) -> str:
    """Hash a record.

    Args:
        record: A record.

    Returns:
        SHA-256 of its canonical JSON, in hexadecimal.
    """
    return _sha256(canonical_json(record))


def to_row(entry: Entry) -> dict[str, Any]:
    """Write an entry as the values of a row, which SQLite returns as they are.

    Args:
        entry: An entry.

    Returns:
        Values by column.

    Raises:
        RecordError: If the entry holds values of other types than its classes say, or numbers
            that are not finite.
    """
    if wrong := _wrong_value(entry):
        raise RecordError(f"expected finite numbers and texts, got {wrong}.")
    replay, record = entry.replay, entry.replay.record
    row = {
        "number": entry.number,
        "task": record.task,
        "task_fingerprint": record.task_fingerprint,
        "agent": record.agent,
        "agent_skeleton": skeleton(record.agent),
        "seed": record.seed,
        "record": canonical_json(record),
        "sha256": entry.sha256,
        **vars(replay.claim),
        "test_accuracy_drop": replay.test_accuracy_drop,
        "accuracy_kind": replay.accuracy_kind,
        "accuracy_is_estimate": int(replay.accuracy_is_estimate),
        "lower_bound": str(replay.lower_bound),  # of energy times delay: beyond 64 bits
        "replay_wall_time_s": replay.wall_time_s,
        "submitted_at": entry.submitted_at,
        "lrmp_version": entry.lrmp_version,
    }
    # SQLite makes reals of integers here, and knows no negative zero.
    reals = {name: row[name] + 0.0 for name in _REALS if row[name] is not None}
    return row | reals


def from_row(row: Mapping[str, Any]) -> Entry:
    """Build an entry again.

    What is stored was checked against the published schema when it was added, and its hash says
    that it is the same still; so only what could mislead or stop a program is checked here.

    Args:
        row: Values by column, of any types.

    Returns:
        The entry.

    Raises:
        RecordError: If the row is none that ``to_row`` writes.
    """
    try:
        record = Record.from_json(json.loads(row["record"], parse_constant=_refuse_constant))
        entry = Entry(
            number=row["number"],
            replay=Replay(
                record=record,
                claim=Claim(**{field.name: row[field.name] for field in fields(Claim)}),
                test_accuracy_drop=row["test_accuracy_drop"],
                accuracy_kind=row["accuracy_kind"],
                accuracy_is_estimate=bool(row["accuracy_is_estimate"]),
                lower_bound=int(row["lower_bound"]),
                wall_time_s=row["replay_wall_time_s"],
            ),
            sha256=row["sha256"],
            submitted_at=row["submitted_at"],
            lrmp_version=row["lrmp_version"],
        )
        expected = to_row(entry)
    except _MALFORMED as error:
        raise RecordError(f"expected an entry as lrmp writes it: {error}") from error
    for name, value in expected.items():
        if row[name] != value:
            raise RecordError(f"expected {name} to agree with the record, got another value.")
    if entry.sha256 != _sha256(row["record"]):
        raise RecordError("expected a record that matches its SHA-256, got another one.")
    if differences := record.agrees_with(entry.replay.claim):
        raise RecordError(f"{differences[0]}.")
    return entry


# What another program may have written: missing and unknown names, wrong types, no JSON.
_MALFORMED = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    RecursionError,
)
_REALS = ("score", "gain", "accuracy_drop", "test_accuracy_drop", "replay_wall_time_s")


def _wrong_value(entry: Entry) -> str | None:
    """Name the first value that is not of the type its class gives, or no finite number."""
    replay = entry.replay
    for part in (entry, replay, replay.record, replay.claim, replay.record.claim):
        for field in fields(part):
            value = getattr(part, field.name)
            if not _is_of_type(value, field.type):
                return f"{field.name} {value!r}"[:200]
    return None


def _is_of_type(value: Any, wanted: Any) -> bool:
    """Check the plain types and their unions, and lists of them by name."""
    if get_origin(wanted) is Literal:
        return value in get_args(wanted)
    if wanted == dict[str, str]:
        return isinstance(value, dict) and all(map(_is_plain_text, (*value, *value.values())))
    if wanted == dict[str, list[Value]]:
        return isinstance(value, dict) and all(map(_is_plain_list, value, value.values()))
    kinds = get_args(wanted) or (wanted,)
    if not {*kinds} <= {int, float, str, bool, NoneType}:
        return True
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if str in kinds and _is_plain_text(value):
        return True
    return type(value) in {*kinds} - {str} or (float in kinds and type(value) is int)


def _is_plain_list(name: Any, values: Any) -> bool:
    return (
        _is_plain_text(name)
        and isinstance(values, list)
        and all(type(value) is int or _is_plain_text(value) for value in values)
    )


def _is_plain_text(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
