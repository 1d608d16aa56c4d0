"""What commands print: JSON or text tables."""

import argparse
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import exp, log
from typing import Any

from lrmp.printable import printable
from lrmp.si_prefix import format_number, si_prefix
from lrmp.text_table import Column, fold, format_table, output_width


def add_json(parser: argparse.ArgumentParser) -> None:
    """Offer ``--json``.

    Args:
        parser: Of a command.
    """
    parser.add_argument("--json", action="store_true", help="print JSON")


def print_json(document: Any) -> None:
    """Print a document.

    Args:
        document: Plain lists, mappings, strings and finite numbers.
    """
    print(json.dumps(document, indent=2, allow_nan=False))


def note(text: object) -> None:
    """Print a line beside the output; names of files may hold what a terminal acts on.

    Args:
        text: Whatever ``print`` takes.
    """
    print(printable(str(text)), file=sys.stderr)


@contextmanager
def note_warnings() -> Iterator[None]:
    """Print warnings as lines beside the output, without the place in the code."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: note(f"lrmp: {message}")
        yield


def print_table(columns: Sequence[Column]) -> None:
    """Print a table that fits the terminal.

    Args:
        columns: As ``format_table`` takes them.
    """
    print(format_table(columns, output_width()))


def print_folded(text: str, indent: int = 0) -> None:
    """Print lines, broken where the terminal ends.

    Args:
        text: Lines.
        indent: Blanks before what goes on in a further line.
    """
    print(fold(text, output_width(), indent))


def quantities(name: str, values: Sequence[float | None], unit: str, *, leaves: int = 0) -> Column:
    """Write a column of quantities with one unit for all.

    Args:
        name: What they are.
        values: In the unit without prefix; None for what is not known.
        unit: Such as ``"s"``.
        leaves: As a ``Column`` has it.

    Returns:
        The column, with the unit in its title; ``"-"`` for None.
    """
    known = [value for value in values if value]
    middle = exp(sum(map(log, known)) / len(known)) if known else 0.0
    factor, prefix = si_prefix(middle)
    cells = ["-" if value is None else format_number(value / factor) for value in values]
    return Column(f"{name} ({prefix}{unit})", cells, leaves=leaves)
