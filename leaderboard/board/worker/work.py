"""What a worker's inner process does: pure functions of text, without the database."""

import json
from typing import Any

from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.errors import RecordError
from lrmp.leaderboard.board.instances import instance_task
from lrmp.leaderboard.entry import replayed
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
