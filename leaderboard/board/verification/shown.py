"""What a board shows, compared with what follows from its log."""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict
from itertools import zip_longest
from typing import Any

from lrmp.errors import BoardError
from lrmp.leaderboard.board.ranking import rank_agents
from lrmp.leaderboard.board.tracks import budgets_of, is_bounded
from lrmp.leaderboard.client.connection import Connection, part
from lrmp.leaderboard.design_ranking import DesignRanking
from lrmp.leaderboard.log.item import Item
from lrmp.leaderboard.log.rank import rank_log

PAGE = 500
TOLD_OF_ROUND = ("track", "objective", "instances", "evaluations", "commitment")
_FOREIGN = (KeyError, TypeError, ValueError, AttributeError)  # what no board answers


def check_rankings(connection: Connection, items: Sequence[Item]) -> list[str]:
    """Rank by the log alone, and compare with the rankings that the board shows.

    Args:
        connection: To the board.
        items: The whole log.

    Returns:
        What differs, a sentence each.

    Raises:
        BoardError: If it answers what no board does.
    """
    try:
        return [
            *_check_designs(connection, items),
            *_check_rounds(connection, items),
            *_check_agents(connection, items),
            *_check_disputes(connection, items),
        ]
    except _FOREIGN as error:
        raise BoardError(
            f"Expected rankings, rounds and agents as a board answers them: {error!r}"[:300]
        ) from error


def _check_designs(connection: Connection, items: Sequence[Item]) -> list[str]:
    wrong = []
    rankings = rank_log(items)
    totals = {(ranking.task, ranking.fingerprint): ranking.total for ranking in rankings}
    for task in connection.get("/tasks"):
        key = task["id"], task["fingerprint"]
        if task["designs"] != totals.get(key, 0):
            wrong.append(f"{key[0]}: expected {totals.get(key, 0)} designs, got {task['designs']}")
        if key not in totals:  # what is shown of it, the log does not have
            page = connection.get(f"/rankings/designs/{part(key[0])}", fingerprint=key[1])
            if page["total"] or page["designs"]:
                wrong.append(f"ranking of {key[0]}: the log has no design of it")
    for ranking in rankings:
        wrong += _check_ranking(connection, ranking, items[-1].number)
    return wrong


def _check_ranking(connection: Connection, expected: DesignRanking, last: int) -> list[str]:
    wrong = []
    shown: list[dict[str, Any]] = []
    while True:
        page = connection.get(
            f"/rankings/designs/{part(expected.task)}",
            fingerprint=expected.fingerprint,
            as_of=last,
            limit=PAGE,
            offset=len(shown),
        )
        shown += page["designs"]
        if len(page["designs"]) < PAGE:
            break
    name = f"ranking of {expected.task} ({expected.fingerprint[:16]}...)"
    if page["total"] != expected.total:
        wrong.append(f"{name}: expected {expected.total} designs, got {page['total']}")
    # Which optimum is certified is known of tasks as this lrmp has them.
    if expected.is_current and not _equal(page["reference"], asdict(expected)["reference"]):
        wrong.append(f"{name}: expected the optimum {expected.reference}")
    left_out = () if expected.is_current else ("gap", "known_as")
    pairs = zip_longest(shown, map(vars, expected.designs))
    for place, (one, other) in enumerate(pairs, start=1):
        if not _equal(one, other, left_out):
            wrong.append(f"{name}: place {place} is not what the log gives")
            break
    return wrong


def _check_rounds(connection: Connection, items: Sequence[Item]) -> list[str]:
    wrong = []
    last = items[-1].number if items else 0
    rounds = {item.content["round"]: item.content for item in items if item.kind == "round-opened"}
    secrets = {
        item.content["round"]: item.content["secret"]
        for item in items
        if item.kind == "round-closed"
    }
    for shown in connection.get("/rounds"):
        name = shown["name"]
        told = {each: rounds.get(name, {}).get(each) for each in TOLD_OF_ROUND}
        if told != {each: shown[each] for each in TOLD_OF_ROUND}:
            wrong.append(f"the round {name} is not the one that the log opened")
        if shown["secret"] != secrets.get(name):
            wrong.append(f"the round {name} tells another secret than the log")
    for (name, budget), agents in expected_rounds(items).items():
        answer = connection.get(f"/rankings/rounds/{part(name)}", evaluations=budget, as_of=last)
        if answer["agents"] != agents:
            wrong.append(
                f"ranking of the round {name} at {budget} evaluations is not what the log gives"
            )
    return wrong


def _check_agents(connection: Connection, items: Sequence[Item]) -> list[str]:
    registered = {
        item.content["agent"]: item.content["code"] for item in items if item.kind == "agent"
    }
    shown: list[dict[str, Any]] = []
    while True:
        after = shown[-1]["name"] if shown else ""
        page = connection.get("/agents", after=after, limit=PAGE)
        shown += page
        if len(page) < PAGE:
            break
    return [
        f"agent {agent['name']}: its name or code is not the one that was registered"
        for agent in shown
        if agent["name"] not in registered or agent["code"] != registered[agent["name"]]
    ]


def _check_disputes(connection: Connection, items: Sequence[Item]) -> list[str]:
    expected: dict[str, dict[str, Any]] = {}
    for item in items:
        body = item.content
        if item.kind == "disputed":
            expected[body["dispute"]] = {
                "number": item.number,
                "id": body["dispute"],
                "log_number": body["number"],
                "user": body["user"],
                "text": body["text"],
                "state": "open",
                "answered_by": None,
                "answer": None,
                "created_at": item.at,
                "closed_at": None,
            }
        elif item.kind == "answered":
            expected[body["dispute"]] |= {
                "state": body["verdict"],
                "answered_by": item.number,
                "answer": body["text"],
                "closed_at": item.at,
            }
    shown: list[dict[str, Any]] = []
    while True:
        before = {"before": shown[-1]["number"]} if shown else {}
        page = connection.get("/disputes", limit=PAGE, **before)
        shown += page
        if len(page) < PAGE:
            break
    if shown != list(expected.values())[::-1]:
        return ["disputes: they are not those of the log"]
    return []


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
    bounded: set[str] = set()
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
                if is_bounded(body["optimum"]["value"], body["optimum"]["bound"]):
                    bounded.add(body["run"])
    found = {}
    for name, track in tracks.items():
        runs = {
            run: body["agent"]
            for run, body in opened.items()
            if body["round"] == name and run not in hidden
        }
        finished = Counter(agent for run, agent in runs.items() if run in scores)
        not_proven = Counter(agent for run, agent in runs.items() if run in bounded)
        for budget in budgets_of(track):
            values: dict[str, list[float]] = {}
            for run, agent in runs.items():
                value = scores[run][str(budget)] if run in scores else 0.0
                values.setdefault(agent, []).append(value)
            ranked = rank_agents(values, finished, not_proven)
            found[name, budget] = [vars(agent) for agent in ranked]
    return found


def _withdrawn(items: Sequence[Item]) -> set[int]:
    return {item.content["number"] for item in items if item.kind == "withdrawn"}


def _equal(
    given: dict[str, Any] | None,
    expected: dict[str, Any] | None,
    left_out: Collection[str] = (),
) -> bool:
    """Compare values by name: exactly, but for gaps, whose last digits are the machine's."""
    if given is None or expected is None:
        return given is expected
    return given.keys() == expected.keys() and all(
        math.isclose(given[name], value, rel_tol=1e-9, abs_tol=1e-9)
        if name == "gap" and isinstance(value, float) and isinstance(given[name], float)
        else given[name] == value
        for name, value in expected.items()
        if name not in left_out
    )
