"""Every error lrmp raises on purpose: what was expected, what was given, what to do.

They derive from ``LRMPError`` and, where Python or Gymnasium has a class of that meaning, from
that too, so that callers may catch either.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import zip_longest

from lrmp.install_command import install_command
from lrmp.printable import printable


class LRMPError(Exception):
    """Base of all errors raised by lrmp.

    Messages quote names that strangers chose; what a terminal would act on is escaped.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*(printable(arg) if isinstance(arg, str) else arg for arg in args))


class DesignError(LRMPError, ValueError):
    """Settings or copies that are no design: wrong knobs, length, type or range."""


class NetworkError(LRMPError, ValueError):
    """A layer or network that cannot be mapped, or an unknown network name."""


class PresetError(LRMPError, ValueError):
    """A malformed, incomplete or unknown accelerator preset."""


class InfeasibleBudgetError(LRMPError, ValueError):
    """One copy of every layer needs more tiles than the budget has."""


class SolverError(LRMPError, ValueError):
    """A malformed replication problem, or a solver that does not fit its objective."""


class InfeasibleAccuracyError(SolverError):
    """No design that fits the budget is within the limit on accuracy."""


class TaskError(LRMPError, ValueError):
    """An unknown task, or options that a task does not offer."""


class AccuracyTableError(LRMPError, ValueError):
    """A malformed accuracy table or weight file."""


class AccuracyDataError(LRMPError, ValueError):
    """Images or weights that are missing, damaged, or not those a protocol names."""


class ActionError(LRMPError, ValueError):
    """An action outside the action space."""


class PolicyError(LRMPError, ValueError):
    """A policy file that is missing, malformed or of another kind."""


class RunError(LRMPError, ValueError):
    """A run directory that is missing, incomplete, or in use with another configuration."""


class StudyError(LRMPError, ValueError):
    """A malformed study, or results of another one."""


class RecordError(LRMPError, ValueError):
    """A leaderboard record that is refused; nothing is stored."""


class BoardError(LRMPError):
    """The hosted leaderboard refuses something, or cannot be reached.

    Attributes:
        status: The HTTP status that says so.
    """

    status = 400


class NoRecordsError(RecordError):
    """No file of records to read: bad input, not a record that is refused."""


class ForeignFileError(LRMPError, OSError):
    """A file that is not read or written: no regular file, too large, or an impossible name.

    Readers say what they expected of it in an error of their own.
    """


class ForeignTextError(LRMPError, ValueError):
    """JSON or TOML that is malformed, or absurd; readers raise an error of their own for it."""


class MissingExtraError(LRMPError, ImportError):
    """An optional dependency is not installed, or too old."""

    @classmethod
    def of(
        cls, module: str | None, purpose: str, extra: str, instead: str | None = None
    ) -> "MissingExtraError":
        """Word the error for a module that could not be imported.

        Args:
            module: Its name.
            purpose: What it is wanted for, such as ``"to draw a picture"``.
            extra: The extra of lrmp that brings it, or several with commas.
            instead: What else to do, such as ``"use accuracy='table'"``; None for nothing.

        Returns:
            The error, which names the command that works for this installation.
        """
        otherwise = f", or {instead}" if instead else ""
        return cls(f"Expected {module} {purpose}; run {install_command(extra)}{otherwise}.")


_MOST_NAMED = 5


def unknown_name(kind: str, name: object, known: Iterable[str], *, like: str | None = None) -> str:
    """Word the error for a name that is not registered: the nearest known ones, at most five.

    Args:
        kind: What the name stands for, such as ``"network"``.
        name: What was given.
        known: The names that exist.
        like: What known names are compared with; None for the name itself.

    Returns:
        One sentence for an error message; the nearest name comes first, whatever its case.
    """
    names = sorted(set(known))
    by_folded: dict[str, list[str]] = {}
    for each in names:
        by_folded.setdefault(each.casefold(), []).append(each)
    given = (like or str(name)).casefold()
    words = set(given.split("-"))  # of an id; one that has them all is nearer than any spelling
    whole = [each for each in by_folded if len(words) > 1 and words <= set(each.split("-"))]
    close = get_close_matches(given, by_folded, n=_MOST_NAMED)
    near = [each for folded in (*sorted(whole, key=len), *close) for each in by_folded[folded]]
    near = list(dict.fromkeys(near))
    first = (near + [each for each in names if each not in near])[:_MOST_NAMED]
    more = f" and {len(names) - len(first)} more" if len(names) > len(first) else ""
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"Expected {kind} to be one of {', '.join(first)}{more}; got {name!r}.{hint}"


def unlike_names(kind: str, expected: Sequence[str], given: Sequence[str]) -> str:
    """Word how names in an order differ: how many there are, and the first that differs.

    Args:
        kind: What the names stand for, such as ``"layers"``.
        expected: What there should be.
        given: What there is; not the same.

    Returns:
        Such as ``"2 layers, number 2 'fc2'; got 1 layers, number 2 none"``.
    """
    place = next(i for i, (a, b) in enumerate(zip_longest(expected, given)) if a != b)

    def said(names: Sequence[str]) -> str:
        name = repr(names[place]) if place < len(names) else "none"
        return f"{len(names)} {kind}, number {place + 1} {name}"

    return f"{said(expected)}; got {said(given)}"
