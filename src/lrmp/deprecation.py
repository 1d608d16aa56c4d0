"""What leaves the public names warns first, at least for a minor release."""

import warnings
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def deprecation(name: str, since: str, instead: str) -> str:
    """Word the warning, for ``typing_extensions.deprecated`` above a function or class.

    Args:
        name: What leaves, as users write it: ``"lrmp.old"``.
        since: The release in which it warns first: ``"0.2"``.
        instead: What to use: ``"lrmp.new"``.

    Returns:
        Such as ``"lrmp.old is deprecated since lrmp 0.2 and leaves in 0.3 at the earliest: use
        lrmp.new."``.
    """
    major, minor = map(int, since.split("."))
    return (
        f"{name} is deprecated since lrmp {since} and leaves in {major}.{minor + 1} at the "
        f"earliest: use {instead}."
    )


def renamed_parameter(
    old: str, new: str, *, since: str
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Take a parameter by its old name as well, with a warning.

    Args:
        old: Its name before.
        new: Its name now.
        since: The release in which the old name warns first: ``"0.2"``.

    Returns:
        A decorator of functions and methods; their signature shows the new name alone.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if old in kwargs:
                if new in kwargs:
                    raise TypeError(
                        f"Expected {new} of {function.__qualname__}, got {old}, its name before "
                        f"lrmp {since}, too."
                    )
                what = f"{old}= of {function.__qualname__}"
                text = deprecation(what, since, f"{new}=")
                warnings.warn(text, DeprecationWarning, stacklevel=2)
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call

    return decorate
