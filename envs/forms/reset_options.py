"""Options of a reset, where an environment has none."""

from typing import Any

from lrmp.errors import TaskError


def check_no_options(options: dict[str, Any] | None) -> None:
    """Refuse options that nobody would read.

    Args:
        options: Of a reset.

    Raises:
        TaskError: If there are any.
    """
    if options:
        raise TaskError(f"Expected no reset options, got {sorted(map(str, options))}.")
