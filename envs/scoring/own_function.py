"""Functions of the user's own: what they are called, and one clear error where they fail."""

from collections.abc import Callable
from typing import Any

from lrmp.errors import TaskError


def function_name(function: Callable[..., Any]) -> str:
    """Name a function.

    Args:
        function: Anything that can be called.

    Returns:
        Its own name, or that of its class.
    """
    return str(getattr(function, "__name__", type(function).__name__))


def call_own(function: Callable[[Any], Any], argument: object, wanted: str) -> Any:
    """Call a function of the user's own.

    Args:
        function: Takes the argument.
        argument: What it is called with.
        wanted: What it has to return, for the error.

    Returns:
        What it returned, unchecked.

    Raises:
        TaskError: If it raises; the cause is kept.
    """
    try:
        return function(argument)
    except Exception as error:
        raise TaskError(
            f"Expected {function_name(function)} to return {wanted}, got {type(error).__name__}: "
            f"{error}. Mend the function."
        ) from error
