"""Rankings of a board as text."""

from collections.abc import Sequence
from typing import Any

from lrmp.leaderboard.gap import gap_text


def designs_table(ranking: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Write the designs of a task.

    Args:
        ranking: What ``/rankings/designs`` answers.

    Returns:
        Header and rows; the certified optimum comes first.
    """
    header = ["place", "agent", "score", "gap", "gain", "drop", "test drop", "known as"]
    rows = []
    reference = ranking["reference"]
    if reference is not None:
        rows.append(
            ["-", "(certified optimum)", f"{reference['value']:.4f}", gap_text(0.0), "", "", "", ""]
        )
    for each in ranking["designs"]:
        test, known = each["test_accuracy_drop"], each["known_as"]
        rows.append(
            [
                str(each["place"]),
                each["agent"],
                _number(each["score"]),
                gap_text(each["gap"]),
                f"{each['gain']:.3f}x",
                f"{each['accuracy_drop']:.2f}",
                "-" if test is None else f"{test:.2f}",
                "new" if known is None else "optimum" if known == 0 else f"#{known}",
            ]
        )
    return header, rows


def agents_table(ranking: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Write the agents of a round.

    Args:
        ranking: What ``/rankings/rounds`` answers.

    Returns:
        Header and rows.
    """
    header = ["rank", "agent", "of the optimum", "95 % interval", "finished", "opened"]
    rows = [
        [
            "-" if each["rank"] is None else str(each["rank"]),
            each["agent"],
            f"{each['score']:.3f}",
            "-" if each["low"] is None else f"{each['low']:.3f} to {each['high']:.3f}",
            str(each["finished"]),
            str(each["runs"]),
        ]
        for each in ranking["agents"]
    ]
    return header, rows


def rounds_table(rounds: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Write the rounds of a board.

    Args:
        rounds: What ``/rounds`` answers.

    Returns:
        Header and rows.
    """
    header = ["round", "track", "minimises", "instances", "evaluations", "state"]
    rows = [
        [
            each["name"],
            each["track"],
            each["objective"],
            str(each["instances"]),
            str(each["evaluations"]),
            f"until {each['closes_at'][:16]}Z" if each["closed_at"] is None else "closed",
        ]
        for each in rounds
    ]
    return header, rows


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
