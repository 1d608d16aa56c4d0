"""Fits the drop map of a table to its random designs.

``python -m lrmp.accuracy.model.drop_map_fit`` fits those of all measured tables that are shipped
again, to the designs beside them; no network is run.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lrmp.accuracy.model.design_result import design_result, settings_of
from lrmp.accuracy.model.drop_map import DropMap
from lrmp.accuracy.model.sensitivity_table import (
    SensitivityTable,
    load_designs,
    load_table,
    shipped_networks,
)
from lrmp.accuracy.model.table import TableAccuracy


def fit_drop_map(
    table: TableAccuracy, results: Sequence[dict[str, Any]], ceiling: float
) -> DropMap:
    """Fit the map from a table's sum to a drop.

    Args:
        table: Of divergences.
        results: Lines of the designs' file; those of the search split count.
        ceiling: What the map stays below, in points.

    Returns:
        The map.

    Raises:
        AccuracyTableError: If the designs do not say how drops grow with sums.
    """
    lines = [line for line in results if line["split"] == "search"]
    drops = np.array([design_result(line).drop for line in lines])
    settings = settings_of(lines, table.space, [""] * table.layers)
    return DropMap.fit(table.sums(settings), drops, ceiling)


def refit(table: SensitivityTable, results: Sequence[dict[str, Any]]) -> SensitivityTable:
    """Fit the map of a table again.

    Args:
        table: Measured.
        results: Lines of its designs' file.

    Returns:
        The table with the map that its designs give.
    """
    own = table.accuracy(table.space)
    return replace(table, drop_map=fit_drop_map(own, results, table.drop_map.ceiling))


def main() -> None:
    """Write the tables beside this file anew."""
    folder = Path(__file__).resolve().parents[1] / "tables"
    for network in shipped_networks():
        table = load_table(network)
        if table.kind == "measured":
            path = folder / f"{network}.json"
            path.write_text(refit(table, load_designs(network)).to_text(), "utf-8")
            print(f"wrote {path}")


if __name__ == "__main__":
    main()
