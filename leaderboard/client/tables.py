"""Rankings of a board as text."""

from typing import Any

from lrmp.leaderboard.gap import gap_text
from lrmp.text_table import Column


def designs_table(ranking: dict[str, Any]) -> list[Column]:
    """Write the designs of a task.

    Args:
        ranking: What ``/rankings/designs`` answers.

    Returns:
        Columns; the certified optimum comes first.
    """
    rows = []
    reference = ranking["reference"]
    if reference is not None:
        rows.append(
            ("-", "(certified optimum)", f"{reference['value']:.4f}", gap_text(0.0), "", "", "", "")
        )
    for each in ranking["designs"]:
        test, known = each["test_accuracy_drop"], each["known_as"]
        rows.append(
            (
                str(each["place"]),
                each["agent"],
                _number(each["score"]),
                gap_text(each["gap"]),
                f"{each['gain']:.3f}x",
                f"{each['accuracy_drop']:.2f}",
                "-" if test is None else f"{test:.2f}",
                "new" if known is None else "optimum" if known == 0 else f"#{known}",
            )
        )
    titles = ("place", "agent", "score", "gap", "gain", "drop", "test drop", "known as")
    return _columns(titles, rows, {"known as": 1, "test drop": 2, "drop": 3})


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
    titles: tuple[str, ...], rows: list[tuple[str, ...]], leaves: dict[str, int]
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


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
