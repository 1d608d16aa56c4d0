"""Rounds of a board as text."""

from collections.abc import Sequence
from typing import Any

from lrmp.text_table import Column


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
            f"{each['score']:.3f}",
            "-" if each["low"] is None else f"{each['low']:.3f} to {each['high']:.3f}",
            str(each["finished"]),
            str(each["runs"]),
        )
        for each in ranking["agents"]
    ]
    titles = ("rank", "agent", "of the optimum", "95 % interval", "finished", "opened")
    return _columns(titles, rows, {"opened": 1, "finished": 2})


def _columns(
    titles: tuple[str, ...], rows: Sequence[tuple[str, ...]], leaves: dict[str, int]
) -> list[Column]:
    return [
        Column(
            title,
            [row[place] for row in rows],
            text=place < 2,
            fit="shorten" if title == "agent" else "whole",
            leaves=leaves.get(title, 0),
        )
        for place, title in enumerate(titles)
    ]
