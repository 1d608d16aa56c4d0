"""Functions of the user's own: what they are called, where they are, and one error if they fail."""

from collections.abc import Callable
from pkgutil import resolve_name
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


def function_path(function: Callable[..., Any]) -> str:
    """Say where a function is found.

    Args:
        function: Anything that can be called.

    Returns:
        ``"package.module:function"``, which ``find_function`` takes.

    Raises:
        TaskError: If it is none of a module, which another process could import.
    """
    module, name = (getattr(function, part, "") for part in ("__module__", "__qualname__"))
    path = f"{module}:{name}"
    if module == "__main__" or _resolved(path) is not function:
        raise TaskError(
            "Expected a function that a module holds, to write it as 'package.module:function'; "
            f"got {function!r}. Put it into a file that can be imported."
        )
    return path


def find_function(path: str) -> Callable[..., Any]:
    """Import a function.

    Args:
        path: Such as ``"package.module:function"``.

    Returns:
        The function.

    Raises:
        TaskError: If there is none.
    """
    found: Callable[..., Any] | None = _resolved(path)
    if not callable(found):
        raise TaskError(f"Expected a function of a module that can be imported, got {path!r}.")
    return found


def _resolved(path: str) -> Any:
    try:
        return resolve_name(path)
    except (AttributeError, ImportError, ValueError):
        return None
