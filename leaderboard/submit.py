"""Submit: read, replay, store."""

from collections.abc import Sequence
from pathlib import Path

from lrmp.envs.records.record import Record
from lrmp.leaderboard.replay import Replay, replay
from lrmp.leaderboard.store import DEFAULT_STORE, Store
from lrmp.leaderboard.submission import read_submission


def submit(path: Path, store_path: Path = DEFAULT_STORE) -> list[Replay]:
    """Check, replay and store all records of a submission, or none.

    Args:
        path: A run directory, or a file with one record per line.
        store_path: The leaderboard's file; made if there is none.

    Returns:
        What was stored.

    Raises:
        RecordError: If anything is refused; nothing is stored then.
    """
    return submit_records(read_submission(path), store_path)


def submit_records(records: Sequence[Record], store_path: Path = DEFAULT_STORE) -> list[Replay]:
    """Replay and store records, or none of them.

    Args:
        records: As ``read_submission`` returns them.
        store_path: The leaderboard's file; made if there is none.

    Returns:
        What was stored.

    Raises:
        RecordError: If anything is refused; nothing is stored then.
    """
    store = Store(store_path)
    store.refuse_known(records)  # a replay takes seconds
    replays = [replay(record) for record in records]
    store.add(replays)
    return replays
