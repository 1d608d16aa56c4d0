"""Rounds of a board as text."""

from collections.abc import Sequence
from typing import Any


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
