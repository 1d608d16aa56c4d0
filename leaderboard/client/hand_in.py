"""Records handed in to a board: from a run, a file of records, or a recorder's file."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lrmp.envs.records.record import Record
from lrmp.errors import BoardError, NoRecordsError, RecordError
from lrmp.growing_file import read_whole_lines
from lrmp.leaderboard.client.connection import Connection
from lrmp.leaderboard.submission import check_definition, parse_record, read_submission

MAX_RECORDED_BYTES = 2**30
MOST_POINTS = 500  # of a curve, as the schema allows
POLL_S = 1.0


@dataclass(frozen=True)
class HandedIn:
    """What became of a record.

    Attributes:
        record: What was handed in.
        submission: What the board says of it.
    """

    record: Record
    submission: dict[str, Any]


def read_records(path: Path, code: str | None = None) -> list[Record]:
    """Read what is to be handed in.

    Args:
        path: A run directory, a file of records, or a file that `RecordDesigns` wrote: of that the
            best design, with the curve of all.
        code: Address of the code, in place of what the records say.

    Returns:
        Records, each of a task as this lrmp has it.

    Raises:
        RecordError: If a line is refused.
    """
    records = [_best_of(path)] if _is_recorders(path) else read_submission(path)
    if code is not None:
        records = [parse_record(replace(record, code=code).to_line()) for record in records]
    return records


def hand_in(connection: Connection, agent: str, records: Sequence[Record]) -> list[HandedIn]:
    """Hand records in. The same record again is the same submission.

    Args:
        connection: With a token of the agent's team.
        agent: ``team/agent@version``.
        records: What ``read_records`` returned.

    Returns:
        Submissions, which the board replays in its own time.

    Raises:
        BoardError: If the board refuses one; those before it stay handed in.
    """
    return [
        HandedIn(
            record,
            connection.post(
                "/submissions", {"agent": agent, "record": json.loads(record.to_line())}
            ),
        )
        for record in records
    ]


def wait_for(connection: Connection, handed_in: HandedIn, wait_s: float) -> HandedIn:
    """Wait until a submission was replayed.

    Args:
        connection: To the board.
        handed_in: What ``hand_in`` returned.
        wait_s: Seconds to wait.

    Returns:
        The same with what the board says last; its state is ``"waiting"`` if it takes longer.
    """
    until, submission = time.monotonic() + wait_s, handed_in.submission
    while submission["state"] == "waiting" and time.monotonic() < until:
        time.sleep(POLL_S)
        submission = connection.get(f"/submissions/{submission['id']}")
    return replace(handed_in, submission=submission)


def best_curve(records: Sequence[Record]) -> list[list[float]] | None:
    """Follow the best score of designs in the order in which they were scored.

    Args:
        records: Of one run.

    Returns:
        Numbers of designs at which the best score rose, and the score from there on; at most
        ``MOST_POINTS``, of which the last is the end. None if no design is within the allowed drop.
    """
    points: list[list[float]] = []
    for record in records:
        score = record.claim.score
        if score is not None and (not points or score > points[-1][1]):
            points.append([record.evaluated_designs, score])
    if len(points) > MOST_POINTS:  # the ends stay, and as many between
        step = (len(points) - 1) / (MOST_POINTS - 1)
        points = [points[round(step * place)] for place in range(MOST_POINTS)]
    return points or None


def _is_recorders(path: Path) -> bool:
    """Say whether a file holds several designs of one run."""
    if not path.is_file():
        return False
    keys = set()
    count = 0
    for text in _lines(path):
        try:
            document = json.loads(text)
            keys.add((document["task"], document["agent"], document["seed"]))
        except (ValueError, LookupError, TypeError):
            return False  # `read_submission` says what is wrong
        count += 1
    return count > 1 and len(keys) == 1


def _best_of(path: Path) -> Record:
    """Read all designs of a run; the best one carries the curve."""
    records = []
    for number, text in enumerate(_lines(path), start=1):
        try:
            records.append(parse_record(text))
        except RecordError as error:
            raise RecordError(f"{path}, line {number}: {error}") from error
    best = max(records, key=_rank)  # the first of equals
    last = records[-1]
    whole = replace(
        best,
        curve=best_curve(records),
        evaluated_designs=last.evaluated_designs,
        env_steps=last.env_steps,
        wall_time_s=last.wall_time_s,
    )
    check_definition(whole)
    return whole


def _rank(record: Record) -> tuple[bool, float]:
    score = record.claim.score
    return (False, -record.claim.accuracy_drop) if score is None else (True, score)


def _lines(path: Path) -> list[str]:
    size = path.stat().st_size
    if size > MAX_RECORDED_BYTES:
        raise BoardError(f"Expected {path} of at most {MAX_RECORDED_BYTES} bytes, got {size}.")
    try:
        return list(read_whole_lines(path))
    except (OSError, ValueError) as error:
        raise NoRecordsError(f"Expected records in {path}: {error}.") from error
