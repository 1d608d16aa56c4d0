"""Two who write the same at once: the second tries again, and then sees the first."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from sqlalchemy.exc import IntegrityError

from lrmp.leaderboard.board.errors import ConflictError

ATTEMPTS = 3

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def again_after_race(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Call a function again whose rows another transaction has written meanwhile.

    SQLite lets one write at a time; PostgreSQL lets both look, and refuses the second one's rows.

    Args:
        function: Opens one transaction, and looks first whether something is there already.

    Returns:
        The same, which raises ``ConflictError`` if it goes on.
    """

    @wraps(function)
    def called(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        for attempt in range(ATTEMPTS):
            try:
                return function(*args, **kwargs)
            except IntegrityError as error:
                if attempt == ATTEMPTS - 1:
                    raise ConflictError(
                        "Expected nobody else to write the same now. Try again."
                    ) from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    return called
