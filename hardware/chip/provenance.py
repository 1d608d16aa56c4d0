"""Where the numbers of a chip come from, and between what the models of one lie."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from lrmp.errors import PresetError, unknown_name
from lrmp.hardware.chip.component import check_amount

Status = Literal["published", "second-hand", "derived", "modelled", "assumed", "calibrated"]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a number comes from.

    Attributes:
        status: How far the number can be trusted.
        source: The publication, file or argument it was taken from.
        ranges: Least and greatest value that models of it give, by field of a component, or
            ``{"value": ...}`` of another number; empty where nothing else is known.
    """

    status: Status
    source: str
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict, hash=False)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values.

        Returns:
            ``status``, ``source`` and, where there are any, ``ranges``.
        """
        ranges = {key: list(ends) for key, ends in self.ranges.items()}
        return {"status": self.status, "source": self.source} | (
            {"ranges": ranges} if ranges else {}
        )


def read_provenance(
    preset: str,
    key: str,
    entry: Mapping[str, Any],
    ranges: Mapping[str, tuple[str, Any]],
) -> Provenance:
    """Read where a number of a preset file comes from.

    Args:
        preset: Its name.
        key: Of the number.
        entry: Its table, which has status and source.
        ranges: By the key of every range in the table, the field that it is for and its value.

    Returns:
        The provenance.

    Raises:
        PresetError: If the status is unknown, the source empty, or a range none, or not around the
            value.
    """
    if entry["status"] not in get_args(Status):
        raise PresetError(
            unknown_name(f"status of {key} in preset {preset!r}", entry["status"], get_args(Status))
        )
    if not isinstance(entry["source"], str) or not entry["source"].strip():
        raise PresetError(
            f"Expected {key} of preset {preset!r} to name its source, got {entry['source']!r}."
        )
    found = {
        field: _range(f"{name} of {key} in preset {preset!r}", entry[name], value)
        for name, (field, value) in ranges.items()
    }
    return Provenance(entry["status"], entry["source"], found)


def _range(what: str, ends: Any, value: Any) -> tuple[float, float]:
    """Read least and greatest of a number."""
    if not isinstance(ends, list) or len(ends) != 2:
        raise PresetError(f"Expected {what} as [least, greatest], got {ends!r}.")
    for end in (*ends, value):
        check_amount(what, end)
    if not ends[0] <= value <= ends[1]:
        raise PresetError(
            f"Expected {what} as [least, greatest] around the value {value!r}, got {ends!r}."
        )
    return ends[0], ends[1]
