"""What a worker's inner process does: pure functions of text, without the database."""

import json
from typing import Any

from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.errors import RecordError
from lrmp.leaderboard.board.instances import instance_task
from lrmp.leaderboard.entry import replayed
from lrmp.leaderboard.network_drop import network_drop
from lrmp.leaderboard.replay import replay
from lrmp.leaderboard.submission import parse_record


def replay_record(text: str) -> str:
    """Replay a record.

    Args:
        text: Canonical JSON.

    Returns:
        JSON: ``{"accepted": what the log says of it}`` or ``{"refused": why}``.
    """
    try:
        found = replay(parse_record(text))
    except RecordError as error:
        return json.dumps({"refused": str(error)})
    return json.dumps({"accepted": replayed(found)}, allow_nan=False)


def check_network(text: str) -> str:
    """Run a design on its network.

    Args:
        text: Canonical JSON of an accepted record.

    Returns:
        JSON: ``{"checked": what the log says of it}`` or ``{"not run": why}``.
    """
    try:
        found = network_drop(parse_record(text))
    except RecordError as error:
        return json.dumps({"not run": str(error)})
    return json.dumps({"checked": found}, allow_nan=False)


def prove_optimum(text: str) -> str:
    """Prove the optimum of an instance.

    Args:
        text: JSON: the arguments of ``instance_task``.

    Returns:
        JSON: its value and bound.
    """
    arguments: list[Any] = json.loads(text)
    optimum = table_optimum(instance_task(*arguments))
    return json.dumps({"value": optimum.value, "bound": optimum.bound}, allow_nan=False)
