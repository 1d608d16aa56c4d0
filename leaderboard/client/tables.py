"""Rounds of a board as text."""

from typing import Any

from lrmp.text_table import Column, columns_of_rows


def agents_table(ranking: dict[str, Any]) -> list[Column]:
    """Write the agents of a round.

    Args:
        ranking: What ``/rankings/rounds`` answers.

    Returns:
        Columns.
    """
    rows = [
        (
            "-" if each["rank"] is None else str(each["rank"]),
            each["agent"],
            f"{'>=' if each['bounded'] else ''}{each['score']:.3f}",
            "-" if each["low"] is None else f"{each['low']:.3f} to {each['high']:.3f}",
            str(each["finished"]),
            str(each["runs"]),
        )
        for each in ranking["agents"]
    ]
    titles = ("rank", "agent", "of the optimum", "95 % interval", "finished", "opened")
    return columns_of_rows(titles, rows, name="agent", leaves={"opened": 1, "finished": 2})
