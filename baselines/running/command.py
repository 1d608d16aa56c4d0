"""The command line of a baseline: its Args as options, errors as one line, exit codes."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.envs.task.custom_task import TaskLike
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
    with exit_codes():
        run = train(parse_args(args_class))
    best = f"best design: {run.record_path}" if run.finished else f"results: {run.path}"
    print(printable(best))


def parse_args(
    args_class: type[ArgsT], words: Sequence[str] | None = None, prog: str | None = None
) -> ArgsT:
    """Read settings from the command line; a task is an id or the name of a file there.

    Args:
        args_class: Dataclass whose fields are the options.
        words: The command line; None takes it from the process.
        prog: Name of the program in its help; None takes it from the process.

    Returns:
        The settings.

    Raises:
        MissingExtraError: If tyro is not installed.
    """
    if os.environ.get("NO_COLOR"):  # which tyro knows under this name alone, when imported
        os.environ.setdefault("PYTHON_TYRO_ANSI_CODES", "False")
    try:
        import tyro
        from tyro.constructors import (
            ConstructorRegistry,
            PrimitiveConstructorSpec,
            PrimitiveTypeInfo,
        )
    except ImportError as error:
        raise MissingExtraError.of("tyro", "for training", "train") from error

    registry = ConstructorRegistry()

    @registry.primitive_rule
    def _task(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
        if info.type != TaskLike:
            return None
        return PrimitiveConstructorSpec(
            nargs=1,
            metavar="TASK",
            instance_from_str=lambda given: given[0],
            is_instance=lambda value: isinstance(value, str),
            str_from_instance=lambda value: [str(value)],
        )

    try:
        return tyro.cli(args_class, args=words, prog=prog, registry=registry)
    except ImportError as error:  # tyro looks at a torch that is there and cannot be imported
        raise MissingExtraError.of(error.name, "for training", "train") from error


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
        raise MissingExtraError.of(name, "for this search", extra) from error
