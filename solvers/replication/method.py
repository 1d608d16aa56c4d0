"""Which way the exact method computes: in NumPy, or compiled with Numba. Both give the same copies.

Numba is an optional extra, ``lrmp[fast]``. Loading what it compiled takes half a second, and on a
machine where nothing is compiled yet it takes some fifteen, once. So by default a process loads it
when it has solved so many problems that more of them are likely. ``LRMP_COMPILED`` may say
``always``, from the first problem on, or ``never``. It solves many problems on as many threads as
``LRMP_THREADS`` says, one if it does not; the copies are the same.
"""

import importlib
import os
from importlib.util import find_spec
from typing import Any, Final

from lrmp.errors import MissingExtraError, SolverError, unknown_name

VARIABLE: Final = "LRMP_COMPILED"
THREADS: Final = "LRMP_THREADS"
CHOICES: Final = ("auto", "always", "never")
PAYS_AFTER: Final = 2_000  # problems; in NumPy they take as long as loading does


class _Method:
    """Counts problems until it pays to load the compiled method."""

    def __init__(self) -> None:
        self._left = PAYS_AFTER
        self._module: Any = None
        self._missing = find_spec("numba") is None

    def compiled(self, problems: int) -> Any:
        choice = os.environ.get(VARIABLE, "auto")
        if choice == "auto":
            if self._module is not None:
                return self._module
            self._left -= problems
            if self._left > 0 or self._missing:
                return None
        elif choice == "never":
            return None
        elif choice != "always":
            raise SolverError(unknown_name(f"the variable {VARIABLE}", choice, CHOICES))
        if self._module is None:
            self._load(must=choice == "always")
        return self._module

    def _load(self, must: bool) -> None:
        try:
            self._module = importlib.import_module("lrmp.solvers.replication.compiled")
        except ImportError as error:  # none, or one that does not fit NumPy
            self._missing = True
            if must:
                raise MissingExtraError.of(
                    "numba", f"for {VARIABLE}=always ({error})", "fast", f"leave {VARIABLE} unset"
                ) from error


_method = _Method()


def compiled(problems: int = 1) -> Any:
    """Return the compiled method, if it is to be used.

    Args:
        problems: How many are about to be solved.

    Returns:
        The module ``lrmp.solvers.replication.compiled``, or None for NumPy.

    Raises:
        SolverError: If ``LRMP_COMPILED`` is none of its choices.
        MissingExtraError: If it is ``always`` and Numba is not installed.
    """
    return _method.compiled(problems)


def threads() -> int:
    """Return how many threads the compiled method may use for many problems.

    Returns:
        What ``LRMP_THREADS`` says; 1 if it is not set.

    Raises:
        SolverError: If it is no number from 1 to 9999.
    """
    told = os.environ.get(THREADS, "1")
    if not (told.isascii() and told.isdigit() and 0 < len(told) < 5 and int(told)):
        raise SolverError(
            f"Expected the variable {THREADS} to be a number from 1 to 9999, got {told!r}. "
            "Set it to the number of cores to use, or leave it unset."
        )
    return int(told)
