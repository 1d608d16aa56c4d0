"""A table with a row per layer: as Python rows, as CSV, and as HTML where a notebook shows it."""

import csv
import io
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def rows_of(columns: Mapping[str, Sequence[Any]]) -> list[Row]:
    """Turn columns into rows.

    Args:
        columns: Values by name, one per layer.

    Returns:
        One mapping per layer, in the order of the columns.
    """
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


class LayerTable(ABC):
    """What has something to say about every layer."""

    @abstractmethod
    def to_table(self) -> list[Row]:
        """Return what is known of every layer, in network order.

        Returns:
            One mapping per layer with the same keys, of plain Python values; None for what is not
            known. ``pandas.DataFrame`` takes it as it is.
        """

    def to_csv(self, path: "str | PathLike[str] | None" = None) -> str:
        """Write the table as CSV with a header; what is not known is empty.

        Args:
            path: File to write as well; None for none.

        Returns:
            The text.
        """
        rows, text = self.to_table(), io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        if path is not None:
            Path(path).write_text(text.getvalue(), "utf-8", newline="")
        return text.getvalue()

    def _repr_html_(self) -> str:
        rows = self.to_table()
        header = _html_row("th", list(rows[0]) if rows else [])
        body = "".join(_html_row("td", list(row.values())) for row in rows)
        return (
            f"<table><caption>{escape(repr(self))}</caption><thead>{header}</thead>"
            f"<tbody>{body}</tbody></table>"
        )


def _html_row(tag: str, cells: Sequence[Any]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(_shown(cell))}</{tag}>' for cell in cells)}</tr>"


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else str(value)
