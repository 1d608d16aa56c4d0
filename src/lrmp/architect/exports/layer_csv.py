"""A design as a table with a line per layer."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from lrmp.hardware.layer_table import Row
from lrmp.whole_file import write_whole


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Write the rows of ``Outcome.to_table``.

    Args:
        rows: One per layer.
        path: The file.

    Raises:
        OSError: If the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue())
