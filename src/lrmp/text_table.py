"""Text tables: as wide as a terminal on a terminal, complete everywhere else."""

import re
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from lrmp.printable import printable

GAP = "  "
#: Characters that a cell which may give way keeps, by how it does so.
LEAST = {"shorten": 20, "wrap": 16}
#: What stands for the middle of a name.
CUT = "…"


@dataclass(frozen=True)
class Column:
    """A column of a table, and what becomes of it where there is no room.

    Attributes:
        title: What stands above; it may be broken at blanks and after underscores.
        cells: One per row.
        text: Whether cells are aligned to the left, as words are; numbers stand to the right.
        fit: What long cells do: stay ``"whole"``, lose their middle (``"shorten"``, for names), or
            go on in further lines (``"wrap"``, for sentences).
        leaves: Its turn in being left out, 1 first; 0 for never.
    """

    title: str
    cells: Sequence[str]
    text: bool = False
    fit: Literal["whole", "shorten", "wrap"] = "whole"
    leaves: int = 0

    @property
    def width(self) -> int:
        """Characters that it takes as it is."""
        return max(map(len, (self.title, *self.cells)))

    @property
    def least(self) -> int:
        """Characters below which it does not go."""
        words = max(map(len, _words(self.title)), default=0)
        cells = max(map(len, self.cells), default=0)
        return max(words, min(cells, LEAST.get(self.fit, cells)))


def columns_of_rows(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    name: str,
    leaves: Mapping[str, int],
) -> list[Column]:
    """Make columns of rows that begin with two words each, such as a place and a name.

    Args:
        titles: Of the columns.
        rows: As many cells each.
        name: Title of the column whose cells are names, which may lose their middle.
        leaves: By title, turns in being left out.

    Returns:
        Columns for ``format_table``.
    """
    return [
        Column(
            title,
            [row[place] for row in rows],
            text=place < 2,
            fit="shorten" if title == name else "whole",
            leaves=leaves.get(title, 0),
        )
        for place, title in enumerate(titles)
    ]


def output_width() -> int | None:
    """Measure the terminal that standard output goes to.

    Returns:
        Its columns, as ``COLUMNS`` says or the terminal does; None for a file or a pipe, which
        get everything.
    """
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def format_table(columns: Sequence[Column], width: int | None = None) -> str:
    """Lay out a table.

    Where it is too wide, titles are broken first, then names are shortened, to no less than 20
    characters, and sentences wrapped; then columns are left out in their order, which a line below
    says. What is too wide after that stays so.

    Args:
        columns: At least one, of equally many cells.
        width: Characters of a line; None for as many as it takes.

    Returns:
        Lines without trailing blanks.
    """
    columns = [
        Column(printable(c.title), [*map(printable, c.cells)], c.text, c.fit, c.leaves)
        for c in columns
    ]
    if width is None or _total([column.width for column in columns]) <= width:
        return "\n".join(_lines(columns, [column.width for column in columns]))
    left_out = []
    while _total([column.least for column in columns]) > width:
        leaving = min(
            (column for column in columns if column.leaves),
            key=lambda column: column.leaves,
            default=None,
        )
        if leaving is None:
            break
        columns.remove(leaving)
        left_out.append(leaving.title)
    lines = _lines(columns, _share(columns, width))
    if left_out:
        lines += fold(f"(no room for: {', '.join(left_out)})", width).splitlines()
    return "\n".join(lines)


def fold(text: str, width: int | None, indent: int = 0) -> str:
    """Break long lines at blanks.

    Args:
        text: Lines.
        width: Characters of a line; None for as many as it takes.
        indent: Blanks before all lines but the first, of every line of the text.

    Returns:
        The lines; words that are longer stay whole.
    """
    if width is None:
        return text
    return "\n".join(
        part
        for line in text.splitlines()
        for part in textwrap.wrap(
            line,
            max(width, indent + LEAST["wrap"]),
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        or [""]
    )


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _words(title: str) -> list[str]:
    """Break a title at blanks, and after underscores."""
    return re.findall(r"[^\s_]+_*|_+", title)


def _share(columns: Sequence[Column], width: int) -> list[int]:
    """Give every column its least, and what is left to names, then to sentences, then to titles."""
    widths = [column.least for column in columns]
    room = width - _total(widths)
    for fit in ("shorten", "wrap", "whole"):
        while room > 0:
            need = [
                column.width - own if column.fit == fit else 0
                for column, own in zip(columns, widths, strict=True)
            ]
            if max(need) <= 0:
                break
            widths[need.index(max(need))] += 1
            room -= 1
    return widths


def _lines(columns: Sequence[Column], widths: Sequence[int]) -> list[str]:
    titles = [_title(column.title, width) for column, width in zip(columns, widths, strict=True)]
    high = max(map(len, titles))
    header = [[""] * (high - len(title)) + title for title in titles]
    rows = [header]
    for index in range(len(columns[0].cells)):
        rows.append(
            [
                _cell(column, column.cells[index], width)
                for column, width in zip(columns, widths, strict=True)
            ]
        )
    return [
        GAP.join(
            part.ljust(width) if column.text else part.rjust(width)
            for column, part, width in zip(columns, parts, widths, strict=True)
        ).rstrip()
        for row in rows
        for parts in zip_longest(*row, fillvalue="")
    ]


def _title(title: str, width: int) -> list[str]:
    """Break a title into as few lines as the width allows."""
    lines = [""]
    for word in _words(title):
        joined = f"{lines[-1]}{'' if lines[-1].endswith('_') else ' '}{word}".strip()
        if len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def _cell(column: Column, cell: str, width: int) -> list[str]:
    if len(cell) <= width or column.fit == "whole":
        return [cell]
    if column.fit == "wrap":
        return textwrap.wrap(cell, width)
    end = (width - len(CUT)) // 2
    return [f"{cell[: width - len(CUT) - end]}{CUT}{cell[len(cell) - end :]}"]
