"""Every error lrmp raises on purpose: what was expected, what was given, what to do.

They derive from ``LRMPError`` and, where Python or Gymnasium has a class of that meaning, from
that too, so that callers may catch either.
"""

from collections.abc import Iterable
from difflib import get_close_matches

from lrmp.printable import printable


class LRMPError(Exception):
    """Base of all errors raised by lrmp; their messages hold no control characters."""

    def __str__(self) -> str:
        return printable(super().__str__())


class DesignError(LRMPError, ValueError):
    """Bits or copies that are no design for the network: wrong length, type or range."""


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


class MissingExtraError(LRMPError, ImportError):
    """An optional dependency is not installed."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> str:
    """Word the error for a name that is not registered, with the nearest known one.

    Args:
        kind: What the name stands for, such as ``"network"``.
        name: What was given.
        known: The names that exist.

    Returns:
        One sentence for an error message.
    """
    names = sorted(known)
    close = get_close_matches(str(name), names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"Expected {kind} to be one of {', '.join(names)}; got {name!r}.{hint}"
