"""An accepted design in a log, and the body of the item that says so."""

import hashlib
import json
import math
from dataclasses import dataclass, fields
from types import NoneType
from typing import Any, Literal, NoReturn, get_args, get_origin

from lrmp.accuracy.model.accuracy_model import AccuracyKind, accuracy_label
from lrmp.envs.records.record import Claim, Record, library_versions
from lrmp.errors import RecordError
from lrmp.hardware.space.knob import Value
from lrmp.leaderboard.log.item import Item, canonical
from lrmp.leaderboard.replay import Replay

SUBMISSION_DIGITS = 24  # of a record's hash: what a hosted board's ids have


@dataclass(frozen=True)
class Entry:
    """A stored record.

    Attributes:
        item: As it stands in the log.
        record: What was submitted.
        claim: The recomputed numbers; they rank.
        test_accuracy_drop: Percentage points on images that no search has seen, or None.
        accuracy: ``"network"``, ``"table"`` or ``"table (estimate)"``.
        lower_bound: What no copies of these settings can beat, proven: cycles, femtojoules or their
            product, as the task minimises.
        sha256: Of the record's canonical JSON.
        submitted_at: UTC, ISO 8601.
        replayed_with: Versions of lrmp, Python and the libraries that decide results.
    """

    item: Item
    record: Record
    claim: Claim
    test_accuracy_drop: float | None
    accuracy: str
    lower_bound: int
    sha256: str
    submitted_at: str
    replayed_with: dict[str, str]

    @property
    def number(self) -> int:
        """Position in the log, from 1."""
        return self.item.number


def canonical_json(record: Record) -> str:
    """Write a record in the one form that is hashed.

    Args:
        record: A record.

    Returns:
        JSON with sorted keys and no spaces.
    """
    return canonical(record.to_json())


def content_hash(record: Record) -> str:
    """Hash a record.

    Args:
        record: A record.

    Returns:
        SHA-256 of its canonical JSON, in hexadecimal.
    """
    return hashlib.sha256(canonical_json(record).encode()).hexdigest()


def handed_in(submission: str, agent: str, record: Record, submitted_at: str) -> dict[str, Any]:
    """Say what was handed in, as the log keeps it.

    Args:
        submission: Names it.
        agent: Who handed it in.
        record: What.
        submitted_at: When.

    Returns:
        Plain JSON values; ``replayed`` is the other half of an accepted design.
    """
    return {
        "submission": submission,
        "agent": agent,
        "record": record.to_json(),
        "sha256": content_hash(record),
        "submitted_at": submitted_at,
    }


def handed_in_here(record: Record, submitted_at: str) -> dict[str, Any]:
    """Say what was handed in on one's own machine: its hash names it, the record who.

    Args:
        record: What.
        submitted_at: When.

    Returns:
        As ``handed_in``.
    """
    return handed_in(content_hash(record)[:SUBMISSION_DIGITS], record.agent, record, submitted_at)


def replayed(found: Replay) -> dict[str, Any]:
    """Say what a replay recomputed, as the log keeps it.

    Args:
        found: What ``replay`` returned.

    Returns:
        Plain JSON values.
    """
    return {
        "claim": vars(found.claim),
        "test_accuracy_drop": found.test_accuracy_drop,
        "accuracy": found.accuracy_label,
        "lower_bound": found.lower_bound,
        "replayed_with": library_versions(),
    }


def check_replay(found: Replay) -> None:
    """Refuse a replay that could not be read back.

    Args:
        found: A replay.

    Raises:
        RecordError: If it holds values of other types than its classes say, numbers that are not
            finite, or other numbers than its record claims.
    """
    if wrong := _wrong_value(found, found.record, found.claim, found.record.claim):
        raise RecordError(f"expected finite numbers and texts, got {wrong}.")
    if differences := found.record.agrees_with(found.claim):
        raise RecordError(f"{differences[0]}.")


def read_entry(item: Item) -> Entry:
    """Read an accepted design of one's own machine.

    What is stored was checked against the published schema when it was added, and its hash says
    that it is the same still; so only what could mislead or stop a program is checked here.

    Args:
        item: Of a log, with values of any types.

    Returns:
        The entry.

    Raises:
        RecordError: If the item is no accepted design that lrmp writes.
    """
    try:
        if item.kind != "design":
            raise ValueError(f"got a kind {str(item.kind)[:40]!r}")
        body = json.loads(item.body, parse_constant=_refuse_constant)
        entry = Entry(
            item=item,
            record=Record.from_json(body["record"]),
            claim=Claim(**body["claim"]),
            test_accuracy_drop=body["test_accuracy_drop"],
            accuracy=body["accuracy"],
            lower_bound=body["lower_bound"],
            sha256=body["sha256"],
            submitted_at=body["submitted_at"],
            replayed_with=body["replayed_with"],
        )
        if wrong := _wrong_value(item, entry, entry.record, entry.claim, entry.record.claim):
            raise ValueError(f"got {wrong}")
        if entry.accuracy not in _ACCURACIES:
            raise ValueError(f"got accuracy {entry.accuracy!r}")
        numbers = {name: getattr(entry, name) for name in _REPLAYED}
        expected = handed_in_here(entry.record, entry.submitted_at) | numbers
        expected["claim"] = vars(entry.claim)
        if canonical(expected) != item.body:
            others = [name for name in body if body[name] != expected.get(name)]
            raise ValueError(f"got another {others[0][:40]!r}" if others else "got another form")
    except _MALFORMED as error:
        raise RecordError(f"expected an entry as lrmp writes it: {error}") from error
    if differences := entry.record.agrees_with(entry.claim):
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
_REPLAYED = ("claim", "test_accuracy_drop", "accuracy", "lower_bound", "replayed_with")
_ACCURACIES = {
    accuracy_label(kind, each) for kind in get_args(AccuracyKind) for each in (False, True)
}


def _wrong_value(*parts: Any) -> str | None:
    """Name the first value that is not of the type its class gives, or no finite number."""
    for part in parts:
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
