"""What a board shows, compared with what follows from its log."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from lrmp.leaderboard.board.log.item import Item
from lrmp.leaderboard.board.log.standings import SHOWN, design_standing
from lrmp.leaderboard.board.ranking import rank_agents
from lrmp.leaderboard.board.tracks import budgets_of
from lrmp.leaderboard.client.connection import Connection, part

PAGE = 500


def check_rankings(connection: Connection, items: Sequence[Item]) -> list[str]:
    """Rank by the log alone, and compare with the rankings that the board shows.

    Args:
        connection: To the board.
        items: The whole log.

    Returns:
        What differs, a sentence each.
    """
    wrong = []
    last = items[-1].number if items else 0
    for (task, fingerprint), expected in expected_designs(items).items():
        shown: list[dict[str, Any]] = []
        while True:
            page = connection.get(
                f"/rankings/designs/{part(task)}",
                fingerprint=fingerprint,
                as_of=last,
                limit=PAGE,
                offset=len(shown),
            )
            shown += [{name: row[name] for name in SHOWN} for row in page["designs"]]
            if len(page["designs"]) < PAGE:
                break
        if shown != expected:
            pairs = enumerate(zip_longest(shown, expected), start=1)
            place = next(number for number, (one, other) in pairs if one != other)
            wrong.append(
                f"ranking of {task} ({fingerprint[:16]}...): place {place} is not what the log "
                "gives"
            )
    for (name, budget), agents in expected_rounds(items).items():
        answer = connection.get(f"/rankings/rounds/{part(name)}", evaluations=budget, as_of=last)
        if answer["agents"] != agents:
            wrong.append(
                f"ranking of the round {name} at {budget} evaluations is not what the log gives"
            )
    return wrong


def expected_designs(items: Sequence[Item]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Rank designs by the log alone.

    Args:
        items: The whole log.

    Returns:
        Rows as they are shown, in order, by task and fingerprint.
    """
    withdrawn = _withdrawn(items)
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for item in items:
        if item.kind == "design":
            row = design_standing(item.number, item.at, item.content)
            rows = found.setdefault((row["task"], row["fingerprint"]), [])
            if item.number not in withdrawn:
                rows.append({name: row[name] for name in SHOWN})
    for rows in found.values():
        rows.sort(key=lambda row: (row["score"] is None, -(row["score"] or 0.0), row["number"]))
    return found


def expected_rounds(items: Sequence[Item]) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """Rank agents by the log alone.

    Args:
        items: The whole log.

    Returns:
        Agents as they are shown, in order, by round and budget.
    """
    withdrawn = _withdrawn(items)
    tracks: dict[str, str] = {}
    opened: dict[str, dict[str, Any]] = {}
    scores: dict[str, dict[str, float]] = {}
    hidden: set[str] = set()
    for item in items:
        body = item.content
        if item.kind == "round-opened":
            tracks[body["round"]] = body["track"]
        elif item.kind in ("run-opened", "run-finished"):
            if item.number in withdrawn:
                hidden.add(body["run"])
            if item.kind == "run-opened":
                opened[body["run"]] = body
            else:
                scores[body["run"]] = body["scores"]
    found = {}
    for name, track in tracks.items():
        for budget in budgets_of(track):
            values: dict[str, list[float]] = {}
            finished: dict[str, int] = {}
            for run, body in opened.items():
                if body["round"] == name and run not in hidden:
                    agent = body["agent"]
                    value = scores[run][str(budget)] if run in scores else 0.0
                    values.setdefault(agent, []).append(value)
                    finished[agent] = finished.get(agent, 0) + (run in scores)
            found[name, budget] = [vars(agent) for agent in rank_agents(values, finished)]
    return found


def _withdrawn(items: Sequence[Item]) -> set[int]:
    return {item.content["number"] for item in items if item.kind == "withdrawn"}
