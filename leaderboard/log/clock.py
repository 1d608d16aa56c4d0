"""Times as texts that sort as they follow each other: UTC, ISO 8601, always microseconds."""

from datetime import UTC, datetime, timedelta


def now(after_s: float = 0.0) -> str:
    """Read the clock.

    Args:
        after_s: Seconds from now.

    Returns:
        Such as ``"2026-11-30T08:00:00.000000Z"``.
    """
    return as_text(datetime.now(UTC) + timedelta(seconds=after_s))


def as_text(moment: datetime) -> str:
    """Write a moment.

    Args:
        moment: With a time zone.

    Returns:
        27 characters.
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
