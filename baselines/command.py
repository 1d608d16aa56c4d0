"""The command line of a baseline: its Args as options, errors as one line, exit codes."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from lrmp.baselines.run_directory import RunDirectory
from lrmp.errors import LRMPError, MissingExtraError, RunError
from lrmp.printable import printable

ArgsT = TypeVar("ArgsT")

MAX_SEED = 2**32 - 1  # as in the leaderboard's records


@contextmanager
def exit_codes() -> Iterator[None]:
    """Exit with 2 on bad input and 130 when interrupted, each with one line."""
    try:
        yield
    except LRMPError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted; repeat the command to finish", file=sys.stderr)
        sys.exit(130)


def run_command(args_class: type[ArgsT], train: Callable[[ArgsT], RunDirectory]) -> None:
    """Train from the command line: ``python -m lrmp.baselines.NAME``.

    Exits as `exit_codes` says.

    Args:
        args_class: Dataclass whose fields are the options.
        train: What to run with them.
    """
    import tyro

    with exit_codes():
        run = train(tyro.cli(args_class))
    best = f"best design: {run.record_path}" if run.finished else f"results: {run.path}"
    print(printable(best))


def check_counts(seed: int, **counts: int) -> None:
    """Refuse settings that no run can have, before anything is written.

    Args:
        seed: Seed of the run.
        **counts: Settings that must be at least 1, by name.

    Raises:
        RunError: For the first one that is out of range.
    """
    if not 0 <= seed <= MAX_SEED:
        raise RunError(f"Expected seed from 0 to {MAX_SEED}, got {seed}.")
    for name, value in counts.items():
        if value < 1:
            raise RunError(f"Expected {name} of at least 1, got {value}.")


def check_library(name: str, extra: str) -> None:
    """Refuse to start without an optional library, before anything is written.

    Args:
        name: What is imported.
        extra: The extra of lrmp that brings it.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f'Expected {name} for this search; run pip install "lrmp[{extra}]".'
        ) from error
